"""Stand-in for Microsoft Graph v1.0: users, contact folders, contacts, delta, batch. See README.md of this folder."""

from emulators.graph.app import GraphEmulator
from emulators.graph.quirks import Quirks

__all__ = ["GraphEmulator", "Quirks"]

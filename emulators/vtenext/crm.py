"""One emulated CRM: its state and the operations on it, wired once. A reset replaces the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.corner import Clock
from emulators.vtenext import seed as seeds
from emulators.vtenext.access import Access
from emulators.vtenext.changes import Changes
from emulators.vtenext.people import People
from emulators.vtenext.querying import Searcher
from emulators.vtenext.sessions import Sessions
from emulators.vtenext.state import State
from emulators.vtenext.views import Views
from emulators.vtenext.writing import Writer


class Crm:
    """The parts, by name; no behaviour of its own."""

    def __init__(self, seed: Mapping[str, Any] | None, clock: Clock, zone: str) -> None:
        self.state = State(clock, zone)
        self.people = People(self.state)
        self.access = Access(self.state)
        self.views = Views(self.state)
        self.sessions = Sessions(self.state)
        self.searcher = Searcher(self.state, self.access, self.views)
        self.changes = Changes(self.state, self.views)
        self.writer = Writer(self.state, self.access, self.people, self.views)
        seeds.fill(self.state, self.people, seed)

"""vtenext as a side: `webservice.php`, with all its traps kept inside this package.

query, zones, wire     pure: query text, wall clock, meaning of an answer
gate, client           logins and calls
items, events          records as items; the columns of an event
presence               proof of deletion
changes, search        reading what changed, finding what matches
writes                 create, revise, delete
directory, crm         the two protocols of sync.sides.base

Facts and their sources: vtenext/API.md and the transcripts of a real server (tests/data/vtenext).
"""

from __future__ import annotations

from sync.sides.vtenext.client import USER_AGENT, VtenextClient
from sync.sides.vtenext.crm import VtenextCrm
from sync.sides.vtenext.directory import Probe, VtenextDirectory
from sync.sides.vtenext.events import NewEvent
from sync.sides.vtenext.gate import LoginGate, StoreLoginGate, Ticket

__all__ = [
    "USER_AGENT",
    "LoginGate",
    "NewEvent",
    "Probe",
    "StoreLoginGate",
    "Ticket",
    "VtenextClient",
    "VtenextCrm",
    "VtenextDirectory",
]

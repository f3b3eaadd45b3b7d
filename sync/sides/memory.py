"""Both sides in memory, for the simulator of the engine: ideal servers with the losses of the real ones, and no protocol.

They know nothing of `mapping` or `sync.spans`: what they lose (length, emoji, one-second times, the hour that comes twice) is written here a
second time, on purpose. Every call goes through a `Wire`.
"""

from __future__ import annotations

from sync.sides.memory_calendar import MemoryCalendar
from sync.sides.memory_crm import COLUMNS, LENGTHS, MODULE, MemoryCrm, Record, stored
from sync.sides.memory_mailbox import Card, MemoryMailbox
from sync.sides.memory_meetings import Event
from sync.sides.memory_todo import MemoryTodo, Task
from sync.sides.memory_wire import Wire, quiet

__all__ = [
    "COLUMNS",
    "LENGTHS",
    "MODULE",
    "Card",
    "Event",
    "MemoryCalendar",
    "MemoryCrm",
    "MemoryMailbox",
    "MemoryTodo",
    "Record",
    "Task",
    "Wire",
    "quiet",
    "stored",
]

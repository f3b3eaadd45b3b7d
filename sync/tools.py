"""What a run works with, handed from module to module. No behaviour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mapping.model import Translator
from sync.brakes import Budget
from sync.merge import Digests
from sync.model import Family, Kind, Side
from sync.plan import Context
from sync.sides.base import Crm, Mailbox
from sync.store.ledger import MailboxLedger, Pending
from sync.store.registry import Registry
from sync.written import Written


class Keys(Digests, Protocol):
    """What the engine needs of sync.store.secrets.Keyring. `digest_key`: id of the key that digests are made with now."""

    @property
    def digest_key(self) -> str: ...

    def index(self, text: str) -> str: ...

    def encrypt(self, text: str, aad: str) -> str: ...

    def decrypt(self, token: str, aad: str) -> str: ...


@dataclass(slots=True)
class Tools:
    """Everything a run works with. `guard` raises Fenced when this worker must stop.

    `coloured`: categories whose colour was asked for; `cause`: what failed and stopped nothing.
    """

    mailbox: Mailbox
    crm: Crm
    ledger: MailboxLedger
    registry: Registry
    keys: Keys
    context: Context
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    guard: Callable[[], Awaitable[None]]
    run: int = 0
    turn: int = 0
    waits: bool = False  # see `sync.run.Outcome`
    connected_at: str = ""  # when the mailbox's user was connected last, ISO UTC
    generation: int = 0  # of the board, under which settings and mapping were read
    past_too: bool = False  # a comparison in full looks also at private events that are over for long
    pending: dict[tuple[Side, str], Pending] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    budget: Budget | None = None  # of mails, in this run
    # mailbox ids that the next run looks at again, whatever this one makes of them
    later: set[str] = field(default_factory=set)
    # addresses that were looked for among the CRM's contacts -> id, '' = none or several
    strangers: dict[str, str] = field(default_factory=dict)
    # items whose question an admin approved -> what was shown
    permits: dict[tuple[Side, str], str] = field(default_factory=dict)
    rejected: dict[tuple[Side, str], str] = field(default_factory=dict)  # the same of what was rejected
    coloured: set[str] = field(default_factory=set)
    cause: str = ""
    # told of a long comparison: items, and how many of them are done
    progressed: Callable[[int, int], Awaitable[None]] | None = None
    written: Written = field(default_factory=Counter)  # what happened on the sides, for the hourly tallies

    @property
    def family(self) -> Family:
        return self.ledger.family

    def translator(self, kind: Kind) -> Translator:
        return self.context.translators[kind]

    def at(self) -> str:
        return self.now().isoformat(timespec="seconds")

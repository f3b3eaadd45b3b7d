"""What clearing a mailbox works with, and the ending of links that all kinds of it share. I/O. See `sync.clearing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sync.errors import Cause, StopMailbox
from sync.keeping import hand_over_of
from sync.model import Family, Link, Reason, Side
from sync.plan import Context
from sync.run import Limits
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.store.base import Op, Put
from sync.store.journal import history_place
from sync.store.ledger import MailboxLedger, drop_link
from sync.store.mailboxes import MailboxRow
from sync.store.registry import Registry
from sync.store.remnants import put_remnant
from sync.tools import Keys, Tools
from sync.watching import Watcher

LEAVE, PURGE, UNDO = "leave", "purge", "undo"
ALL = -1
"""Of a user who left the CRM nobody confirmed a number: the switch is the consent (SPEC 5.4)."""
PATIENCE_OF_SERVER = 60.0


class Progress(StrEnum):
    """How far a slice came."""

    DONE = "done"
    GOES_ON = "goes_on"
    ASKS = "asks"  # an admin decides; until then the mailbox is synchronised as it is


class Opens(Protocol):
    """How a clearing reaches the two sides; see `sync.worker.Sides`."""

    async def crm(self) -> Crm: ...

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox: ...

    async def watcher(self, mailbox: str) -> Watcher | None: ...

    async def forget_sign_in(self, mailbox: str) -> None: ...


@dataclass(slots=True)
class Clearing:
    """Everything that one slice works with. `deadline`: when it hands over to the next one."""

    row: MailboxRow
    setup: Setup
    sides: Opens
    registry: Registry
    keys: Keys
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    guard: Callable[[], Awaitable[None]]
    limits: Limits
    deadline: datetime
    counts: Counter[str] = field(default_factory=Counter)

    def at(self) -> str:
        return self.now().isoformat(timespec="seconds")

    @property
    def late(self) -> bool:
        return self.now() >= self.deadline

    async def ledger(self, family: Family) -> MailboxLedger:
        return await MailboxLedger.open(self.registry.rows, self.row.id, self.row.fence, family)

    async def people(self, ledger: MailboxLedger, folder: str) -> Tools:
        """Opens the contact folder. Raises what concerns the whole mailbox."""
        side, crm = await self.sides.mailbox(self.row.id, folder), await self.sides.crm()
        policy = self.setup.policy(self.row.id, self.row.user)
        context = Context(policy, self.setup.translators_of(policy), self.keys, {}, now=self.now())
        tools = Tools(side, crm, ledger, self.registry, self.keys, context, self.now, self.new_id, self.guard)
        tools.pending = {(row.side, row.id): row for row in await ledger.pending()}
        tools.run = (await ledger.checkpoint()).run
        tools.counts = self.counts
        return tools

    async def people_or_none(self, ledger: MailboxLedger) -> Tools | None:
        """As `people`, None when the folder that we kept was deleted."""
        try:
            return await self.people(ledger, (await ledger.checkpoint()).folder)
        except StopMailbox as stop:
            if stop.cause is not Cause.FOLDER_DELETED:
                raise
            return None

    def note(self, link: Link, what: str, because: Reason) -> Op:
        """A row of the item's history."""
        data: dict[str, str | int | bool] = {"what": what, "because": because.value, "pairs": "", "run": 0}
        return Put(history_place(link.crm_id, self.at(), self.new_id()), data)


def is_ours(link: Link) -> bool:
    """Was the card made by us?"""
    return link.origin is Side.CRM


async def end(
    links: Sequence[Link], because: Reason, ledger: MailboxLedger, job: Clearing, *, remember: bool = False
) -> None:
    """End links without touching either side. The other mailboxes are told first: a crash in between costs them a look.

    `remember`: so that an undoing links them again.
    """
    if not links:
        return
    await hand_over_of(links, job.row.id, job.registry, job.new_id)
    groups: list[list[Op]] = []
    for link in links:
        kept: list[Op] = [put_remnant(link, job.row.left_at, deleted=False)] if remember else []
        groups.append([*drop_link(link), *kept, job.note(link, "unlink", because)])
        job.counts[because.value] += 1
    await ledger.commit_groups(groups)

"""P2: what a tick costs when many mailboxes exist and little changed.

The real app in this process over Azurite and the emulators. Most mailboxes are rows only: connected, compared, subscribed to, not due for an hour;
sixty are real, with their contacts synchronised. Counted are requests of both servers and CPU of this process. The directory was read within the
hour, so it is not read here (a reading takes a request for every hundred users).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from control.app import App, build
from control.environment import read_environment
from control.queue import RunMessage
from sync import agenda, watches
from sync.agenda import look_again
from sync.model import Family
from sync.progress import Progress, write
from sync.store.base import Put
from sync.store.mailboxes import MailboxRow, _data
from sync.users import CHANGED as USERS_CHANGED
from sync.users import USERS, User
from sync.watches import LIFE, Place, Watch, Watches
from tests.bench.figures import Figure, at_most, shown
from tests.bench.panel import _put, mailbox_id
from tests.e2e.hands import CrmScreen, Outlook
from tests.e2e.stack import Stack

REAL = 60
CHANGED = 100
NEVER = "0 0 0 1 1 *"
PATIENCE = timedelta(hours=1)


@dataclass(slots=True)
class Ground:
    """Where it is measured."""

    app: App
    crm: CrmScreen
    outlook: Outlook
    contacts: list[str]
    real: list[str]

    def asked(self) -> tuple[int, int]:
        """Requests so far: of Graph, of the CRM."""
        return int(self.outlook.ask("GET", "requests")["total"]), int(self.crm.ask("GET", "requests")["total"])


def figures(mailboxes: int) -> list[Figure]:
    """On a stack of its own."""
    with Stack("bench-tick", {"SYNC_SCHEDULE": NEVER}) as stack:
        stack.stop_host()
        return asyncio.run(_measured(stack, mailboxes))


async def _measured(stack: Stack, mailboxes: int) -> list[Figure]:
    app = build(read_environment(stack.settings), lambda: datetime.now(UTC), lambda: str(uuid4()))
    ground = await _ground(app, stack, mailboxes)
    # what is read once an hour by every process: the CRM's probe, the upkeep of a large office
    await app.swept("timer")
    for mailbox in ground.real:  # the messages of that sweep are on their way, and nobody is here to take them
        await app.connector.registry.change_mailbox(mailbox, hints="", dirty=False, queued_until="")
    quiet = await _tick(ground)
    for number, contact in enumerate(ground.contacts[:CHANGED]):
        ground.crm.edit(contact, phone=f"+39 051 {number:06d}")
    busy = await _tick(ground)
    queued = len(await app.connector.registry.due(app.connector.now() + timedelta(minutes=20)))
    before, cpu = ground.asked(), time.process_time()
    for mailbox in ground.real:
        await app.ran(RunMessage(mailbox, "bench"))
    graph, crm = (after - first for after, first in zip(ground.asked(), before, strict=True))
    cpu = time.process_time() - cpu
    arrived = sum(_phones(ground))
    how = f"{mailboxes} mailboxes, {REAL} of them real"
    return [
        at_most("P2", "quiet tick: requests to Graph", quiet.graph, 0, how=how),
        at_most("P2", "quiet tick: requests to the CRM", quiet.crm, 10),
        at_most("P2", "quiet tick: CPU", round(quiet.cpu, 2), 5, "s"),
        shown("P2", "quiet tick: time", round(quiet.seconds, 2), "s"),
        at_most("P2", f"{CHANGED} changes in {REAL} mailboxes: mailboxes queued", queued, REAL),
        at_most("P2", "that tick: requests to Graph", busy.graph, 1, how="one look whether Microsoft 365 answers"),
        shown("P2", "that tick: requests to the CRM", busy.crm),
        shown("P2", "that tick: CPU", round(busy.cpu, 2), "s"),
        shown("P2", "its runs: requests to Graph per mailbox", round(graph / REAL, 2)),
        shown("P2", "its runs: requests to the CRM per mailbox", round(crm / REAL, 2)),
        shown("P2", "its runs: CPU per mailbox", round(cpu / REAL * 1000), "ms"),
        at_most("P2", "changes that did not arrive", CHANGED - arrived, 0),
    ]


@dataclass(frozen=True, slots=True)
class Cost:
    graph: int
    crm: int
    cpu: float
    seconds: float


async def _tick(ground: Ground) -> Cost:
    before, cpu, began = ground.asked(), time.process_time(), time.monotonic()
    await ground.app.swept("timer")
    used, seconds = time.process_time() - cpu, time.monotonic() - began
    after = ground.asked()
    return Cost(after[0] - before[0], after[1] - before[1], used, seconds)


def _phones(ground: Ground) -> Sequence[bool]:
    return [
        phone.startswith("+39 051")
        for mailbox in ground.real
        for card in ground.outlook.cards(mailbox, "vtenext")
        for phone in card["businessPhones"]
    ]


async def _ground(app: App, stack: Stack, mailboxes: int) -> Ground:
    crm, outlook = CrmScreen(stack.urls["vtenext"]), Outlook(stack.urls["graph"])
    names = [{"user_name": f"u{n}", "last_name": f"U{n}", "email1": f"u{n}@x.example"} for n in range(REAL)]
    owners = crm.users([{**name, "date_format": "yyyy-mm-dd"} for name in names])
    real = [outlook.user(f"u{n}@x.example", f"U{n}") for n in range(REAL)]
    people = [{"lastname": f"C{n}", "assigned_user_id": owners[n % REAL], "phone": f"{n}"} for n in range(CHANGED)]
    contacts = crm.records("Contacts", people)
    connector = app.connector
    await app.swept("timer")
    rows, now = connector.registry.rows, connector.now()
    users = [User(owner, f"U{n}", "", True, mailbox=real[n], enabled=True) for n, owner in enumerate(owners)]
    users += [_user(n) for n in range(REAL, mailboxes)]
    await _put(rows, USERS, (Put(user.id, connector.users._data(user)) for user in users))
    await rows.transact(USERS, [Put(USERS_CHANGED, {})])
    await _put(rows, "mailboxes", (Put(row.id, _data(row)) for n in range(REAL, mailboxes) if (row := _row(n, now))))
    for owner, mailbox in zip(owners, real, strict=True):
        await connector.registry.change_mailbox(mailbox, user=owner, enabled=True)
    for mailbox in real:
        while (outcome := await _ran(app, mailbox)) is None or outcome:
            continue
        await connector.registry.change_mailbox(
            mailbox, looks=_looks(mailbox, now), watches=_watched(now), hints="", dirty=False, queued_until=""
        )
    await connector.registry.set_agenda(await connector.registry.mailboxes())
    return Ground(app, crm, outlook, contacts, real)


async def _ran(app: App, mailbox: str) -> bool | None:
    await app.ran(RunMessage(mailbox, "bench"))
    row = await app.connector.registry.mailbox(mailbox)
    return bool(row and (row.dirty or not row.last_run))


def _user(number: int) -> User:
    mail = f"nome.cognome{number}@azienda.example"
    return User(f"19x{90_000 + number}", f"Nome {number}", mail, True, mailbox=mailbox_id(number), enabled=True)


def _row(number: int, now: datetime) -> MailboxRow:
    mailbox, at = mailbox_id(number), (now - timedelta(minutes=5)).isoformat()
    progress = write({family: Progress(at, 0, 0, {}, at) for family in Family})
    texts = {"progress": progress, "last_run": at, "looks": _looks(mailbox, now), "watches": _watched(now)}
    return MailboxRow(mailbox, f"19x{90_000 + number}", **texts)  # type: ignore[arg-type]


def _looks(mailbox: str, now: datetime) -> str:
    return agenda.looks({family: look_again(mailbox, now + PATIENCE, PATIENCE) for family in Family})


def _watched(now: datetime) -> str:
    until = (now + LIFE[Family.PEOPLE]).isoformat(timespec="seconds")
    kept = tuple(Watch(Place(family), str(uuid4()), until) for family in (Family.PEOPLE, Family.CALENDAR))
    return watches.write(Watches(kept, "bench"))

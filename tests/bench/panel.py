"""Server time of the panel's pages and of what the control API answers, in a large office.

A store is filled with mailboxes, users, history, journal, holds, groups and audit, once in memory and once in Azurite, and the endpoints are
called in process, as the Functions host calls them. Told are the median and the slowest of some calls, and how many times longer they take
than in an office of ten mailboxes: what does not grow with the office is near 1. Searching users is a slow path by declaration.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import azure.functions as func

from control.endpoint import Guard
from control.panel import site
from sync import overview
from sync.model import Family, Kind, Reason, Side
from sync.progress import Progress, write
from sync.resync import begin_resync
from sync.store.asking import HoldRow, hold_data
from sync.store.base import Op, Put, Rows
from sync.store.journal import Change, Kept, history_place, put_beginning, put_kept
from sync.store.ledger import partition_of
from sync.store.mailboxes import MailboxRow, _data
from sync.store.memory import MemoryRows
from sync.store.tables import TableRows
from sync.store.tally import add
from sync.users import CHANGED, USERS, User
from tests.bench.figures import Figure, at_most, shown
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import World

LIMIT_MS = 100
AT_ONCE = 8
HISTORIES = 50  # mailboxes among which the history is spread
ITEM = "12x1"
SLOW = frozenset({"users, search"})
RUN_OF = 20  # rows of the journal that one run wrote
GROUP = "20x7"
ALONE = frozenset({"panel_values", "panel_calendar", "panel_user_exports"})
"""Pages that are not asked for: one row of the journal, what reads nothing, what is read from the CRM. A person's own pages are about one user."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large an office is."""

    mailboxes: int
    history: int
    holds: int
    audit: int


SMALL = Size(10, 100, 2, 20)
LARGE = Size(2_000, 50_000, 200, 2_000)


def mailbox_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


async def filled(rows: Rows, size: Size) -> World:
    """An office of this size."""
    world = World(rows=cast(MemoryRows, rows))
    await asyncio.gather(
        _put(rows, "mailboxes", (Put(row.id, _data(row)) for row in _mailboxes(world, size))),
        _put(rows, USERS, [*(Put(user.id, world.users._data(user)) for user in _users(size)), Put(CHANGED, {})]),
        _put(rows, "holds", (Put(hold.id, hold_data(hold)) for hold in _holds(size))),
        *(_put(rows, partition, ops) for partition, ops in _history(size).items()),
        _put(rows, partition_of(mailbox_id(0), Family.PEOPLE), _journal(world, size)),
    )
    for number in range(min(50, size.mailboxes)):
        await world.groups.change(f"20x{7 + number}", name=f"Gruppo {number}", members=("19x1", "19x2"))
    await rows.transact("control", [Put("swept", {"counts": json.dumps({"changed": 3})})])
    await rows.transact(
        "settings", [Put("directory", {"read_at": world.now().isoformat(timespec="seconds"), "braked": 0})]
    )
    for number in range(size.audit):
        world.time += timedelta(seconds=1)
        await world.connector.audit.begin("somebody", "user_put", f"19x{number}", world.now(), world.new_id())
    for hour in range(24):
        for number in range(8):
            written = Counter({(side, kind, "changed"): 5 for side in Side for kind in Kind})
            await add(rows, f"m{number}", world.now() - timedelta(hours=hour), written)
    await begin_resync(rows, world.now(), "mapping")
    await overview.note(world.registry, await world.registry.mailboxes(), world.now())
    return world


def _mailboxes(world: World, size: Size) -> Iterable[MailboxRow]:
    at = (world.now() - timedelta(hours=1)).isoformat(timespec="seconds")
    for number in range(size.mailboxes):
        pending = {"several_candidates": number % 3, "no_name": number % 7}
        families = {family: Progress(at if number % 5 else "", 3000, number, pending) for family in Family}
        bad = {"state": "error", "cause": "reconnect" if number % 2 else "mailbox_full"} if number % 40 < 2 else {}
        row = MailboxRow(mailbox_id(number), f"19x{number}", progress=write(families), last_run=at, **bad)  # type: ignore[arg-type]
        yield row


def _users(size: Size) -> Iterable[User]:
    for number in range(size.mailboxes):
        mail = f"nome.cognome{number}@azienda.example"
        pairing = {"mailbox": mailbox_id(number), "address": mail, "addresses": (mail,), "enabled": True}
        yield User(f"19x{number}", f"Nome Cognome {number}", mail, True, **pairing)  # type: ignore[arg-type]


def _holds(size: Size) -> Iterable[HoldRow]:
    for number in range(size.holds):
        mailbox, ids = mailbox_id(number % size.mailboxes), tuple(f"4x{n}" for n in range(20))
        yield HoldRow(
            f"{number:022}", mailbox, Kind.CONTACT, Side.MAILBOX, Reason.DELETE_BRAKE, "2026-03-01", items=ids
        )


def _history(size: Size) -> Mapping[str, Sequence[Op]]:
    """Spread over some mailboxes; in the first of them all of it is one item's."""
    found: dict[str, list[Op]] = {}
    each = size.history // min(HISTORIES, size.mailboxes)
    for mailbox in range(min(HISTORIES, size.mailboxes)):
        ops = found.setdefault(partition_of(mailbox_id(mailbox), Family.PEOPLE), [])
        for number in range(each):
            crm_id = ITEM if not mailbox else f"4x{number // 5}"
            at = f"2026-02-{1 + number % 28:02}T08:{number // 28 % 60:02}:00+00:00"
            line = {"what": "update", "because": "crm_edited", "pairs": "phone~businessPhones", "run": number}
            ops.append(
                Put(
                    history_place(crm_id, at, f"n{number}"),
                    {**line, "item": f"card{number}", "kind": "contact", "journal": ""},
                )
            )
    return found


def _journal(world: World, size: Size) -> Iterable[Op]:
    """A tenth as much as all history, in one mailbox, in runs that follow each other."""
    for number in range(size.history // 10):
        at = (world.now() - timedelta(days=29) + timedelta(minutes=number)).isoformat(timespec="seconds")
        if number % RUN_OF == 0:
            yield put_beginning(number // RUN_OF, at)
        kept = Kept(
            f"j|{at}|n{number}", f"4x{number}", f"card{number}", Kind.CONTACT, "update", "crm_edited", number // RUN_OF
        )
        yield put_kept(kept, Change({"mailbox:phone": "1"}, {"mailbox:phone": "2"}), world.keys)


async def _put(rows: Rows, partition: str, ops: Iterable[Op]) -> None:
    everything = list(ops)
    for start in range(0, len(everything), 100):
        async with GATE:
            await rows.transact(partition, everything[start : start + 100])


GATE = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Ask:
    """A function of the app, as the panel or a browser calls it."""

    name: str
    params: dict[str, str] = field(default_factory=dict)
    route: dict[str, str] = field(default_factory=dict)


def calls(size: Size) -> dict[str, Ask]:
    """What is asked for."""
    middle = size.mailboxes // 2
    item = {"mailbox": mailbox_id(0), "family": "people", "id": ITEM}
    runs = size.history // 10 // RUN_OF
    last, early = ({"mailbox": mailbox_id(0), "family": "people", "run": str(max(0, n))} for n in (runs - 1, runs // 4))
    box, user, hold = {"id": mailbox_id(middle)}, {"id": f"19x{middle}"}, {"id": f"{size.holds // 2:022}"}
    return {
        "status": Ask("status"),
        "mailboxes, first page": Ask("mailboxes"),
        "mailboxes, from the middle": Ask("mailboxes", {"after": mailbox_id(middle)}),
        "mailboxes in trouble": Ask("mailboxes", {"state": "trouble"}),
        "users, first page of 25": Ask("users", {"limit": "25"}),
        "users, from the middle": Ask("users", {"limit": "25", "after": f"19x{middle}"}),
        "users, search": Ask("users", {"limit": "25", "search": f"cognome{middle}@"}),
        "holds, page of 25": Ask("holds", {"limit": "25"}),
        "holds, the open ones": Ask("holds", {"limit": "25", "state": "open"}),
        "history of one item": Ask("history", {"limit": "25", **item}),
        "journal of the last run": Ask("journal_run", {"limit": "25", **last}),
        "journal of an early run": Ask("journal_run", {"limit": "25", **early}),
        "activity": Ask("activity"),
        "audit, page of 25": Ask("audit", {"limit": "25"}),
        "resync, under way": Ask("resync"),
        "page: control panel": Ask("panel_home"),
        "page: mailboxes": Ask("panel_mailboxes"),
        "page: one mailbox": Ask("panel_mailbox", route=box),
        "page: history of an item": Ask("panel_history", item),
        "page: journal of the last run": Ask("panel_journal", last),
        "page: to approve": Ask("panel_holds"),
        "page: one hold": Ask("panel_hold", route=hold),
        "page: users": Ask("panel_users"),
        "page: one user": Ask("panel_user", route=user),
        "page: disconnecting a user": Ask("panel_user_parting", route=user),
        "page: removing a user": Ask("panel_user_removal", route=user),
        "page: mapping of contacts": Ask("panel_mapping", route={"id": "contact"}),
        "page: groups": Ask("panel_groups"),
        "page: one group": Ask("panel_group", route={"id": GROUP}),
        "page: commands given": Ask("panel_audit"),
        "page: settings": Ask("panel_settings"),
        "page: settings, changing": Ask("panel_settings_edit"),
    }


def unasked(size: Size) -> set[str]:
    """Pages that nobody measures: a new page has to say here how it is called."""
    pages = {page.name for page in site.PAGES if page.method == "GET" and page.guard is not Guard.PERSON}
    return pages - {ask.name for ask in calls(size).values()} - ALONE


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one call: by the clock, and of CPU in our process."""

    clock: float
    cpu: float


async def measured(world: World, size: Size, times: int) -> dict[str, list[Took]]:
    """What each call takes, each made `times` times after one that is not counted."""
    api = Api(world)
    found: dict[str, list[Took]] = {}
    for name, ask in calls(size).items():
        await _ask(api, ask)
        found[name] = [await _ask(api, ask) for _ in range(times)]
    return found


async def _ask(api: Api, ask: Ask) -> Took:
    started, cpu = time.perf_counter(), time.process_time()
    if ask.name.startswith("panel_"):
        request = func.HttpRequest(
            "GET", "/api/panel", headers=HEADERS, params=ask.params, route_params=ask.route, body=b""
        )
        answer = await api.functions[ask.name](request)
    else:
        answer = await api.raw(ask.name, HEADERS, params=ask.params)
    took = Took((time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000)
    if answer.status_code != 200:
        raise RuntimeError(f"{ask.name}: {answer.status_code} {answer.get_body()[-2000:].decode()}")
    return took


async def on(store: str, rows: tuple[Rows, Rows], size: Size, times: int) -> list[Figure]:
    """A small office and a large one on two stores of one sort."""
    small = await measured(await filled(rows[0], SMALL), SMALL, times)
    large = await measured(await filled(rows[1], size), size, times)
    found: list[Figure] = []
    for name, took in large.items():
        median, cpu = _median(took), statistics.median(each.cpu for each in took)
        ratio, slowest = median / _median(small[name]), max(each.clock for each in took)
        how = f"{cpu:.1f} of CPU; slowest of {times}: {slowest:.1f}; {ratio:.1f} times an office of {SMALL.mailboxes}"
        said = f"{store}: {name}"
        if name in SLOW:
            found.append(shown("panel", said, round(median, 1), "ms", f"slow by declaration; {how}"))
        else:
            found.append(at_most("panel", said, round(median, 1), LIMIT_MS, "ms", how))
    return found


def _median(took: Sequence[Took]) -> float:
    return statistics.median(each.clock for each in took)


async def both(connection_string: str, size: Size, times: int) -> list[Figure]:
    tables = (
        TableRows.connect(connection_string, table="benchsmall"),
        TableRows.connect(connection_string, table="benchlarge"),
    )
    try:
        return [
            *await on("memory", (MemoryRows(), MemoryRows()), size, times),
            *await on("Azurite", tables, size, times),
        ]
    finally:
        for each in tables:
            await each.aclose()


def figures(storage: str, size: Size, times: int) -> list[Figure]:
    """Medians in a large office. Raises RuntimeError when a page is not among the calls."""
    if left := unasked(size):
        raise RuntimeError(f"not measured: {', '.join(sorted(left))}")
    return asyncio.run(both(storage, size, times))

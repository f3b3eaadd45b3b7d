"""Server time of what the panel asks for, in a large office: `make bench` (prints a table, writes bench-panel.json).

A store is filled with mailboxes, users, history, holds and audit, once in memory and once in Azurite, and the endpoints are called in process, as the
Functions host calls them. Shown are the median and the slowest of some calls, and how many times longer they take than in an office of ten mailboxes:
what does not grow with the office is near 1. Ends with 1 when a median is above the limit. Searching users is a slow path by declaration.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import azure.functions as func

from emulators.azurite import running
from sync import overview
from sync.model import Family, Kind, Reason, Side
from sync.progress import Progress, write
from sync.resync import begin_resync
from sync.store.asking import HoldRow, hold_data
from sync.store.base import Op, Put, Rows
from sync.store.journal import history_place
from sync.store.ledger import partition_of
from sync.store.mailboxes import MailboxRow, _data
from sync.store.memory import MemoryRows
from sync.store.tables import TableRows
from sync.store.tally import add
from sync.users import USERS, User
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import World

LIMIT_MS = 100
AT_ONCE = 8
HISTORIES = 50  # mailboxes among which the history is spread
ITEM = "12x1"
SLOW = frozenset({"users, search"})


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
        _put(rows, USERS, (Put(user.id, world.users._data(user)) for user in _users(size))),
        _put(rows, "holds", (Put(hold.id, hold_data(hold)) for hold in _holds(size))),
        *(_put(rows, partition, ops) for partition, ops in _history(size).items()),
    )
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
        yield User(
            f"19x{number}", f"Nome Cognome {number}", mail, True, 0, mailbox_id(number), mail, True, addresses=(mail,)
        )


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


async def _put(rows: Rows, partition: str, ops: Iterable[Op]) -> None:
    everything = list(ops)
    for start in range(0, len(everything), 100):
        async with GATE:
            await rows.transact(partition, everything[start : start + 100])


GATE = asyncio.Semaphore(AT_ONCE)


def calls(size: Size) -> dict[str, tuple[str, dict[str, str]]]:
    """What the panel asks for: name -> endpoint and query."""
    middle = size.mailboxes // 2
    return {
        "status": ("status", {}),
        "mailboxes, first page": ("mailboxes", {}),
        "mailboxes, from the middle": ("mailboxes", {"after": mailbox_id(middle)}),
        "mailboxes in trouble": ("mailboxes", {"state": "trouble"}),
        "users, first page of 25": ("users", {"limit": "25"}),
        "users, from the middle": ("users", {"limit": "25", "after": f"19x{middle}"}),
        "users, search": ("users", {"limit": "25", "search": f"cognome{middle}@"}),
        "holds, page of 25": ("holds", {"limit": "25"}),
        "holds, the open ones": ("holds", {"limit": "25", "state": "open"}),
        "history of one item": ("history", {"limit": "25", "mailbox": mailbox_id(0), "family": "people", "id": ITEM}),
        "activity": ("activity", {}),
        "audit, page of 25": ("audit", {"limit": "25"}),
        "resync, under way": ("resync", {}),
        "page: control panel": ("panel_home", {}),
        "page: mailboxes": ("panel_mailboxes", {}),
        "page: users": ("panel_users", {}),
        "page: to approve": ("panel_holds", {}),
        "page: history of an item": ("panel_history", {"mailbox": mailbox_id(0), "family": "people", "id": ITEM}),
        "page: commands given": ("panel_audit", {}),
    }


async def measured(world: World, size: Size, times: int) -> dict[str, list[float]]:
    """Milliseconds of each call, each made `times` times after one that is not counted."""
    api = Api(world)
    found: dict[str, list[float]] = {}
    for name, (endpoint, params) in calls(size).items():
        await _ask(api, endpoint, params)
        found[name] = [await _ask(api, endpoint, params) for _ in range(times)]
    return found


async def _ask(api: Api, endpoint: str, params: dict[str, str]) -> float:
    started = time.perf_counter()
    if endpoint.startswith("panel_"):
        request = func.HttpRequest("GET", "/api/panel", headers=HEADERS, params=params, body=b"")
        answer = await api.functions[endpoint](request)
    else:
        answer = await api.raw(endpoint, HEADERS, params=params)
    took = (time.perf_counter() - started) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{endpoint}: {answer.status_code}")
    return took


async def on(rows: tuple[Rows, Rows], size: Size, times: int) -> dict[str, Any]:
    """A small office and a large one on two stores of one sort: name -> median, slowest, times the small one's median."""
    small = await measured(await filled(rows[0], SMALL), SMALL, times)
    large = await measured(await filled(rows[1], size), size, times)
    return {
        name: {
            "median ms": round(statistics.median(took), 1),
            "slowest ms": round(max(took), 1),
            "times a small office": round(statistics.median(took) / statistics.median(small[name]), 1),
        }
        for name, took in large.items()
    }


async def both(connection_string: str, size: Size, times: int) -> dict[str, Any]:
    tables = (
        TableRows.connect(connection_string, table="benchsmall"),
        TableRows.connect(connection_string, table="benchlarge"),
    )
    try:
        return {
            "memory": await on((MemoryRows(), MemoryRows()), size, times),
            "Azurite": await on(tables, size, times),
        }
    finally:
        for each in tables:
            await each.aclose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=LARGE.mailboxes)
    parser.add_argument("--history", type=int, default=LARGE.history)
    parser.add_argument("--times", type=int, default=15)
    options = parser.parse_args()
    size = Size(options.mailboxes, options.history, LARGE.holds, LARGE.audit)
    with running() as azurite:
        result = asyncio.run(both(azurite.connection_string, size, options.times))
    late: list[str] = []
    for store, table in result.items():
        print(f"\n{store}: {size.mailboxes} mailboxes, {size.history} history rows")
        print(f"{'call':30} {'median ms':>10} {'slowest ms':>11} {'times a small office':>22}")
        for name, row in table.items():
            print(
                f"{name:30} {row['median ms']:>10} {row['slowest ms']:>11} {row['times a small office']:>22}"
                f"{'  (slow by declaration)' if name in SLOW else ''}"
            )
            late += [f"{store}: {name}"] if row["median ms"] > LIMIT_MS and name not in SLOW else []
    Path("bench-panel.json").write_text(json.dumps(result, indent=2) + "\n")
    for each in late:
        print(f"above {LIMIT_MS} ms: {each}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())

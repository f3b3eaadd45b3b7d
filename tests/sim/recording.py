"""A small office and everything that was stored of it and of both sides, as JSON: the ledger that a release leaves behind.

    python -m tests.sim.recording tests/data/ledger-v1.json

writes it anew, by this program. That is right only as long as no release has written rows of that form: afterwards the file stays as it is, and every
later version must be able to go on from it (tests/sim/test_recorded_ledger.py). Keys and clock are the simulator's; there are no people in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from mapping.attendees import Answer
from sync.connector import Connector, Outside
from sync.groups import Groups
from sync.model import Family, Kind
from sync.policy import Group
from sync.run import Limits
from sync.settings import Settings
from sync.settings_store import Defaults, SettingsStore
from sync.sides.base import CrmUser
from sync.sides.memory_meetings import Guest
from sync.store.audit import Audit
from sync.store.base import Put, Row
from sync.store.schema import Schema, current
from sync.store.schema import write as write_schema
from sync.store.tokens import TokenStore
from sync.users import Users
from tests.sim.world import World, address_of

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
TEAM = "22x9"
OUTSIDE = {"now", "wire", "kind_of", "workflow", "office", "calendars"}
"""What a side is handed and does not hold."""
Json = Any


def office() -> World:
    """Two users, all kinds of items, a group to which both belong."""
    world = World(USERS, None, Family.PEOPLE, Family.CALENDAR, Family.TASKS)
    world.groups = {TEAM: Group("19x1", tuple(USERS))}
    world.limits = Limits(chunk=50, batch=20, workers=2)
    world.crm.people |= {"4x90": "cliente@z.example"}
    return world


class Unasked:
    """The servers of a connector that asks none."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name}: nobody was to be asked")


class Sent:
    """The queue; `delays` of what was sent."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        self.delays.append(delay)


def connector_of(world: World) -> Connector:
    """What the timer works with, over this world's rows."""
    rows, keys = world.rows, world.keys
    return Connector(
        world.registry,
        world.board,
        SettingsStore(rows, keys, Defaults("acme.example", "an-id", "a~secret")),
        Users(rows, keys),
        Groups(rows, keys),
        cast(Outside, Unasked()),
        Sent(),
        Sent(),
        Audit(rows),
        (),
        world.now,
        world.new_id,
    )


async def story() -> World:
    """Half a day of the office: first fill, edits on both sides, deletions, a question, things that cannot be settled, settings and people."""
    world = office()
    crm, cards, dates, lists = world.crm, world.mailboxes, world.calendars, world.todos
    await write_schema(world.rows, Schema(current()))
    anna, _ = (
        crm.add(Kind.CONTACT, user, {"lastname": f"Uno {user}", "email": f"uno{user}@x.example"}) for user in USERS
    )
    crm.add(Kind.COMPANY, "19x1", {"accountname": "Alfa", "phone": "1", "email1": "info@alfa.example"})
    crm.add(Kind.EVENT, "19x1", {"subject": "Da prima", "when": "2026-11-25T09:00Z/2026-11-25T10:00Z"})
    cards["mailbox-a"].add(
        {"givenName": "Dora", "surname": "Due", "emailAddresses": ("due@x.example",), "companyName": "Alfa"}
    )
    cards["mailbox-b"].add({"companyName": "Beta", "personalNotes": "nota"})
    cards["mailbox-b"].add({"personalNotes": "senza nome"})
    dates["mailbox-a"].add({"subject": "Riunione", "when": "2026-11-26T08:00Z/2026-11-26T09:00Z", "body": "testo"})
    dates["mailbox-b"].add(
        {"subject": "Ogni giovedì", "when": "2026-11-26T10:00Z/2026-11-26T11:00Z"},
        rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;COUNT=6",
    )
    lists["mailbox-a"].add({"title": "Chiamare", "due": "2026-12-01"})
    await world.connect()
    await world.settle(5)

    crm.add(Kind.TASK, TEAM, {"subject": "Per tutti", "due_date": "2026-12-03", "taskstatus": "Not Started"})
    crm.add(Kind.TASK, "19x2", {"subject": "Per uno", "taskstatus": "In Progress"})
    made = crm.add(Kind.EVENT, "19x1", {"subject": "Visita", "when": "2026-12-02T13:00Z/2026-12-02T14:00Z"})
    crm.add_series(
        "19x2", {"subject": "Turno"}, [f"2026-12-{day:02}T07:00Z/2026-12-{day:02}T08:00Z" for day in (7, 14, 21, 28)]
    )
    guests = {address_of(USERS["19x2"]): Guest(address_of(USERS["19x2"])), "boss@y.example": Guest("boss@y.example")}
    meeting = dates["mailbox-a"].add(
        {"subject": "Incontro", "when": "2026-12-09T09:00Z/2026-12-09T10:00Z"}, guests=guests
    )
    dates["mailbox-a"].add(
        {"subject": "Segreto", "sensitivity": "private", "when": "2026-12-10T09:00Z/2026-12-10T10:00Z"}
    )
    crm.edit(anna.id, phone="2")
    for number in range(2):
        crm.add(Kind.CONTACT, "19x1", {"lastname": "Stesso", "email": "stesso@x.example", "mobile": f"3{number}"})
    cards["mailbox-a"].add({"surname": "Stesso", "emailAddresses": ("stesso@x.example",)})  # which of the two?
    await world.settle(5)

    crm.edit(anna.id, owner="19x2")
    crm.edit(made.id, location="Sala")
    series = next(event for event in dates["mailbox-b"].events.values() if event.rule)
    dates["mailbox-b"].edit_occurrence(series.id, "2026-12-10", subject="Ogni giovedì, ma")
    dates["mailbox-b"].cancel(series.id, "2026-12-17")
    copy = next(event for event in dates["mailbox-b"].events.values() if event.uid == meeting.uid)
    dates["mailbox-b"].respond(copy.id, Answer.ACCEPTED)
    task = next(each for each in lists["mailbox-a"].tasks.values() if each.fields["title"] == "Chiamare")
    lists["mailbox-a"].edit(task.item_id, status="completed")
    dora = next(card for card in cards["mailbox-a"].cards.values() if card.fields.get("surname") == "Due")
    cards["mailbox-a"].edit(dora.id, mobilePhone="333")
    one = next(card for card in cards["mailbox-b"].cards.values() if card.fields.get("companyName") == "Beta")
    cards["mailbox-b"].move(one.id, "deleted")
    own = next(card for card in cards["mailbox-b"].cards.values() if card.fields.get("surname") == "Uno 19x2")
    cards["mailbox-b"].move(own.id, "elsewhere")
    await world.settle(6)
    await _people(world)
    return world


async def _people(world: World) -> None:
    """The rows that only the control plane writes."""
    connector, at = connector_of(world), world.now().isoformat(timespec="seconds")
    await connector.settings.save(Settings(active=True, folder_name="Clienti"), "another~secret", by="token", at=at)
    staff = [CrmUser(user, f"Nome {user}", address_of(mailbox), True) for user, mailbox in USERS.items()]
    await connector.users.refresh(staff, world.now(), frozenset())
    for user, mailbox in USERS.items():
        await connector.users.change(user, mailbox=mailbox, enabled=True)
    await connector.groups.change(TEAM, organizer="19x1", members=tuple(USERS))
    await connector.audit.end(await connector.audit.begin("token", "settings_put", "", world.now(), "n1"), 200)
    await TokenStore(world.rows, world.keys).save(
        "mailbox-a", "tenant", ("Contacts.ReadWrite",), "a~refresh~token", world.now()
    )


def kept(world: World) -> Counter[tuple[str, str]]:
    """Rows that say what belongs together and what waits: by partition and key."""
    wanted = ("c|", "m|", "p|", "t|", "i|", "b|", "e|")
    rows = world.rows.everything()
    return Counter((row.partition, row.key) for row in rows if row.key.startswith(wanted) or row.partition == "holds")


async def untouched(world: World) -> None:
    """Everything compared in full, twice: nobody writes to either side, and no link, hold or pending row comes or goes."""
    before, writes = kept(world), world.writes
    world.full = set(USERS.values())
    await world.settle(2)
    assert world.writes == writes
    assert kept(world) == before


# as JSON and back


def recorded(world: World) -> Json:
    """Rows, both sides, the time."""
    return {
        "time": world.time.isoformat(),
        "ids": world.ids,
        "rows": [[row.partition, row.key, dict(row.data)] for row in world.rows.everything()],
        "crm": _packed_fields(world.crm),
        "mailboxes": {name: _packed_fields(side) for name, side in world.mailboxes.items()},
        "calendars": {name: _packed_fields(side) for name, side in world.calendars.items()},
        "todos": {name: _packed_fields(side) for name, side in world.todos.items()},
        "office": _packed_fields(world.office),
    }


async def restored(found: Json, change: Callable[[Row], Row] = lambda row: row) -> World:
    """The world as it was recorded; `change`: what somebody did to the rows since."""
    world = office()
    world.time, world.ids = datetime.fromisoformat(found["time"]), found["ids"]
    for partition, key, data in found["rows"]:
        row = change(Row(partition, key, data, ""))
        await world.rows.transact(row.partition, [Put(row.key, row.data)])
    _fill(world.crm, found["crm"])
    _fill(world.office, found["office"])
    for sides, of in ((world.mailboxes, "mailboxes"), (world.calendars, "calendars"), (world.todos, "todos")):
        for name, side in sides.items():
            _fill(side, found[of][name])
    return world


def _packed_fields(side: Any) -> Json:
    return {
        each.name: _packed(getattr(side, each.name)) for each in dataclasses.fields(side) if each.name not in OUTSIDE
    }


def _fill(side: Any, values: Json) -> None:
    for name, value in values.items():
        setattr(side, name, _unpacked(value))


def _packed(value: Any) -> Json:
    match value:
        case Enum():
            return {"!enum": f"{type(value).__module__}:{type(value).__name__}", "is": value.value}
        case None | bool() | int() | str():
            return value
        case ZoneInfo():
            return {"!zone": value.key}
        case datetime() | date():
            return {f"!{type(value).__name__}": value.isoformat()}
        case dict():
            return {"!dict": [[_packed(key), _packed(each)] for key, each in value.items()]}
        case list():
            return [_packed(each) for each in value]
        case tuple() | set() | frozenset():
            items = value if isinstance(value, tuple) else sorted(value)
            return {f"!{type(value).__name__}": [_packed(each) for each in items]}
    kept = {each.name: _packed(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return {"!": f"{type(value).__module__}:{type(value).__name__}", **kept}


def _unpacked(value: Json) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    tag, inner = next(iter(value.items()))
    match tag:
        case "!enum":
            return _named(inner)(value["is"])
        case "!zone":
            return ZoneInfo(inner)
        case "!datetime" | "!date":
            return {"!datetime": datetime, "!date": date}[tag].fromisoformat(inner)
        case "!dict":
            return {_unpacked(key): _unpacked(each) for key, each in inner}
        case "!tuple" | "!set" | "!frozenset":
            return {"!tuple": tuple, "!set": set, "!frozenset": frozenset}[tag](_unpacked(each) for each in inner)
    made = _named(inner)
    known = {each.name for each in dataclasses.fields(made)}
    return made(**{name: _unpacked(each) for name, each in value.items() if name in known})


def _named(name: str) -> Any:
    module, _, what = name.partition(":")
    return getattr(importlib.import_module(module), what)


def main() -> None:
    lines = json.dumps(recorded(asyncio.run(story())), indent=1, sort_keys=True, ensure_ascii=False)
    Path(sys.argv[1]).write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

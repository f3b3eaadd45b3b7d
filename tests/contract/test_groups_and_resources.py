"""An admin sets a group, a room and a car; what the composition makes of it reaches calendars and CRM, over emulators on loopback (SPEC 2.6, 5.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from emulators.corner import Fault
from emulators.graph import GraphEmulator
from emulators.vtenext import VtenextEmulator
from sync import commands, group_commands, settings_commands
from sync.connector import Connector
from sync.model import Kind
from sync.settings import Settings
from sync.store.audit import Audit
from sync.store.board import BoardStore
from sync.store.registry import Registry
from sync.sweep import sweep
from sync.worker import Worker
from tests.contract.graph_world import served
from tests.contract.test_connections import Office, _without_entra
from tests.unit.control.world import Sent

ANNA, BRUNO, ROOM = "anna@acme.example", "bruno@acme.example", "sala@acme.example"
ROME = ZoneInfo("Europe/Rome")


class Company:
    """One CRM with a group, one tenant with a room, and a connector between them in which nothing is replaced but Entra and the queue."""

    def __init__(self, vtenext: VtenextEmulator, crm: str, graph: GraphEmulator, tenant: str) -> None:
        self.vtenext, self.graph = vtenext, graph
        names = {"Anna": ANNA, "Bruno": BRUNO, "Sala": "sala@crm.example", "Auto": "auto@crm.example"}
        people = [
            {"user_name": name, "last_name": name, "email1": email, "date_format": "yyyy-mm-dd"}
            for name, email in names.items()
        ]
        self.anna, self.bruno, self.room, self.car = vtenext.backdoor.add_users(people)
        (self.sales,) = vtenext.backdoor.add_groups([{"groupname": "Vendite", "members": [self.anna, self.bruno]}])
        self.causes: set[str] = set()
        self.boxes = [graph.add_user(ANNA, "Anna", aliases=["a.neri@acme.example"]), graph.add_user(BRUNO, "Bruno")]
        graph.add_user(ROOM, "Sala")
        graph.outlook.make_room(ROOM)
        office = Office(crm, tenant)
        office.connections._joined = _without_entra(office, tenant)  # type: ignore[method-assign]
        self.outside, self.now, self.new_id = office.connections, office.connections._now, office.connections._new_id
        self.registry, board = Registry(office.rows), BoardStore(office.rows)
        self.connector = Connector(
            self.registry,
            board,
            office.settings,
            office.users,
            office.groups,
            self.outside,
            Sent(),
            Sent(),
            Audit(office.rows),
            (),
            self.now,
            self.new_id,
        )
        keys = self.outside._keys
        self.worker = Worker(self.registry, board, keys, self.outside, self.outside.setup, self.now, self.new_id)

    async def rounds(self, times: int) -> None:
        """Sweep, then run every mailbox, so many times."""
        for _ in range(times):
            await sweep(await self.outside.sweep_tools())
            for box in self.boxes:
                outcome = await self.worker.run(box)
                while outcome is not None and outcome.unfinished:
                    outcome = await self.worker.run(box)
                row = await self.registry.mailbox(box)
                assert row is not None
                assert row.state == "ok"
                self.causes.add(row.cause)

    def event(self, owner: str, **fields: Any) -> str:
        """Somebody makes an event in the CRM, next week."""
        day = (self.now().astimezone(ROME) + timedelta(days=7)).date().isoformat()
        times = {"date_start": day, "time_start": "10:00", "due_date": day, "time_end": "11:00"}
        row = {"subject": "Visita", "activitytype": "Meeting", "eventstatus": "Planned", **times, **fields}
        return self.vtenext.backdoor.add_records("Events", [{**row, "assigned_user_id": owner}])[0]

    def record(self, crm_id: str) -> tuple[str, dict[str, str]]:
        """Owner and answers of the invitees (1 declined, 2 accepted)."""
        (row,) = (row for row in self.vtenext.backdoor.dump()["Events"] if row["id"] == crm_id)
        return row["assigned_user_id"], {each["id"]: str(each["partecipation"]) for each in row["invitees"]}


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    vtenext, graph = VtenextEmulator(zone="Europe/Rome"), GraphEmulator(auth=False)
    with ExitStack() as stack:
        company = Company(
            vtenext, stack.enter_context(served(vtenext.app)), graph, stack.enter_context(served(graph.app))
        )
        connector = company.connector
        await connector.settings.save(Settings(), None)
        for user in (company.anna, company.bruno):
            await commands.change_user(connector, user, {"enabled": True})
        await company.rounds(2)
        yield company
        await company.outside.aclose()


async def test_what_admins_set_is_what_the_engine_runs_with(company: Company) -> None:
    connector = company.connector
    await commands.change_user(connector, company.room, {"resource": True, "mailbox": ROOM, "colour": "#2858A5"})
    await commands.change_user(connector, company.car, {"resource": True})
    await group_commands.change_group(connector, company.sales, {"members": [company.anna], "organizer": company.bruno})
    body = {"mail_limits": {"meetings": 1, "mails": 2, "day": 3}, "double_booking": "accept", "create_strangers": True}
    await settings_commands.change_settings(
        connector, body | {"crm_contact_invitees": True, "crm_invitation_mail_off": True}
    )
    policy = (await company.outside.setup()).policy(company.boxes[0], company.anna)
    assert policy.homes == {company.anna: company.boxes[0], company.bruno: company.boxes[1]}
    assert (policy.people.rooms, policy.people.things) == ({company.room}, {company.car})
    assert policy.people.user_of("A.Neri@acme.example") == company.anna
    assert policy.people.colours["Sala"] == "preset22"
    group = policy.groups[company.sales]
    assert (group.members, group.organizer) == ((company.anna,), company.bruno)
    assert (policy.mails.meetings, policy.mails.mails, policy.mails.day) == (1, 2, 3)
    assert (policy.double_booking, policy.crm_contact_invitees, policy.create_strangers) == (True, True, True)
    assert policy.reassign_groups


async def test_a_groups_event_with_room_and_car(company: Company) -> None:
    unset = company.event(company.sales)
    await company.rounds(1)
    listed = (await group_commands.groups(company.connector)).groups
    assert [(row.id, row.name, row.is_set) for row in listed] == [(company.sales, "Vendite", False)]
    assert company.record(unset) == (company.sales, {})

    connector = company.connector
    await commands.change_user(connector, company.room, {"resource": True, "mailbox": ROOM, "colour": "#2858A5"})
    await commands.change_user(connector, company.car, {"resource": True, "colour": "#C11A25"})
    members = {"members": [company.anna, company.bruno], "organizer": company.anna}
    await group_commands.change_group(connector, company.sales, members)
    invited = [{"email": email, "partecipation": 0} for email in ("sala@crm.example", "auto@crm.example")]
    company.vtenext.backdoor.edit(unset, {"invitees": invited})
    await company.rounds(6)

    owner, answers = company.record(unset)
    assert owner == company.anna
    assert answers == {company.bruno: "0", company.room: "2", company.car: "2"}
    (mine,), (his,) = (list(company.graph.dump(box)["events"]) for box in company.boxes)
    guests = {each["emailAddress"]["address"]: each["type"] for each in mine["attendees"]}
    assert guests == {BRUNO: "required", ROOM: "resource"}
    assert sorted(mine["categories"]) == sorted(his["categories"]) == ["Auto", "Sala"]
    for box in (ANNA, BRUNO):
        assert company.graph.outlook.categories(box) == {"Auto": "preset15", "Sala": "preset22"}
    sent = [mail["to"] for mail in company.graph.outlook.mails() if mail["by"] == "app"]
    assert sorted(sent) == sorted([BRUNO, ROOM])
    assert await (await company.outside.crm()).count(Kind.EVENT) == 1
    assert company.causes == {""}


async def test_colours_that_are_not_permitted_stop_nothing_and_are_told(company: Company) -> None:
    await commands.change_user(company.connector, company.car, {"resource": True, "colour": "#C11A25"})
    denied = Fault("status", 403, body='{"error":{"code":"ErrorAccessDenied","message":""}}')
    company.graph.corner.add_fault(denied, match="GET .*masterCategories", times=99)
    invited = [{"email": "auto@crm.example", "partecipation": 0}]
    event = company.event(company.anna, invitees=invited)
    await company.rounds(4)
    (mine,) = company.graph.dump(ANNA)["events"]
    assert (mine["categories"], mine["attendees"]) == (["Auto"], [])
    assert company.graph.outlook.categories(ANNA) == {}
    assert company.record(event) == (company.anna, {company.car: "2"})
    assert company.causes == {"", "categories_without_colour"}

"""What every CRM side promises about events, as tests to inherit: run on the memory CRM and on vtenext. See `crm_contract`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mapping.attendees import Answer, Invitee, invitees_value
from sync.model import Gone, Item, Kind, Value
from sync.sides.base import Done, New, Remove, Revise
from tests.contract.crm_contract import CrmWorld, changed, item_in, owned, read, status_of

WHEN = "2026-12-15T09:00Z/2026-12-15T10:00Z"
ALL_DAY = "2026-12-24/2026-12-26"
MEETING = {"subject": "Riunione", "location": "Sala 2", "description": "Ordine del giorno", "when": WHEN}
EVENT_FIELDS = {
    "recurring",
    *("subject", "location", "description", "when", "visibility", "taskpriority", "reminder_time"),
    *("uid", "slot", "created", "invitees", "organizer_address", "contact_id"),
}


def planned(world: CrmWorld, stamp: str = "040000008200E00074C5B7101A82E008|0", **fields: str) -> New:
    return New(Kind.EVENT, {**MEETING, **fields}, stamp, world.owners[0])


class EventContract:
    """Run on a server whose clock shows Europe/Rome, which sets it back on 2026-10-25 at 01:00Z."""

    @pytest.fixture
    def riunione(self, world: CrmWorld) -> str:
        record = world.add(Kind.EVENT, {**MEETING, "reminder_time": "15", "visibility": "Public"}, world.owners[0])
        world.wait(5)
        return record

    async def test_an_event_says_what_it_is(self, world: CrmWorld, riunione: str) -> None:
        item = await read(world, Kind.EVENT, riunione)
        assert set(item.fields) == EVENT_FIELDS
        assert {name: item.fields[name] for name in MEETING} == MEETING
        shown = {name: item.fields[name] for name in ("reminder_time", "visibility", "taskpriority", "slot", "created")}
        assert shown == {
            "reminder_time": "15",
            "visibility": "Public",
            "taskpriority": "",
            "slot": "0",
            "created": item.modified,
        }
        assert item.fields["uid"]
        assert (item.kind, item.owner, item.stamp) == (Kind.EVENT, world.owners[0], f"{item.fields['uid']}|0")

    async def test_every_way_of_reading_shows_the_same(self, world: CrmWorld, riunione: str) -> None:
        item = await read(world, Kind.EVENT, riunione)
        assert (await changed(world, Kind.EVENT, ""))[0] == {riunione: item}
        assert await world.crm.by_uid(Kind.EVENT, [str(item.fields["uid"])]) == [item]

    @pytest.mark.parametrize(
        ("sent", "held"),
        [
            ({}, {}),
            ({"when": ALL_DAY}, {"when": ALL_DAY}),
            ({"when": "2026-12-24/2026-12-24"}, {"when": "2026-12-24/2026-12-24"}),
            ({"when": "2026-07-01T22:00Z/2026-07-02T21:59Z"}, {"when": "2026-07-01T22:00Z/2026-07-02T21:59Z"}),
            ({"when": "2026-12-15T23:30Z/2026-12-17T02:00Z"}, {"when": "2026-12-15T23:30Z/2026-12-17T02:00Z"}),
            ({"when": "2026-12-15T09:00Z/2026-12-15T09:00Z"}, {"when": "2026-12-15T09:00Z/2026-12-15T09:00Z"}),
            ({"when": "2027-03-28T00:59Z/2027-03-28T01:00Z"}, {"when": "2027-03-28T00:59Z/2027-03-28T01:00Z"}),
            ({"when": "2026-10-25T00:30Z/2026-10-25T03:00Z"}, {"when": "2026-10-25T01:30Z/2026-10-25T03:00Z"}),
            ({"when": "2026-10-25T01:30Z/2026-10-25T03:00Z"}, {"when": "2026-10-25T01:30Z/2026-10-25T03:00Z"}),
            ({"when": "2026-10-25T00:50Z/2026-10-25T01:10Z"}, {"when": "2026-10-25T01:50Z/2026-10-25T01:50Z"}),
            ({"when": "2026-10-24T23:59Z/2026-10-25T00:00Z"}, {"when": "2026-10-24T23:59Z/2026-10-25T01:00Z"}),
            ({"subject": "s" * 120, "location": "è" * 200}, {"subject": "s" * 100, "location": "è" * 150}),
            ({"subject": "Festa \U0001f389"}, {"subject": "Festa ????"}),
            ({"description": "uno\ndue"}, {"description": "uno\ndue"}),
            ({"visibility": "Private", "taskpriority": "High"}, {"visibility": "Private", "taskpriority": "High"}),
            ({"reminder_time": "59"}, {"reminder_time": "59"}),
            ({"reminder_time": "60"}, {"reminder_time": "61"}),
            ({"reminder_time": "1440"}, {"reminder_time": "1441"}),
            ({"reminder_time": "0"}, {"reminder_time": ""}),
            ({"reminder_time": ""}, {"reminder_time": ""}),
        ],
    )
    async def test_the_answer_is_what_is_stored(
        self, world: CrmWorld, sent: dict[str, str], held: dict[str, str]
    ) -> None:
        made = item_in((await world.crm.apply([planned(world, **sent)]))[0])
        assert {name: made.fields[name] for name in {**MEETING, **held}} == {**MEETING, **held}
        assert await read(world, Kind.EVENT, made.id) == made
        other = item_in((await world.crm.apply([planned(world, "another|0")]))[0])
        world.wait(60)
        revised = item_in((await world.crm.apply([Revise(other, sent)]))[0])
        assert {name: revised.fields[name] for name in held} == held
        assert await read(world, Kind.EVENT, other.id) == revised
        world.wait(60)
        assert await world.crm.apply([Revise(revised, {**MEETING, **held})]) == [Done(revised)]
        assert "when" not in sent or await world.crm.apply([Revise(revised, sent)]) == [Done(revised)]

    async def test_a_stamp_is_kept_in_uid_and_slot(self, world: CrmWorld) -> None:
        stamps = ["a|b|0", "a|b|14", "D'Angelo & 100%_=#|7", "x" * 127 + "|0"]
        results = await world.crm.apply([planned(world, stamp) for stamp in stamps])
        items = [item_in(result) for result in results]
        assert [item.stamp for item in items] == stamps
        assert [(item.fields["uid"], item.fields["slot"]) for item in items[:2]] == [("a|b", "0"), ("a|b", "14")]
        for item in items:
            assert item in await world.crm.by_uid(Kind.EVENT, [str(item.fields["uid"])])

    @pytest.mark.parametrize("stamp", ["x" * 128 + "|0", "no index|", "|0", "no index", "", "uid|-1"])
    async def test_a_stamp_that_would_not_come_back_fails_before_anything_is_written(
        self, world: CrmWorld, stamp: str
    ) -> None:
        with pytest.raises(ValueError, match="stamp of an event"):
            await world.crm.apply([planned(world, stamp)])
        assert await world.crm.count(Kind.EVENT) == 0

    async def test_by_uid_finds_every_occurrence_and_nothing_else(self, world: CrmWorld) -> None:
        stamps = [f"series|{day}" for day in (0, 7, 14)] + ["SERIES|0", "serie|0", "single|0"]
        ids = [item_in(result).id for result in await world.crm.apply([planned(world, stamp) for stamp in stamps])]
        world.delete(Kind.EVENT, ids[1])
        crowd = [f"unknown{n}" for n in range(250)]
        found = await world.crm.by_uid(Kind.EVENT, ["single", *crowd, "series", "", "single"])
        assert {item.id for item in found} == {ids[0], ids[2], ids[5]}
        assert len(found) == 3
        assert await world.crm.by_uid(Kind.EVENT, []) == []

    async def test_what_identifies_an_event_never_changes(self, world: CrmWorld) -> None:
        made = item_in((await world.crm.apply([planned(world, "uid|3")]))[0])
        world.wait(60)
        item = item_in((await world.crm.apply([Revise(made, {"subject": "Altro", "when": ALL_DAY})]))[0])
        world.edit(Kind.EVENT, made.id, {"subject": "Terzo"})
        after = await read(world, Kind.EVENT, made.id)
        assert [each.stamp for each in (made, item, after)] == ["uid|3"] * 3
        assert [each.fields["created"] for each in (item, after)] == [made.fields["created"]] * 2
        assert made.modified < item.modified < after.modified

    async def test_revise_changes_what_is_given_and_nothing_else(self, world: CrmWorld, riunione: str) -> None:
        before = await read(world, Kind.EVENT, riunione)
        item = item_in((await world.crm.apply([Revise(before, {"when": ALL_DAY})]))[0])
        assert item.fields == {**before.fields, "when": ALL_DAY}
        item = item_in((await world.crm.apply([Revise(item, {"when": WHEN, "location": ""})]))[0])
        assert item.fields == {**before.fields, "location": ""}

    async def test_a_reminder_stays_because_it_cannot_be_removed(self, world: CrmWorld, riunione: str) -> None:
        before = await read(world, Kind.EVENT, riunione)
        assert await world.crm.apply([Revise(before, {"reminder_time": ""})]) == [Done(before)]
        assert await world.crm.apply([Revise(before, {"reminder_time": "0"})]) == [Done(before)]
        (result,) = await world.crm.apply([Revise(before, {"reminder_time": "", "subject": "Altro"})])
        assert item_in(result).fields == {**before.fields, "subject": "Altro"}
        world.edit(Kind.EVENT, riunione, {"reminder_time": ""})
        assert (await read(world, Kind.EVENT, riunione)).fields["reminder_time"] == ""

    async def test_an_event_moved_meanwhile_is_neither_revised_nor_removed(
        self, world: CrmWorld, riunione: str
    ) -> None:
        before = await read(world, Kind.EVENT, riunione)
        world.edit(Kind.EVENT, riunione, {"when": "2026-12-15T09:30Z/2026-12-15T10:30Z"})
        results = await world.crm.apply([Revise(before, {"subject": "Altro"}), Remove(before)])
        assert [status_of(result) for result in results] == [412, 412]
        assert (await read(world, Kind.EVENT, riunione)).fields["when"] == "2026-12-15T09:30Z/2026-12-15T10:30Z"

    async def test_changes_and_deletions_are_listed(self, world: CrmWorld, riunione: str) -> None:
        other = world.add(Kind.EVENT, {"subject": "Via", "when": ALL_DAY}, world.owners[1])
        world.add(Kind.CONTACT, {"lastname": "Verdi"}, world.owners[1])
        _, _, cursor = await changed(world, Kind.EVENT, "")
        world.wait(600)
        world.edit(Kind.EVENT, riunione, {"when": ALL_DAY})
        world.delete(Kind.EVENT, other)
        items, gone, _ = await changed(world, Kind.EVENT, cursor)
        assert items == {riunione: await read(world, Kind.EVENT, riunione)}
        assert gone == {other}
        present = await world.crm.get(Kind.EVENT, [other, riunione])
        assert isinstance(present[other], Gone)
        assert isinstance(present[riunione], Item)

    async def test_remove(self, world: CrmWorld, riunione: str) -> None:
        world.add(Kind.EVENT, {"subject": "Altro", "when": ALL_DAY}, world.owners[1])
        before = await read(world, Kind.EVENT, riunione)
        assert await world.crm.apply([Remove(before)]) == [Done(None)]
        assert isinstance((await world.crm.get(Kind.EVENT, [riunione]))[riunione], Gone)
        assert await world.crm.apply([Remove(before)]) == [Done(None)]

    async def test_owned_and_count(self, world: CrmWorld) -> None:
        spans = {
            "2026-12-01T09:00Z/2026-12-01T10:00Z": False,
            "2026-12-09/2026-12-09": False,
            "2026-12-09T22:00Z/2026-12-09T22:59Z": False,  # until 23:59 in Rome
            "2026-12-09T22:00Z/2026-12-09T23:30Z": True,  # until 0:30 in Rome
            "2026-12-01/2026-12-10": True,
            "2027-01-01T09:00Z/2027-01-01T10:00Z": True,
        }
        mine = {world.add(Kind.EVENT, {**MEETING, "when": when}, world.owners[0]): when for when in spans}
        other = world.add(Kind.EVENT, MEETING, world.owners[1])
        midnight = datetime(2026, 12, 9, 23, 0, tzinfo=UTC)  # in Rome
        coming = {i async for page in world.crm.owned(Kind.EVENT, world.owners[0], midnight) for i in page}
        assert coming == {record for record, when in mine.items() if spans[when]}
        everybodys = {i async for page in world.crm.owned(Kind.EVENT, "", ending_after=midnight) for i in page}
        assert everybodys == coming | {other}
        assert set(await owned(world, Kind.EVENT, world.owners[0])) == set(mine)
        assert await world.crm.count(Kind.EVENT) == 7

    async def test_the_zone_of_the_server(self, world: CrmWorld) -> None:
        assert await world.crm.server_zone() == ZoneInfo("Europe/Rome")

    async def test_nobody_is_told_who_created_an_event(self, world: CrmWorld) -> None:
        with pytest.raises(ValueError, match="by uid"):
            await world.crm.created_since(Kind.EVENT, world.iso_now())

    async def test_an_event_without_a_span_fails_before_anything_is_written(
        self, world: CrmWorld, riunione: str
    ) -> None:
        before = await read(world, Kind.EVENT, riunione)
        for write in (planned(world, when=""), Revise(before, {"when": "domani"})):
            with pytest.raises(ValueError, match="not a span"):
                await world.crm.apply([write])
        assert await owned(world, Kind.EVENT, "") == [riunione]

    # invitees

    async def test_invitees_are_written_by_address_and_shown_by_id(self, world: CrmWorld) -> None:
        first, second = world.owners
        guest = world.add(Kind.CONTACT, {"lastname": "Neri", "email": "Neri@cust.example"}, first)
        world.wait(400)
        people = listed((second, "accepted", world.addresses[second]), (guest, "none", "neri@cust.example"))
        made = item_in((await world.crm.apply([replace_fields(planned(world), invitees=people)]))[0])
        assert made.fields["invitees"] == people
        world.wait(400)
        assert (await read(world, Kind.EVENT, made.id)).fields["invitees"] == people
        (again,) = await world.crm.by_uid(Kind.EVENT, [str(made.fields["uid"])])
        assert again.fields["invitees"] == people
        fewer = item_in((await world.crm.apply([Revise(made, {"invitees": listed()})]))[0])
        assert fewer.fields["invitees"] == ()

    async def test_a_move_keeps_the_answers_and_an_edit_says_nothing_about_them(self, world: CrmWorld) -> None:
        first, second = world.owners
        people = listed((first, "declined", world.addresses[first]), (second, "accepted", world.addresses[second]))
        made = item_in((await world.crm.apply([replace_fields(planned(world), invitees=people)]))[0])
        world.wait(60)
        later = "2026-12-16T09:00Z/2026-12-16T10:00Z"
        moved = item_in((await world.crm.apply([Revise(made, {"when": later})]))[0])
        assert (moved.fields["when"], moved.fields["invitees"]) == (later, people)
        world.wait(60)
        edited = item_in((await world.crm.apply([Revise(moved, {"location": "Milano"})]))[0])
        assert edited.fields["invitees"] == people
        assert (await read(world, Kind.EVENT, made.id)).fields["invitees"] == people

    async def test_a_list_that_would_invite_somebody_else_is_not_written(self, world: CrmWorld) -> None:
        _, second = world.owners
        people = listed((second, "none", world.addresses[second]), ("4x9999", "none", "nobody@nowhere.example"))
        made = item_in((await world.crm.apply([replace_fields(planned(world), invitees=people)]))[0])
        assert made.fields["subject"] == MEETING["subject"]
        assert "4x9999" not in str(made.fields["invitees"])

    async def test_an_answer_given_in_the_crm_shows_without_a_change(self, world: CrmWorld) -> None:
        _, second = world.owners
        people = listed((second, "none", world.addresses[second]))
        made = item_in((await world.crm.apply([replace_fields(planned(world), invitees=people)]))[0])
        world.wait(600)
        world.answer(made.id, second, "declined")
        now = await read(world, Kind.EVENT, made.id)
        assert (now.version, now.fields["invitees"]) == (
            made.version,
            listed((second, "declined", world.addresses[second])),
        )
        until = datetime(2026, 12, 31, tzinfo=UTC)
        assert [item.id for item in await world.crm.upcoming(until)] == [made.id]
        assert (await world.crm.upcoming(until))[0].fields["invitees"] == now.fields["invitees"]
        assert await world.crm.upcoming(datetime(2026, 12, 1, tzinfo=UTC)) == []
        moved = (await world.crm.apply([Revise(made, {"invitees": listed()})]))[0]
        assert status_of(moved) == 412  # the list that it was planned on is another one now

    async def test_an_external_organizer_is_kept_as_an_address(self, world: CrmWorld) -> None:
        made = item_in((await world.crm.apply([planned(world, organizer_address="boss@y.example")]))[0])
        assert (await read(world, Kind.EVENT, made.id)).fields["organizer_address"] == "boss@y.example"


def listed(*people: tuple[str, str, str]) -> tuple[str, ...]:
    return invitees_value(Invitee(id_, Answer(answer), address) for id_, answer, address in people)


def replace_fields(write: New, **fields: Value) -> New:
    return replace(write, fields={**write.fields, **fields})

"""What every calendar promises about meetings, as tests to inherit: run on the memory side and on Graph's. People's hands are part of the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from mapping.attendees import Answer, Attendee, attendees_of, attendees_value
from sync.model import Gone, Item, Kind
from sync.sides.base import Done, Mailbox, New, Remove, Revise

STRANGER = "ospite@fuori.example"
WHEN, LATER = "2026-11-25T09:00Z/2026-11-25T10:00Z", "2026-11-26T09:00Z/2026-11-26T10:00Z"
MEETING = {"subject": "Riunione", "when": WHEN}
WEEKLY = "FREQ=WEEKLY;INTERVAL=1;BYDAY=WE;WKST=MO;COUNT=4"
SECOND, THIRD = "2026-12-02", "2026-12-09"


class MeetingWorld(Protocol):
    """One tenant: `mailboxes` by address, the first of them anna's; `room` answers by itself. Fields are those of an item."""

    mailboxes: Mapping[str, Mailbox]
    room: str

    async def meet(self, organizer: str, fields: Mapping[str, str], guests: Sequence[str], rule: str = "") -> str: ...

    async def edit(self, organizer: str, item_id: str, fields: Mapping[str, str]) -> None: ...

    async def move_occurrence(self, organizer: str, item_id: str, slot: str, when: str) -> None: ...

    async def invite(self, organizer: str, item_id: str, guest: str, slot: str = "") -> None: ...

    async def uninvite(self, organizer: str, item_id: str, guest: str) -> None: ...

    async def respond(self, attendee: str, item_id: str, answer: str) -> None: ...

    async def delete(self, whose: str, item_id: str) -> None: ...

    def mails(self) -> list[tuple[str, str]]:
        """Kind and recipient of everything that Exchange sent, in order."""
        ...


async def shown(world: MeetingWorld, who: str) -> list[Item]:
    """What a person's calendar shows, by time; what was called off and not yet removed included."""
    items = [item async for page in world.mailboxes[who].changes(None) for item in page.items]
    return sorted(items, key=lambda item: str(item.fields["when"]))


async def only(world: MeetingWorld, who: str) -> Item:
    (item,) = await shown(world, who)
    return item


async def read(world: MeetingWorld, who: str, item_id: str) -> Item:
    found = (await world.mailboxes[who].get([item_id]))[item_id]
    assert isinstance(found, Item), found
    return found


async def revised(world: MeetingWorld, who: str, item: Item, fields: Mapping[str, str | tuple[str, ...]]) -> Item:
    (result,) = await world.mailboxes[who].apply([Revise(item, fields)])
    assert isinstance(result, Done), result
    assert result.item is not None
    return result.item


def guests(item: Item) -> dict[str, Answer]:
    """Who is invited and what they said."""
    return {each.address: each.response for each in attendees_of(item.fields["attendees"])}


def listed(*addresses: str) -> tuple[str, ...]:
    return attendees_value(Attendee(each) for each in addresses)


class MeetingContract:
    """Inherit and give a `world` fixture."""

    @pytest.fixture(autouse=True)
    def _people(self, world: MeetingWorld) -> None:
        self.anna, self.bruno, self.carla = list(world.mailboxes)[:3]

    # what is shown

    async def test_the_organizers_event_and_an_attendees_copy(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno, STRANGER])
        own, copy = await read(world, self.anna, event), await only(world, self.bruno)
        assert guests(own) == {self.bruno: "none", STRANGER: "none"}
        assert list(own.fields["attendees"]) == sorted(own.fields["attendees"])
        people = ("organizer", "organizer_address", "response", "categories")
        assert [own.fields[name] for name in people] == ["1", self.anna, "", ()]
        assert [copy.fields[name] for name in people] == ["", self.anna, "none", ()]
        assert {copy.fields[n] == own.fields[n] for n in ("uid", "slot", "subject", "when")} == {True}
        assert copy.id != own.id
        assert await shown(world, self.carla) == []

    async def test_an_event_without_guests_is_its_users_own(self, world: MeetingWorld) -> None:
        item = await read(world, self.anna, await world.meet(self.anna, MEETING, []))
        assert (item.fields["attendees"], item.fields["organizer"]) == ((), "1")
        assert world.mails() == []

    async def test_a_series_and_its_copy(self, world: MeetingWorld) -> None:
        await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        own, copies = await shown(world, self.anna), await shown(world, self.bruno)
        assert [item.fields["when"] for item in own] == [item.fields["when"] for item in copies]
        assert [guests(item) for item in own] == [{self.bruno: "none"}] * 4
        assert [item.fields["slot"] for item in copies] == ["0", "7", "14", "21"]
        assert world.mails() == [("invitation", self.bruno)]

    async def test_who_is_invited_to_one_occurrence_gets_that_one(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        await world.invite(self.anna, event, self.carla, SECOND)
        own, copy = await shown(world, self.anna), await only(world, self.carla)
        assert [self.carla in guests(item) for item in own] == [False, True, False, False]
        assert copy.fields["when"] == own[1].fields["when"]
        assert Counter(world.mails()) == {("invitation", self.bruno): 1, ("invitation", self.carla): 1}

    # what the organizer's mailbox writes

    async def test_inviting_mails_each_guest_once(self, world: MeetingWorld) -> None:
        new = New(Kind.EVENT, {**MEETING, "attendees": listed(self.bruno, STRANGER)}, "18x1|0")
        (result,) = await world.mailboxes[self.anna].apply([new])
        assert isinstance(result, Done)
        assert result.item is not None
        assert guests(result.item) == {self.bruno: "none", STRANGER: "none"}
        assert Counter(world.mails()) == {("invitation", self.bruno): 1, ("invitation", STRANGER): 1}
        assert (await only(world, self.bruno)).fields["uid"] == result.item.fields["uid"]

    async def test_another_list_mails_only_who_comes_or_goes(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno, STRANGER])
        before = len(world.mails())
        item = await read(world, self.anna, event)
        after = await revised(world, self.anna, item, {"attendees": listed(self.carla, STRANGER)})
        assert guests(after).keys() == {self.carla, STRANGER}
        assert Counter(world.mails()[before:]) == {("invitation", self.carla): 1, ("cancellation", self.bruno): 1}
        assert (await only(world, self.bruno)).fields["cancelled"] == "1"
        assert (await only(world, self.carla)).fields["response"] == "none"

    async def test_a_change_of_content_mails_everybody(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno, STRANGER])
        before = len(world.mails())
        await revised(world, self.anna, await read(world, self.anna, event), {"subject": "Revisione"})
        assert Counter(world.mails()[before:]) == {("update", self.bruno): 1, ("update", STRANGER): 1}
        assert (await only(world, self.bruno)).fields["subject"] == "Revisione"

    async def test_a_series_with_an_exception_mails_twice(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        await world.move_occurrence(self.anna, event, SECOND, LATER.replace("11-26", "12-03"))
        before = len(world.mails())
        item = await read(world, self.anna, event)
        await revised(world, self.anna, item, {"attendees": listed(self.bruno, self.carla)})
        assert Counter(to for _, to in world.mails()[before:]) == {self.carla: 2}
        before = len(world.mails())
        (result,) = await world.mailboxes[self.anna].apply([Remove(await read(world, self.anna, event))])
        assert result == Done(None)
        assert Counter(world.mails()[before:]) == {("cancellation", self.bruno): 2, ("cancellation", self.carla): 2}

    async def test_categories_and_a_reminder_are_nobodys_business(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        before = len(world.mails())
        item = await read(world, self.anna, event)
        after = await revised(world, self.anna, item, {"categories": ("Auto", "Sala"), "reminder": "45"})
        assert (after.fields["categories"], after.fields["reminder"]) == (("Auto", "Sala"), "45")
        copy = await only(world, self.bruno)
        assert copy.fields["categories"] == ()
        assert (await revised(world, self.bruno, copy, {"categories": ("Auto",)})).fields["categories"] == ("Auto",)
        assert (await read(world, self.anna, event)).fields["categories"] == ("Auto", "Sala")
        assert world.mails()[before:] == []

    async def test_an_occurrence_gets_a_list_of_its_own(self, world: MeetingWorld) -> None:
        await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        before = len(world.mails())
        occurrence = (await shown(world, self.anna))[2]
        await revised(world, self.anna, occurrence, {"attendees": listed(self.bruno, self.carla)})
        assert world.mails()[before:] == [("invitation", self.carla)]
        assert [self.carla in guests(item) for item in await shown(world, self.anna)] == [False, False, True, False]

    async def test_a_cancelled_occurrence_mails_its_guests(self, world: MeetingWorld) -> None:
        await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        before = len(world.mails())
        occurrence = (await shown(world, self.anna))[1]
        assert await world.mailboxes[self.anna].apply([Remove(occurrence)]) == [Done(None)]
        assert world.mails()[before:] == [("cancellation", self.bruno)]
        copies = [item for item in await shown(world, self.bruno) if not item.fields.get("cancelled")]
        assert [item.fields["slot"] for item in copies] == ["0", "14", "21"]

    async def test_removing_a_meeting_calls_its_copies_off(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno, STRANGER])
        before = len(world.mails())
        assert await world.mailboxes[self.anna].apply([Remove(await read(world, self.anna, event))]) == [Done(None)]
        assert Counter(world.mails()[before:]) == {("cancellation", self.bruno): 1, ("cancellation", STRANGER): 1}
        assert (await only(world, self.bruno)).fields["cancelled"] == "1"

    # answers

    @pytest.mark.parametrize("answer", ["accepted", "tentative"])
    async def test_an_answer_reaches_the_organizer(self, world: MeetingWorld, answer: str) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno, self.carla])
        before = await read(world, self.anna, event)
        after = await revised(world, self.bruno, await only(world, self.bruno), {"response": answer})
        assert after.fields["response"] == answer
        own = await read(world, self.anna, event)
        assert guests(own) == {self.bruno: answer, self.carla: "none"}
        assert own.version != before.version
        assert world.mails()[2:] == [("response", self.anna)]

    async def test_declining_takes_the_copy_away(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        copy = await only(world, self.bruno)
        assert await world.mailboxes[self.bruno].apply([Revise(copy, {"response": "declined"})]) == [Done(None)]
        assert isinstance((await world.mailboxes[self.bruno].get([copy.id]))[copy.id], Gone)
        assert guests(await read(world, self.anna, event)) == {self.bruno: "declined"}

    async def test_a_person_answers(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        await world.respond(self.bruno, (await only(world, self.bruno)).id, "accepted")
        assert (await only(world, self.bruno)).fields["response"] == "accepted"
        assert guests(await read(world, self.anna, event)) == {self.bruno: "accepted"}

    async def test_a_new_time_asks_again_and_another_subject_does_not(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        await world.respond(self.bruno, (await only(world, self.bruno)).id, "accepted")
        await world.edit(self.anna, event, {"subject": "Revisione"})
        assert guests(await read(world, self.anna, event)) == {self.bruno: "accepted"}
        assert (await only(world, self.bruno)).fields["response"] == "accepted"
        after = await revised(world, self.anna, await read(world, self.anna, event), {"when": LATER})
        assert guests(after) == {self.bruno: "none"}
        copy = await only(world, self.bruno)
        assert (copy.fields["when"], copy.fields["response"]) == (LATER, "none")

    async def test_an_occurrence_that_moves_asks_again(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno], WEEKLY)
        copies = await shown(world, self.bruno)
        await world.respond(self.bruno, copies[0].id.partition("|")[0], "accepted")
        await world.move_occurrence(self.anna, event, THIRD, LATER.replace("11-26", "12-10"))
        said = ["accepted", "accepted", "none", "accepted"]
        assert [guests(item)[self.bruno] for item in await shown(world, self.anna)] == said
        assert [item.fields["response"] for item in await shown(world, self.bruno)] == said

    async def test_removing_a_copy_is_no_answer(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        before = len(world.mails())
        copy = await only(world, self.bruno)
        await world.delete(self.bruno, copy.id)
        assert isinstance((await world.mailboxes[self.bruno].get([copy.id]))[copy.id], Gone)
        assert guests(await read(world, self.anna, event)) == {self.bruno: "none"}
        assert world.mails()[before:] == []

    async def test_whoever_is_invited_again_gets_a_copy_again(self, world: MeetingWorld) -> None:
        event = await world.meet(self.anna, MEETING, [self.bruno])
        await world.respond(self.bruno, (await only(world, self.bruno)).id, "declined")
        await world.uninvite(self.anna, event, self.bruno)
        await world.invite(self.anna, event, self.bruno)
        live = [item for item in await shown(world, self.bruno) if not item.fields.get("cancelled")]
        assert [item.fields["response"] for item in live] == ["none"]
        assert guests(await read(world, self.anna, event)) == {self.bruno: "none"}

    # rooms

    async def test_a_room_accepts_and_is_not_taken_twice(self, world: MeetingWorld) -> None:
        first = await world.meet(self.anna, MEETING, [world.room])
        clash = await world.meet(self.bruno, {**MEETING, "when": WHEN.replace("T09:00", "T09:30")}, [world.room])
        series = await world.meet(self.carla, {**MEETING, "when": WHEN}, [world.room], WEEKLY)
        free = await world.meet(
            self.bruno, {**MEETING, "when": WHEN.replace("T10:00", "T11:00").replace("T09:00", "T10:00")}, [world.room]
        )
        assert guests(await read(world, self.anna, first)) == {world.room: "accepted"}
        assert guests(await read(world, self.bruno, clash)) == {world.room: "declined"}
        assert guests(await read(world, self.carla, series)) == {world.room: "declined"}
        assert guests(await read(world, self.bruno, free)) == {world.room: "accepted"}
        await world.delete(self.anna, first)
        await world.edit(self.bruno, clash, {"when": WHEN.replace("T10:00", "T09:45").replace("T09:00", "T09:15")})
        assert guests(await read(world, self.bruno, clash)) == {world.room: "accepted"}

    # colours

    async def test_colours_are_made_where_there_are_none(self, world: MeetingWorld) -> None:
        for _ in range(2):
            assert await world.mailboxes[self.anna].colour({"Auto": "preset7"}) is None

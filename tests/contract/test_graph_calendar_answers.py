"""Answers to invitations on the Graph calendar over the emulator: given once, on the attendee's own copy, and never in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from emulators.corner import Fault
from sync.errors import RetryLater
from sync.model import Gone, Item
from sync.sides.base import Done, Refused, Result, Revise, Unclear
from tests.contract.calendar_world import CalendarWorld, at, daily, done, read, text, walk, weekly, write
from tests.contract.meetings_world import ANNA, BRUNO, CARLA, MeetingsWorld, guest, meetings_world

MONDAYS = ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14"]
POSTS = "POST .*(accept|decline|tentativelyAccept)$"
ANSWER = ("response", ANNA)


@pytest.fixture
async def world() -> AsyncIterator[MeetingsWorld]:
    async with meetings_world() as world:
        yield world


async def invited(world: MeetingsWorld) -> tuple[str, Item]:
    """A meeting with two, and Bruno's copy."""
    event = world.meet(guest(BRUNO), guest(CARLA))
    return event, await world.copy(world.bruno)


async def invited_to_series(world: MeetingsWorld) -> tuple[str, dict[str, Item]]:
    """A series with Bruno, and his occurrences by day."""
    master = world.meet(guest(BRUNO), day=MONDAYS[0], recurrence=weekly(MONDAYS[0], "monday", count=4))
    return master, await occurrences(world.bruno)


async def occurrences(who: CalendarWorld) -> dict[str, Item]:
    return {item.id.partition("|")[2]: item for item in (await walk(who)).items.values()}


def answer(item: Item, response: str, **more: tuple[str, ...]) -> Revise:
    return Revise(item, {"response": response, **more})


def status(result: Result) -> int:
    assert isinstance(result, Refused | Unclear), result
    return result.failure.status


class TestAnswers:
    @pytest.mark.parametrize(
        ("response", "action", "shown"),
        [("accepted", "accept", "accepted"), ("tentative", "tentativelyAccept", "tentativelyAccepted")],
    )
    async def test_an_answer(self, world: MeetingsWorld, response: str, action: str, shown: str) -> None:
        event, copy = await invited(world)
        item = await done(world.bruno, answer(copy, response))
        assert item == await read(world.bruno, copy.id)
        assert (item.id, text(item, "response")) == (copy.id, response)
        assert item.version != copy.version
        assert world.mails() == [ANSWER]
        assert world.responses(event)[BRUNO] == shown
        assert world.actions() == [("POST", action)]
        assert world.sent[0]["body"] == {"sendResponse": True}

    async def test_declining_takes_the_copy_away_and_leaves_the_meeting(self, world: MeetingsWorld) -> None:
        event, copy = await invited(world)
        assert await write(world.bruno, answer(copy, "declined")) == Done(None)
        assert isinstance((await world.bruno.mailbox.get([copy.id]))[copy.id], Gone)
        assert world.mails() == [ANSWER]
        assert world.responses(event)[BRUNO] == "declined"
        assert text(await world.copy(world.carla), "cancelled") == ""

    async def test_an_answer_can_be_taken_back(self, world: MeetingsWorld) -> None:
        event, copy = await invited(world)
        item = await done(world.bruno, answer(copy, "accepted"))
        assert text(await done(world.bruno, answer(item, "tentative")), "response") == "tentative"
        assert world.mails() == [ANSWER] * 2
        assert world.responses(event)[BRUNO] == "tentativelyAccepted"

    @pytest.mark.parametrize("response", ["accepted", "declined"])
    async def test_other_fields_go_first(self, world: MeetingsWorld, response: str) -> None:
        _, copy = await invited(world)
        result = await write(world.bruno, answer(copy, response, categories=("Sala",)))
        assert [method for method, _ in world.actions()] == ["PATCH", "POST"]
        assert world.sent[0]["body"] == {"categories": ["Sala"]}
        assert world.mails() == [ANSWER]
        if response == "declined":
            assert result == Done(None)
        else:
            item = await read(world.bruno, copy.id)
            assert result == Done(item)
            assert (text(item, "response"), item.fields["categories"]) == ("accepted", ("Sala",))

    async def test_an_answer_that_stands_is_not_given_again(self, world: MeetingsWorld) -> None:
        _, copy = await invited(world)
        item = await done(world.bruno, answer(copy, "accepted"))
        assert await write(world.bruno, answer(item, "accepted")) == Done(item)
        assert world.mails() == [ANSWER]
        assert len(world.sent) == 1

    async def test_several_at_once_and_in_order(self, world: MeetingsWorld) -> None:
        days = [f"2026-12-{day:02}" for day in range(1, 25)]
        for day in days:
            world.meet(guest(BRUNO), day=day)
        copies = sorted((await walk(world.bruno)).items.values(), key=lambda item: text(item, "when"))
        words = ["accepted", "declined", "tentative"] * 8
        results = await world.bruno.mailbox.apply([answer(*each) for each in zip(copies, words, strict=True)])
        shown = [each.item and each.item.fields["response"] for each in results if isinstance(each, Done)]
        assert shown == ["accepted", None, "tentative"] * 8
        assert len(world.outlook.mails()) == 2 * len(days)

    async def test_whoever_asked_for_no_answers_gets_none(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO), responseRequested=False)
        copy = await world.copy(world.bruno)
        if world.outlook.show_event(BRUNO, copy.id)["responseRequested"]:
            world.outlook.edit_event(BRUNO, copy.id, {"responseRequested": False})
            copy = await world.copy(world.bruno)
        assert text(await done(world.bruno, answer(copy, "accepted")), "response") == "accepted"
        assert world.sent[0]["body"] == {"sendResponse": False}
        assert world.mails() == []
        assert world.responses(event)[BRUNO] == "none"


class TestSeries:
    async def test_one_occurrence(self, world: MeetingsWorld) -> None:
        master, items = await invited_to_series(world)
        item = await done(world.bruno, answer(items[MONDAYS[1]], "accepted"))
        assert (item.id, text(item, "response")) == (items[MONDAYS[1]].id, "accepted")
        now = await occurrences(world.bruno)
        assert {day: text(each, "response") for day, each in now.items()} == dict.fromkeys(MONDAYS, "none") | {
            MONDAYS[1]: "accepted"
        }
        assert now[MONDAYS[1]] == item
        assert world.mails() == [ANSWER]
        assert world.responses(master) == {BRUNO: "none"}

    async def test_declining_one_occurrence(self, world: MeetingsWorld) -> None:
        _, items = await invited_to_series(world)
        assert await write(world.bruno, answer(items[MONDAYS[1]], "declined")) == Done(None)
        assert list(await occurrences(world.bruno)) == [MONDAYS[0], *MONDAYS[2:]]
        assert len((await walk(world.anna)).items) == 4

    async def test_several_of_one_series(self, world: MeetingsWorld) -> None:
        """Each moves the version of all the others: what counts is what they say."""
        _, items = await invited_to_series(world)
        words = ["accepted", "declined", "tentative", "accepted"]
        writes = [answer(items[day], word) for day, word in zip(MONDAYS, words, strict=True)]
        results = await world.bruno.mailbox.apply(writes)
        shown = [each.item and each.item.fields["response"] for each in results if isinstance(each, Done)]
        assert shown == ["accepted", None, "tentative", "accepted"]
        assert world.mails() == [ANSWER] * 4

    async def test_one_after_the_other_as_they_were_read_once(self, world: MeetingsWorld) -> None:
        _, items = await invited_to_series(world)
        await done(world.bruno, answer(items[MONDAYS[0]], "accepted"))
        item = await done(world.bruno, answer(items[MONDAYS[1]], "accepted"))
        assert (text(item, "response"), item.version == items[MONDAYS[1]].version) == ("accepted", False)

    async def test_occurrences_that_overlap_are_told_apart(self, world: MeetingsWorld) -> None:
        days = MONDAYS[0], "2026-11-24", "2026-11-25"
        long = at(days[0]) | {"end": {"dateTime": f"{days[1]}T20:00:00", "timeZone": "Europe/Rome"}}
        world.meet(guest(BRUNO), **long, recurrence=daily(days[0], 3))
        items = await occurrences(world.bruno)
        for day, word in zip(days, ("tentative", "accepted", "tentative"), strict=True):
            assert text(await done(world.bruno, answer(items[day], word)), "response") == word
        assert [text(each, "response") for each in (await occurrences(world.bruno)).values()] == [
            "tentative",
            "accepted",
            "tentative",
        ]

    async def test_an_occurrence_with_other_fields(self, world: MeetingsWorld) -> None:
        _, items = await invited_to_series(world)
        item = await done(world.bruno, answer(items[MONDAYS[2]], "accepted", categories=("Sala",)))
        assert (text(item, "response"), item.fields["categories"]) == ("accepted", ("Sala",))
        assert (await occurrences(world.bruno))[MONDAYS[2]] == item
        assert [method for method, _ in world.actions()] == ["PATCH", "POST"]

    async def test_the_whole_series(self, world: MeetingsWorld) -> None:
        master, items = await invited_to_series(world)
        whole = await read(world.bruno, items[MONDAYS[0]].series)
        assert text(await done(world.bruno, answer(whole, "accepted")), "response") == "accepted"
        assert {text(each, "response") for each in (await occurrences(world.bruno)).values()} == {"accepted"}
        assert world.responses(master) == {BRUNO: "accepted"}
        assert world.mails() == [ANSWER]

    async def test_an_occurrence_that_was_cancelled_meanwhile(self, world: MeetingsWorld) -> None:
        master, items = await invited_to_series(world)
        world.outlook.delete_occurrence(ANNA, master, MONDAYS[1])
        assert status(await write(world.bruno, answer(items[MONDAYS[1]], "accepted"))) == 412
        assert world.sent == []

    async def test_instances_that_do_not_answer(self, world: MeetingsWorld) -> None:
        _, items = await invited_to_series(world)
        world.emulator.parts.add(Fault("status", 500), match="GET .*instances", times=9)
        assert status(await write(world.bruno, answer(items[MONDAYS[1]], "accepted"))) == 500
        assert world.sent == []


class TestTrouble:
    async def test_a_copy_that_changed_meanwhile_gets_no_answer(self, world: MeetingsWorld) -> None:
        event, copy = await invited(world)
        world.outlook.edit_event(ANNA, event, {"location": {"displayName": "Altrove"}})
        results = await world.bruno.mailbox.apply(
            [answer(copy, "accepted"), answer(copy, "accepted", categories=("Sala",))]
        )
        assert [status(each) for each in results] == [412, 412]
        assert [method for method, _ in world.actions()] == ["PATCH"]
        assert ("response", ANNA) not in world.mails()

    async def test_a_copy_that_is_gone_gets_no_answer(self, world: MeetingsWorld) -> None:
        _, copy = await invited(world)
        world.outlook.delete_event(BRUNO, copy.id)
        assert status(await write(world.bruno, answer(copy, "accepted"))) == 412
        assert world.sent == []

    async def test_the_organizer_cannot_answer(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO))
        assert status(await write(world.anna, answer(await read(world.anna, event), "accepted"))) == 400
        assert world.mails() == []

    @pytest.mark.parametrize("response", ["none", "", "perhaps"])
    async def test_what_is_no_answer_is_refused_unsent(self, world: MeetingsWorld, response: str) -> None:
        _, copy = await invited(world)
        requests = world.bruno.requests()
        result = await write(world.bruno, answer(copy, response, categories=("Sala",)))
        assert isinstance(result, Refused)
        assert result.failure.code == "NotExpressible"
        assert world.bruno.requests() == requests

    @pytest.mark.parametrize("kind", ["whole", "part"])
    async def test_a_lost_answer_is_unclear_and_not_sent_again(self, world: MeetingsWorld, kind: str) -> None:
        event, copy = await invited(world)
        if kind == "part":
            world.emulator.parts.add(Fault("lost_response", 504), match=POSTS)
        else:
            losing(world)
        assert isinstance(await write(world.bruno, answer(copy, "accepted")), Unclear)
        assert world.mails() == [ANSWER]
        assert len(world.sent) == 1
        assert world.responses(event)[BRUNO] == "accepted"
        now = await read(world.bruno, copy.id)  # what looking it up shows
        assert await write(world.bruno, answer(now, "accepted")) == Done(now)
        assert world.mails() == [ANSWER]

    async def test_a_throttled_answer_did_not_happen_and_is_given_later(self, world: MeetingsWorld) -> None:
        _, copy = await invited(world)
        world.emulator.parts.add(Fault("status", 429, {"Retry-After": "1"}), match=POSTS)
        assert text(await done(world.bruno, answer(copy, "accepted")), "response") == "accepted"
        assert world.mails() == [ANSWER]

    async def test_nothing_written_and_no_answer_is_raised(self, world: MeetingsWorld) -> None:
        _, copy = await invited(world)
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "900"}), match="batch", times=99)
        with pytest.raises(RetryLater):
            await world.bruno.mailbox.apply([answer(copy, "accepted")])

    async def test_what_was_written_before_is_told(self, world: MeetingsWorld) -> None:
        world.meet(guest(BRUNO), day="2026-11-26")
        world.meet(guest(BRUNO))
        first, second = (await walk(world.bruno)).items.values()
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "900"}), match="batch", nth=2, times=99)
        results = await world.bruno.mailbox.apply(
            [Revise(first, {"categories": ("Sala",)}), answer(second, "accepted")]
        )
        assert [type(each) for each in results] == [Done, Refused]
        assert status(results[1]) == 429
        assert ANSWER not in world.mails()

    async def test_an_answer_that_cannot_be_read_afterwards_is_looked_up_later(self, world: MeetingsWorld) -> None:
        _, copy = await invited(world)

        def refusing(request: httpx.Request) -> None:
            if b"/accept" in request.content:
                fault = Fault("status", 429, {"Retry-After": "900"})
                world.emulator.corner.add_fault(fault, match="batch", nth=2, times=99)

        world.disguise.meanwhile = refusing
        assert isinstance(await write(world.bruno, answer(copy, "accepted")), Unclear)
        assert world.mails() == [ANSWER]


def losing(world: MeetingsWorld) -> None:
    """The answer to the next batch that holds an accept is lost, whatever it did."""

    def lose(request: httpx.Request) -> None:
        world.note(request)
        if b"/accept" in request.content:
            world.emulator.corner.add_fault(Fault("lost_response"), match="batch")

    world.disguise.meanwhile = lose

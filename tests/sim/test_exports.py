"""Coming events that were in the CRM before the connection and go to the mailbox by an order (SPEC 2.11), in the smallest worlds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.model import Family, Flag, Kind, Reason
from sync.sides.memory import Record
from sync.store.exports import order, ordered
from sync.store.ledger import MailboxLedger
from tests.sampling import sampled
from tests.sim.test_mails_kept_back import reconnect
from tests.sim.test_meetings import box, shown
from tests.sim.world import Accident, World, copied

USERS = {f"19x{n}": f"mailbox-{n}" for n in (1, 2, 3)}
SOON, LATER, PAST = (f"2026-{day}T09:00Z/2026-{day}T10:00Z" for day in ("12-01", "12-08", "10-05"))
WEEKS = [f"2026-12-{day:02d}T14:00Z/2026-12-{day:02d}T15:00Z" for day in (3, 10, 17)]
QUIET = 6


async def company() -> World:
    """A user with a meeting, a plain event, a series with a guest and an event that is over, all made before the connection; a colleague."""
    world = World(USERS, None, Family.CALENDAR)
    for subject, when in (("riunione", SOON), ("telefonata", LATER), ("passata", PAST)):
        world.crm.add(Kind.EVENT, "19x1", {"subject": subject, "when": when})
    for record in world.crm.add_series("19x1", {"subject": "corso"}, WEEKS):
        world.crm.invite(record.id, **{"19x2": "none"})
    world.crm.invite(named(world, "riunione").id, **{"19x2": "none"})
    await world.connect()
    await world.settle(3)
    return world


def named(world: World, subject: str) -> Record:
    return next(r for r in world.crm.records.values() if r.fields.get("subject") == subject)


def of_all(world: World) -> list[str]:
    return [r.id for r in world.crm.records.values() if r.kind is Kind.EVENT]


async def ordering(world: World, ids: list[str]) -> None:
    await order(world.rows, "mailbox-1", ids, "admin", world.time.isoformat(timespec="seconds"))


def picture(world: World, n: int = 1) -> list[tuple[str, str, bool]]:
    return sorted((e.fields["subject"], e.fields["when"], bool(e.rule)) for e in shown(world, n))


async def test_nothing_of_before_goes_out_by_itself_and_all_that_is_to_come_by_an_order() -> None:
    world = await company()
    assert (picture(world), world.office.mails) == ([], [])
    before = world.crm.writes
    await ordering(world, of_all(world))
    await world.settle(QUIET)
    assert [(subject, series) for subject, _, series in picture(world)] == [
        ("corso", True),
        ("riunione", False),
        ("telefonata", False),
    ]
    assert picture(world, 2) == []  # nobody was invited anew
    assert (world.office.mails, world.crm.writes) == ([], before)
    assert await ordered(world.rows, "mailbox-1") == frozenset()
    written = world.calendars["mailbox-1"].writes
    await ordering(world, of_all(world))  # once more
    assert await world.settle(QUIET) == 0
    assert world.calendars["mailbox-1"].writes == written
    assert await ordered(world.rows, "mailbox-1") == frozenset()


async def test_who_is_on_the_list_then_is_withheld_and_who_comes_later_is_a_question() -> None:
    world = await company()
    await ordering(world, of_all(world))
    await world.settle(QUIET)
    ledger = MailboxLedger(world.rows, "mailbox-1", 0, "", Family.CALENDAR)
    links = [link async for link in ledger.links()]
    assert len(links) == 5
    assert all(Flag.ATTENDEES_WITHHELD in link.flags for link in links)
    meeting = named(world, "riunione")
    world.crm.edit(meeting.id, location="Milano")
    world.crm.invite(meeting.id, **{"19x2": "none", "19x3": "none"})
    assert await world.settle(3) == 0
    (hold,) = await world.registry.holds()
    assert (hold.because, world.office.mails) == (Reason.WITHHELD, [])
    assert {e.fields["subject"]: e.fields["location"] for e in shown(world, 1)}["riunione"] == "Milano"
    await world.registry.put_hold(replace(hold, state="approved", until="2027-01-01"))
    assert await world.settle(3) == 0
    assert [mail.to for mail in world.office.mails if mail.by == "engine"] == [box(3)]


async def test_a_series_with_guests_that_went_out_without_them_asks_when_the_list_changes() -> None:
    world = await company()
    await ordering(world, of_all(world))
    await world.settle(QUIET)
    for record in [r for r in world.crm.records.values() if r.fields.get("subject") == "corso"]:
        world.crm.invite(record.id, **{"19x2": "none", "19x3": "none"})
    await world.settle(3)
    assert world.office.mails == []
    assert {hold.because for hold in await world.registry.holds()} == {Reason.WITHHELD}


async def test_an_order_does_not_outlive_the_connection_for_which_it_was_given() -> None:
    world = await company()
    await ordering(world, of_all(world))
    world.users = {user: mailbox for user, mailbox in USERS.items() if user != "19x1"}
    await world.registry.change_mailbox("mailbox-1", enabled=False)
    await world.settle(2)
    world.time += timedelta(days=1)
    await reconnect(world, "19x1", "mailbox-1")
    assert await world.settle(QUIET) == 0
    assert (picture(world), await ordered(world.rows, "mailbox-1")) == ([], frozenset())


async def test_what_was_not_ordered_stays() -> None:
    world = await company()
    await ordering(world, [named(world, "telefonata").id, named(world, "passata").id])
    await world.settle(QUIET)
    assert [subject for subject, _, _ in picture(world)] == ["telefonata"]
    assert await ordered(world.rows, "mailbox-1") == frozenset()


async def test_an_order_waits_for_what_cannot_be_written_now() -> None:
    world = await company()
    await ordering(world, of_all(world))
    await world.settle(1)  # the set of a series must be quiet first
    corso = {r.id for r in world.crm.records.values() if r.fields.get("subject") == "corso"}
    assert await ordered(world.rows, "mailbox-1") == corso
    world.time += timedelta(days=30)  # meanwhile it is over
    await world.settle(QUIET)
    assert "corso" not in [subject for subject, _, _ in picture(world)]
    assert await ordered(world.rows, "mailbox-1") == frozenset()


async def _ordered(ticks: int) -> World:
    """The order, and so many ticks of carrying it out."""
    world = await company()
    await ordering(world, of_all(world))
    await world.settle(ticks)
    return world


@pytest.mark.parametrize("what", ["crash-before", "crash-after", "lose"])
async def test_an_order_is_carried_out_once_whatever_happens_at_any_point(what: str) -> None:
    wrong: list[object] = []
    points = 0
    for ticks in range(3):  # the first makes the events, the third the series
        begun = await _ordered(ticks)
        quiet = copied(begun)
        process = await quiet.attempt()
        await quiet.settle(QUIET)
        points += process.operations
        for point in sampled(range(1, process.operations + 1), 3, what):
            world = copied(begun)
            await world.attempt(Accident(point, what))
            await world.settle(QUIET)
            last = await world.settle(2)
            left = await ordered(world.rows, "mailbox-1")
            if (picture(world), world.office.mails, left, last) != (picture(quiet), [], frozenset(), 0):
                wrong.append((ticks, point, picture(world), len(world.office.mails), left, last))
        assert len(picture(quiet)) == 3
    assert points > 100
    assert wrong == []

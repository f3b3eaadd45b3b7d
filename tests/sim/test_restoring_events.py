"""Deleted events, series and tasks are made again from the journal: on both sides once, with no mail that nobody allowed."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from sync import history_commands
from sync.connector import Connector
from sync.model import Family, Kind
from sync.policy import CalendarPolicy, MailLimits, PrivateEvents
from sync.sides.memory import Event, Record
from sync.store.orders import orders
from tests.sim.test_meetings import mails, office
from tests.sim.world import ROME, Accident, World
from tests.unit.control.world import World as Control

BOX = "mailbox-1"
WHEN = "2026-12-01T09:00Z/2026-12-01T10:00Z"
STRANGER = "cliente@altrove.example"


def connector(world: World) -> Connector:
    return dataclasses.replace(Control().connector, registry=world.registry, now=world.now, new_id=world.new_id)


def shown(world: World, box: str = BOX) -> list[Event]:
    return [e for e in world.calendars[box].events.values() if not e.deleted and not e.called_off]


def living(world: World) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


async def order(world: World, crm_id: str, family: Family = Family.CALENDAR, box: str = BOX) -> None:
    """What the panel does: the newest line of history that has values."""
    lines = await history_commands.history(connector(world), box, family, crm_id)
    line = next(each for each in lines if each.journal and each.what == "delete")
    await history_commands.restore(connector(world), world.keys, "admin", box, family, line.journal)


async def outcomes(world: World, family: Family = Family.CALENDAR, box: str = BOX) -> list[str]:
    return [each.outcome for each in await orders(world.rows, f"{box}|{family.value}")]


async def deleted_event(side: str, users: int = 1, guests: tuple[str, ...] = (), when: str = WHEN) -> tuple[World, str]:
    """An event of a mailbox that somebody deleted on the other side than `side`: we deleted it on `side`."""
    world = await office(users)
    calendar = world.calendars[BOX]
    fields = {
        "subject": "Visita",
        "when": when,
        "location": "Milano",
        "body": "<p>uno <b>due</b></p>",
        "bodyType": "html",
    }
    event = calendar.add(fields, guests=guests)
    await world.settle(3)
    (record,) = living(world)
    if side == "mailbox":
        world.crm.delete(record.id)
    else:
        calendar.delete(event.id)
    await world.settle(3)
    assert not living(world)
    assert not shown(world)
    return world, record.id


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_deleted_event_is_made_again_and_linked_once(side: str) -> None:
    world, crm_id = await deleted_event(side)
    await order(world, crm_id)
    await world.settle(3)
    (event,), (record,) = shown(world), living(world)
    assert (event.fields["subject"], event.fields["location"], event.fields["when"]) == ("Visita", "Milano", WHEN)
    assert (record.fields["subject"], record.fields["location"], record.fields["when"]) == ("Visita", "Milano", WHEN)
    assert ("<b>due</b>" in event.fields["body"]) == (side == "mailbox"), "as it was where it was deleted"
    assert await outcomes(world) == []
    assert await world.settle(1) == 0
    world.crm.edit(record.id, location="Torino")
    await world.settle(2)
    assert event.fields["location"] == "Torino", "they are linked"
    await order(world, crm_id)
    await world.settle(3)
    assert (len(shown(world)), len(living(world)), await outcomes(world)) == (1, 1, ["there"])


@pytest.mark.parametrize("side", ["crm", "mailbox"])
@pytest.mark.parametrize("what", ["crash-after", "lose"])
async def test_making_an_event_again_survives_a_crash_anywhere(side: str, what: str) -> None:
    for at in range(1, 120, 3):
        world, crm_id = await deleted_event(side, 2, ("mailbox-2@x.example", STRANGER))
        before = mails(world)
        await order(world, crm_id)
        process = await world.attempt(Accident(at, what))
        await world.settle(6)
        assert (len(shown(world)), len(shown(world, "mailbox-2")), len(living(world))) == (1, 1, 1), at
        assert await outcomes(world) == [], at
        assert mails(world) - before == (2 if side == "mailbox" else 1), at
        assert await world.settle(1) == 0, at
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")


async def hold(world: World) -> str:
    """The one open question."""
    (found,) = [each for each in await world.registry.holds() if each.state == "open"]
    assert found.because == "mail_limit"
    return found.id


async def answer(world: World, state: str) -> None:
    found = await world.registry.hold(await hold(world))
    assert found is not None
    until = (world.time + timedelta(hours=24)).isoformat(timespec="seconds")
    await world.registry.put_hold(dataclasses.replace(found, state=state, until=until))


async def test_mails_beyond_the_limit_are_a_question() -> None:
    world, crm_id = await deleted_event("mailbox", 2, ("mailbox-2@x.example", STRANGER))
    before = mails(world)
    world.mails = MailLimits(20, 1, 500)
    await order(world, crm_id)
    await world.settle(2)
    assert (len(shown(world)), await outcomes(world), mails(world)) == (0, [""], before)
    await answer(world, "approved")
    await world.settle(3)
    (event,) = shown(world)
    assert (len(living(world)), await outcomes(world), mails(world) - before) == (1, [], 2)
    assert event.guests.keys() == {"mailbox-2@x.example", STRANGER}, "also whom the CRM does not know"
    assert await world.registry.holds() == []
    assert await world.settle(1) == 0


async def test_a_question_that_is_answered_no_ends_the_order() -> None:
    world, crm_id = await deleted_event("mailbox", 2, ("mailbox-2@x.example", STRANGER))
    world.mails = MailLimits(20, 1, 500)
    await order(world, crm_id)
    await world.settle(2)
    await answer(world, "rejected")
    await world.settle(3)
    assert (shown(world), living(world), await outcomes(world)) == ([], [], ["rejected"])
    assert await world.registry.holds() == []


@pytest.mark.parametrize("side", ["crm", "mailbox"])
@pytest.mark.parametrize("joined", [False, True])
async def test_what_has_begun_invites_nobody(side: str, joined: bool) -> None:
    world, crm_id = await deleted_event(side, 2, ("mailbox-2@x.example",), "2026-11-23T09:30Z/2026-11-24T20:00Z")
    before = mails(world)
    world.mails = MailLimits(20, 0, 500)
    world.time += timedelta(minutes=90)
    if joined and side == "mailbox":
        world.crm.records[crm_id].deleted = False  # taken out of the bin without a trace in the list of changes
    await order(world, crm_id)
    await world.settle(4)
    (event,), (record,) = shown(world), living(world)
    assert (event.guests, mails(world) - before, await outcomes(world)) == ({}, 0, [])
    assert await world.registry.holds() == []
    world.crm.invite(record.id, **{"19x3": "none"})
    await world.settle(2)
    assert [each.because for each in await world.registry.holds()] == ["withheld"]
    assert (event.guests, await world.settle(1)) == ({}, 0)


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_what_is_over_comes_back_and_is_not_exported(side: str) -> None:
    world, crm_id = await deleted_event(side, 2, ("mailbox-2@x.example",), "2026-11-23T09:00Z/2026-11-23T10:00Z")
    before = mails(world)
    world.time += timedelta(days=2)
    await order(world, crm_id)
    await world.settle(3)
    assert len(living(world)) == 1
    assert [event.guests for event in shown(world)] == ([] if side == "crm" else [{}])
    assert (mails(world), await outcomes(world), await world.settle(1)) == (before, [], 0)


async def test_a_masked_event_is_not_restored() -> None:
    world = await office(1)
    event = world.calendars[BOX].add({"subject": "Medico", "when": WHEN, "sensitivity": "private"})
    await world.settle(3)
    (record,) = living(world)
    world.calendars[BOX].delete(event.id)
    await world.settle(3)
    await order(world, record.id)
    writes = world.writes
    await world.settle(2)
    assert (await outcomes(world), living(world), world.writes) == (["private"], [], writes)


@pytest.mark.parametrize("rule", [PrivateEvents.FULL, PrivateEvents.BUSY])
async def test_text_that_its_user_keeps_from_the_crm_by_now_does_not_come_back(rule: PrivateEvents) -> None:
    world = World({"19x1": BOX}, family=Family.CALENDAR)
    world.calendar = CalendarPolicy(ROME, private=PrivateEvents.FULL)
    await world.connect()
    await world.settle(2)
    event = world.calendars[BOX].add({"subject": "Medico", "when": WHEN, "sensitivity": "private"})
    await world.settle(3)
    (record,) = living(world)
    world.calendars[BOX].delete(event.id)
    await world.settle(3)
    world.calendar = CalendarPolicy(ROME, private=rule)
    await order(world, record.id)
    await world.settle(3)
    full = rule is PrivateEvents.FULL
    assert await outcomes(world) == ([] if full else ["private"])
    assert [each.fields["subject"] for each in living(world)] == (["Medico"] if full else [])


async def test_what_was_private_by_the_crms_own_word_comes_back() -> None:
    world = await office(1)
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "Colloquio", "when": WHEN, "visibility": "Private"})
    await world.settle(3)
    world.calendars[BOX].delete(shown(world)[0].id)
    await world.settle(3)
    assert not living(world)
    await order(world, record.id)
    await world.settle(3)
    assert [each.fields["subject"] for each in (*living(world), *shown(world))] == ["Colloquio", "Colloquio"]
    assert await world.settle(1) == 0


async def test_the_record_of_somebody_elses_meeting_comes_back_in_the_crm_only() -> None:
    world = await office(1)
    calendar = world.calendars["mailbox-4"]  # of a user who is not connected
    meeting = calendar.add({"subject": "Loro", "when": WHEN}, guests=["mailbox-1@x.example"])
    await world.settle(3)
    (record,) = living(world)
    calendar.delete(meeting.id)
    await world.settle(3)
    assert not living(world)
    before = len(world.office.mails)
    await order(world, record.id)
    await world.settle(3)
    assert [each.fields["subject"] for each in living(world)] == ["Loro"]
    assert (shown(world), len(world.office.mails), await outcomes(world)) == ([], before, [])
    assert await world.settle(1) == 0


# series


WEEKS = [f"2026-12-{day:02d}" for day in (1, 8, 15, 22, 29)]
WEEKLY = "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO"


async def a_series(first: str = "2026-12-01", guests: tuple[str, ...] = (), users: int = 1) -> tuple[World, Event]:
    """A weekly series with one cancelled and one changed day, as five weeks of records (less the cancelled one) in the CRM."""
    world = await office(users)
    event = world.calendars[BOX].add(
        {"subject": "Corso", "when": f"{first}T09:00Z/{first}T10:00Z"},
        rule=f"{WEEKLY};UNTIL=20261229",
        guests=guests,
    )
    world.calendars[BOX].cancel(event.id, "2026-12-08")
    world.calendars[BOX].edit_occurrence(event.id, "2026-12-15", location="Aula 2")
    await world.settle(3)
    return world, event


def subjects(world: World) -> list[tuple[str, str]]:
    """What is to come, as the mailbox shows it: day and place."""
    now = world.time.isoformat()
    items = [item for item in world.calendars[BOX].shown() if str(item.fields["when"]) > now]
    return sorted((str(item.fields["when"])[:10], str(item.fields["location"])) for item in items)


def in_crm(world: World) -> list[tuple[str, str]]:
    now = world.time.isoformat()
    return sorted((r.fields["when"][:10], r.fields["location"]) for r in living(world) if r.fields["when"] > now)


def as_it_was(began: str) -> list[tuple[str, str]]:
    return [*([("2026-11-24", "")] if began < "2026-11-24" else []), *AS_IT_WAS]


AS_IT_WAS = [("2026-12-01", ""), ("2026-12-15", "Aula 2"), ("2026-12-22", ""), ("2026-12-29", "")]


async def cut_series(began: str, guests: tuple[str, ...] = (), users: int = 1) -> tuple[World, list[str]]:
    """A series whose coming records were all deleted in the CRM: we called it off in Exchange."""
    world, _ = await a_series(began, guests, users)
    assert subjects(world) == in_crm(world) == as_it_was(began)
    coming = [r.id for r in living(world) if r.fields["when"] > world.time.isoformat()]
    for crm_id in coming:
        world.crm.delete(crm_id)
    await world.settle(3)
    assert (subjects(world), in_crm(world)) == ([], [])
    return world, coming


@pytest.mark.parametrize("began", ["2026-12-01", "2026-11-17"])
async def test_a_series_that_we_called_off_comes_back_whole(began: str) -> None:
    world, coming = await cut_series(began)
    await order(world, coming[1])
    await world.settle(3)
    assert subjects(world) == in_crm(world) == as_it_was(began)
    series = shown(world)[-1]
    assert (series.rule, await outcomes(world)) == (f"{WEEKLY};UNTIL=20261229".replace("INTERVAL=1;", ""), [])
    assert [e.rule.rpartition("=")[2] for e in shown(world)[:-1]] == (["20261123"] if began < "2026-11-24" else [])
    assert await world.settle(1) == 0
    await order(world, coming[0])
    await world.settle(2)
    assert (subjects(world), await outcomes(world)) == (as_it_was(began), ["there"])


async def test_a_run_that_called_a_series_off_is_restored_as_one() -> None:
    world, coming = await cut_series("2026-12-01")
    lines = await history_commands.history(connector(world), BOX, Family.CALENDAR, coming[0])
    run = next(each.run for each in lines if each.because == "series_cut")
    done = await history_commands.restore_run(connector(world), "admin", BOX, Family.CALENDAR, run)
    assert done.orders == 5, "four records and the series itself"
    await world.settle(3)
    assert subjects(world) == in_crm(world) == AS_IT_WAS
    assert (await outcomes(world), await world.settle(1)) == ([], 0)


async def test_guests_of_a_series_are_invited_once_and_within_the_limit() -> None:
    world, coming = await cut_series("2026-12-01", (STRANGER,))
    before, sent = mails(world), len(world.office.mails)
    world.mails = MailLimits(20, 1, 500)
    await order(world, coming[0])
    await world.settle(2)
    assert (subjects(world), len(world.office.mails)) == ([], sent)
    await answer(world, "approved")
    await world.settle(4)
    assert subjects(world) == in_crm(world) == AS_IT_WAS
    assert 1 <= mails(world) - before <= 2, "one guest, one changed day"
    assert (await outcomes(world), await world.registry.holds(), await world.settle(1)) == ([], [], 0)


@pytest.mark.parametrize("what", ["crash-after", "lose"])
async def test_making_a_series_again_survives_a_crash_anywhere(what: str) -> None:
    for at in range(1, 160, 3):
        world, coming = await cut_series("2026-12-01", (STRANGER,))
        before = mails(world)
        await order(world, coming[0])
        process = await world.attempt(Accident(at, what))
        await world.settle(6)
        assert subjects(world) == in_crm(world) == AS_IT_WAS, at
        assert 1 <= mails(world) - before <= 2, at
        assert (await outcomes(world), await world.settle(1)) == ([], 0), at
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")


async def test_a_single_day_comes_back_beside_its_series() -> None:
    world, _ = await a_series()
    record = next(r for r in living(world) if r.fields["location"] == "Aula 2")
    world.crm.delete(record.id)
    await world.settle(3)
    without = [each for each in AS_IT_WAS if each[1] != "Aula 2"]
    assert subjects(world) == in_crm(world) == without
    await order(world, record.id)
    await world.settle(3)
    assert subjects(world) == in_crm(world) == AS_IT_WAS
    assert len([e for e in shown(world) if not e.rule]) == 1, "Exchange takes no cancelled day back"
    assert (await outcomes(world), await world.settle(1)) == ([], 0)


async def test_a_single_day_that_was_deleted_in_the_mailbox_comes_back() -> None:
    world, event = await a_series()
    record = next(r for r in living(world) if r.fields["location"] == "Aula 2")
    world.calendars[BOX].cancel(event.id, "2026-12-15")
    await world.settle(3)
    assert record.deleted
    await order(world, record.id)
    await world.settle(5)
    assert subjects(world) == in_crm(world) == AS_IT_WAS
    assert (await outcomes(world), await world.settle(1)) == ([], 0)


async def test_records_of_a_series_that_was_deleted_in_the_mailbox_become_one_series_again() -> None:
    world, event = await a_series()
    mine = [r.id for r in living(world)]
    world.calendars[BOX].delete(event.id)
    await world.settle(3)
    assert not living(world)
    for crm_id in mine:
        await order(world, crm_id)
    await world.settle(5)
    assert subjects(world) == in_crm(world) == AS_IT_WAS
    assert [bool(e.rule) for e in shown(world)] == [True]
    assert (await outcomes(world), await world.settle(1)) == ([], 0)


# tasks


async def deleted_task(side: str) -> tuple[World, str]:
    world = World({"19x1": BOX}, family=Family.TASKS)
    await world.connect()
    await world.settle(2)
    task = world.todos[BOX].add({"title": "Offerta", "body": "per Rossi", "due": "2026-12-04"})
    await world.settle(3)
    (record,) = living(world)
    if side == "mailbox":
        world.crm.delete(record.id)
    else:
        world.todos[BOX].delete(task.item_id)
    await world.settle(3)
    assert (living(world), world.todos[BOX].shown()) == ([], [])
    return world, record.id


@pytest.mark.parametrize("side", ["crm", "mailbox"])
@pytest.mark.parametrize("what", ["crash-after", "lose"])
async def test_a_deleted_task_is_made_again_whatever_happens(side: str, what: str) -> None:
    for at in range(1, 100, 3):
        world, crm_id = await deleted_task(side)
        await order(world, crm_id, Family.TASKS)
        process = await world.attempt(Accident(at, what))
        await world.settle(6)
        (record,), (task,) = living(world), world.todos[BOX].shown()
        assert (record.fields["subject"], record.fields["due_date"]) == ("Offerta", "2026-12-04"), at
        assert (task.fields["title"], task.fields["due"], await outcomes(world, Family.TASKS)) == (
            "Offerta",
            "2026-12-04",
            [],
        ), at
        assert await world.settle(1) == 0, at
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")


async def test_nothing_is_made_again_on_a_side_that_is_not_written() -> None:
    world, crm_id = await deleted_event("mailbox")
    world.kinds[Kind.EVENT] = dataclasses.replace(world.kinds[Kind.EVENT], to_mailbox=False)
    await order(world, crm_id)
    await world.settle(2)
    assert (shown(world), await outcomes(world)) == ([], ["direction"])


# who was on a list


async def uninvited(where: str) -> tuple[World, Record, Event]:
    """A meeting from whose list somebody took the second user, on either side."""
    world = await office(2)
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{"19x2": "none", "19x3": "none"})
    await world.settle(3)
    (event,) = shown(world)
    assert len(event.guests) == 2
    if where == "crm":
        record.invitees.pop("19x2")
        world.crm.edit(record.id, subject="n")
    else:
        world.calendars[BOX].uninvite(event.id, "mailbox-2@x.example")
    await world.settle(3)
    assert (list(record.invitees), list(event.guests)) == (["19x3"], ["mailbox-3@x.example"])
    return world, record, event


async def restore_list(world: World, crm_id: str) -> None:
    lines = await history_commands.history(connector(world), BOX, Family.CALENDAR, crm_id)
    line = next(each for each in lines if each.journal and "who:19x2" in each.pairs and each.what == "update")
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.CALENDAR, line.journal)


@pytest.mark.parametrize("where", ["crm", "mailbox"])
async def test_who_was_taken_off_a_list_is_invited_again(where: str) -> None:
    world, record, event = await uninvited(where)
    before = mails(world)
    await restore_list(world, record.id)
    await world.settle(3)
    assert set(record.invitees) == {"19x2", "19x3"}
    assert event.guests.keys() == {"mailbox-2@x.example", "mailbox-3@x.example"}
    assert (await outcomes(world), await world.settle(1)) == ([], 0)
    assert 1 <= mails(world) - before <= (1 if where == "mailbox" else 3), "the subject is restored too"


async def test_an_invitation_beyond_the_limit_is_a_question_here_too() -> None:
    world, record, event = await uninvited("mailbox")
    before = mails(world)
    world.mails = MailLimits(20, 0, 500)
    await restore_list(world, record.id)
    await world.settle(3)
    assert (mails(world), list(event.guests)) == (before, ["mailbox-3@x.example"])
    await answer(world, "approved")
    await world.settle(3)
    assert (mails(world) - before, len(event.guests)) == (1, 2)


async def test_an_answer_is_not_ours_to_give() -> None:
    world, record, event = await uninvited("mailbox")
    for said in ("accepted", "declined"):  # by somebody whose own calendar we do not synchronise
        event.guests["mailbox-3@x.example"].response = said
        world.calendars[BOX].touch(event)
        await world.settle(2)
    assert record.invitees == {"19x3": "declined"}
    lines = await history_commands.history(connector(world), BOX, Family.CALENDAR, record.id)
    line = next(each for each in lines if each.journal and "says:19x3" in each.pairs)
    change = await history_commands.reveal(connector(world), world.keys, BOX, Family.CALENDAR, line.journal)
    assert change.before == {"crm:says:19x3": "accepted"}
    writes = world.writes
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.CALENDAR, line.journal)
    await world.settle(2)
    assert (record.invitees, await outcomes(world), world.writes) == ({"19x3": "declined"}, ["people"], writes)


async def test_what_is_kept_of_a_series_goes_when_the_rest_of_it_turns_private() -> None:
    world, _ = await cut_series("2026-11-10")

    async def of_series() -> int:
        return len(
            [
                row
                async for row in world.rows.query(f"{BOX}|calendar", "j|", "k")
                if not row.data["crm"] and row.data["what"] == "delete"
            ]
        )

    assert await of_series() == 1
    world.calendars[BOX].edit(shown(world)[0].id, sensitivity="private")
    await world.settle(3)
    assert await of_series() == 0


async def test_a_crash_does_not_part_it_from_what_somebody_took_out_of_the_bin() -> None:
    for at in range(1, 120, 2):
        world, crm_id = await deleted_event("mailbox")
        world.crm.records[crm_id].deleted = False
        await order(world, crm_id)
        process = await world.attempt(Accident(at, "crash-after"))
        await world.settle(5)
        assert (len(shown(world)), [each.id for each in living(world)], await outcomes(world)) == (1, [crm_id], []), at
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")

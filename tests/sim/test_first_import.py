"""Events and tasks that both sides hold before a mailbox is connected, with no id in common: whoever replaces another product has them all."""

from __future__ import annotations

from sync.lookalikes import pair_off
from sync.model import Family, Kind
from sync.policy import PrivateEvents
from sync.sides.memory import Record
from tests.sim.task_story import task_world
from tests.sim.test_meetings import LATER, WHEN, box, records
from tests.sim.world import ROME, World

PAST = "2026-10-05T09:00Z/2026-10-05T10:00Z"
DAYS = "2026-12-10/2026-12-12"
WEEKLY = "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO;COUNT=4"


async def connected(world: World) -> int:
    """The writes of the last of some quiet ticks."""
    await world.connect()
    return await world.settle(4)


def one_user() -> World:
    return World({"19x1": "mailbox-1"}, family=Family.CALENDAR)


async def test_what_says_the_same_is_the_same() -> None:
    world = one_user()
    calendar = world.calendars["mailbox-1"]
    for subject, when in (("Riunione", WHEN), ("Vecchia riunione", PAST), ("Fiera", DAYS), ("Riunione", LATER)):
        calendar.add({"subject": subject, "when": when})
        world.crm.add(Kind.EVENT, "19x1", {"subject": subject, "when": when})
    calendar.add({"subject": "Solo qui", "when": WHEN})
    world.crm.add(Kind.EVENT, "19x1", {"subject": "Riunione", "when": "2026-12-01T09:30Z/2026-12-01T10:00Z"})
    assert await connected(world) == 0
    assert calendar.writes == 0
    assert len(records(world)) == 6
    first = next(r for r in records(world) if r.fields["when"] == WHEN and r.fields["subject"] == "Riunione")
    world.crm.edit(first.id, location="Milano")
    await world.settle(3)
    assert [e.fields["location"] for e in calendar.events.values()] == ["Milano", "", "", "", ""]


async def test_a_series_finds_the_records_of_its_occurrences() -> None:
    world = one_user()
    first = "2026-12-01T09:00Z/2026-12-01T10:00Z"
    world.calendars["mailbox-1"].add({"subject": "Corso", "when": first}, rule=WEEKLY)
    for day in (1, 8, 15, 22):
        when = f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z"
        world.crm.add(Kind.EVENT, "19x1", {"subject": "Corso", "when": when})
    assert await connected(world) == 0
    assert len(records(world)) == 4
    assert world.calendars["mailbox-1"].writes == 0


async def test_one_record_is_one_event_however_often_it_is_there() -> None:
    world = one_user()
    for _ in range(2):
        world.crm.add(Kind.EVENT, "19x1", {"subject": "Riunione", "when": WHEN})
    for _ in range(3):
        world.calendars["mailbox-1"].add({"subject": "Riunione", "when": WHEN})
    assert await connected(world) == 0
    assert len(records(world)) == 3
    world.crm.add(Kind.EVENT, "19x2", {"subject": "Riunione", "when": WHEN})  # somebody else's
    assert await world.settle(3) == 0


async def test_a_meeting_is_found_by_its_organizer_and_the_copies_follow() -> None:
    world = World({f"19x{n}": f"mailbox-{n}" for n in (1, 2, 3)}, family=Family.CALENDAR)
    world.calendars["mailbox-1"].add({"subject": "Riunione", "when": WHEN}, guests=[box(2), box(3)])
    world.crm.add(Kind.EVENT, "19x1", {"subject": "Riunione", "when": WHEN})
    world.office.mails.clear()
    assert await connected(world) == 0
    (record,) = records(world)
    assert (sorted(record.invitees), world.office.mails) == (["19x2", "19x3"], [])


async def test_after_the_first_synchronisation_nothing_is_joined_by_what_it_says() -> None:
    world = one_user()
    assert await connected(world) == 0
    world.calendars["mailbox-1"].add({"subject": "Riunione", "when": WHEN})
    world.crm.add(Kind.EVENT, "19x1", {"subject": "Riunione", "when": WHEN})
    assert await world.settle(4) == 0
    assert len(records(world)) == 2


async def test_private_events_that_stay_out_of_the_crm_take_no_record_along() -> None:
    world = one_user()
    world.calendar = type(world.calendar)(ROME, private=PrivateEvents.NONE)
    world.calendars["mailbox-1"].add({"subject": "Riunione", "when": WHEN, "sensitivity": "private"})
    world.crm.add(Kind.EVENT, "19x1", {"subject": "Riunione", "when": WHEN})
    assert await connected(world) == 0
    assert len(records(world)) == 1


async def test_open_tasks_too() -> None:
    world = task_world()
    user, mailbox = next(iter(world.users.items()))
    todo = world.todos[mailbox]

    def task(title: str, due: str, **more: str) -> Record:
        dates = {"date_start": due, "due_date": due}
        return world.crm.add(Kind.TASK, user, {"subject": title, "taskstatus": "Not Started", **dates, **more})

    offers = [task("Offerta", "2026-12-01"), task("Offerta", "2026-12-09"), task("Telefonare", "2026-11-20")]
    done = task("Fatto", "2026-12-01", taskstatus="Completed")
    for title, due in (("Offerta", "2026-12-09"), ("Telefonare", ""), ("Fatto", "2026-12-01"), ("Nuovo", "")):
        todo.add({"title": title, "due": due}, todo.lists[0])
    assert await connected(world) == 0
    assert todo.writes == 0
    made = [r for r in records(world) if r.id not in {*(o.id for o in offers), done.id}]
    assert sorted(record.fields["subject"] for record in made) == ["Fatto", "Nuovo"]
    world.crm.edit(offers[1].id, subject="Offerta B")
    await world.settle(3)
    assert "Offerta B" in [t.fields["title"] for t in todo.tasks.values()]


def test_pairs_are_one_to_one() -> None:
    cards = {"c1": [("a",)], "c2": [("a",)], "c3": [("b", "x"), ("b",)]}
    records_ = {"r1": [("a",)], "r2": [("b", "y"), ("b",)], "r3": [("b", "x"), ("b",)]}
    assert pair_off(cards, records_) == {"c1": "r1", "c3": "r3"}

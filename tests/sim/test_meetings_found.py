"""What the seeds of meetings found, each in the smallest world that shows it."""

from __future__ import annotations

from sync.model import Kind
from tests.sim.test_meetings import WHEN, box, mails, office, records, shown

WEEKS = [f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z" for day in (1, 8, 15, 22)]


async def test_an_occurrence_of_a_crm_series_that_changes_hands_invites_nobody_again() -> None:
    """Seed 374: the series' records were noted as alone, so the new owner made another meeting of the one."""
    world = await office()
    made = world.crm.add_series("19x1", {"subject": "m"}, WEEKS)
    for record in made:
        world.crm.invite(record.id, **{"19x2": "none"})
    await world.settle(6)
    before = mails(world)
    world.crm.edit(made[1].id, owner="19x3")
    await world.settle(6)
    assert (mails(world), len(shown(world, 2)), len(shown(world, 3)), len(records(world))) == (before, 1, 0, 4)


async def test_a_meeting_whose_organizer_left_is_not_made_again_by_its_new_owner() -> None:
    """Seed 445: the copies of the others tell that Exchange has it already."""
    world = await office(3)
    record = world.crm.add(Kind.EVENT, "19x2", {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{"19x3": "none"})
    await world.settle(4)
    await world.registry.change_mailbox("mailbox-2", enabled=False)
    world.users = {"19x1": "mailbox-1", "19x3": "mailbox-3"}
    world.crm.edit(record.id, owner="19x1")
    await world.settle(6)
    assert ([mail.to for mail in world.office.mails], shown(world, 1)) == ([box(3)], [])
    assert records(world) == [record]

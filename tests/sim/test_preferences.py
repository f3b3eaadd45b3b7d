"""A user's own rules for private events and the start, in a mailbox of their own (SPEC 5.2, 2.10)."""

from __future__ import annotations

from datetime import date, timedelta

from sync.model import Family
from sync.policy import Preferences, PrivateEvents
from sync.store.ledger import MailboxLedger
from tests.sim.world import World

A, B = "mailbox-a", "mailbox-b"
SECRET = {
    "subject": "Visita medica",
    "body": "dal cardiologo",
    "location": "Via Segreta 1",
    "when": "2026-12-01T09:00Z/2026-12-01T10:00Z",
    "sensitivity": "private",
}


async def office() -> World:
    world = World({"19x1": A, "19x2": B}, family=Family.CALENDAR)
    world.preferences = {A: Preferences(private=PrivateEvents.FULL)}
    await world.connect()
    return world


def texts(world: World, owner: str) -> list[str]:
    """All that the CRM says of this user's events."""
    records = [record for record in world.crm.records.values() if record.owner == owner and not record.deleted]
    return [repr(record.fields) for record in records]


async def test_full_shows_what_busy_hides_and_only_there() -> None:
    world = await office()
    for mailbox in (A, B):
        world.calendars[mailbox].add(dict(SECRET))
    await world.settle(3)
    assert [("cardiologo" in text) for text in texts(world, "19x1")] == [True]
    assert [("cardiologo" in text) for text in texts(world, "19x2")] == [False]


async def test_from_full_to_busy_the_crm_is_scrubbed_and_the_journal_forgets() -> None:
    world = await office()
    event = world.calendars[A].add(dict(SECRET))
    await world.settle(3)
    (record,) = (each for each in world.crm.records.values() if each.owner == "19x1")
    # the same field on both sides: the loser, a private text, goes to the journal
    world.crm.edit(record.id, subject="Visita dal dentista")
    world.calendars[A].edit(event.id, subject="Visita del figlio")
    await world.settle(3)
    assert len(await journal(world)) == 2, "the creation and the conflict"
    world.preferences = {A: Preferences(private=PrivateEvents.BUSY)}
    world.full.add(A)  # as `commands.change_user` orders
    await world.settle(3)
    (text,) = texts(world, "19x1")
    for word in ("Visita", "cardiologo", "Segreta"):
        assert word not in text
    assert await journal(world) == []
    shown = world.calendars[A].events[event.id].fields
    assert (shown["subject"], shown["body"]) == ("Visita del figlio", "dal cardiologo"), "the mailbox keeps its own"
    assert await world.settle(2) == 0


async def test_what_is_long_over_is_scrubbed_too_and_what_is_gone_from_the_mailbox_stays() -> None:
    """A comparison in full looks back a month; the rule counts for all that the CRM says."""
    world = await office()
    calendar = world.calendars[A]
    calendar.add(dict(SECRET))
    kept = calendar.add({**SECRET, "subject": "Festa", "sensitivity": "normal"})
    await world.settle(3)
    world.time += timedelta(days=60)
    await world.settle(2)
    calendar.delete(kept.id)  # as a retention rule does
    await world.settle(2)
    before = sorted(text for text in texts(world, "19x1") if "Festa" in text)
    world.preferences = {A: Preferences(private=PrivateEvents.BUSY)}
    world.full.add(A)
    await world.registry.change_mailbox(A, past_too=True)  # as `commands.change_user` orders
    await world.settle(3)
    assert [text for text in texts(world, "19x1") if "Visita" in text or "Segreta" in text] == []
    assert sorted(text for text in texts(world, "19x1") if "Festa" in text) == before
    row = await world.registry.mailbox(A)
    assert row is not None
    assert (row.full, row.past_too) == (False, False)


async def test_from_busy_to_none_the_block_goes_and_back_to_full_it_comes() -> None:
    world = await office()
    world.preferences = {A: Preferences(private=PrivateEvents.BUSY)}
    world.calendars[A].add(dict(SECRET))
    await world.settle(3)
    assert len(texts(world, "19x1")) == 1
    world.preferences = {A: Preferences(private=PrivateEvents.NONE)}
    world.full.add(A)
    await world.settle(3)
    assert texts(world, "19x1") == []
    world.preferences = {A: Preferences(private=PrivateEvents.FULL)}
    world.full.add(A)
    await world.settle(3)
    assert [("cardiologo" in text) for text in texts(world, "19x1")] == [True]


async def test_the_start_is_the_users() -> None:
    world = World({"19x1": A, "19x2": B}, family=Family.CALENDAR)
    world.preferences = {A: Preferences(since=date(2026, 12, 1))}
    await world.connect()
    for mailbox in (A, B):
        world.calendars[mailbox].add({"subject": "old", "when": "2026-11-20T09:00Z/2026-11-20T10:00Z"})
        world.calendars[mailbox].add({"subject": "new", "when": "2026-12-02T09:00Z/2026-12-02T10:00Z"})
    await world.settle(3)
    assert (len(texts(world, "19x1")), len(texts(world, "19x2"))) == (1, 2)


async def journal(world: World) -> list[str]:
    ledger = MailboxLedger(world.rows, A, 0, "", Family.CALENDAR)
    return [row.key async for row in world.rows.query(ledger.partition, "j|", "j}")]

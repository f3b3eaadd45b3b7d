"""Clearing a mailbox, killed at every operation in turn: the end of a user, its undoing, copies made anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sync.clearing_tools import ALL, LEAVE, PURGE, UNDO
from sync.errors import Cause, StopMailbox
from sync.model import Family, Kind, Reason, Side
from sync.policy import KindPolicy, RemovalScope
from sync.sides.base import Mailbox
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import MailboxRow
from sync.store.remnants import remnants
from tests.sim.world import Accident, World, copied

BOX = "mailbox-a"
ACCIDENTS = ("crash-before", "crash-after", "lose", "refuse", "busy")
Order = Callable[[World], Awaitable[None]]


async def office(ours: int = 4, born: int = 2, own: int = 2) -> World:
    """A mailbox with cards that we made, cards that were born there, and `own` ones without a link."""
    world = World({"19x1": BOX, "19x2": "mailbox-b"})
    await world.connect()
    for n in range(ours):
        fields = {"firstname": "Anna", "lastname": f"Rossi {n}", "email": f"a{n}@x.example", "title": f"ours{n}"}
        world.crm.add(Kind.CONTACT, "19x1", fields)
    for n in range(born):
        card = {"givenName": "Bruno", "surname": f"Verdi {n}", "emailAddresses": (f"b{n}@x.example",)}
        world.mailboxes[BOX].add({**card, "jobTitle": f"born{n}", "spouseName": f"Wife {n}"})
    await world.settle(3)
    world.kinds[Kind.CONTACT] = KindPolicy(to_crm=False)
    for n in range(own):
        world.mailboxes[BOX].add({"givenName": "Own", "surname": f"Card {n}", "jobTitle": f"own{n}"})
    await world.settle(2)
    world.kinds[Kind.CONTACT] = KindPolicy()
    world.removal = RemovalScope.LINKED
    return world


async def leave(world: World, permitted: int = ALL) -> None:
    """As `Connector.leave`, for a user whom the CRM shows no more, or with a number that an admin confirmed."""
    world.users.pop("19x1", None)
    at = world.now().isoformat(timespec="seconds")
    order = {"scope": world.removal.value if world.removal else "", "permitted": permitted, "left_at": at}
    changes = {"enabled": False, "dirty": True, "state": "ok", "starts": 0}
    await world.registry.change_mailbox(BOX, clearing=LEAVE, **order, **changes)
    await world.board.touch()


async def undo(world: World) -> None:
    await world.registry.change_mailbox(BOX, clearing=UNDO, dirty=True, state="ok", starts=0)
    await world.board.touch()


async def connect(world: World) -> None:
    """The user is connected again."""
    world.users["19x1"] = BOX
    row = await row_of(world)
    how = UNDO if row.clearing == LEAVE else row.clearing
    at = world.now().isoformat(timespec="seconds")
    changes = {"enabled": True, "connected_at": at, "full": True, "state": "ok", "starts": 0}
    await world.registry.change_mailbox(BOX, clearing=how, **changes)
    await world.board.touch()


async def row_of(world: World) -> MailboxRow:
    row = await world.registry.mailbox(BOX)
    assert row is not None
    return row


def titles(world: World) -> list[str]:
    """What the cards in the folder are, by job title."""
    return sorted(str(c.fields["jobTitle"]) for c in world.mailboxes[BOX].cards.values() if c.place == "folder")


async def linked(world: World) -> dict[str, str]:
    """CRM id -> title of the linked card in the folder."""
    cards = world.mailboxes[BOX].cards
    found = [link async for link in MailboxLedger(world.rows, BOX, 0, "").links()]
    return {
        link.crm_id: str(cards[link.item_id].fields["jobTitle"])
        for link in found
        if cards[link.item_id].place == "folder"
    }


async def till_quiet(world: World) -> int:
    """Quiet ticks; a mailbox whose runs were killed too often is let go on."""
    for _ in range(2):
        row = await row_of(world)
        if row.state == "error":
            await world.registry.change_mailbox(BOX, state="ok", cause="", starts=0)
        await world.settle(3)
    return await world.settle(1)


OURS, BORN, OWN = [f"ours{n}" for n in range(4)], [f"born{n}" for n in range(2)], [f"own{n}" for n in range(2)]


async def gone_for_good(world: World) -> list[str]:
    """What is wrong after a removal."""
    wrong: list[str] = []
    if titles(world) != OWN:
        wrong.append(f"cards {titles(world)}")
    if any(record.deleted for record in world.crm.records.values()):
        wrong.append("a record was deleted")
    ledger = MailboxLedger(world.rows, BOX, 0, "")
    if [link async for link in ledger.links()] or await ledger.pending() or await ledger.intents():
        wrong.append("the ledger holds something")
    row = await row_of(world)
    if (row.state, row.clearing, row.enabled) != ("removed", "", False):
        wrong.append(f"row {row.state} {row.clearing}")
    holders = await world.registry.holders_near(world.crm.records)
    if any(BOX in held for held in holders.values()):
        wrong.append("still noted as a holder")
    if not world.signed_out:
        wrong.append("the sign-in was kept")
    return wrong


async def all_back(world: World) -> list[str]:
    """What is wrong when everything is as it was before the removal and the user is connected."""
    wrong: list[str] = []
    writes = await till_quiet(world)
    if writes:
        wrong.append(f"second run wrote {writes}")
    if titles(world) != sorted([*OURS, *BORN, *OWN]):
        wrong.append(f"cards {titles(world)}")
    if sorted((await linked(world)).values()) != sorted([*OURS, *BORN, *OWN]):
        wrong.append(f"linked {await linked(world)}")
    if len(world.crm.records) != 8 or any(record.deleted for record in world.crm.records.values()):
        wrong.append("records changed")
    wives = {c.fields.get("spouseName", "") for c in world.mailboxes[BOX].cards.values() if c.place == "folder"}
    if not wives >= {"Wife 0", "Wife 1"}:
        wrong.append("what only the card said was lost")
    if await remnants(world.rows, "mailbox-a|people", BOX, (await row_of(world)).left_at):
        wrong.append("remnants")
    return wrong


async def points(prepare: Order, act: Order, judge: Callable[[World], Awaitable[list[str]]], step: int) -> list[str]:
    """All accidents at every `step`-th operation of the tick after `act`."""
    world = await office()
    await prepare(world)
    await act(world)
    begun = copied(world)
    count = (await world.attempt()).operations
    found = [f"undisturbed: {each}" for each in (await till_quiet(world), await judge(world))[1]]
    for at in range(1, count + 1, step):
        for what in ACCIDENTS:
            world = copied(begun)
            await world.attempt(Accident(at, what))
            await till_quiet(world)
            found += [f"{what} at {at}: {each}" for each in await judge(world)]
    return found


async def nothing(world: World) -> None:
    pass


async def test_a_removal_survives_an_accident_anywhere() -> None:
    assert await points(nothing, leave, gone_for_good, 4) == []


async def left(world: World) -> None:
    await leave(world)
    await till_quiet(world)
    assert titles(world) == OWN


async def back_and_connected(world: World) -> list[str]:
    before = sorted((await linked(world)).values())
    wrong = [] if before == sorted([*OURS, *BORN]) else [f"linked before connecting: {before}"]
    await connect(world)
    return wrong + await all_back(world)


async def test_an_undoing_survives_an_accident_anywhere() -> None:
    assert await points(left, undo, back_and_connected, 4) == []


async def undone_and_connected(world: World) -> list[str]:
    await undo(world)
    await connect(world)
    return await all_back(world)


async def test_a_removal_that_was_cut_off_can_be_taken_back() -> None:
    """A card that we deleted without noting it is no deletion by its user."""
    world = await office()
    world.kinds[Kind.CONTACT] = KindPolicy(delete_in_crm=True)
    await leave(world)
    count = (await world.attempt()).operations
    found: list[str] = []
    for at in range(1, count + 1, 3):
        world = await office()
        world.kinds[Kind.CONTACT] = KindPolicy(delete_in_crm=True)
        await leave(world)
        await world.attempt(Accident(at, "crash-after"))
        await connect(world)  # takes back what is under way
        if (await row_of(world)).clearing != UNDO:
            await undo(world)
        found += [f"{at}: {each}" for each in await all_back(world)]
    assert found == []


async def test_connected_again_without_undoing_there_are_no_doubles() -> None:
    world = await office()
    await left(world)
    await connect(world)
    assert await till_quiet(world) == 0
    assert titles(world) == sorted([*OURS, *BORN, *OWN])
    await undo(world)
    assert await till_quiet(world) == 0
    assert titles(world) == sorted([*OURS, *BORN, *OWN])


async def test_an_undoing_leaves_links_alone_that_began_meanwhile() -> None:
    world = await office()
    world.removal = None
    await left_with(world, [*BORN, *OURS, *OWN])
    await connect(world)
    await till_quiet(world)
    before = [link async for link in MailboxLedger(world.rows, BOX, 0, "").links()]
    assert all(link.base for link in before)
    await world.registry.change_mailbox(BOX, enabled=False)  # so that no run gives them a base again
    await undo(world)
    await world.settle(2)
    assert (await row_of(world)).clearing == ""
    assert [link async for link in MailboxLedger(world.rows, BOX, 0, "").links()] == before


async def test_only_ours_and_none() -> None:
    world = await office()
    world.removal = RemovalScope.OURS
    await left_with(world, [*BORN, *OWN])
    world = await office()
    world.removal = None
    await left_with(world, [*BORN, *OURS, *OWN])
    assert world.mailboxes[BOX].writes == 6 - 2  # only the first synchronisation's cards


async def test_no_more_cards_go_than_were_confirmed_wherever_it_is_cut_off() -> None:
    """Two cards were linked after the admin confirmed four."""
    found: list[str] = []
    for at in range(0, 120, 7):
        world = await office()
        await leave(world, permitted=4)
        await world.attempt(Accident(at, "crash-after"))
        await till_quiet(world)
        left = titles(world)
        if len(left) != 8 - 4 or not set(OWN) <= set(left) or (await row_of(world)).state != "removed":
            found.append(f"{at}: {left}")
    assert found == []


async def left_with(world: World, expected: list[str]) -> None:
    await leave(world)
    await till_quiet(world)
    assert titles(world) == sorted(expected)
    assert (await row_of(world)).state == "removed"


async def test_a_mailbox_that_is_gone_is_a_clean_up_pending_with_its_count_and_is_tried_again() -> None:
    world = await office()
    there = world.mailboxes[BOX]
    world.calendars[BOX].add({"subject": "s", "when": "2026-12-01T09:00Z/2026-12-01T10:00Z"})

    async def unknown(mailbox: str, folder: str) -> Mailbox:
        raise StopMailbox(Cause.MAILBOX_UNKNOWN)

    opened = world.side
    world.side = unknown  # type: ignore[method-assign]
    await leave(world)
    await world.settle(3)
    row = await row_of(world)
    assert (row.state, row.cause, row.counts, row.clearing) == ("error", "clean_up_pending", "clean_up=6", LEAVE)
    assert len([card for card in there.cards.values() if card.place == "folder"]) == 8
    world.side = opened  # type: ignore[method-assign]
    await world.registry.change_mailbox(BOX, state="ok", cause="")  # Restore state
    await world.settle(2)
    assert await gone_for_good(world) == []


async def test_somebody_else_in_the_mailbox_begins_with_a_cleared_one() -> None:
    world = await office()
    await leave(world)
    await world.registry.change_mailbox(BOX, user="19x3", enabled=True, full=True, connected_at=world.now().isoformat())
    world.users["19x3"] = BOX
    await till_quiet(world)
    row = await row_of(world)
    assert (row.state, row.enabled, row.clearing) == ("ok", True, "")
    assert titles(world) == OWN
    owners = {r.owner for r in world.crm.records.values() if str(r.fields.get("title")).startswith("own")}
    assert owners == {"19x3"}


async def test_a_deleted_folder_took_its_cards_along() -> None:
    world = await office()

    async def deleted(mailbox: str, folder: str) -> Mailbox:
        raise StopMailbox(Cause.FOLDER_DELETED)

    world.side = deleted  # type: ignore[method-assign]
    await leave(world)
    await world.settle(2)
    row = await row_of(world)
    assert (row.state, row.clearing) == ("removed", "")


async def test_a_kill_stops_a_removal_and_it_goes_on_afterwards() -> None:
    world = await office(ours=20)
    world.limits = replace(world.limits, slice=timedelta(0))  # a batch of three per slice
    await leave(world)
    worker = world.worker()
    outcomes = [await worker.run(BOX) for _ in range(3)]
    assert outcomes == [None] * 3
    there = len(titles(world))
    assert len(OWN) < there < 24
    await world.board.enter("killed", world.now())
    assert await worker.run(BOX) is None
    assert len(titles(world)) == there
    await world.board.enter("running", world.now())
    for _ in range(12):
        await worker.run(BOX)
    assert (titles(world), (await row_of(world)).state) == (OWN, "removed")


async def test_a_card_that_is_edited_meanwhile_is_deleted_all_the_same_and_one_that_was_taken_out_stays() -> None:
    world = await office()
    cards = {str(c.fields["jobTitle"]): c.id for c in world.mailboxes[BOX].cards.values()}
    world.mailboxes[BOX].edit(cards["ours0"], department="new")
    world.mailboxes[BOX].move(cards["ours1"], "elsewhere")
    await leave(world)
    await till_quiet(world)
    assert titles(world) == OWN
    assert world.mailboxes[BOX].cards[cards["ours1"]].place == "elsewhere"


async def test_the_journal_holds_the_cards_encrypted_and_the_history_says_why() -> None:
    world = await office()
    await leave(world)
    await till_quiet(world)
    everything = repr(world.rows.everything())
    assert "Rossi" not in everything
    partition = world.rows._partitions["mailbox-a|people"]
    assert sum(key.startswith("j|") and row.data["what"] == "delete" for key, row in partition.items()) == 6
    gone = [row for key, row in partition.items() if key.startswith("h|") and row.data["because"] == "user_left"]
    assert len(gone) == 6


async def test_a_run_between_a_user_who_was_disabled_and_the_mailboxs_row_touches_nothing() -> None:
    """Its records would look as if they had been given to nobody, and our copies follow their records without a brake."""
    world = await office()
    del world.users["19x1"]
    world.parted = frozenset({BOX})
    world.full.add(BOX)
    await world.settle(3)
    assert titles(world) == sorted([*BORN, *OURS, *OWN])


async def purge(world: World) -> None:
    await world.registry.change_mailbox(BOX, clearing=PURGE, permitted=4, dirty=True)


async def purged(world: World) -> list[str]:
    wrong = await all_back(world)
    row = await row_of(world)
    if row.clearing or row.permitted:
        wrong.append("the order stands")
    links = [link async for link in MailboxLedger(world.rows, BOX, 0, "").links()]
    if sum(link.origin is Side.CRM for link in links) != 4:
        wrong.append("origins changed")
    if await remnants(world.rows, "mailbox-a|people", BOX, PURGE):
        wrong.append("marks stand")
    return wrong


async def test_a_purge_survives_an_accident_anywhere() -> None:
    assert await points(nothing, purge, purged, 7) == []


async def test_a_purge_leaves_what_was_born_in_the_mailbox_and_what_was_edited() -> None:
    world = await office()
    before = await linked(world)
    cards = {str(c.fields["jobTitle"]): c.id for c in world.mailboxes[BOX].cards.values()}
    world.mailboxes[BOX].edit(cards["ours1"], department="edited")
    await purge(world)
    await till_quiet(world)
    after = {str(c.fields["jobTitle"]): c.id for c in world.mailboxes[BOX].cards.values() if c.place == "folder"}
    kept = {title for title, id_ in cards.items() if after[title] == id_}
    assert kept == {"ours1", *BORN, *OWN}
    assert before.items() <= (await linked(world)).items()
    assert {"edited"} <= {record.fields.get("department") for record in world.crm.records.values()}


async def test_a_purge_of_more_than_was_confirmed_is_a_question() -> None:
    world = await office(ours=12)
    await world.registry.change_mailbox(BOX, clearing=PURGE, permitted=11, dirty=True)
    before = dict(world.mailboxes[BOX].cards)
    await world.settle(2)
    (hold,) = await world.registry.holds()
    assert (hold.because, hold.count, hold.mailbox, hold.state) == (Reason.PURGED, 12, BOX, "open")
    assert {c.id for c in world.mailboxes[BOX].cards.values() if c.place == "folder"} == set(before)
    until = world.now().replace(year=2027).isoformat()
    await world.registry.put_hold(replace(hold, state="approved", until=until))
    await world.settle(4)
    assert await world.registry.holds() == []
    ours = [c for c in world.mailboxes[BOX].cards.values() if str(c.fields["jobTitle"]).startswith("ours")]
    assert sorted(c.place for c in ours) == ["deleted"] * 12 + ["folder"] * 12


async def test_a_rejected_purge_is_over() -> None:
    world = await office(ours=12)
    await world.registry.change_mailbox(BOX, clearing=PURGE, dirty=True)
    await world.settle(1)
    (hold,) = await world.registry.holds()
    await world.registry.put_hold(replace(hold, state="rejected"))
    await world.settle(2)
    assert (await row_of(world)).clearing == ""
    assert all(c.place == "folder" for c in world.mailboxes[BOX].cards.values())


@pytest.mark.parametrize("family", [Family.CALENDAR, Family.TASKS])
async def test_other_links_end_and_nothing_is_touched(family: Family) -> None:
    world = World({"19x1": BOX, "19x2": "mailbox-b"}, family=family)
    await world.connect()
    if family is Family.CALENDAR:
        world.calendars[BOX].add({"subject": "s", "when": "2026-12-01T09:00Z/2026-12-01T10:00Z"})
    else:
        world.todos[BOX].add({"title": "t"})
    await world.settle(3)
    ledger = MailboxLedger(world.rows, BOX, 0, "", family)
    assert [link async for link in ledger.links()]
    records, writes = dict(world.crm.records), world.writes
    world.removal = RemovalScope.LINKED
    await leave(world)
    await world.settle(2)
    assert [link async for link in ledger.links()] == []
    assert (await row_of(world)).state == "removed"
    assert world.writes == writes
    assert world.crm.records == records

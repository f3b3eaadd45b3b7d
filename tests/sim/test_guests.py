"""CRM contacts who take part in coming events, and the guest copies that participants get of them (SPEC 2.7), in the smallest worlds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from sync.model import Family, Flag, Kind, Reason, Role
from sync.sides.memory import Card, Record
from sync.store.guests import Guests
from sync.store.ledger import MailboxLedger
from tests.sampling import sampled
from tests.sim.world import Accident, World

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b", "19x3": "mailbox-c"}
WHEN, LATER = "2026-12-01T09:00Z/2026-12-01T10:00Z", "2026-12-08T09:00Z/2026-12-08T10:00Z"
CLIENT = {"firstname": "Carla", "lastname": "Neri", "email": "carla@z.example", "phone": "1"}


async def company() -> World:
    """People and calendars of three users, after their first synchronisation."""
    world = World(USERS, None, Family.PEOPLE, Family.CALENDAR)
    await world.connect()
    await world.settle(2)
    return world


def client(world: World, owner: str = "22x3", **more: str) -> Record:
    """A contact, of nobody's mailbox unless an owner is named."""
    record = world.crm.add(Kind.CONTACT, owner, {**CLIENT, **more})
    world.crm.people[record.id] = record.fields["email"]
    return record


def meeting(world: World, *invited: str, owner: str = "19x1", when: str = WHEN, **fields: str) -> Record:
    record = world.crm.add(Kind.EVENT, owner, {"subject": "m", "when": when, **fields})
    world.crm.invite(record.id, **dict.fromkeys(invited, "none"))
    return record


def cards(world: World, mailbox: str = "mailbox-a") -> list[Card]:
    return [card for card in world.mailboxes[mailbox].cards.values() if card.place == "folder"]


def phones(world: World) -> list[object]:
    """Of the clients in each folder."""
    return [[card.fields["businessPhones"] for card in cards(world, mailbox)] for mailbox in world.mailboxes]


async def compared_in_full(world: World) -> int:
    """Writes of a night."""
    before = world.writes
    world.time += timedelta(hours=24)
    await world.settle(2)
    return world.writes - before


# who gets one


async def test_a_participant_gets_a_guest_copy_of_an_invited_contact() -> None:
    world = await company()
    guest = client(world, "19x2")
    meeting(world, guest.id)
    assert await world.settle(4) == 0
    assert phones(world) == [[("1",)], [("1",)], []]
    link = await MailboxLedger(world.rows, "mailbox-a", 0, "").link_by_crm(guest.id)
    assert link is not None
    assert (link.role, link.flags) == (Role.GUEST, {Flag.GUEST_COPY})
    assert await world.registry.holders(guest.id) == {"mailbox-a": Role.GUEST, "mailbox-b": Role.HOME}
    assert await compared_in_full(world) == 0
    assert phones(world) == [[("1",)], [("1",)], []]


async def test_what_is_known_of_a_contact_lasts_as_long_as_the_last_event() -> None:
    world = await company()
    guest = client(world)
    for when in (WHEN, LATER, WHEN):
        meeting(world, guest.id, when=when)
        await world.settle(2)
    assert await Guests(world.rows, "mailbox-a").all() == {guest.id: "2026-12-08T10:00:00+00:00"}


async def test_history_says_why() -> None:
    world = await company()
    guest = client(world)
    meeting(world, guest.id)
    await world.settle(3)
    rows = [row async for row in world.rows.query("mailbox-a|people") if row.key.startswith(f"h|{guest.id}|")]
    assert [row.data["because"] for row in rows] == [Reason.INVITED]


async def test_every_participant_does_and_nobody_else() -> None:
    world = await company()
    guest = client(world)
    meeting(world, "19x2", "19x8", guest.id)  # 19x8 has left the company, and every address book
    await world.settle(5)
    assert phones(world) == [[("1",)], [("1",)], []]
    assert await Guests(world.rows, "mailbox-a").all() == {guest.id: "2026-12-01T10:00:00+00:00"}
    assert [card.stamp.partition(";")[0] for card in cards(world)] == [guest.id]


async def test_the_contact_that_the_event_names_counts_too() -> None:
    world = await company()
    meeting(world, contact_id=client(world).id)
    await world.settle(3)
    assert len(cards(world)) == 1


async def test_a_contact_who_is_invited_later_changes_nothing_else_of_the_event() -> None:
    world = await company()
    event = meeting(world)
    await world.settle(3)
    world.crm.invite(event.id, **{client(world).id: "none"})
    before = world.calendars["mailbox-a"].writes
    await world.settle(3)
    assert len(cards(world)) == 1
    assert world.calendars["mailbox-a"].writes == before


async def test_the_occurrences_of_a_series_make_one_copy() -> None:
    world = await company()
    guest = client(world)
    spans = [f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z" for day in (1, 8, 15, 22)]
    for record in world.crm.add_series("19x1", {"subject": "m"}, spans):
        world.crm.invite(record.id, **{guest.id: "none"})
    await world.settle(6)
    assert len(cards(world)) == 1
    assert await Guests(world.rows, "mailbox-a").all() == {guest.id: "2026-12-22T10:00:00+00:00"}


async def test_the_first_synchronisation_copies_them_too_and_writes_nothing_to_the_calendar() -> None:
    world = World(USERS, None, Family.PEOPLE, Family.CALENDAR)
    event = world.calendars["mailbox-a"].add({"subject": "m", "when": WHEN})
    meeting(world, client(world).id, uid=event.uid, slot="0")
    only_in_crm = client(world, email="anna@z.example", lastname="Verdi")
    meeting(world, only_in_crm.id, when=LATER)
    await world.connect()
    await world.settle(3)
    assert [card.fields["surname"] for card in cards(world)] == [
        "Neri"
    ]  # what the mailbox does not hold concerns it not
    assert world.calendars["mailbox-a"].writes == 0


async def test_the_mailbox_of_a_participant_gets_it_where_all_contacts_live_with_an_admin() -> None:
    world = await company()
    world.admin_mailbox = "mailbox-c"
    meeting(world, "19x2", client(world, "19x1").id)
    assert await world.settle(5) == 0
    assert phones(world) == [[("1",)], [("1",)], [("1",)]]
    assert await compared_in_full(world) == 0


async def test_of_two_records_with_one_address_there_is_one_card() -> None:
    world = await company()
    one, two = client(world), client(world, lastname="Neri (vecchia)")
    meeting(world, one.id, two.id)
    await world.settle(3)
    assert len(cards(world)) == 1
    meeting(world, two.id, when=LATER)
    await world.settle(3)
    await compared_in_full(world)
    assert len(cards(world)) == 1


# who gets none


@pytest.mark.parametrize(
    "usual",
    [
        {"surname": "qualcuno", "emailAddresses": ("altro@z.example", "Carla@Z.example")},
        {"givenName": "carla", "surname": "NERI", "companyName": "acme"},
    ],
)
async def test_whom_the_default_folder_knows_needs_no_copy(usual: dict[str, str | tuple[str, ...]]) -> None:
    world = await company()
    account = world.crm.add(Kind.COMPANY, "19x3", {"accountname": "Acme"})
    world.mailboxes["mailbox-a"].usual.append(usual)
    meeting(world, client(world, account_id=account.id).id)
    assert await world.settle(3) == 0
    assert await compared_in_full(world) == 0
    assert cards(world) == []


async def test_a_namesake_elsewhere_is_somebody_else() -> None:
    world = await company()
    world.mailboxes["mailbox-a"].usual.append({"givenName": "Carla", "surname": "Neri", "companyName": ""})
    meeting(world, client(world).id)
    await world.settle(3)
    assert len(cards(world)) == 1


async def test_a_card_that_the_user_has_in_the_folder_becomes_the_guest() -> None:
    world = await company()
    guest = client(world, "19x2")
    await world.settle(2)
    world.mailboxes["mailbox-a"].add(
        {"givenName": "Carla", "surname": "Neri", "emailAddresses": ("carla@z.example",), "jobTitle": "mia"}
    )
    meeting(world, guest.id)
    await world.settle(4)
    assert [card.fields["jobTitle"] for card in cards(world)] == ["mia"]


async def test_ended_and_private_events_say_nothing() -> None:
    world = await company()
    guest = client(world)
    meeting(world, guest.id, when="2026-11-20T09:00Z/2026-11-20T10:00Z")
    meeting(world, guest.id, visibility="Private")
    event = world.calendars["mailbox-a"].add({"subject": "m", "when": WHEN, "sensitivity": "private"})
    meeting(world, guest.id, uid=event.uid, slot="0")
    await world.settle(4)
    await compared_in_full(world)
    assert cards(world) == []
    assert await Guests(world.rows, "mailbox-a").all() == {}


async def test_whoever_declined_takes_no_part() -> None:
    world = await company()
    event = meeting(world, "19x2")
    await world.settle(5)
    (copy,) = [e for e in world.calendars["mailbox-b"].events.values() if not e.deleted]
    world.calendars["mailbox-b"].delete(copy.id)
    world.crm.invite(event.id, **{"19x2": "declined", client(world).id: "none"})
    await world.settle(5)
    assert [len(cards(world, mailbox)) for mailbox in ("mailbox-a", "mailbox-b")] == [1, 0]


# what becomes of it


async def test_a_deleted_guest_copy_stays_deleted() -> None:
    world = await company()
    guest = client(world, "19x2")
    meeting(world, guest.id)
    await world.settle(3)
    (card,) = cards(world)
    world.mailboxes["mailbox-a"].move(card.id, "deleted")
    await world.settle(2)
    meeting(world, guest.id, when=LATER)
    traces = [(await world.attempt()).trace for _ in range(3)]
    assert "mailbox knows" not in {operation for trace in traces for operation in trace}
    assert await compared_in_full(world) == 0
    world.crm.edit(guest.id, phone="2")
    await world.settle(3)
    assert phones(world) == [[], [("2",)], []]
    assert not guest.deleted


async def test_a_guest_copy_follows_its_record_and_gives_it_nothing() -> None:
    world = await company()
    guest = client(world, "19x2")
    meeting(world, guest.id)
    await world.settle(3)
    (card,) = cards(world)
    world.mailboxes["mailbox-a"].edit(card.id, jobTitle="mio")
    world.crm.edit(guest.id, phone="2")
    assert await world.settle(3) == 0
    assert (card.fields["businessPhones"], card.fields["jobTitle"], guest.fields["title"]) == (("2",), "mio", "")
    world.crm.delete(guest.id)
    await world.settle(3)
    assert phones(world) == [[], [], []]


async def test_an_event_that_is_over_leaves_the_copy_and_nothing_else() -> None:
    world = await company()
    guest = client(world)
    meeting(world, guest.id)
    await world.settle(3)
    world.time += timedelta(days=20)
    assert await world.settle(3) == 0
    assert await Guests(world.rows, "mailbox-a").all() == {}
    assert len(cards(world)) == 1


async def test_a_guest_who_is_assigned_to_this_user_is_at_home_with_the_same_card() -> None:
    world = await company()
    guest = client(world, "19x2")
    meeting(world, guest.id)
    await world.settle(3)
    (card,) = cards(world)
    world.crm.edit(guest.id, owner="19x1")
    assert await world.settle(4) == 0
    world.mailboxes["mailbox-a"].edit(card.id, businessPhones=("9",))
    await world.settle(3)
    assert guest.fields["phone"] == "9"
    assert phones(world) == [[("9",)], [], []]
    assert cards(world) == [card]
    link = await MailboxLedger(world.rows, "mailbox-a", 0, "").link_by_crm(guest.id)
    assert link is not None
    assert (link.role, link.flags) == (Role.HOME, frozenset())


async def test_a_contact_of_ones_own_meeting_who_is_given_to_a_colleague_stays_as_a_guest() -> None:
    world = await company()
    own = client(world, "19x1")
    meeting(world, own.id)
    await world.settle(3)
    (card,) = cards(world)
    world.crm.edit(own.id, owner="19x2")
    assert await world.settle(4) == 0
    assert await compared_in_full(world) == 0
    assert cards(world) == [card]
    assert await world.registry.holders(own.id) == {"mailbox-a": Role.GUEST, "mailbox-b": Role.HOME}


# once, whatever happens

KINDS = ("crash-before", "lose", "refuse", "crash-after", "busy")


async def meets(world: World) -> None:
    """The event is brought into the calendars and its contact is noted."""
    meeting(world, "19x3", client(world, "19x2").id)


async def copies(world: World) -> None:
    """The contact was noted by the tick before."""
    await meets(world)
    await world.attempt()


async def deletes(world: World) -> None:
    """Both participants delete their copies."""
    await meets(world)
    await world.settle(4)
    for mailbox in ("mailbox-a", "mailbox-c"):
        world.mailboxes[mailbox].move(cards(world, mailbox)[0].id, "deleted")


async def play(act: Callable[[World], Awaitable[None]], accident: Accident | None) -> tuple[list[str], int]:
    """A customer in a meeting of two, one accident, another meeting, a night: what is wrong, and how many operations the tick had."""
    world = await company()
    await act(world)
    process = await world.attempt(accident)
    await world.settle(4)
    mine = [] if act is deletes else [("1",)]
    found = [f"cards: {phones(world)}"] if phones(world) != [mine, [("1",)], mine] else []
    (guest,) = [record for record in world.crm.records.values() if record.kind is Kind.CONTACT]
    meeting(world, guest.id, when=LATER)
    last = await world.settle(4) + await compared_in_full(world)
    found += [f"cards at last: {phones(world)}"] if phones(world) != [mine, [("1",)], mine] else []
    found += [f"wrote {last}"] if last else []
    contacts = [record for record in world.crm.records.values() if record.kind is Kind.CONTACT]
    return found + ([f"{len(contacts)} contacts"] if contacts != [guest] else []), process.operations


@pytest.mark.parametrize("act", [meets, copies, deletes], ids=lambda act: act.__name__)
async def test_there_is_one_copy_wherever_a_run_is_killed(act: Callable[[World], Awaitable[None]]) -> None:
    """Every seventh operation meets an accident, of each kind in turn; in `make sim` every one."""
    wrong, operations = await play(act, None)
    for number, at in enumerate(sampled(range(1, operations + 1), 7, act.__name__)):
        accident = Accident(at, KINDS[number % len(KINDS)])
        wrong += [f"{accident}: {message}" for message in (await play(act, accident))[0]]
    assert wrong == []

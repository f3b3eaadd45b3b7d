"""Guest copies of invited contacts with nothing of ours replaced: vtenext's invitees, Graph's filters (SPEC 2.7)."""

from __future__ import annotations

from datetime import timedelta

from sync.sides.memory import Card
from tests.contract.vtenext_world import typed
from tests.sim.mapping_for_tests import translators
from tests.sim.world import Accident
from tests.whole.calendar_world import MEETING, CalendarWholeWorld
from tests.whole.world import EmulatedMailbox

WHEN, LATER = "2026-12-01T09:00Z/2026-12-01T10:00Z", "2026-12-08T09:00Z/2026-12-08T10:00Z"


async def company() -> CalendarWholeWorld:
    """Two users with people and calendars, after their first synchronisation."""
    world = CalendarWholeWorld()
    world.translators = translators()
    await world.connect()
    await world.settle(2)
    return world


def client(world: CalendarWholeWorld, owner: str, **more: str) -> str:
    row = {
        "firstname": "Carla",
        "lastname": "Neri",
        "email": "carla.d'urso@z.example",
        "assigned_user_id": owner,
        **more,
    }
    (crm_id,) = world.vtenext.backdoor.add_records("Contacts", [row])
    return crm_id


def meeting(world: CalendarWholeWorld, owner: str, when: str, *addresses: str) -> None:
    people = [{"email": each, "partecipation": 0} for each in addresses]
    event = {**MEETING, **typed({"subject": "m", "when": when}), "invitees": people, "assigned_user_id": owner}
    world.vtenext.backdoor.add_records("Events", [event])


def cards(world: CalendarWholeWorld, mailbox: str) -> list[Card]:
    hands = world.mailboxes[mailbox]
    assert isinstance(hands, EmulatedMailbox)
    return [card for card in hands.cards.values() if card.place == "folder"]


def writes(world: CalendarWholeWorld) -> int:
    """To contacts, in either mailbox."""
    labels = world.graph.parts.counts.items()
    return sum(n for label, n in labels if "contacts" in label and not label.startswith("GET"))


async def test_a_participant_gets_one_copy_and_keeps_it_deleted() -> None:
    world = await company()
    (mine, theirs), (me, other) = world.users.values(), world.users
    client(world, other)
    meeting(world, me, WHEN, "carla.d'urso@z.example")
    await world.settle(4)
    assert [[card.fields["surname"] for card in cards(world, mailbox)] for mailbox in (mine, theirs)] == [["Neri"]] * 2
    before = writes(world)
    world.time += timedelta(hours=24)
    await world.settle(2)
    assert writes(world) == before
    world.graph.outlook.delete(mine, cards(world, mine)[0].id)
    await world.settle(2)
    meeting(world, me, LATER, "carla.d'urso@z.example")
    await world.settle(3)
    world.time += timedelta(hours=24)
    await world.settle(2)
    assert (cards(world, mine), len(cards(world, theirs))) == ([], 1)


async def test_whom_the_default_folder_knows_by_name_and_company_needs_no_copy() -> None:
    world = await company()
    (mine, theirs), (me, other) = world.users.values(), world.users
    (account,) = world.vtenext.backdoor.add_records("Accounts", [{"accountname": "Acme", "assigned_user_id": other}])
    client(world, other, account_id=account)
    world.graph.outlook.create(mine, {"givenName": "Carla", "surname": "Neri", "companyName": "ACME"})
    meeting(world, me, WHEN, "carla.d'urso@z.example")
    await world.settle(4)
    assert (len(cards(world, mine)), len(cards(world, theirs))) == (0, 2)


async def play(accident: Accident | None) -> tuple[tuple[int, int], int]:
    """An accident in the tick that makes the copy: the cards of both mailboxes at last, and the operations of that tick."""
    world = await company()
    (mine, theirs), (me, other) = world.users.values(), world.users
    client(world, other)
    meeting(world, me, WHEN, "carla.d'urso@z.example")
    await world.attempt()
    process = await world.attempt(accident)
    await world.settle(4)
    return (len(cards(world, mine)), len(cards(world, theirs))), process.operations


async def test_there_is_one_copy_wherever_a_request_is_lost() -> None:
    found, operations = await play(None)
    wrong = [("undisturbed", found)] if found != (1, 1) else []
    for number, at in enumerate(range(1, operations + 1, 7)):
        accident = Accident(at, ("crash-after", "lose", "busy")[number % 3])
        found, _ = await play(accident)
        wrong += [(str(accident), found)] if found != (1, 1) else []
    assert wrong == []

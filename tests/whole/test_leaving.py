"""The end of a user over the emulators: cards, undo, purge and the directory of a hundred users (SPEC 5.4, 3.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.clearing_tools import ALL, LEAVE, PURGE, UNDO
from sync.connector import Connector
from sync.model import Kind, Reason
from sync.policy import KindPolicy, RemovalScope
from sync.sides.base import CrmUser
from sync.sides.vtenext import VtenextDirectory
from sync.users import homes_of
from tests.contract.vtenext_world import VtenextWorld
from tests.unit.control.world import World
from tests.whole.world import WholeWorld


async def filled(ours: int, own: int, *, to_crm: bool) -> tuple[WholeWorld, str, str]:
    """A folder with `ours` cards from the CRM and `own` ones made in Outlook, which the CRM takes over or not."""
    world = WholeWorld()
    await world.connect()
    world.limits = type(world.limits)()
    user, mailbox = next(iter(world.users.items()))
    rows = [
        {"firstname": "Anna", "lastname": f"Rossi {n}", "email": f"a{n}@x.example", "assigned_user_id": user}
        for n in range(ours)
    ]
    world.vtenext.backdoor.add_records("Contacts", rows)
    world.kinds[Kind.CONTACT] = KindPolicy(to_crm=to_crm)
    for n in range(own):
        card = {"givenName": "Bruno", "surname": f"Verdi {n}", "personalNotes": f"mine {n}"}
        world.mailboxes[mailbox].add({**card, "emailAddresses": (f"b{n}@x.example",)})
    await world.settle(3)
    return world, user, mailbox


def cards(world: WholeWorld, mailbox: str) -> dict[str, str]:
    """Card id -> surname, of those in the folder."""
    found = world.mailboxes[mailbox].cards.values()
    return {card.id: str(card.fields["surname"]) for card in found if card.place == "folder"}


async def test_exactly_the_linked_cards_go_and_an_undo_brings_them_back() -> None:
    world, user, mailbox = await filled(300, 40, to_crm=False)
    before = cards(world, mailbox)
    assert len(before) == 340
    extra = next(id_ for id_, name in before.items() if name == "Rossi 7")
    world.mailboxes[mailbox].edit(extra, spouseName="Carla", personalNotes="called twice")
    await world.settle(1)
    order = {"scope": RemovalScope.LINKED.value, "permitted": ALL}
    del world.users[user]
    at = world.now().isoformat(timespec="seconds")
    await world.registry.change_mailbox(mailbox, enabled=False, clearing=LEAVE, left_at=at, **order)
    await world.settle(2)
    row = await world.registry.mailbox(mailbox)
    assert row is not None
    assert (row.state, row.counts) == ("removed", "user_left=300")
    assert sorted(cards(world, mailbox).values()) == sorted(f"Verdi {n}" for n in range(40))
    assert cards(world, mailbox).items() <= before.items(), "the user's own cards were not touched"
    assert [hold.because for hold in await world.registry.holds()] == []
    records = world.crm.records.values()
    assert not any(record.deleted for record in records)
    await world.registry.change_mailbox(mailbox, clearing=UNDO)
    await world.settle(2)
    after = cards(world, mailbox)
    assert sorted(after.values()) == sorted(before.values())
    seven = next(id_ for id_, name in after.items() if name == "Rossi 7")
    fields = world.mailboxes[mailbox].cards[seven].fields
    assert (fields["spouseName"], fields["emailAddresses"]) == ("Carla", ("a7@x.example",))
    world.users[user] = mailbox
    at = world.now().isoformat(timespec="seconds")
    await world.registry.change_mailbox(mailbox, enabled=True, connected_at=at, full=True)
    assert await world.settle(3) == 0
    assert cards(world, mailbox) == after, "connected again: no doubles"
    assert len(world.crm.records) == 300


NOTE = "prima riga\r\n\r\n  terza, rientrata: 5 < 6 & 7 \U0001f600"


async def noted_and_back(meanwhile: Callable[[WholeWorld], None]) -> tuple[WholeWorld, str, dict[str, str]]:
    """Anna's card had notes when she was removed; undone, connected again and settled: the notes by surname."""
    world, user, mailbox = await filled(3, 1, to_crm=True)
    noted = next(id_ for id_, name in cards(world, mailbox).items() if name == "Rossi 1")
    world.mailboxes[mailbox].edit(noted, personalNotes=NOTE)
    await world.settle(2)
    del world.users[user]
    at = world.now().isoformat(timespec="seconds")
    order = {"scope": RemovalScope.LINKED.value, "permitted": ALL}
    await world.registry.change_mailbox(mailbox, enabled=False, clearing=LEAVE, left_at=at, **order)
    await world.settle(2)
    assert cards(world, mailbox) == {}
    meanwhile(world)
    await world.registry.change_mailbox(mailbox, clearing=UNDO)
    await world.settle(2)
    assert notes(world, mailbox) == {"Rossi 0": "", "Rossi 1": NOTE, "Rossi 2": "", "Verdi 0": "mine 0"}
    world.users[user] = mailbox
    at = world.now().isoformat(timespec="seconds")
    await world.registry.change_mailbox(mailbox, enabled=True, connected_at=at, full=True)
    assert await world.settle(3) == 0
    return world, mailbox, notes(world, mailbox)


def notes(world: WholeWorld, mailbox: str) -> dict[str, str]:
    found = world.mailboxes[mailbox].cards.values()
    return {
        str(card.fields["surname"]): str(card.fields.get("personalNotes", ""))
        for card in found
        if card.place == "folder"
    }


def descriptions(world: WholeWorld) -> dict[str, str]:
    return {record.fields["lastname"]: record.fields["description"] for record in world.crm.records.values()}


async def test_the_notes_of_a_card_come_back_as_they_were_and_are_not_cut_by_what_the_crm_could_keep_of_them() -> None:
    kept: list[dict[str, str]] = []
    world, _, after = await noted_and_back(lambda world: kept.append(descriptions(world)))
    assert after == {"Rossi 0": "", "Rossi 1": NOTE, "Rossi 2": "", "Verdi 0": "mine 0"}
    assert descriptions(world) == kept[0]
    assert NOTE not in kept[0].values(), "the CRM holds no emoji"
    assert kept[0]["Rossi 1"].startswith("prima riga")


async def test_notes_that_were_edited_in_the_crm_meanwhile_win_over_those_that_came_back() -> None:
    def edited(world: WholeWorld) -> None:
        (record,) = [each for each in world.crm.records.values() if each.fields["lastname"] == "Rossi 1"]
        world.crm.edit(record.id, description="nel frattempo")

    world, _, after = await noted_and_back(edited)
    assert after == {"Rossi 0": "", "Rossi 1": "nel frattempo", "Rossi 2": "", "Verdi 0": "mine 0"}
    assert descriptions(world)["Rossi 1"] == "nel frattempo"


async def test_a_purge_makes_our_copies_anew_and_leaves_the_users() -> None:
    world, _, mailbox = await filled(100, 20, to_crm=True)
    before = cards(world, mailbox)
    await world.registry.change_mailbox(mailbox, clearing=PURGE, permitted=100)
    assert await world.settle(4) == 0
    after = cards(world, mailbox)
    assert sorted(after.values()) == sorted(before.values())
    kept = {name for id_, name in after.items() if id_ in before}
    assert kept == {f"Verdi {n}" for n in range(20)}
    assert await world.registry.holds() == []
    assert not any(record.deleted for record in world.crm.records.values())
    assert len(world.crm.records) == 120


@pytest.mark.parametrize(("vanish", "held"), [(5, 0), (6, 6)])
async def test_six_of_a_hundred_users_at_once_are_a_hold(vanish: int, held: int) -> None:
    crm, office = VtenextWorld(), World()
    there = len([user for user in await crm.directory.users() if user.active])
    people = [
        {"user_name": f"u{n}", "first_name": "U", "last_name": str(n), "email1": f"u{n}@x.example"}
        for n in range(100 - there)
    ]
    ids = crm.back.add_users(people)
    connector = office.connector
    office.servers.staff = await listed(crm.directory)
    await connector.refresh_directory()
    for n, user in enumerate(ids):
        await office.users.change(user, mailbox=f"m{n}", enabled=True)
        await office.registry.change_mailbox(f"m{n}", user=user)
    for user in ids[:vanish]:
        crm.back.delete_user(user)
    await twice(connector, office, crm.directory)
    holds = await office.registry.holds()
    assert [(hold.because, hold.count) for hold in holds] == [(Reason.USERS_VANISHED, held)] * bool(held)
    assert len(ids) - len(homes_of(await office.users.all())) == (0 if held else vanish)
    clearing = [row for row in await office.registry.mailboxes() if row.clearing == LEAVE]
    assert len(clearing) == (0 if held else vanish)


async def twice(connector: Connector, office: World, directory: VtenextDirectory) -> None:
    for _ in range(2):
        office.servers.staff = await listed(directory)
        await connector.refresh_directory()
        office.pass_time(60)


async def listed(directory: VtenextDirectory) -> tuple[CrmUser, ...]:
    return tuple(await directory.users())

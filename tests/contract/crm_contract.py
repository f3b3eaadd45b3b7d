"""What every CRM side promises (`sync.sides.base.Crm`), as tests to inherit: run on the memory CRM and on vtenext.

A subclass gives the fixture `world`: the side, and the hands of people who work in the CRM meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from sync.model import Gone, Item, Kind
from sync.sides.base import Crm, Done, NaturalKey, New, Refused, Remove, Result, Revise


class CrmWorld(Protocol):
    """`owners`: two users who may own records. Time passes only through `wait`. Events are given in the words of an item."""

    crm: Crm
    owners: tuple[str, str]
    addresses: Mapping[str, str]

    def add(self, kind: Kind, fields: Mapping[str, str], owner: str) -> str: ...

    def edit(self, kind: Kind, record: str, fields: Mapping[str, str]) -> None: ...

    def delete(self, kind: Kind, record: str) -> None: ...

    def answer(self, record: str, invitee: str, answer: str) -> None: ...

    def wait(self, seconds: float) -> None: ...

    def iso_now(self) -> str: ...


async def read(world: CrmWorld, kind: Kind, record: str) -> Item:
    item = (await world.crm.get(kind, [record]))[record]
    assert isinstance(item, Item)
    return item


async def changed(world: CrmWorld, kind: Kind, cursor: str) -> tuple[dict[str, Item], set[str], str]:
    """All pages: items by id, claims of deletion, the last cursor."""
    items: dict[str, Item] = {}
    gone: set[str] = set()
    pages = [page async for page in world.crm.changes(kind, cursor)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    for page in pages:
        items |= {item.id: item for item in page.items}
        gone |= set(page.gone)
    assert pages[-1].cursor
    return items, gone, pages[-1].cursor


async def owned(world: CrmWorld, kind: Kind, owner: str) -> list[str]:
    return [record async for page in world.crm.owned(kind, owner) for record in page]


def item_in(result: Result) -> Item:
    assert isinstance(result, Done), result
    assert result.item is not None
    return result.item


def status_of(result: Result) -> int:
    assert isinstance(result, Refused), result
    return result.failure.status


class CrmContract:
    @pytest.fixture
    def mario(self, world: CrmWorld) -> str:
        fields = {"firstname": "Mario", "lastname": "Rossi", "email": "mario@cust.example", "phone": "1"}
        record = world.add(Kind.CONTACT, fields, world.owners[0])
        world.wait(5)
        return record

    async def test_changes_from_the_beginning_hold_everything(self, world: CrmWorld, mario: str) -> None:
        items, gone, _ = await changed(world, Kind.CONTACT, "")
        assert items[mario] == await read(world, Kind.CONTACT, mario)
        assert mario not in gone

    async def test_an_item_says_what_the_record_is(self, world: CrmWorld, mario: str) -> None:
        item = await read(world, Kind.CONTACT, mario)
        assert (item.kind, item.owner, item.fields["lastname"]) == (Kind.CONTACT, world.owners[0], "Rossi")
        assert item.version
        assert item.modified.endswith("Z")

    async def test_changes_since_a_cursor_hold_edits_and_deletions(self, world: CrmWorld, mario: str) -> None:
        other = world.add(Kind.CONTACT, {"lastname": "Verdi"}, world.owners[1])
        _, _, cursor = await changed(world, Kind.CONTACT, "")
        world.wait(600)
        world.edit(Kind.CONTACT, mario, {"phone": "2"})
        world.delete(Kind.CONTACT, other)
        items, gone, _ = await changed(world, Kind.CONTACT, cursor)
        assert items[mario].fields["phone"] == "2"
        assert other in gone
        assert other not in items

    async def test_an_old_cursor_shows_nothing_old_again(self, world: CrmWorld, mario: str) -> None:
        world.wait(3600)
        _, _, cursor = await changed(world, Kind.CONTACT, "")
        world.wait(3600)
        items, gone, _ = await changed(world, Kind.CONTACT, cursor)
        assert (items, gone) == ({}, set())

    async def test_a_beginning_shows_what_comes_after_it(self, world: CrmWorld, mario: str) -> None:
        world.wait(3600)
        cursor = await world.crm.beginning()
        assert (await changed(world, Kind.CONTACT, cursor))[:2] == ({}, set())
        world.edit(Kind.CONTACT, mario, {"phone": "2"})
        assert set((await changed(world, Kind.CONTACT, cursor))[0]) == {mario}

    async def test_kinds_are_apart(self, world: CrmWorld, mario: str) -> None:
        company = world.add(Kind.COMPANY, {"accountname": "Acme"}, world.owners[0])
        assert set((await changed(world, Kind.COMPANY, ""))[0]) >= {company}
        assert mario not in (await changed(world, Kind.COMPANY, ""))[0]

    async def test_get_proves_a_deletion_while_others_are_there(self, world: CrmWorld, mario: str) -> None:
        other = world.add(Kind.CONTACT, {"lastname": "Verdi"}, world.owners[1])
        world.delete(Kind.CONTACT, other)
        present = await world.crm.get(Kind.CONTACT, [other, mario])
        assert isinstance(present[other], Gone)
        assert isinstance(present[mario], Item)
        assert set(present) == {other, mario}

    async def test_a_contact_knows_the_name_of_its_account(self, world: CrmWorld, mario: str) -> None:
        company = world.add(Kind.COMPANY, {"accountname": "Acme & Figli"}, world.owners[0])
        world.edit(Kind.CONTACT, mario, {"account_id": company})
        item = await read(world, Kind.CONTACT, mario)
        assert (item.fields["account_id"], item.fields["account_name"]) == (company, "Acme & Figli")
        assert (await changed(world, Kind.CONTACT, ""))[0][mario] == item
        assert await world.crm.contacts_of([company]) == [mario]

    async def test_owned_and_count(self, world: CrmWorld, mario: str) -> None:
        before = await world.crm.count(Kind.CONTACT)
        others = [world.add(Kind.CONTACT, {"lastname": f"N{n}"}, world.owners[1]) for n in range(3)]
        assert set(others) <= set(await owned(world, Kind.CONTACT, world.owners[1]))
        assert mario not in await owned(world, Kind.CONTACT, world.owners[1])
        everybody = await owned(world, Kind.CONTACT, "")
        assert {mario, *others} <= set(everybody)
        assert len(everybody) == len(set(everybody)) == await world.crm.count(Kind.CONTACT) == before + 3

    async def test_find_by_address_or_full_name_in_the_order_of_the_keys(self, world: CrmWorld, mario: str) -> None:
        angelo = world.add(
            Kind.CONTACT, {"firstname": "Ugo", "lastname": "D'Angelo", "email": "u@c.example"}, world.owners[1]
        )
        found = await world.crm.find(
            [
                NaturalKey(Kind.CONTACT, given="Ugo", family="D'Angelo"),
                NaturalKey(Kind.CONTACT, emails=("nobody@cust.example",)),
                NaturalKey(Kind.CONTACT, emails=("MARIO@cust.example",), given="Another", family="Name"),
                NaturalKey(Kind.CONTACT),
            ]
        )
        assert [[item.id for item in items] for items in found] == [[angelo], [], [mario], []]

    async def test_find_companies_by_name_and_both_addresses(self, world: CrmWorld) -> None:
        one = world.add(Kind.COMPANY, {"accountname": "Uno Srl", "email1": "a@uno.example"}, world.owners[0])
        two = world.add(Kind.COMPANY, {"accountname": "Due Srl", "email2": "b@due.example"}, world.owners[0])
        found = await world.crm.find(
            [
                NaturalKey(Kind.COMPANY, emails=("b@due.example",), company="uno srl"),
                NaturalKey(Kind.COMPANY, emails=("a@uno.example",)),
            ]
        )
        assert [{item.id for item in items} for items in found] == [{one, two}, {one}]

    async def test_accounts_named(self, world: CrmWorld) -> None:
        twins = {world.add(Kind.COMPANY, {"accountname": "L'Edil"}, world.owners[0]) for _ in range(2)}
        single = world.add(Kind.COMPANY, {"accountname": "Sola"}, world.owners[0])
        named = await world.crm.accounts_named(["L'Edil", "SOLA", "Nessuna", ""])
        assert {name: set(ids) for name, ids in named.items()} == {
            "L'Edil": twins,
            "SOLA": {single},
            "Nessuna": set(),
            "": set(),
        }

    async def test_create(self, world: CrmWorld, mario: str) -> None:
        since = world.iso_now()
        new = New(Kind.CONTACT, {"firstname": "Lia", "lastname": "Neri"}, "token", world.owners[1])
        item = item_in((await world.crm.apply([new]))[0])
        assert (item.owner, item.fields["lastname"]) == (world.owners[1], "Neri")
        assert await read(world, Kind.CONTACT, item.id) == item
        assert [found.id for found in await world.crm.created_since(Kind.CONTACT, since)] == [item.id]

    async def test_nothing_is_created_for_an_unknown_owner(self, world: CrmWorld) -> None:
        before = await world.crm.count(Kind.CONTACT)
        results = await world.crm.apply([New(Kind.CONTACT, {"lastname": "Neri"}, "", "19x999")])
        assert status_of(results[0]) == 400
        assert await world.crm.count(Kind.CONTACT) == before

    async def test_revise_changes_what_is_given_and_nothing_else(self, world: CrmWorld, mario: str) -> None:
        before = await read(world, Kind.CONTACT, mario)
        item = item_in((await world.crm.apply([Revise(before, {"phone": "2"})]))[0])
        assert item.version != before.version
        assert dict(item.fields) == {**before.fields, "phone": "2"}
        assert item == await read(world, Kind.CONTACT, mario)

    async def test_revise_that_changes_nothing_leaves_the_record_alone(self, world: CrmWorld, mario: str) -> None:
        before = await read(world, Kind.CONTACT, mario)
        world.wait(60)
        assert await world.crm.apply([Revise(before, {"phone": "1"})]) == [Done(before)]
        assert await read(world, Kind.CONTACT, mario) == before

    async def test_a_record_changed_meanwhile_is_neither_revised_nor_removed(self, world: CrmWorld, mario: str) -> None:
        before = await read(world, Kind.CONTACT, mario)
        world.edit(Kind.CONTACT, mario, {"phone": "9"})
        results = await world.crm.apply([Revise(before, {"phone": "2"}), Remove(before)])
        assert [status_of(result) for result in results] == [412, 412]
        assert (await read(world, Kind.CONTACT, mario)).fields["phone"] == "9"

    async def test_a_record_given_to_somebody_else_is_not_revised(self, world: CrmWorld, mario: str) -> None:
        before = await read(world, Kind.CONTACT, mario)
        world.edit(Kind.CONTACT, mario, {"assigned_user_id": world.owners[1]})
        assert [status_of(r) for r in await world.crm.apply([Revise(before, {"phone": "2"})])] == [412]

    async def test_remove_is_done_also_when_it_is_gone_already(self, world: CrmWorld, mario: str) -> None:
        world.add(Kind.CONTACT, {"lastname": "Verdi"}, world.owners[1])
        before = await read(world, Kind.CONTACT, mario)
        assert await world.crm.apply([Remove(before)]) == [Done(None)]
        assert isinstance((await world.crm.get(Kind.CONTACT, [mario]))[mario], Gone)
        assert await world.crm.apply([Remove(before)]) == [Done(None)]
        assert [status_of(r) for r in await world.crm.apply([Revise(before, {"phone": "2"})])] == [412]

    async def test_results_come_in_the_order_of_the_writes(self, world: CrmWorld, mario: str) -> None:
        before = await read(world, Kind.CONTACT, mario)
        writes = [
            *(New(Kind.CONTACT, {"lastname": f"N{n}"}, "", world.owners[0]) for n in range(9)),
            New(Kind.CONTACT, {"lastname": "Nobody's"}, "", "19x999"),
            Revise(before, {"phone": "2"}),
        ]
        results = await world.crm.apply(writes)
        assert [item_in(result).fields["lastname"] for result in results[:9]] == [f"N{n}" for n in range(9)]
        assert status_of(results[9]) == 400
        assert item_in(results[10]).id == mario

"""What every `sides.base.Mailbox` does, whoever is behind it: inherit `MailboxContract` and give it a `world` fixture.

The user's hand is part of the world, because a contract about changes needs somebody who makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from sync.model import Gone, Item, Kind, Left, Proof, Side
from sync.sides.base import CursorLost, Done, Mailbox, NaturalKey, New, Page, Refused, Remove, Revise

ANNA = {"givenName": "Anna", "surname": "Neri", "jobTitle": "Perito"}


class World(Protocol):
    """A mailbox with its user. Fields are text fields under their Graph names."""

    mailbox: Mailbox

    def add(self, fields: Mapping[str, str]) -> str: ...

    def keep(self, fields: Mapping[str, str], *addresses: str) -> None:
        """Put a card into the default folder, which is not ours."""
        ...

    def edit(self, item_id: str, fields: Mapping[str, str]) -> None: ...

    def delete(self, item_id: str) -> None: ...

    def purge(self, item_id: str) -> None: ...

    def move_away(self, item_id: str) -> None: ...

    def copy(self, item_id: str) -> str: ...

    def forget_cursors(self) -> None: ...

    def count(self) -> int: ...


async def walk(mailbox: Mailbox, cursor: str | None) -> tuple[dict[str, Item], set[str], str]:
    """A whole round, as an engine would apply it: items, claims of removal, the cursor."""
    items: dict[str, Item] = {}
    gone: set[str] = set()
    pages: list[Page] = [page async for page in mailbox.changes(cursor)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [bool(page.cursor) for page in pages] == [page.last for page in pages]
    for page in pages:
        assert len({item.id for item in page.items}) == len(page.items)
        assert not {item.id for item in page.items} & set(page.gone)
        for item in page.items:
            assert item.stamp == "", "a listing of changes carries no stamps"
            items[item.id] = item
            gone.discard(item.id)
        for each in page.gone:
            gone.add(each)
            items.pop(each, None)
    return items, gone, pages[-1].cursor


async def listed(mailbox: Mailbox) -> dict[str, Item]:
    return {item.id: item async for page in mailbox.stamped() for item in page}


async def read(mailbox: Mailbox, item_id: str) -> Item:
    found = (await mailbox.get([item_id]))[item_id]
    assert isinstance(found, Item)
    return found


async def made(mailbox: Mailbox, fields: Mapping[str, str] = ANNA, stamp: str = "stamp-1") -> Item:
    (result,) = await mailbox.apply([New(Kind.CONTACT, fields, stamp)])
    assert isinstance(result, Done)
    assert result.item is not None
    return result.item


def person(*emails: str, given: str = "", family: str = "", company: str = "") -> NaturalKey:
    return NaturalKey(Kind.CONTACT, emails, given, family, company)


class MailboxContract:
    """The semantics of changes, get, stamped and apply."""

    async def test_the_first_round_shows_everything_the_next_one_nothing(self, world: World) -> None:
        ids = {world.add({"givenName": f"N{number}", "surname": "Rossi"}) for number in range(25)}
        items, _, cursor = await walk(world.mailbox, None)
        assert set(items) == ids
        assert {item.fields["surname"] for item in items.values()} == {"Rossi"}
        assert all(item.side is Side.MAILBOX and item.owner == world.mailbox.id for item in items.values())
        assert all(item.version and item.modified.endswith("Z") and len(item.modified) == 20 for item in items.values())
        assert (await walk(world.mailbox, cursor))[:2] == ({}, set())

    async def test_an_empty_mailbox_has_a_cursor_too(self, world: World) -> None:
        items, gone, cursor = await walk(world.mailbox, None)
        assert (items, gone) == ({}, set())
        added = world.add(ANNA)
        assert set((await walk(world.mailbox, cursor))[0]) == {added}

    async def test_an_edit_shows_with_a_new_version(self, world: World) -> None:
        item_id = world.add(ANNA)
        items, _, cursor = await walk(world.mailbox, None)
        world.edit(item_id, {"jobTitle": "Direttrice"})
        later, gone, _ = await walk(world.mailbox, cursor)
        assert (set(later), gone) == ({item_id}, set())
        assert later[item_id].fields["jobTitle"] == "Direttrice"
        assert later[item_id].fields["surname"] == "Neri"
        assert later[item_id].version != items[item_id].version

    async def test_a_deleted_item_is_claimed_gone_and_proven(self, world: World) -> None:
        item_id = world.add(ANNA)
        _, _, cursor = await walk(world.mailbox, None)
        world.delete(item_id)
        items, gone, _ = await walk(world.mailbox, cursor)
        assert (items, gone) == ({}, {item_id})
        found = await world.mailbox.get([item_id])
        assert isinstance(found[item_id], Gone)

    async def test_a_purged_item_is_not_found(self, world: World) -> None:
        item_id, other = world.add(ANNA), world.add({"surname": "Verdi"})
        world.purge(item_id)
        found = await world.mailbox.get([item_id, other])
        assert found[item_id] == Gone(item_id, Proof.NOT_FOUND)
        assert isinstance(found[other], Item)

    async def test_the_last_item_of_a_mailbox_can_be_proven_gone(self, world: World) -> None:
        item_id = world.add(ANNA)
        world.purge(item_id)
        assert await world.mailbox.get([item_id]) == {item_id: Gone(item_id, Proof.NOT_FOUND)}

    async def test_an_item_in_another_folder_left(self, world: World) -> None:
        item_id = world.add(ANNA)
        _, _, cursor = await walk(world.mailbox, None)
        world.move_away(item_id)
        assert item_id in (await walk(world.mailbox, cursor))[1]
        assert isinstance((await world.mailbox.get([item_id]))[item_id], Left)

    async def test_a_lost_cursor_is_said_and_beginning_again_works(self, world: World) -> None:
        item_id = world.add(ANNA)
        _, _, cursor = await walk(world.mailbox, None)
        world.forget_cursors()
        with pytest.raises(CursorLost):
            await walk(world.mailbox, cursor)
        assert set((await walk(world.mailbox, None))[0]) == {item_id}

    async def test_a_new_item_carries_its_stamp(self, world: World) -> None:
        item = await made(world.mailbox)
        assert (item.stamp, item.fields["surname"], item.kind) == ("stamp-1", "Neri", Kind.CONTACT)
        assert await read(world.mailbox, item.id) == item
        assert await listed(world.mailbox) == {item.id: item}

    async def test_our_own_writes_come_back_unchanged(self, world: World) -> None:
        item = await made(world.mailbox)
        items, _, _ = await walk(world.mailbox, None)
        assert (items[item.id].version, items[item.id].fields) == (item.version, item.fields)

    async def test_the_users_own_items_have_no_stamp_and_copies_have_the_originals(self, world: World) -> None:
        item, own = await made(world.mailbox), world.add({"surname": "Verdi"})
        copied = world.copy(item.id)
        stamps = {key: each.stamp for key, each in (await listed(world.mailbox)).items()}
        assert stamps == {item.id: "stamp-1", copied: "stamp-1", own: ""}

    async def test_a_card_with_only_a_company_is_a_company(self, world: World) -> None:
        (result,) = await world.mailbox.apply([New(Kind.COMPANY, {"companyName": "Alfa Srl"}, "s")])
        assert isinstance(result, Done)
        assert result.item is not None
        assert result.item.kind is Kind.COMPANY

    async def test_a_revision_changes_only_what_it_names(self, world: World) -> None:
        item = await made(world.mailbox)
        (result,) = await world.mailbox.apply([Revise(item, {"jobTitle": "Direttrice"})])
        assert isinstance(result, Done)
        assert result.item is not None
        assert result.item.version != item.version
        assert result.item.stamp == item.stamp
        assert {**result.item.fields} == {**item.fields, "jobTitle": "Direttrice"}
        assert await read(world.mailbox, item.id) == result.item

    async def test_a_field_can_be_cleared(self, world: World) -> None:
        item = await made(world.mailbox)
        (result,) = await world.mailbox.apply([Revise(item, {"jobTitle": ""})])
        assert isinstance(result, Done)
        assert (await read(world.mailbox, item.id)).fields["jobTitle"] == ""

    async def test_a_revision_of_something_else_than_expected_is_refused(self, world: World) -> None:
        item = await made(world.mailbox)
        world.edit(item.id, {"department": "Acquisti"})
        (result,) = await world.mailbox.apply([Revise(item, {"jobTitle": "Direttrice"})])
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert (await read(world.mailbox, item.id)).fields["jobTitle"] == "Perito"

    async def test_a_removal_is_proven_afterwards_and_may_be_repeated(self, world: World) -> None:
        item = await made(world.mailbox)
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]
        assert isinstance((await world.mailbox.get([item.id]))[item.id], Gone)
        assert world.count() == 0
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]

    async def test_a_removal_of_something_else_than_expected_is_refused(self, world: World) -> None:
        item = await made(world.mailbox)
        world.edit(item.id, {"department": "Acquisti"})
        (result,) = await world.mailbox.apply([Remove(item)])
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert isinstance(await read(world.mailbox, item.id), Item)

    async def test_one_failure_stops_no_other_and_results_keep_their_order(self, world: World) -> None:
        stale, good, doomed = [await made(world.mailbox, {"surname": name}, name) for name in ("A", "B", "C")]
        world.edit(stale.id, {"department": "Acquisti"})
        results = await world.mailbox.apply(
            [
                New(Kind.CONTACT, {"surname": "D"}, "D"),
                Revise(stale, {"surname": "A2"}),
                Remove(doomed),
                Revise(good, {"surname": "B2"}),
                New(Kind.CONTACT, {"surname": "E"}, "E"),
            ]
        )
        assert [type(each) for each in results] == [Done, Refused, Done, Done, Done]
        names = {item.stamp: item.fields["surname"] for item in (await listed(world.mailbox)).values()}
        assert names == {"A": "A", "B": "B2", "D": "D", "E": "E"}

    async def test_it_knows_people_by_an_address_else_by_name_and_company(self, world: World) -> None:
        world.keep(
            {"givenName": "Anna", "surname": "Neri", "companyName": "D'Urso & Figli"}, "a@x.example", "b@x.example"
        )
        world.keep({"surname": "Rossi"})
        await world.mailbox.apply(
            [New(Kind.CONTACT, {"surname": "Verdi", "emailAddresses": ("v+1@x.example",)}, "stamp-1")]
        )
        told = {
            "nobody": (NaturalKey(Kind.CONTACT), False),
            "first": (person("A@X.example", family="Bianchi"), True),
            "second": (person("z@x.example", "b@x.example"), True),
            "ours": (person("v+1@x.example"), True),
            "other": (person("c@x.example", given="Anna", family="Neri"), False),
            "part of one": (person("x.example"), False),
            "named": (person("c@x.example", given="anna", family="NERI", company="d'urso & figli"), True),
            "elsewhere": (person(given="Anna", family="Neri", company="Beta"), False),
            "relative": (person(family="Neri", company="D'Urso & Figli"), False),
            "no company": (person(family="Rossi"), False),
        }
        known = await world.mailbox.knows([key for key, _ in told.values()])
        assert dict(zip(told, known, strict=True)) == {name: expected for name, (_, expected) in told.items()}

    async def test_whom_the_user_deleted_nobody_knows(self, world: World) -> None:
        (result,) = await world.mailbox.apply([New(Kind.CONTACT, {"emailAddresses": ("a@x.example",)}, "s")])
        assert isinstance(result, Done)
        assert result.item is not None
        world.delete(result.item.id)
        assert await world.mailbox.knows([person("a@x.example")]) == [False]

    async def test_nothing_asked_nothing_done(self, world: World) -> None:
        assert await world.mailbox.apply([]) == []
        assert await world.mailbox.knows([]) == []
        assert await world.mailbox.get([]) == {}

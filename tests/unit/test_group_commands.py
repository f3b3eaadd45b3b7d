"""What an admin's word about groups and resources does to the store and whom it wakes; how groups are found."""

from __future__ import annotations

from typing import Any

import pytest

from sync import commands, group_commands, settings_commands
from sync.commands import NotFound, NotNow
from sync.errors import Cause, ConfigMistake, RetryLater
from sync.groups import GROUPS, Groups, note_met
from sync.model import Kind
from sync.policy import Group
from sync.settings_store import Defaults
from sync.sides.base import CrmUser
from sync.store.base import Stale
from sync.store.secrets import Keyring
from sync.tick import tick
from sync.users import User, Users
from tests.interrupting import before_writing
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, STAFF, World

SALES = "22x3"
CAR = "19x7"


@pytest.fixture
async def world() -> World:
    """Anna and Bruno are connected; nothing is queued."""
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    await quiet(world)
    return world


async def quiet(world: World) -> None:
    world.queue.take()
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.change_mailbox(mailbox, dirty=False, full=False)


def now_of(world: World) -> str:
    return world.connector.now().isoformat(timespec="seconds")


async def compared(world: World) -> set[str]:
    return {row.id for row in await world.registry.mailboxes() if row.full and row.dirty}


# groups


async def test_a_group_is_set_and_every_mailbox_compared(world: World) -> None:
    before = (await world.board.read()).generation
    body = {"members": [ANNA, BRUNO, ANNA], "organizer": ANNA}
    row = await group_commands.change_group(world.connector, SALES, body)
    assert (row.name, row.members, row.organizer) == ("Vendite", (ANNA, BRUNO), ANNA)
    assert await world.groups.policies() == {SALES: Group(ANNA, (ANNA, BRUNO), now_of(world))}
    assert (await world.board.read()).generation > before
    assert await compared(world) == {ANNAS, BRUNOS}
    assert sorted(world.queue.take()) == [ANNAS, BRUNOS]
    stored = repr(world.rows.everything())
    assert "Vendite" not in stored


async def test_what_is_not_named_stays_and_what_changes_nothing_wakes_nobody(world: World) -> None:
    await group_commands.change_group(world.connector, SALES, {"members": [ANNA], "organizer": BRUNO})
    await quiet(world)
    before = await world.board.read()
    world.servers.groups[SALES] = "Vendite Italia"
    row = await group_commands.change_group(world.connector, SALES, {"organizer": BRUNO})
    assert (row.name, row.members, row.organizer) == ("Vendite Italia", (ANNA,), BRUNO)
    assert (await world.board.read(), await compared(world), world.queue.take()) == (before, set(), [])
    row = await group_commands.change_group(world.connector, SALES, {"organizer": "", "members": []})
    assert not row.is_set
    assert await world.groups.policies() == {}
    assert await compared(world) == {ANNAS, BRUNOS}


async def test_of_two_admins_at_once_one_is_told_to_look_again(world: World) -> None:
    await group_commands.change_group(world.connector, SALES, {"members": [ANNA]}, 0)
    before_writing(world.rows, GROUPS, lambda: group_commands.change_group(world.connector, SALES, {"members": []}, 1))
    with pytest.raises(Stale):
        await group_commands.change_group(world.connector, SALES, {"members": [ANNA, BRUNO]}, 1)
    row = await world.groups.get(SALES)
    assert row is not None
    assert (row.members, row.version) == ((), 2)


async def test_of_two_who_change_whichever_version_is_there_both_count(world: World) -> None:
    other = {"organizer": BRUNO}
    before_writing(world.rows, GROUPS, lambda: group_commands.change_group(world.connector, SALES, other))
    row = await group_commands.change_group(world.connector, SALES, {"members": [ANNA]})
    assert (row.organizer, row.members, row.version) == (BRUNO, (ANNA,), 2)
    assert row == await world.groups.get(SALES)


async def test_a_version_moves_with_what_admins_say_and_with_nothing_else(world: World) -> None:
    row = await group_commands.change_group(world.connector, SALES, {"members": [ANNA]}, 0)
    world.servers.groups[SALES] = "Vendite Italia"
    world.pass_time(11)
    (shown,) = (await group_commands.groups(world.connector)).groups
    assert (shown.name, shown.version) == ("Vendite Italia", row.version)
    same = await group_commands.change_group(world.connector, SALES, {"members": [ANNA]}, row.version)
    assert same.version == row.version == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"members": [ANNA, "19x99"]}, "members"),
        ({"members": [SALES]}, "members"),
        ({"members": ANNA}, "members"),
        ({"members": ["anna"]}, "members.0"),
        ({"organizer": "19x99"}, "organizer"),
        ({"organizer": SALES}, "organizer"),
        ({"organiser": ANNA}, "organiser"),
    ],
)
async def test_what_cannot_be_a_group_is_refused(world: World, body: dict[str, Any], field: str) -> None:
    before = await world.board.read()
    with pytest.raises(ConfigMistake) as wrong:
        await group_commands.change_group(world.connector, SALES, body)
    assert wrong.value.field == field
    assert await world.groups.all() == []
    assert await world.board.read() == before


async def test_a_user_who_is_new_in_the_crm_is_found(world: World) -> None:
    world.servers.staff = (*STAFF, CrmUser("19x9", "Elsa", "e@acme.example", True))
    world.pass_time(1)
    row = await group_commands.change_group(world.connector, SALES, {"members": ["19x9"]})
    assert row.members == ("19x9",)


async def test_a_group_that_the_crm_does_not_have(world: World) -> None:
    for id_ in ("22x9", ANNA):
        with pytest.raises(NotFound):
            await group_commands.change_group(world.connector, id_, {"members": [ANNA]})
        with pytest.raises(NotFound):
            await group_commands.group(world.connector, id_)
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE)
    with pytest.raises(RetryLater):
        await group_commands.change_group(world.connector, SALES, {"members": [ANNA]})
    nowhere = World(Defaults(), crm_missing=("VTENEXT_URL",))
    with pytest.raises(NotNow, match="not_configured"):
        await group_commands.change_group(nowhere.connector, SALES, {})


async def test_a_sweep_meets_owners_and_their_names_are_read_when_shown(world: World) -> None:
    await tick(world.connector, "timer")
    world.crm.add(Kind.CONTACT, SALES, {"lastname": "Rossi"})
    world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Verdi"})
    world.crm.add(Kind.COMPANY, "22x9", {"accountname": "Acme"})
    world.pass_time(5)
    world.servers.asked.clear()
    await tick(world.connector, "timer")
    assert "group" not in world.servers.asked, "a sweep remembers ids only"
    assert {row.id for row in await world.groups.all()} == {SALES, "22x9"}
    assert await world.groups.policies() == {}
    (shown,) = (await group_commands.groups(world.connector)).groups
    assert (shown.id, shown.name, shown.is_set) == (SALES, "Vendite", False)
    world.servers.asked.clear()
    await group_commands.groups(world.connector)
    assert world.servers.asked == []
    world.servers.groups[SALES] = "Vendite Italia"
    world.pass_time(11)
    assert [row.name for row in (await group_commands.groups(world.connector)).groups] == ["Vendite Italia"]


async def test_a_set_group_that_is_gone_from_the_crm_is_still_shown(world: World) -> None:
    await group_commands.change_group(world.connector, SALES, {"members": [ANNA]})
    del world.servers.groups[SALES]
    world.pass_time(11)
    (shown,) = (await group_commands.groups(world.connector)).groups
    assert (shown.name, shown.exists, shown.members) == ("Vendite", False, (ANNA,))


async def test_groups_are_shown_as_they_were_when_the_crm_does_not_answer(world: World) -> None:
    await group_commands.change_group(world.connector, SALES, {"members": [ANNA]})
    await note_met(world.rows, ["22x4"])
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE)
    listed = await group_commands.groups(world.connector)
    assert (listed.cause, [row.name for row in listed.groups]) == ("crm_unreachable", ["Vendite", ""])
    with pytest.raises(RetryLater):
        await group_commands.group(world.connector, "22x4")
    world.servers.crm_fails = None
    assert (await group_commands.group(world.connector, "22x4")).name == "Assistenza"


async def test_meeting_a_group_again_changes_nothing_of_it(world: World) -> None:
    row = await group_commands.change_group(world.connector, SALES, {"members": [ANNA], "organizer": BRUNO})
    await note_met(world.rows, [SALES, "22x4"])
    assert await world.groups.get(SALES) == row
    assert await world.groups.get("22x5") is None


# resources


async def test_a_thing_and_its_colour(world: World) -> None:
    user = await commands.change_user(world.connector, CAR, {"resource": True, "colour": "#c11a25"})
    assert (user.is_thing, user.is_room, user.colour) == (True, False, "#C11A25")
    assert await compared(world) == {ANNAS, BRUNOS}
    await quiet(world)
    user = await commands.change_user(world.connector, CAR, {"colour": ""})
    assert (user.resource, user.colour, await compared(world)) == (True, "", set())
    user = await commands.change_user(world.connector, CAR, {"resource": False})
    assert (user.resource, await compared(world)) == (False, {ANNAS, BRUNOS})


async def test_pairing_makes_a_room_that_is_not_connected(world: World) -> None:
    world.servers.mailboxes |= {"sala@acme.example": "room-id", "blu@acme.example": "room-id"}
    await commands.change_user(world.connector, CAR, {"resource": True})
    await quiet(world)
    room = await commands.change_user(world.connector, CAR, {"mailbox": "blu@acme.example"})
    assert (room.is_room, room.connected, room.mailbox) == (True, False, "room-id")
    assert room.addresses == ("sala@acme.example", "blu@acme.example")
    assert await world.users.get(CAR) == room
    assert await world.registry.mailbox("room-id") is None
    assert await compared(world) == {ANNAS, BRUNOS}
    assert "acme.example" not in repr(world.rows.everything())
    thing = await commands.change_user(world.connector, CAR, {"mailbox": ""})
    assert (thing.is_thing, thing.addresses) == (True, ())


async def test_a_room_is_nobody_elses_mailbox(world: World) -> None:
    with pytest.raises(NotNow, match="mailbox_taken"):
        await commands.change_user(world.connector, CAR, {"resource": True, "mailbox": ANNAS})


async def test_rows_of_before_are_read_and_get_their_addresses_with_the_next_pairing(world: World) -> None:
    from sync.store.base import Put

    row = await world.rows.get("users", ANNA)
    assert row is not None
    old = {name: value for name, value in row.data.items() if name not in {"resource", "colour", "addresses"}}
    await world.rows.transact("users", [Put(ANNA, old)])
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.resource, anna.colour, anna.addresses, anna.mailbox) == (False, "", (), ANNAS)
    anna = await commands.change_user(world.connector, ANNA, {"mailbox": "anna@acme.example"})
    assert anna.addresses == ("anna@acme.example",)
    assert (await world.mailbox()).enabled


async def test_what_a_removed_key_closed_is_empty_until_it_is_read_again(world: World) -> None:
    """Runs go on: nothing that a run needs hangs on a name, and the directory brings names and addresses back."""
    await group_commands.change_group(world.connector, SALES, {"members": [ANNA], "organizer": BRUNO})
    other = Keyring(b"i" * 32, [("a", b"d" * 32)], [("b", b"f" * 32)])
    users, groups = Users(world.rows, other), Groups(world.rows, other)
    anna = await users.get(ANNA)
    assert anna == User(ANNA, "", "", True, mailbox=ANNAS, enabled=True, sync_start="1970-01-01")
    assert await groups.policies() == {SALES: Group(BRUNO, (ANNA,), now_of(world))}
    await users.refresh(STAFF, world.now())
    again = await users.get(ANNA)
    assert again is not None
    assert (again.name, again.email, again.mailbox) == ("Anna Rossi", "anna@acme.example", ANNAS)


# settings


@pytest.mark.parametrize(
    "body",
    [
        {"mail_limits": {"meetings": 0}},
        {"reassign_groups": False},
        {"double_booking": "accept"},
        {"crm_contact_invitees": True, "crm_invitation_mail_off": True},
        {"create_strangers": True},
    ],
)
async def test_settings_of_meetings_compare_every_mailbox(world: World, body: dict[str, Any]) -> None:
    await settings_commands.change_settings(world.connector, body)
    assert await compared(world) == {ANNAS, BRUNOS}


async def test_limits_of_mails_are_changed_one_by_one(world: World) -> None:
    await settings_commands.change_settings(world.connector, {"mail_limits": {"day": 0}})
    settings = (await settings_commands.change_settings(world.connector, {"mail_limits": {"meetings": 3}})).settings
    limits = settings.mail_limits.policy()
    assert (limits.meetings, limits.mails, limits.day) == (3, 200, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mail_limits": {"meetings": -1}}, "mail_limits.meetings"),
        ({"mail_limits": {"week": 1}}, "mail_limits.week"),
        ({"double_booking": "perhaps"}, "double_booking"),
        ({"crm_contact_invitees": True}, "crm_invitation_mail_off"),
        ({"reassign_groups": "no"}, "reassign_groups"),
    ],
)
async def test_bad_settings_of_meetings(world: World, body: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigMistake) as wrong:
        await settings_commands.change_settings(world.connector, body)
    assert wrong.value.field == field


async def test_contacts_as_invitees_need_the_admins_word_for_as_long_as_they_are_on(world: World) -> None:
    with pytest.raises(ConfigMistake, match="mailed_once"):
        await settings_commands.change_settings(world.connector, {"crm_contact_invitees": True})
    both = {"crm_contact_invitees": True, "crm_invitation_mail_off": True}
    assert (await settings_commands.change_settings(world.connector, both)).settings.crm_contact_invitees
    with pytest.raises(ConfigMistake, match="crm_invitation_mail_off"):
        await settings_commands.change_settings(world.connector, {"crm_invitation_mail_off": False})

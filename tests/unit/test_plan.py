"""The table of `sync.plan`, cell by cell: data in, one action out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.model import (
    Create,
    Delete,
    Flag,
    Gone,
    Held,
    Item,
    Leave,
    Left,
    Pair,
    Proof,
    Reason,
    Role,
    Side,
    Unlink,
    Unread,
    Update,
    Wait,
)
from sync.plan import plan_pair
from sync.policy import KindPolicy, MailboxDelete, Policy, Winner
from tests.unit.plain import GROUP, ME, NAME, OTHER, OTHER_USER, PHONE, card, context, crm, linked

GONE_CRM, GONE_CARD = Gone("4x1", Proof.NOT_FOUND), Gone("c1", Proof.IN_DELETED_ITEMS)


def plan(pair: Pair, **more: object) -> object:
    return plan_pair(pair, context(**more))  # type: ignore[arg-type]


# both there


def test_nothing_changed_is_nothing() -> None:
    assert plan(Pair(crm(), card(), linked())) is None


def test_an_edit_in_the_crm_goes_to_the_mailbox_and_only_that_field() -> None:
    action = plan(Pair(crm(phone="2"), card(), linked()))
    assert isinstance(action, Update)
    assert (action.to_mailbox, action.to_crm, action.because) == ({PHONE: "2"}, {}, Reason.CRM_EDITED)


def test_an_edit_in_the_mailbox_goes_to_the_crm() -> None:
    action = plan(Pair(crm(), card(name="Anne"), linked()))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox, action.because) == ({NAME: "Anne"}, {}, Reason.MAILBOX_EDITED)


def test_different_fields_merge() -> None:
    action = plan(Pair(crm(phone="2"), card(name="Anne"), linked()))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox) == ({NAME: "Anne"}, {PHONE: "2"})
    assert (action.because, action.lost) == (Reason.BOTH_EDITED, ())


@pytest.mark.parametrize(
    ("winner", "crm_time", "card_time", "to_crm", "to_mailbox"),
    [
        (Winner.CRM, "", "", {}, {PHONE: "2"}),
        (Winner.MAILBOX, "", "", {PHONE: "3"}, {}),
        (Winner.LATEST, "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", {}, {PHONE: "2"}),
        (Winner.LATEST, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", {PHONE: "3"}, {}),
    ],
)
def test_the_same_field_goes_to_the_winner_and_the_loser_to_the_journal(
    winner: Winner, crm_time: str, card_time: str, to_crm: dict[str, str], to_mailbox: dict[str, str]
) -> None:
    pair = Pair(crm(phone="2", modified=crm_time), card(phone="3", modified=card_time), linked())
    action = plan(pair, policy=KindPolicy(winner=winner))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox) == (to_crm, to_mailbox)
    loser = Side.CRM if to_crm else Side.MAILBOX
    assert [(x.side, x.value) for x in action.lost] == [(loser, "2" if to_crm else "3")]


def test_both_say_the_same_now_only_renews_the_base() -> None:
    action = plan(Pair(crm(phone="2"), card(phone="2"), linked()))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox, action.agreed) == ({}, {}, {PHONE})
    assert action.because is Reason.SAME


def test_what_the_crm_cannot_hold_is_no_edit() -> None:
    action = plan(Pair(crm(phone="12345678"), card(phone="1234567890"), linked()))
    assert isinstance(action, Update)
    assert action.to_mailbox == {}
    assert action.agreed == {PHONE}


def test_a_clear_travels() -> None:
    action = plan(Pair(crm(phone=""), card(), linked()))
    assert isinstance(action, Update)
    assert action.to_mailbox == {PHONE: ""}


def test_a_base_made_with_a_lost_key_is_unknown_equal_adopts_empty_fills() -> None:
    link = linked()
    link = replace(link, base=dict.fromkeys(link.base, Held("0:x", "0:x")))
    action = plan(Pair(crm(phone=""), card(phone="7"), link))
    assert isinstance(action, Update)
    assert (action.to_crm, action.agreed) == ({PHONE: "7"}, {NAME})


def test_a_direction_switched_off_writes_nothing_there_and_keeps_the_edit_open() -> None:
    assert plan(Pair(crm(phone="2"), card(), linked()), policy=KindPolicy(to_mailbox=False)) is None


# deletions


def test_deleted_in_the_crm_deletes_the_card() -> None:
    action = plan(Pair(GONE_CRM, card(), linked()))
    assert isinstance(action, Delete)
    assert (action.side, action.because, action.moved) == (Side.MAILBOX, Reason.CRM_DELETED, False)


def test_deleted_in_the_crm_but_edited_in_the_mailbox_is_made_again() -> None:
    action = plan(Pair(GONE_CRM, card(phone="9"), linked()))
    assert isinstance(action, Create)
    assert (action.side, action.because, action.values) == (
        Side.CRM,
        Reason.EDIT_BEATS_DELETE,
        {NAME: "Anna", PHONE: "9"},
    )


def test_deletions_switched_off_unlink_and_leave() -> None:
    action = plan(Pair(GONE_CRM, card(), linked()), policy=KindPolicy(delete_in_mailbox=False))
    assert action == Unlink(linked(), Reason.DELETE_LEFT, tombstone=True)


def test_deleted_in_the_mailbox_is_written_back_by_default() -> None:
    action = plan(Pair(crm(), GONE_CARD, linked()))
    assert isinstance(action, Create)
    assert (action.side, action.because) == (Side.MAILBOX, Reason.DELETE_WRITTEN_BACK)


def test_deleted_in_the_mailbox_may_be_left() -> None:
    action = plan(Pair(crm(), GONE_CARD, linked()), policy=KindPolicy(mailbox_delete=MailboxDelete.LEAVE))
    assert action == Unlink(linked(), Reason.DELETE_LEFT, tombstone=True)


def test_deleted_in_the_mailbox_deletes_the_record_only_when_that_is_switched_on() -> None:
    action = plan(Pair(crm(), GONE_CARD, linked()), policy=KindPolicy(delete_in_crm=True))
    assert isinstance(action, Delete)
    assert (action.side, action.because) == (Side.CRM, Reason.MAILBOX_DELETED)


def test_an_edit_in_the_crm_beats_a_deletion_in_the_mailbox() -> None:
    action = plan(Pair(crm(phone="2"), GONE_CARD, linked()), policy=KindPolicy(delete_in_crm=True))
    assert isinstance(action, Create)
    assert action.because is Reason.EDIT_BEATS_DELETE


def test_gone_on_both_sides_ends_the_link() -> None:
    assert plan(Pair(GONE_CRM, GONE_CARD, linked())) == Unlink(linked(), Reason.BOTH_DELETED, tombstone=False)


def test_moved_out_of_the_folder_unlinks_and_deletes_nothing() -> None:
    action = plan(Pair(crm(), Left("c1", "elsewhere"), linked()))
    assert action == Unlink(linked(), Reason.LEFT_FOLDER, tombstone=True)


@pytest.mark.parametrize(
    "pair",
    [
        Pair(Unread("4x1", "?"), card(), linked()),
        Pair(crm(), Unread("c1", "?"), linked()),
        Pair(Unread("4x1", "?"), GONE_CARD, linked()),
        Pair(GONE_CRM, Unread("c1", "?"), linked()),
        Pair(Unread("4x1", "?"), None),
    ],
)
def test_what_could_not_be_read_waits(pair: Pair) -> None:
    action = plan(pair)
    assert isinstance(action, Wait)
    assert action.because is Reason.UNREADABLE


# owners


def test_a_reassigned_record_waits_until_the_new_home_has_it() -> None:
    pair = Pair(crm(owner=OTHER_USER), card(), linked())
    assert plan(pair) == Wait(Side.CRM, "4x1", Reason.OTHER_HOME)
    action = plan(pair, homes={"4x1"})
    assert isinstance(action, Delete)
    assert (action.because, action.moved) == (Reason.REASSIGNED, True)


def test_a_reassigned_record_takes_the_last_edits_along_first() -> None:
    action = plan(Pair(crm(owner=OTHER_USER), card(phone="9"), linked()), homes={"4x1"})
    assert isinstance(action, Update)
    assert (action.to_crm, action.because) == ({PHONE: "9"}, Reason.REASSIGNED)


def test_a_card_born_in_the_mailbox_stays_when_its_record_is_reassigned() -> None:
    link = linked(origin=Side.MAILBOX)
    action = plan(Pair(crm(owner=OTHER_USER), card(), link), homes={"4x1"})
    assert action == Unlink(link, Reason.REASSIGNED, tombstone=True)


def test_a_record_given_to_a_group_takes_its_copy_away_and_counts_as_a_deletion() -> None:
    action = plan(Pair(crm(owner=GROUP), card(), linked()))
    assert isinstance(action, Delete)
    assert (action.because, action.moved) == (Reason.REASSIGNED, False)


def test_a_guest_takes_the_crm_and_gives_nothing() -> None:
    link = linked(role=Role.GUEST, origin=Side.MAILBOX)
    assert plan(Pair(crm(owner=OTHER_USER), card(phone="9"), link)) is None
    action = plan(Pair(crm(owner=OTHER_USER, phone="2"), card(), link))
    assert isinstance(action, Update)
    assert (action.to_mailbox, action.role) == ({PHONE: "2"}, Role.GUEST)


def test_the_users_own_card_outlives_somebody_elses_record() -> None:
    link = linked(role=Role.GUEST, origin=Side.MAILBOX)
    assert plan(Pair(GONE_CRM, card(), link)) == Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def test_a_guest_copy_deleted_by_the_user_stays_deleted() -> None:
    link = linked(role=Role.GUEST, origin=Side.MAILBOX)
    assert plan(Pair(crm(owner=OTHER_USER), GONE_CARD, link)) == Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def test_a_guest_whose_record_was_given_to_this_user_is_at_home() -> None:
    link = replace(linked(role=Role.GUEST), flags=frozenset({Flag.GUEST_COPY}))
    action = plan(Pair(crm(), card(), link))
    assert isinstance(action, Update)
    assert (action.role, action.dropped, action.to_crm, action.to_mailbox) == (Role.HOME, {Flag.GUEST_COPY}, {}, {})


def test_a_reassigned_contact_who_is_invited_stays_as_a_guest() -> None:
    pair = Pair(crm(owner=OTHER_USER, phone="2"), card(), linked())
    assert plan(pair, invited={"4x1"}) == Wait(Side.CRM, "4x1", Reason.OTHER_HOME)
    action = plan(pair, invited={"4x1"}, homes={"4x1"})
    assert isinstance(action, Update)
    assert (action.role, action.flags, action.because) == (Role.GUEST, {Flag.GUEST_COPY}, Reason.GUEST)
    assert (action.to_crm, action.to_mailbox) == ({}, {PHONE: "2"})


# without a link


@pytest.mark.parametrize("owner", [OTHER_USER, GROUP])
def test_somebody_elses_contact_who_is_invited_is_copied_as_a_guest(owner: str) -> None:
    action = plan(Pair(crm(owner=owner), None), invited={"4x1"})
    assert isinstance(action, Create)
    assert (action.side, action.because, action.role) == (Side.MAILBOX, Reason.INVITED, Role.GUEST)
    assert action.flags == {Flag.GUEST_COPY}
    assert action.values == {NAME: "Anna", PHONE: "1"}


def test_ones_own_contact_is_no_guest() -> None:
    action = plan(Pair(crm(), None), invited={"4x1"})
    assert isinstance(action, Create)
    assert (action.because, action.role, action.flags) == (Reason.CRM_NEW, Role.HOME, frozenset())


def test_a_guest_is_not_copied_again_after_its_deletion_nor_against_a_switch_nor_while_it_may_still_appear() -> None:
    pair = Pair(crm(owner=OTHER_USER), None)
    buried = {"4x1": Reason.DELETE_LEFT}
    assert plan(pair, invited={"4x1"}, tombstones=buried) == Leave(Side.CRM, "4x1", Reason.TOMBSTONE)
    switched_off = KindPolicy(to_mailbox=False)
    assert plan(pair, policy=switched_off, invited={"4x1"}) == Leave(Side.CRM, "4x1", Reason.DIRECTION_OFF)
    assert plan(pair, invited={"4x1"}, intents={"4x1"}) == Wait(Side.CRM, "4x1", Reason.INTENT_OPEN)


def test_a_new_record_is_created_in_its_home_only() -> None:
    action = plan(Pair(crm(), None))
    assert isinstance(action, Create)
    assert (action.side, action.because) == (Side.MAILBOX, Reason.CRM_NEW)
    assert plan(Pair(crm(owner=OTHER_USER), None)) is None
    assert plan(Pair(crm(owner=GROUP), None)) == Leave(Side.CRM, "4x1", Reason.WITHOUT_MAILBOX)


def test_in_admin_mode_every_record_has_the_same_home() -> None:
    there = context()
    admin = replace(there, policy=Policy(ME, "19x9", {}, ME))
    assert isinstance(plan_pair(Pair(crm(owner=GROUP), None), admin), Create)
    elsewhere = replace(there, policy=Policy(OTHER, "19x9", {}, ME))
    assert plan_pair(Pair(crm(owner=GROUP), None), elsewhere) is None


def test_a_new_card_is_created_in_the_crm_unless_it_says_nothing() -> None:
    action = plan(Pair(None, card()))
    assert isinstance(action, Create)
    assert (action.side, action.because) == (Side.CRM, Reason.MAILBOX_NEW)
    assert plan(Pair(None, card(name=""))) == Leave(Side.MAILBOX, "c1", Reason.NO_NAME)


@pytest.mark.parametrize("pair", [Pair(crm(), None), Pair(None, card()), Pair(crm(), card())])
def test_a_tombstone_keeps_things_apart(pair: Pair) -> None:
    action = plan(pair, tombstones={"4x1": Reason.DELETE_LEFT, "c1": Reason.DELETE_LEFT})
    assert isinstance(action, Leave)
    assert action.because is Reason.TOMBSTONE


def test_an_open_intent_waits() -> None:
    assert plan(Pair(crm(), None), intents={"4x1"}) == Wait(Side.CRM, "4x1", Reason.INTENT_OPEN)
    assert plan(Pair(None, card()), intents={"c1"}) == Wait(Side.MAILBOX, "c1", Reason.INTENT_OPEN)


def test_a_switched_off_direction_creates_nothing() -> None:
    assert plan(Pair(crm(), None), policy=KindPolicy(to_mailbox=False)) == Leave(Side.CRM, "4x1", Reason.DIRECTION_OFF)


def test_matched_items_are_joined_and_fill_each_other() -> None:
    action = plan(Pair(crm(phone=""), card(phone="7"), None, Reason.MATCHED))
    assert isinstance(action, Update)
    assert (action.to_crm, action.agreed, action.because, action.role) == (
        {PHONE: "7"},
        {NAME},
        Reason.MATCHED,
        Role.HOME,
    )


def test_a_match_with_somebody_elses_record_is_a_guest_copy() -> None:
    action = plan(Pair(crm(owner=OTHER_USER, phone="2"), card(), None, Reason.MATCHED))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox) == ({}, {PHONE: "2"})
    assert (action.role, action.because, action.flags) == (Role.GUEST, Reason.GUEST, {Flag.GUEST_COPY})


def test_gone_without_a_link_is_nothing() -> None:
    assert plan(Pair(GONE_CRM, None)) is None
    assert plan(Pair(None, GONE_CARD)) is None


def test_items_are_not_changed_by_planning() -> None:
    before = crm(phone="2")
    plan(Pair(before, card(), linked()))
    assert before == crm(phone="2")
    assert isinstance(before, Item)
    assert ME in linked().mailbox

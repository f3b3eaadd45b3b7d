"""What a change of the mapping means for one linked item: which bases end, what is emptied, and that everything is one write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mapping.model import Direction, FieldPair, Value
from mapping.moving import Remap, moving
from mapping.rules import FieldMapping, translator
from sync.merge import Sealed
from sync.model import Item, Kind, Link, Pair, Reason, Role, Side, Update
from sync.plan import Context, link_key, plan_pair
from sync.policy import KindPolicy, Policy
from tests.unit.mapping.cards import card as whole_card
from tests.unit.mapping.cards import catalog
from tests.unit.plain import ME, MY_USER, PlainDigests

NAME = FieldPair("lastname", "surname")
MAIL = FieldPair("email", "emailAddresses#1")
MOBILE = FieldPair("mobile", "mobilePhone")


def mapping(*pairs: FieldPair) -> FieldMapping:
    return FieldMapping("contact", (NAME, *pairs))


def record(**fields: str) -> Item:
    names = ("lastname", "firstname", "email", "phone", "mobile", "homephone", "otherphone", "department", "title")
    held: dict[str, Value] = {**dict.fromkeys(names, ""), "lastname": "Rossi", **fields}
    return Item(Side.CRM, Kind.CONTACT, "4x1", "v1", held, MY_USER)


def card(**fields: Value) -> Item:
    return Item(Side.MAILBOX, Kind.CONTACT, "c1", "e1", whole_card(**{"surname": "Rossi", **fields}), ME)


def linked(before: FieldMapping, crm: Item, mailbox: Item, **about: object) -> Link:
    """Both agreed on everything that `before` maps, as it is on both sides."""
    old = translator(before, catalog("Contacts"))
    sealed = Sealed(link_key(ME, "4x1"), old.version, {}, PlainDigests())
    ours, theirs = old.crm_values(crm.fields), old.mailbox_values(mailbox.fields)
    base = {pair: sealed.seal(pair, ours[pair], theirs[pair]) for pair in ours if pair in theirs}
    return Link(ME, Kind.CONTACT, "4x1", "c1", base=base, **{"origin": Side.CRM, **about})  # type: ignore[arg-type]


def context(now: FieldMapping, *earlier: FieldMapping, policy: KindPolicy | None = None) -> Context:
    at_work, remap = moving(now, now, earlier, catalog("Contacts"))
    whole = Policy(ME, MY_USER, {MY_USER: ME}, "", dict.fromkeys(Kind, policy or KindPolicy()))
    return Context(whole, {Kind.CONTACT: at_work}, PlainDigests(), remaps={Kind.CONTACT: remap})


def planned(now: FieldMapping, before: FieldMapping, crm: Item, mailbox: Item, **about: object) -> Update | None:
    action = plan_pair(Pair(crm, mailbox, linked(before, crm, mailbox, **about)), context(now, before))
    assert action is None or isinstance(action, Update)
    return action


def written(update: Update, now: FieldMapping, before: FieldMapping) -> Mapping[str, Value]:
    """What the one PATCH of the card holds."""
    crm, mailbox, link = update.pair.crm, update.pair.mailbox, update.pair.link
    assert isinstance(crm, Item)
    assert isinstance(mailbox, Item)
    assert link
    known = context(now, before)
    anchor = known.sealed(link).anchor()
    return known.translators[Kind.CONTACT].render_mailbox(update.to_mailbox, mailbox.fields, anchor).fields


def test_the_same_mapping_is_nothing() -> None:
    assert planned(mapping(MAIL), mapping(MAIL), record(email="a@x.it"), card(emailAddresses=("a@x.it",))) is None


def test_a_new_pair_is_adopted_filled_or_decided_by_the_policy_and_the_loser_goes_to_the_journal() -> None:
    before, now = mapping(), mapping(MOBILE)
    adopted = planned(now, before, record(mobile="1"), card(mobilePhone="1"))
    assert adopted is not None
    assert (adopted.agreed, adopted.to_crm, adopted.to_mailbox) == ({MOBILE.id}, {}, {})
    for crm, mailbox, filled in (("1", "", {MOBILE.id: "1"}), ("", "2", {})):
        update = planned(now, before, record(mobile=crm), card(mobilePhone=mailbox))
        assert update is not None
        assert (update.to_mailbox, update.to_crm) == (filled, {} if filled else {MOBILE.id: "2"})
        assert update.lost == ()
    both = planned(now, before, record(mobile="1"), card(mobilePhone="2"))
    assert both is not None
    assert (both.to_mailbox, [(x.side, x.value) for x in both.lost]) == ({MOBILE.id: "1"}, [(Side.MAILBOX, "2")])


def test_our_value_in_our_copy_is_emptied_its_base_ends_and_it_goes_to_the_journal() -> None:
    before = mapping(MOBILE)
    update = planned(mapping(), before, record(mobile="1"), card(mobilePhone="1"))
    assert update is not None
    assert (update.to_mailbox, update.to_crm, update.ended) == ({MOBILE.id: ""}, {}, {MOBILE.id})
    assert [(x.side, x.field_pair, x.value) for x in update.lost] == [(Side.MAILBOX, MOBILE.id, "1")]
    assert update.because is Reason.REMAPPED
    assert written(update, mapping(), before) == {"mobilePhone": ""}


def test_our_record_of_a_persons_card_is_emptied_in_the_crm_only() -> None:
    update = planned(mapping(), mapping(MOBILE), record(mobile="1"), card(mobilePhone="1"), origin=Side.MAILBOX)
    assert update is not None
    assert (update.to_mailbox, update.to_crm) == ({}, {MOBILE.id: ""})


@pytest.mark.parametrize(
    ("about", "crm", "mailbox"),
    [
        ({"matched": True}, "1", "1"),
        ({"matched": True, "origin": Side.MAILBOX}, "1", "1"),
        ({}, "", ""),
    ],
)
def test_only_the_base_ends_where_nothing_is_ours(about: dict[str, object], crm: str, mailbox: str) -> None:
    update = planned(mapping(), mapping(MOBILE), record(mobile=crm), card(mobilePhone=mailbox), **about)
    assert update is not None
    assert (update.to_mailbox, update.to_crm, update.lost, update.ended) == ({}, {}, (), {MOBILE.id})
    assert update.because is Reason.SAME


def test_what_somebody_wrote_since_stays() -> None:
    before = mapping(MOBILE)
    link = linked(before, record(mobile="1"), card(mobilePhone="1"))
    action = plan_pair(Pair(record(mobile="1"), card(mobilePhone="2"), link), context(mapping(), before))
    assert isinstance(action, Update)
    assert (action.to_mailbox, action.ended) == ({}, {MOBILE.id})


def test_a_value_that_only_came_from_the_mailbox_is_not_ours_there() -> None:
    before = mapping(replace(MOBILE, direction=Direction.TO_CRM))
    update = planned(mapping(), before, record(mobile="1"), card(mobilePhone="1"))
    assert update is not None
    assert (update.to_mailbox, update.ended) == ({}, {MOBILE.id})


def test_a_side_that_is_not_written_is_not_emptied() -> None:
    before = mapping(MOBILE)
    pair = Pair(record(mobile="1"), card(mobilePhone="1"), linked(before, record(mobile="1"), card(mobilePhone="1")))
    action = plan_pair(pair, context(mapping(), before, policy=KindPolicy(to_mailbox=False)))
    assert isinstance(action, Update)
    assert (action.to_mailbox, action.ended) == ({}, {MOBILE.id})
    guest = planned(mapping(), before, record(mobile="1"), card(mobilePhone="1"), origin=Side.MAILBOX, role=Role.GUEST)
    assert guest is not None
    assert guest.to_crm == {}


def test_a_field_that_another_pair_writes_is_overwritten_never_emptied() -> None:
    before, now = mapping(MOBILE), mapping(FieldPair("homephone", "mobilePhone"))
    update = planned(now, before, record(mobile="1", homephone="9"), card(mobilePhone="1"))
    assert update is not None
    assert written(update, now, before) == {"mobilePhone": "9"}
    assert [(x.side, x.value) for x in update.lost] == [(Side.MAILBOX, "1")], "the value that was there can be restored"
    empty = planned(now, before, record(mobile="1", homephone=""), card(mobilePhone="1"))
    assert empty is not None
    assert (empty.to_mailbox, empty.to_crm) == ({}, {"homephone~mobilePhone": "1"})


def test_a_value_that_moves_to_another_field_is_there_all_the_time() -> None:
    before, now = mapping(MOBILE), mapping(FieldPair("mobile", "homePhones#1"))
    update = planned(now, before, record(mobile="1"), card(mobilePhone="1"))
    assert update is not None
    assert written(update, now, before) == {"mobilePhone": "", "homePhones": ("1",)}


def test_an_address_that_moves_in_its_list_is_not_doubled() -> None:
    first, third = FieldPair("email", "emailAddresses#1"), FieldPair("email", "emailAddresses#3")
    title = FieldPair("title", "jobTitle")
    before, now = mapping(title, first), mapping(title, third)
    update = planned(now, before, record(email="a@x.it"), card(emailAddresses=("a@x.it",)))
    assert update is not None
    assert written(update, now, before) == {"emailAddresses": ("a@x.it",)}


def test_elements_of_a_list_that_are_nobodys_stay() -> None:
    before, now = mapping(FieldPair("phone", "businessPhones#1")), mapping()
    update = planned(now, before, record(phone="1"), card(businessPhones=("1", "2")))
    assert update is not None
    assert written(update, now, before) == {"businessPhones": ("2",)}


def test_an_element_known_as_a_removed_pairs_is_not_taken_for_another_one() -> None:
    """Somebody deletes the first number while the mapping loses the second: the second is not the first now."""
    first, second = FieldPair("phone", "businessPhones#1"), FieldPair("mobile", "businessPhones#2")
    before, now = mapping(first, second), mapping(first)
    link = linked(before, record(phone="1", mobile="2"), card(businessPhones=("1", "2")))
    crm, mailbox = record(phone="1", mobile="2"), card(businessPhones=("2",))
    action = plan_pair(Pair(crm, mailbox, link), context(now, before))
    assert isinstance(action, Update)
    assert (action.to_crm, action.to_mailbox) == ({first.id: ""}, {second.id: ""})


def test_a_pair_that_this_crm_cannot_use_now_keeps_its_base() -> None:
    before = mapping(MOBILE)
    at_work, remap = moving(before, mapping(), (), catalog("Contacts"))
    known = replace(context(before), translators={Kind.CONTACT: at_work}, remaps={Kind.CONTACT: remap})
    pair = Pair(record(mobile="1"), card(mobilePhone="1"), linked(before, record(mobile="1"), card(mobilePhone="1")))
    assert plan_pair(pair, known) is None


def test_a_pair_of_a_version_that_nobody_knows_any_more_only_ends() -> None:
    before = mapping(MOBILE)
    pair = Pair(record(mobile="1"), card(mobilePhone="1"), linked(before, record(mobile="1"), card(mobilePhone="1")))
    action = plan_pair(pair, context(mapping()))
    assert isinstance(action, Update)
    assert (action.to_mailbox, action.to_crm, action.ended) == ({}, {}, {MOBILE.id})


def test_fax_that_nobody_can_see_is_left() -> None:
    fax = FieldPair("fax", "ext:businessFax", Direction.TO_MAILBOX)
    _, remap = moving(mapping(), mapping(), [mapping(fax)], catalog("Contacts"))
    assert remap.mailbox_values(whole_card(surname="Rossi"), lambda pair, value: True) == {}


def test_of_two_removed_pairs_in_one_field_the_newer_is_known() -> None:
    old, newer = mapping(MOBILE), mapping(FieldPair("homephone", "mobilePhone"))
    _, remap = moving(mapping(), mapping(), [old, newer], catalog("Contacts"))
    assert remap.from_mailbox == {"homephone~mobilePhone"}
    assert remap.from_crm == {MOBILE.id, "homephone~mobilePhone"}


def test_without_removed_pairs_the_plain_translator_works() -> None:
    at_work, remap = moving(mapping(MAIL), mapping(MAIL), [mapping()], catalog("Contacts"))
    assert type(at_work).__name__ == "CardTranslator"
    assert remap == Remap(frozenset({NAME.id, MAIL.id}))

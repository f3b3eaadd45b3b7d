"""Pairs at rest: recognised as a whole, and never when there would be anything to do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.model import Direction, FieldPair, Mode, Translator, Value
from mapping.moving import Remap
from sync.bases import StoredBase, text_of
from sync.merge import Sealed, merge
from sync.model import Held, Item, Kind, Link, Pair, Role, Sent, Side, Update
from sync.plan import Context, plan_pair
from sync.policy import KindPolicy, Winner
from sync.resting import at_rest, put_to_rest, shape_of
from sync.settle import rekeyed, renewed
from sync.store.ledger import renew_link
from sync.store.secrets import Keyring
from tests.sim.mapping_for_tests import translators
from tests.unit.plain import (
    MY_USER,
    NAME,
    OTHER_USER,
    PHONE,
    PlainDigests,
    PlainTranslator,
    card,
    context,
    crm,
    linked,
)

CONTACT = translators()[Kind.CONTACT]
KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
ROTATED = Keyring(b"i" * 32, [("b", b"r" * 32), ("a", b"d" * 32)], [("a", b"e" * 32)])
ANNA: dict[str, Value] = {
    "firstname": "Anna",
    "lastname": "Rossi",
    "email": "anna@x.example",
    "fax": "02 1",
    "account_name": "",
}
CARD: dict[str, Value] = {
    "givenName": "Anna",
    "surname": "Rossi",
    "emailAddresses": ("anna@x.example",),
    "businessPhones": (),
    "homePhones": (),
}


def of_crm(fields: dict[str, Value]) -> Item:
    return Item(
        Side.CRM, Kind.CONTACT, "4x1", "v1", {**dict.fromkeys((p.crm for p in CONTACT.pairs), ""), **fields}, MY_USER
    )


def of_mailbox(fields: dict[str, Value]) -> Item:
    blank = {p.mailbox: "" for p in CONTACT.pairs if "#" not in p.mailbox and not p.mailbox.startswith("ext:")}
    return Item(Side.MAILBOX, Kind.CONTACT, "c1", "e1", {**blank, **fields})


def agreed_on(crm_item: Item, card_item: Item, keys: Keyring = KEYS) -> Link:
    """A link whose base says that both sides held this."""
    link = Link("mailbox-me", Kind.CONTACT, "4x1", "c1", Side.CRM)
    ours, theirs = CONTACT.crm_values(crm_item.fields), CONTACT.mailbox_values(card_item.fields)
    return renewed(link, sealed_of(link, keys), ours, {**ours, **theirs})


def sealed_of(link: Link, keys: Keyring = KEYS) -> Sealed:
    return Sealed("mailbox-me|4x1", CONTACT.version, link.base, keys)


def rested(crm_item: Item, card_item: Item, keys: Keyring = KEYS) -> Link:
    link = agreed_on(crm_item, card_item, keys)
    return put_to_rest(link, crm_item, card_item, sealed_of(link, keys), CONTACT, shape_of(CONTACT, None))


def rests(link: Link, crm_item: Item, card_item: Item, keys: Keyring = KEYS, remap: Remap | None = None) -> bool:
    return at_rest(link, crm_item, card_item, sealed_of(link, keys), shape_of(CONTACT, remap))


def test_what_was_found_at_rest_is_recognised() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    assert link.rest
    assert rests(link, of_crm(ANNA), of_mailbox(CARD))


def test_a_link_that_was_never_found_at_rest_is_looked_at_closely() -> None:
    assert not rests(agreed_on(of_crm(ANNA), of_mailbox(CARD)), of_crm(ANNA), of_mailbox(CARD))


def test_it_survives_the_store() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    data = renew_link(link).data  # type: ignore[union-attr]
    read = replace(link, base=StoredBase(str(data["base"])), rest=str(data["rest"]))
    assert read == link
    assert rests(read, of_crm(ANNA), of_mailbox(CARD))


@pytest.mark.parametrize("name", [p.crm for p in CONTACT.pairs if p.crm != "account_id"] + ["account_name"])
def test_an_edit_of_any_field_in_the_crm_ends_it(name: str) -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    assert not rests(link, of_crm({**ANNA, name: "other"}), of_mailbox(CARD))


@pytest.mark.parametrize(
    "name", sorted({p.mailbox.partition("#")[0] for p in CONTACT.pairs if not p.mailbox.startswith("ext:")})
)
def test_an_edit_of_any_field_of_the_card_ends_it(name: str) -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    held = of_mailbox(CARD).fields.get(name, ())
    assert not rests(link, of_crm(ANNA), of_mailbox({**CARD, name: ("other",) if isinstance(held, tuple) else "other"}))


def test_a_field_that_cannot_be_read_any_more_ends_it() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    unread = replace(of_crm(ANNA), fields={n: v for n, v in of_crm(ANNA).fields.items() if n != "account_name"})
    assert not rests(link, unread, of_mailbox(CARD))
    assert not put_to_rest(replace(link, rest=""), unread, of_mailbox(CARD), sealed_of(link), CONTACT, "").rest


def test_a_base_that_moved_ends_it() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    assert not rests(
        replace(link, base={**link.base, "email~emailAddresses#1": Held("a.1.x", "a.1.x")}),
        of_crm(ANNA),
        of_mailbox(CARD),
    )
    less = dict(itertools.islice(link.base.items(), len(link.base) - 1))
    assert not rests(replace(link, base=less), of_crm(ANNA), of_mailbox(CARD))


def test_another_mapping_ends_it() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    assert not rests(link, of_crm(ANNA), of_mailbox(CARD), remap=Remap(frozenset({"email~emailAddresses#1"})))


def test_another_key_or_one_that_is_not_written_with_any_more_ends_it() -> None:
    link = rested(of_crm(ANNA), of_mailbox(CARD))
    assert not rests(link, of_crm(ANNA), of_mailbox(CARD), ROTATED), "else bases of an old key stayed for ever"


def test_a_write_whose_end_is_not_known_ends_it() -> None:
    link = replace(rested(of_crm(ANNA), of_mailbox(CARD)), sent={NAME: Sent(Side.CRM, Held("a.1.", "a.1."))})
    assert not rests(link, of_crm(ANNA), of_mailbox(CARD))


def test_another_role_is_looked_at_closely() -> None:
    there = replace(context(), digests=PlainDigests())
    pair = Pair(crm(), card(), linked())
    link = there.put_to_rest(pair)
    assert link is not None
    assert there.at_rest(replace(pair, link=link))
    assert not there.at_rest(replace(pair, link=link, crm=crm(owner=OTHER_USER)))
    assert not there.at_rest(replace(pair, link=replace(link, role=Role.GUEST)))


def test_of_a_one_way_edit_that_stays_nothing_is_said() -> None:
    pair = Pair(crm(phone="2"), card(), linked())
    one_way = context(KindPolicy(to_mailbox=False))
    assert plan_pair(pair, one_way) is None
    link = one_way.put_to_rest(pair)
    assert link is not None
    assert not link.rest, "else it would never travel once the direction is open"
    assert isinstance(plan_pair(replace(pair, link=link), context()), Update)


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.TASK])
def test_of_events_and_tasks_more_is_judged_than_their_fields(kind: Kind) -> None:
    there = Context(context().policy, {kind: PlainTranslator(kind.value)}, PlainDigests())
    link = there.put_to_rest(Pair(replace(crm(), kind=kind), replace(card(), kind=kind), replace(linked(), kind=kind)))
    assert link is not None
    assert not link.rest


VALUES = st.sampled_from(["", "1", "2"])


@given(
    base=st.tuples(VALUES, VALUES, VALUES, VALUES),
    now=st.tuples(VALUES, VALUES, VALUES, VALUES),
    policy=st.builds(KindPolicy, to_crm=st.booleans(), to_mailbox=st.booleans(), winner=st.sampled_from(Winner)),
    direction=st.sampled_from(Direction),
    mode=st.sampled_from(Mode),
    role=st.sampled_from([Role.HOME, Role.GUEST]),
)
def test_at_rest_merge_finds_nothing_whatever_the_policy_says(
    base: tuple[str, str, str, str],
    now: tuple[str, str, str, str],
    policy: KindPolicy,
    direction: Direction,
    mode: Mode,
    role: Role,
) -> None:
    pairs = (FieldPair("name", "name", direction, mode), FieldPair("phone", "phone", direction, mode))
    translator: Translator = PlainTranslator(pairs=pairs)  # type: ignore[assignment]
    held = {NAME: Held(f"1:{base[0]}", f"1:{base[1]}"), PHONE: Held(f"1:{base[2]}", f"1:{base[3]}")}
    left, right = crm(now[0], now[2]), card(now[1], now[3])
    sealed = Sealed("link", "1", held, PlainDigests())
    link = put_to_rest(replace(linked(), base=held), left, right, sealed, translator, "shape")
    found = merge(left, right, sealed, translator, policy, role)
    assert bool(link.rest) == (base == now)
    if link.rest:
        assert at_rest(link, left, right, sealed, "shape")
        assert (found.to_crm, found.to_mailbox, found.agreed, found.lost, found.edited) == ({}, {}, set(), (), set())


# rotation


def test_what_an_older_key_digested_is_digested_by_the_newest() -> None:
    old = rested(of_crm(ANNA), of_mailbox(CARD))
    new = put_to_rest(old, of_crm(ANNA), of_mailbox(CARD), sealed_of(old, ROTATED), CONTACT, shape_of(CONTACT, None))
    digests = {digest.partition(".")[0] for held in new.base.values() for digest in held}
    assert digests == {"b"}, "also of empty fields, and of the fax that no listing shows"
    assert new.base.keys() == old.base.keys()
    assert rests(new, of_crm(ANNA), of_mailbox(CARD), ROTATED)


def test_what_this_crm_cannot_use_now_hinders_nobody_from_resting() -> None:
    """The mapping keeps the pair's base, which no key can renew: nobody reads what it was made of."""
    old = rested(of_crm(ANNA), of_mailbox(CARD))
    old = replace(old, base={**old.base, "cf_900~jobTitle": old.base["email~emailAddresses#1"]})
    new = put_to_rest(old, of_crm(ANNA), of_mailbox(CARD), sealed_of(old, ROTATED), CONTACT, shape_of(CONTACT, None))
    assert rests(new, of_crm(ANNA), of_mailbox(CARD), ROTATED)


def test_an_edit_is_not_taken_for_what_was_agreed_on() -> None:
    old = agreed_on(of_crm(ANNA), of_mailbox(CARD))
    edited = of_crm({**ANNA, "email": "anna@other.example"})
    new = rekeyed(
        old, CONTACT.crm_values(edited.fields), CONTACT.mailbox_values(of_mailbox(CARD).fields), sealed_of(old, ROTATED)
    )
    left = {pair for pair, held in new.base.items() if held == old.base[pair]}
    assert left == {"email~emailAddresses#1"}


def test_a_stored_base_is_a_base() -> None:
    base = {NAME: Held("a.1.x", "a.1.y"), PHONE: Held("a.1.", "a.1.")}
    stored = StoredBase(text_of(base))
    assert stored == base
    assert (len(stored), list(stored), stored.get("other")) == (2, list(base), None)
    assert text_of(stored) == text_of(base)
    with pytest.raises(ValueError, match="Expecting"):
        len(StoredBase("{"))

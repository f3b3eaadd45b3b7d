"""What is to be done about a mailbox's subscriptions, and whom a notification's secret speaks of."""

from __future__ import annotations

import random
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sync.model import Family
from sync.store.secrets import Keyring
from sync.watches import (
    AGAIN,
    LIFE,
    SELDOM,
    Place,
    Refused,
    Todo,
    Watch,
    Watches,
    answered,
    read,
    refused,
    secret,
    todo,
    told_by,
    write,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HERE = "made for this address"
PEOPLE, CALENDAR = Place(Family.PEOPLE), Place(Family.CALENDAR)
LIST, OTHER_LIST = Place(Family.TASKS, "list-1"), Place(Family.TASKS, "list-2")
MAILBOX, OTHER = "0000000a-0000-4000-8000-000000000000", "0000000b-0000-4000-8000-000000000000"
NONCE = "0123456789abcdef"
KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
OTHER_KEYS = Keyring(b"j" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])


def watch(place: Place, left: float = 1.0, id_: str = "") -> Watch:
    """With so much of its life left."""
    until = NOW + LIFE[place.family] * left
    return Watch(place, id_ or f"id of {place.family} {place.list_id}".strip(), until.isoformat(timespec="seconds"))


def there(*kept: Watch, refused: tuple[Refused, ...] = ()) -> Watches:
    return Watches(kept, HERE, refused)


def lacking(place: Place, why: str = "notifications_refused") -> Refused:
    """Refused a moment ago."""
    return refused(place, why, None, NOW, lasting=False)


def later(when: timedelta) -> str:
    return (NOW + when).isoformat(timespec="seconds")


# what is to be done


def test_what_is_missing_is_made_in_the_order_in_which_it_is_wanted() -> None:
    assert todo(Watches(), [PEOPLE, CALENDAR, LIST], HERE, NOW, asked=False) == Todo(create=(PEOPLE, CALENDAR, LIST))


def test_what_is_there_and_young_is_left_alone() -> None:
    work = todo(there(watch(PEOPLE), watch(CALENDAR)), [PEOPLE, CALENDAR], HERE, NOW, asked=False)
    assert work == Todo()
    assert not work


@pytest.mark.parametrize("place", [PEOPLE, CALENDAR, LIST])
def test_each_is_renewed_once_half_of_its_own_life_is_over(place: Place) -> None:
    just, over = watch(place, 0.5), replace(watch(place), until=(NOW + LIFE[place.family] / 2).isoformat())
    before = replace(over, until=(NOW + LIFE[place.family] / 2 - timedelta(seconds=1)).isoformat())
    assert todo(there(just), [place], HERE, NOW, asked=False) == Todo()
    assert todo(there(before), [place], HERE, NOW, asked=False) == Todo(renew=(before,))
    assert bool(todo(there(before), [place], HERE, NOW, asked=False))


def test_one_that_is_over_is_renewed_and_so_found_to_be_gone() -> None:
    over = watch(PEOPLE, -0.1)
    assert todo(there(over), [PEOPLE], HERE, NOW, asked=False) == Todo(renew=(over,))


def test_asked_by_microsoft_all_are_renewed_however_young() -> None:
    young = watch(PEOPLE), watch(LIST)
    assert todo(there(*young), [PEOPLE, LIST], HERE, NOW, asked=True) == Todo(renew=young)


def test_another_address_or_sign_in_makes_all_anew_and_waits_for_nothing() -> None:
    before = there(watch(PEOPLE), refused=(lacking(CALENDAR, "notifications_unreachable"),))
    work = todo(before, [PEOPLE, CALENDAR], "another", NOW, asked=False)
    assert work == Todo(drop=before.kept, create=(PEOPLE, CALENDAR))


def test_lists_that_are_gone_are_dropped_and_new_ones_made() -> None:
    gone = watch(LIST)
    work = todo(there(watch(PEOPLE), gone), [PEOPLE, OTHER_LIST], HERE, NOW, asked=False)
    assert work == Todo(drop=(gone,), create=(OTHER_LIST,))
    assert todo(there(gone), [], HERE, NOW, asked=True) == Todo(drop=(gone,))


def test_after_a_refusal_that_one_alone_is_left_alone_for_a_while_and_then_tried_again() -> None:
    old, young, gone = watch(PEOPLE, 0.4), watch(CALENDAR), watch(LIST)
    wanted = [PEOPLE, CALENDAR, OTHER_LIST]
    no_list = there(old, young, gone, refused=(lacking(OTHER_LIST),))
    assert todo(no_list, wanted, HERE, NOW, asked=False) == Todo(drop=(gone,), renew=(old,))
    assert todo(no_list, wanted, HERE, NOW, asked=True) == Todo(drop=(gone,), renew=(old, young))
    over = todo(no_list, wanted, HERE, NOW + AGAIN, asked=False)
    assert over == Todo(drop=(gone,), renew=(old,), create=(OTHER_LIST,))


def test_a_renewal_that_was_refused_is_tried_again_however_young_and_no_other_one_is() -> None:
    young, other = watch(PEOPLE), watch(CALENDAR)
    refusal = there(young, other, refused=(lacking(PEOPLE),))
    assert todo(refusal, [PEOPLE, CALENDAR], HERE, NOW, asked=False) == Todo()
    assert todo(refusal, [PEOPLE, CALENDAR], HERE, NOW + AGAIN, asked=False) == Todo(renew=(young,))
    half_over = there(watch(PEOPLE, 0.4), refused=(lacking(PEOPLE),))
    assert todo(half_over, [PEOPLE], HERE, NOW, asked=False) == Todo()


def test_what_is_there_afterwards_says_why_not_all() -> None:
    assert answered([watch(LIST), watch(PEOPLE)], HERE, []) == there(watch(PEOPLE), watch(LIST))
    found = answered([], HERE, [lacking(LIST), lacking(PEOPLE)])
    assert (found.cause, found.refused) == ("notifications_refused", (lacking(PEOPLE), lacking(LIST)))
    assert lacking(LIST).again_at == later(AGAIN)


def test_what_is_refused_for_good_is_tried_more_and_more_seldom_and_what_may_pass_every_hour() -> None:
    before, waits = None, []
    for _ in range(40):
        before = refused(LIST, "x", before, NOW, lasting=True)
        waits.append(datetime.fromisoformat(before.again_at) - NOW)
    assert waits[:4] == [AGAIN, 2 * AGAIN, 4 * AGAIN, 8 * AGAIN]
    assert set(waits[5:]) == {SELDOM}
    passing = refused(LIST, "x", before, NOW, lasting=False)
    assert (passing.again_at, passing.times) == (later(AGAIN), 0)


# which families tell us of every change


def test_only_those_that_are_alive_tell_us() -> None:
    kept = there(watch(PEOPLE), watch(CALENDAR, 0.0), watch(LIST, 0.01))
    assert kept.families(NOW) == {Family.PEOPLE, Family.TASKS}
    assert kept.families(NOW + LIFE[Family.TASKS]) == {Family.PEOPLE}
    assert Watches().families(NOW) == set()


def test_of_tasks_every_list_has_to_be_alive() -> None:
    assert there(watch(LIST), watch(OTHER_LIST, -0.1)).families(NOW) == set()
    assert there(watch(LIST), watch(OTHER_LIST)).families(NOW) == {Family.TASKS}
    assert there(watch(PEOPLE), watch(LIST), refused=(lacking(OTHER_LIST),)).families(NOW) == {Family.PEOPLE}
    assert there(watch(LIST), refused=(lacking(CALENDAR),)).families(NOW) == {Family.TASKS}


# as a column


def test_they_come_back_as_they_were_written() -> None:
    odd = Place(Family.TASKS, 'AAMk"=,|é')
    kept = there(watch(PEOPLE), watch(odd), refused=(refused(odd, "x", None, NOW, lasting=True), lacking(LIST)))
    assert read(write(kept)) == kept
    assert write(Watches()) == ""
    assert read("") == Watches()
    assert read('{"kept":[],"made_for":"here","cause":"x","again_at":"2026"}') == Watches((), "here"), "of before"


def test_as_many_as_there_may_be_fit_in_a_column() -> None:
    lists = [Place(Family.TASKS, "A" * 160 + str(n)) for n in range(20)]
    places = [PEOPLE, CALENDAR, *lists]
    kept = there(*(watch(place, id_=str(uuid4())) for place in places), refused=tuple(map(lacking, places)))
    assert len(write(kept)) < 16_000


# secrets


@pytest.mark.parametrize("family", Family)
def test_a_secret_names_its_mailbox_and_family_and_is_short_enough(family: Family) -> None:
    state = secret(MAILBOX, family, NONCE, KEYS)
    assert told_by(state, KEYS) == (MAILBOX, family)
    assert len(state) <= 128
    assert state.isascii()


def test_every_subscription_has_a_secret_of_its_own() -> None:
    assert secret(MAILBOX, Family.PEOPLE, NONCE, KEYS) != secret(MAILBOX, Family.PEOPLE, NONCE[::-1], KEYS)


@pytest.mark.parametrize("part", range(4))
def test_no_part_of_it_can_be_changed(part: int) -> None:
    state = secret(MAILBOX, Family.PEOPLE, NONCE, KEYS)
    others = secret(OTHER, Family.CALENDAR, NONCE[::-1], KEYS).split(".")
    for changed in (others[part], "", state.split(".")[part].swapcase(), state.split(".")[part][:-1]):
        parts = state.split(".")
        parts[part] = changed
        assert told_by(".".join(parts), KEYS) is None or parts == state.split("."), changed


def test_nothing_can_be_moved_from_one_part_to_the_next() -> None:
    mailbox, family, nonce, proof = secret(MAILBOX, Family.PEOPLE, NONCE, KEYS).split(".")
    assert told_by(f"{mailbox[:-1]}.{mailbox[-1]}{family}.{nonce}.{proof}", KEYS) is None
    assert told_by(f"{mailbox}.{family}{nonce[0]}.{nonce[1:]}.{proof}", KEYS) is None
    assert told_by(f"{mailbox}\n{family}..{nonce}.{proof}", KEYS) is None


def test_nothing_can_be_put_behind_it() -> None:
    state = secret(MAILBOX, Family.PEOPLE, NONCE, KEYS)
    for more in (".", ".x", " ", "\n", "="):
        assert told_by(state + more, KEYS) is None, more
    assert told_by(f" {state}", KEYS) is None


def test_another_installation_s_secret_is_none_of_ours() -> None:
    assert told_by(secret(MAILBOX, Family.PEOPLE, NONCE, OTHER_KEYS), KEYS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "...",
        "....",
        "a.people.b.",
        f"{MAILBOX}.people.{NONCE}.",
        "\x00",
        "\ud800",
        "a.b.c.\ud800",
        "é.é",
        "x" * 9999,
        "y." * 999,
    ],
)
def test_garbage_is_none_of_ours(text: str) -> None:
    assert told_by(text, KEYS) is None


def test_whatever_letters_it_is_made_of_nothing_is_raised() -> None:
    dice = random.Random(1)
    letters = string.printable + "\ud800\udfff\U0001f680" + "." * 40
    for _ in range(2000):
        assert told_by("".join(dice.choices(letters, k=dice.randrange(128))), KEYS) is None


def test_a_family_of_a_later_version_is_none_of_ours() -> None:
    """Its secret is as good as ours: the app was set back to an earlier version."""
    text = "\n".join(("subscription", MAILBOX, "notes", NONCE))
    assert told_by(f"{MAILBOX}.notes.{NONCE}.{KEYS.index(text)}", KEYS) is None

"""The state of a sign-in: signed, once, in time, for one person in one browser."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sync.store.memory import MemoryRows
from sync.store.secrets import Keyring
from sync.store.states import KEPT, LIFE, Asked, StateRefused, States

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ANNA, MALLORY = ("tenant-1", "anna"), ("tenant-1", "mallory")
ASKED = Asked("connect", *ANNA, "19x5", "verifier")


@pytest.fixture
async def states() -> States:
    states = States(MemoryRows(), Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)]))
    await states.keep("s1", ASKED, NOW)
    return states


async def take(states: States, state: str = "", **changed: object) -> Asked:
    given = {"purpose": "connect", "person": ANNA, "browser": states.browser("s1"), "now": NOW, **changed}
    return await states.take(state or states.sign("s1"), **given)  # type: ignore[arg-type]


async def refused(states: States, state: str = "", **changed: object) -> str:
    before = await states._rows.get("oauth", "s1")
    with pytest.raises(StateRefused) as refusal:
        await take(states, state, **changed)
    assert await states._rows.get("oauth", "s1") == before, "a refusal changes nothing"
    return refusal.value.code


async def test_it_leads_back_to_what_was_asked(states: States) -> None:
    assert await take(states) == ASKED


async def test_where_nobody_is_signed_in_the_browser_is_enough(states: States) -> None:
    assert await take(states, person=None) == ASKED


async def test_it_counts_once(states: States) -> None:
    await take(states)
    assert await refused(states) == "state_used"
    row = await states._rows.get("oauth", "s1")
    assert row is not None
    assert row.data["secret"] == ""


async def test_of_two_at_once_one_wins(states: States) -> None:
    results = await asyncio.gather(take(states), take(states), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Asked", "StateRefused"]


@pytest.mark.parametrize("cut", [lambda s: s + "x", lambda s: s[:-1], lambda s: s.replace("s1", "s2"), lambda s: "s1.",
                                 lambda s: "." + s, lambda s: "s1", lambda s: "\ud800.x", lambda s: "a/b#c." + s[3:]])  # fmt: skip
async def test_tampered(states: States, cut) -> None:  # type: ignore[no-untyped-def]
    assert await refused(states, cut(states.sign("s1"))) == "state_tampered"


async def test_missing_unknown_expired(states: States) -> None:
    with pytest.raises(StateRefused, match="state_missing"):
        await states.take("", "connect", ANNA, "", NOW)
    assert await refused(states, states.sign("s9")) == "state_unknown"
    assert await refused(states, purpose="consent") == "state_unknown"
    assert await refused(states, now=NOW + LIFE) == "state_expired"
    assert await take(states, now=NOW + LIFE - timedelta(seconds=1)) == ASKED


async def test_of_another_person_or_browser(states: States) -> None:
    assert await refused(states, person=MALLORY) == "state_of_another"
    assert await refused(states, person=("tenant-2", "anna")) == "state_of_another"
    assert await refused(states, browser="") == "no_session"
    assert await refused(states, browser=states.browser("s2")) == "state_of_another"
    assert await refused(states, browser=states.sign("s1")) == "state_of_another", "the state does not tell the cookie"
    assert await refused(states, person=None, browser="é\ud800") == "state_of_another"


async def test_another_installation_does_not_sign_for_us(states: States) -> None:
    other = States(MemoryRows(), Keyring(b"j" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)]))
    assert await refused(states, other.sign("s1")) == "state_tampered"


async def test_nothing_secret_lies_there_in_clear_and_old_rows_go(states: States) -> None:
    row = await states._rows.get("oauth", "s1")
    assert row is not None
    assert "verifier" not in str(dict(row.data))
    await states.keep("s2", ASKED, NOW + KEPT)
    assert await states._rows.get("oauth", "s1") is not None
    await states.keep("s3", ASKED, NOW + KEPT + LIFE + timedelta(seconds=1))
    assert await states._rows.get("oauth", "s1") is None

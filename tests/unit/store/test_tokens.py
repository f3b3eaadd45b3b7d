"""Refresh tokens in the store: encrypted, spent by one at a time, never overwritten by who is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.store.memory import MemoryRows
from sync.store.secrets import Keyring
from sync.store.tokens import CLAIM, TokenStore, signed_in

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
BOX, TENANT, SCOPES = "box-1", "tenant-1", ("Contacts.ReadWrite", "User.Read")


def keys(*ids: str) -> Keyring:
    return Keyring(b"i" * 32, [("a", b"d" * 32)], [(id_, id_.encode() * 32) for id_ in ids or ("a",)])


@pytest.fixture
async def store() -> TokenStore:
    store = TokenStore(MemoryRows(), keys())
    await store.save(BOX, TENANT, SCOPES, "refresh-1", NOW)
    return store


async def text(store: TokenStore) -> str:
    token = await store.read(BOX)
    assert token is not None
    return token.refresh_token


async def test_a_token_is_kept_and_read_but_lies_there_encrypted(store: TokenStore) -> None:
    token = await store.read(BOX)
    assert token is not None
    assert (token.tenant, token.scopes, token.refresh_token, token.usable) == (TENANT, SCOPES, "refresh-1", True)
    assert "refresh-1" not in repr(token)
    row = await store._rows.get("tokens", BOX)
    assert row is not None
    assert "refresh-1" not in str(dict(row.data))
    assert await signed_in(store._rows, BOX)
    assert not await signed_in(store._rows, "box-2")


async def test_a_token_of_another_mailbox_does_not_open_here(store: TokenStore) -> None:
    from sync.store.base import Put

    row = await store._rows.get("tokens", BOX)
    assert row is not None
    await store._rows.transact("tokens", [Put("box-2", row.data)])
    moved = await store.read("box-2")
    assert moved is not None
    assert (moved.refresh_token, moved.usable) == ("", False)


async def test_only_one_may_spend_it(store: TokenStore) -> None:
    first, second = await store.read(BOX), await store.read(BOX)
    assert first is not None
    assert second is not None
    mine = await store.claim(first, NOW)
    assert mine is not None
    assert await store.claim(second, NOW) is None
    seen = await store.read(BOX)
    assert seen is not None
    assert await store.claim(seen, NOW) is None
    await store.renewed(mine, "refresh-2", LATER)
    after = await store.read(BOX)
    assert after is not None
    assert (after.refresh_token, after.renewed, after.since) == ("refresh-2", LATER.isoformat(), NOW.isoformat())
    assert await store.claim(after, LATER) is not None


async def test_the_claim_of_a_dead_worker_ends_and_its_late_answer_is_not_lost(store: TokenStore) -> None:
    token = await store.read(BOX)
    assert token is not None
    dead = await store.claim(token, NOW)
    assert dead is not None
    seen = await store.read(BOX)
    assert seen is not None
    living = await store.claim(seen, NOW + CLAIM)
    assert living is not None
    await store.renewed(dead, "refresh-2", NOW + CLAIM)  # it was only slow
    assert not await store.ended(living), "the other one's refusal concerns the old token"
    assert await text(store) == "refresh-2"


async def test_a_new_sign_in_wins_over_a_renewal_of_the_old_one(store: TokenStore) -> None:
    token = await store.read(BOX)
    assert token is not None
    mine = await store.claim(token, NOW)
    assert mine is not None
    await store.save(BOX, TENANT, SCOPES, "fresh", LATER)
    await store.renewed(mine, "refresh-2", LATER)
    assert not await store.ended(mine)
    await store.release(mine)
    assert await text(store) == "fresh"


async def test_what_ended_is_not_usable_until_the_next_sign_in(store: TokenStore) -> None:
    token = await store.read(BOX)
    assert token is not None
    assert await store.ended(token)
    ended = await store.read(BOX)
    assert ended is not None
    assert (ended.state, ended.usable) == ("reconnect", False)
    await store.save(BOX, TENANT, SCOPES, "fresh", LATER)
    again = await store.read(BOX)
    assert again is not None
    assert again.usable


async def test_renewing_seals_with_the_newest_key() -> None:
    rows = MemoryRows()
    await TokenStore(rows, keys("a")).save(BOX, TENANT, SCOPES, "refresh-1", NOW)
    both = TokenStore(rows, keys("b", "a"))
    token = await both.read(BOX)
    assert token is not None
    mine = await both.claim(token, NOW)
    assert mine is not None
    await both.renewed(mine, "refresh-2", LATER)
    assert await text(TokenStore(rows, keys("b"))) == "refresh-2"
    assert await text(TokenStore(rows, keys("c"))) == "", "what only a removed key opens is lost: sign in again"


async def test_forgotten(store: TokenStore) -> None:
    await store.drop(BOX)
    await store.drop(BOX)
    assert await store.read(BOX) is None

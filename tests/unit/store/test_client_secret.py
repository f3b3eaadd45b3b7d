"""Which client secret counts: the one that the settings' row names. Of two admins who save at once the refused one's is never in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from sync.settings import Settings
from sync.settings_store import Safe, SettingsStore
from sync.store.base import Put, Stale, StoreUnreachable
from sync.store.memory import MemoryRows
from sync.store.secrets import Keyring
from tests.unit.control.world import CONFIGURED

KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
SETTINGS = Settings()


class Vault:
    """A key vault in memory. `refuses`: which operation it refuses."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.refuses = ""

    async def read_secret(self, name: str) -> str | None:
        await self._asked("read")
        return self.held.get(name)

    async def write_secret(self, name: str, value: str) -> None:
        await self._asked("write")
        self.held[name] = value

    async def delete_secret(self, name: str) -> None:
        await self._asked("delete")
        self.held.pop(name, None)

    async def _asked(self, what: str) -> None:
        await asyncio.sleep(0)
        if self.refuses == what:
            raise StoreUnreachable("vault")


def numbers() -> Callable[[], str]:
    made = iter(range(1, 1000))
    return lambda: f"n{next(made)}"


class Place:
    def __init__(self, vault: Vault | None) -> None:
        self.rows, self.vault = MemoryRows(), vault
        self.store = SettingsStore(self.rows, KEYS, CONFIGURED, Safe(vault, numbers()) if vault else None)

    async def secret(self) -> str:
        return (await self.store.sign_in()).client_secret

    def listed(self) -> list[str]:
        return [row.key for row in self.rows.everything() if row.key.startswith("secret|")]


@pytest.fixture(params=["vault", "rows"])
def place(request: pytest.FixtureRequest) -> Place:
    return Place(Vault() if request.param == "vault" else None)


async def test_of_two_admins_at_once_the_refused_ones_secret_is_not_in_force_and_not_kept(place: Place) -> None:
    await place.store.save(SETTINGS, "s~first")
    both = [place.store.save(SETTINGS, secret, over=1, by=by) for by, secret in (("a", "s~a"), ("b", "s~b"))]
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(each, Stale) for each in ended) == 1
    saved = await place.store.saved()
    assert (saved.version, await place.secret()) == (2, f"s~{saved.by}")
    if place.vault:
        assert list(place.vault.held.values()) == [f"s~{saved.by}"], "neither the loser's nor the old one"


@pytest.mark.parametrize("steps", range(30))
async def test_whenever_the_second_admin_begins(place: Place, steps: int) -> None:
    await place.store.save(SETTINGS, "s~first")
    first = asyncio.ensure_future(place.store.save(SETTINGS, "s~a", by="a"))
    for _ in range(steps):
        await asyncio.sleep(0)
    ended = await asyncio.gather(first, place.store.save(SETTINGS, "s~b", by="b"), return_exceptions=True)
    assert sum(isinstance(each, Stale) for each in ended) <= 1
    assert await place.secret() == f"s~{(await place.store.saved()).by}"
    await place.store.save(SETTINGS, "s~last")
    assert await place.secret() == "s~last"
    if place.vault:
        assert list(place.vault.held.values()) == ["s~last"]


async def test_a_secret_saved_by_an_earlier_version_is_read_and_then_replaced() -> None:
    vault = Vault()
    place = Place(vault)
    vault.held["client-secret"] = "s~old"
    await place.rows.transact("control", [Put("settings", {"json": SETTINGS.model_dump_json(), "secret": "vault"})])
    assert await place.secret() == "s~old"
    await place.store.save(SETTINGS, None)
    assert await place.secret() == "s~old"
    await place.store.save(SETTINGS, "s~new")
    assert await place.secret() == "s~new"
    assert list(vault.held.values()) == ["s~new"]


async def test_a_removed_secret_leaves_the_vault_and_the_environments_counts(place: Place) -> None:
    await place.store.save(SETTINGS, "s~mine")
    await place.store.save(SETTINGS, "")
    assert await place.secret() == CONFIGURED.client_secret
    if place.vault:
        assert place.vault.held == {}
    assert place.listed() == []


async def test_what_could_not_be_deleted_is_deleted_with_the_next_save() -> None:
    vault = Vault()
    place = Place(vault)
    await place.store.save(SETTINGS, "s~1")
    vault.refuses = "delete"
    assert (await place.store.save(SETTINGS, "s~2")).version == 2, "saved is saved"
    assert await place.secret() == "s~2"
    assert sorted(vault.held.values()) == ["s~1", "s~2"]
    vault.refuses = ""
    await place.store.save(SETTINGS, None)
    assert list(vault.held.values()) == ["s~2"]
    assert len(place.listed()) == 1


@pytest.mark.parametrize("line", range(8))
async def test_killed_at_any_line_one_whole_save_counts_and_nothing_stays_behind(line: int) -> None:
    vault = Vault()
    place = Place(vault)
    await place.store.save(SETTINGS, "s~1", by="1")
    left = line

    def crash(operation: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoreUnreachable("killed")

    place.rows.before = crash
    with suppress(StoreUnreachable):
        await place.store.save(SETTINGS, "s~2", by="2")
    place.rows.before = None
    assert await place.secret() == f"s~{(await place.store.saved()).by}"
    await place.store.save(SETTINGS, "s~3")
    assert list(vault.held.values()) == ["s~3"]
    assert len(place.listed()) == 1


async def test_a_vault_that_refuses_the_secret_changes_nothing() -> None:
    vault = Vault()
    place = Place(vault)
    await place.store.save(SETTINGS, "s~1")
    vault.refuses = "write"
    with pytest.raises(StoreUnreachable):
        await place.store.save(SETTINGS, "s~2")
    vault.refuses = ""
    assert ((await place.store.saved()).version, await place.secret()) == (1, "s~1")


async def test_who_reads_while_the_secret_changes_gets_one_of_the_two(place: Place) -> None:
    for steps in range(25):
        await place.store.save(SETTINGS, "s~old")
        saving = asyncio.ensure_future(place.store.save(SETTINGS, "s~new"))
        for _ in range(steps):
            await asyncio.sleep(0)
        assert await place.secret() in ("s~old", "s~new"), steps
        await saving


async def test_no_secret_is_in_the_rows_in_clear(place: Place) -> None:
    await place.store.save(SETTINGS, "s~plain")
    assert "s~plain" not in repr(place.rows.everything())


async def test_the_vault_is_asked_once_for_a_name_and_what_another_process_saves_counts_at_once() -> None:
    vault = Vault()
    place = Place(vault)
    other = SettingsStore(place.rows, KEYS, CONFIGURED, Safe(vault, lambda: "another"))
    await place.store.save(SETTINGS, "s~1")
    assert await place.secret() == "s~1"
    vault.refuses = "read"
    assert [await place.secret(), (await place.store.in_force()).sign_in.client_secret] == ["s~1", "s~1"]
    vault.refuses = ""
    await other.save(SETTINGS, "")
    assert await place.secret() == CONFIGURED.client_secret
    await other.save(SETTINGS, "s~2")
    assert await place.secret() == "s~2"

"""What an earlier release stored is read by this one, brought to its form, and synchronised without a write to either side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sync.model import Kind
from sync.store.tokens import TokenStore
from sync.upgrading import PAUSE, upgraded
from tests.sim.recording import TEAM, USERS, connector_of, kept, recorded, restored, story, untouched
from tests.sim.world import World

DATA = Path(__file__).parents[1] / "data"
RELEASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("ledger-v*.json"))}
EDITED = ((Kind.CONTACT, "phone"), (Kind.COMPANY, "phone"), (Kind.EVENT, "location"), (Kind.TASK, "description"))


@pytest.fixture(params=RELEASES)
async def world(request: pytest.FixtureRequest) -> World:
    return await restored(RELEASES[request.param])


async def test_a_released_ledger_is_synchronised_without_a_write(world: World) -> None:
    connector = connector_of(world)
    while not await upgraded(connector):
        world.time += PAUSE
    assert sum(kept(world).values()) > 50, "the recording itself must hold something"
    assert await connector.state() == "running"
    await untouched(world)
    assert len(await world.registry.holds()) == 3


async def test_and_goes_on_from_there(world: World) -> None:
    """The links are used, not made anew: one edit of each kind is one write on the other side."""
    await world.settle(1)
    linked = {row.key for row in world.rows.everything() if row.partition.startswith("mailbox-a|")}
    for kind, column in EDITED:
        mine = [r.id for r in world.crm.records.values() if r.kind is kind and f"c|{r.id}" in linked]
        before, writes = kept(world), world.writes
        world.crm.edit(mine[0], **{column: "77"})
        await world.settle(2)
        assert (kind, world.writes - writes) == (kind, 1)
        assert kept(world) == before
    card = next(card for card in world.mailboxes["mailbox-a"].cards.values() if card.fields.get("surname") == "Due")
    writes = world.crm.writes
    world.mailboxes["mailbox-a"].edit(card.id, department="Vendite")
    await world.settle(2)
    assert world.crm.writes - writes == 1


async def test_people_and_settings_are_read(world: World) -> None:
    connector = connector_of(world)
    settings = await connector.settings.read()
    assert (settings.active, settings.folder_name) == (True, "Clienti")
    assert (await connector.settings.sign_in()).client_secret == "another~secret"
    assert {user.id: user.mailbox for user in await connector.users.all()} == USERS
    assert (await connector.groups.policies())[TEAM].members == tuple(USERS)
    token = await TokenStore(world.rows, world.keys).read("mailbox-a")
    assert token
    assert token.refresh_token == "a~refresh~token"
    assert [noted.what for noted in await connector.audit.listed("", 10)] == ["settings_put"]


async def test_the_recording_is_what_this_program_would_write() -> None:
    """Until the first release: whoever changes what is stored records it anew (afterwards: writes a step, and records the next form)."""
    now = json.loads(json.dumps(recorded(await story())))
    assert columns(now["rows"]) == columns(RELEASES["ledger-v1"]["rows"]), (
        "python -m tests.sim.recording tests/data/ledger-v1.json"
    )


def columns(rows: Sequence[Any]) -> set[tuple[str, str, frozenset[str]]]:
    """Which kinds of rows have which columns. Of a tally the columns are reasons."""
    found = set()
    for partition, key, data in rows:
        where = partition.partition("|")[2] if partition.startswith("mailbox-") else partition.partition("|")[0]
        found.add((where, key.partition("|")[0] if "|" in key else "", frozenset(data)))
    return {each for each in found if each[0] != "tally"}

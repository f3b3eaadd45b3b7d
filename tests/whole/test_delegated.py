"""Users who signed in themselves, over the emulators with real msal: each mailbox with its own tokens; one sign-in ends, the others go on, and
after the reconnection it continues without doubles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from emulators.corner import Clock, Fault
from emulators.entra import EntraEmulator
from emulators.entra_state import Person
from emulators.graph import GraphEmulator
from sync.clearing_tools import ALL, LEAVE, UNDO
from sync.model import Kind
from sync.policy import RemovalScope
from sync.setup import Setup
from sync.sides.base import Mailbox
from sync.sides.graph import GraphConnection, MailboxTokens, MsalEntra, open_mailbox
from sync.signing import GRAPH_SCOPES
from sync.store.tokens import TokenStore
from tests.contract.graph_world import served
from tests.sim.world import Accident, Process
from tests.whole.world import WholeWorld

APP, SECRET = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret~value"
HOUR = 3600


class DelegatedWorld(WholeWorld):
    """Every process signs in for each mailbox anew, from the tokens in the store."""

    entra: EntraEmulator
    url = ""

    def _tenant(self, clock: Clock) -> GraphEmulator:
        self.entra = EntraEmulator(clock=clock)
        self.entra.directory.add_app(APP, scopes=GRAPH_SCOPES).secrets[SECRET] = clock.now().timestamp() + 1e9
        return GraphEmulator(clock=clock, keys=self.entra.keys)

    @property
    def tokens(self) -> TokenStore:
        return TokenStore(self.rows, self.keys)

    async def sign_in(self, mailbox: str) -> None:
        """What connecting does, after the popup."""
        person, scopes = Person(mailbox, f"{mailbox}@x.example", "x"), (*GRAPH_SCOPES, "offline_access", "openid")
        token = self.entra.directory.issue_refresh(APP, person, scopes, self.now().timestamp())
        await self.tokens.save(mailbox, self.entra.tenant, GRAPH_SCOPES, token, self.now())
        await self.registry.change_mailbox(mailbox, state="ok", cause="", attempts=0, dirty=True)

    def _open(self) -> None:
        super()._open()
        self._own: dict[str, GraphConnection] = {}
        self._msal = MsalEntra(
            tenant_id=self.entra.tenant,
            client_id=APP,
            client_secret=SECRET,
            authority_host=self.url or "http://[::1]:9",
        )

    async def attempt(self, accident: Accident | None = None) -> Process:
        done = await super().attempt(accident)
        for connection in self._own.values():
            await connection.close()
        await self._msal.close()
        return done

    async def side(self, mailbox: str, folder: str) -> Mailbox:
        if mailbox not in self._own:
            sign = MailboxTokens(mailbox, self.tokens, self._msal, self.now)
            self._own[mailbox] = self._connected(sign)
        opened = await open_mailbox(self._own[mailbox], mailbox, folder or None, "vtenext")
        self.mailboxes[mailbox].folder_id = opened.folder_id
        return opened

    async def setup(self) -> Setup:
        return replace(await super().setup(), delegated=True)

    async def causes(self) -> dict[str, str]:
        return {row.id: row.cause for row in await self.registry.mailboxes()}


@pytest.fixture
async def world() -> AsyncIterator[DelegatedWorld]:
    """Anna and Bruno are connected and have a contact each, on both sides."""
    world = DelegatedWorld()
    with served(world.entra.app) as url:
        world.url = url
        await world.connect()
        for user, mailbox in world.users.items():
            await world.sign_in(mailbox)
            world.crm.add(
                Kind.CONTACT, user, {"firstname": "Carlo", "lastname": f"of {user}", "email": f"c{user}@y.example"}
            )
        assert await world.settle() == 0
        yield world


def names(world: DelegatedWorld, mailbox: str) -> list[str]:
    return sorted(str(card.fields["surname"]) for card in world.mailboxes[mailbox].cards.values())


def of(world: DelegatedWorld) -> tuple[str, str, str, str]:
    (anna, annas), (bruno, brunos) = world.users.items()
    return anna, annas, bruno, brunos


async def test_each_mailbox_synchronises_with_its_own_tokens(world: DelegatedWorld) -> None:
    anna, annas, bruno, brunos = of(world)
    assert names(world, annas) == [f"of {anna}"]
    assert names(world, brunos) == [f"of {bruno}"]
    world.mailboxes[annas].add({"surname": "born in the mailbox", "givenName": "Dora"})
    await world.settle()
    assert "born in the mailbox" in {record.fields["lastname"] for record in world.crm.records.values()}


async def test_an_ended_sign_in_stops_that_mailbox_at_once_and_no_other(world: DelegatedWorld) -> None:
    anna, annas, bruno, brunos = of(world)
    world.entra.directory.revoke(annas)
    world.clock.advance(2 * HOUR)
    for record in list(world.crm.records.values()):
        world.crm.edit(record.id, lastname=f"new {record.owner}")
    await world.attempt()
    assert await world.causes() == {annas: "reconnect", brunos: ""}
    assert (names(world, annas), names(world, brunos)) == ([f"of {anna}"], [f"new {bruno}"])
    asked = world.entra.corner.counts.copy()
    await world.settle()
    renewals = world.entra.corner.counts - asked
    assert sum(n for label, n in renewals.items() if "token" in label) == 4, "Bruno's process by process, Anna's never"
    kept = await world.tokens.read(annas)
    assert kept is not None
    assert kept.state == "reconnect"


async def test_after_the_reconnection_it_goes_on_without_doubles(world: DelegatedWorld) -> None:
    anna, annas, _, _ = of(world)
    world.entra.directory.revoke(annas)
    (mine,) = [record for record in world.crm.records.values() if record.owner == anna]
    world.crm.edit(mine.id, lastname="edited meanwhile")
    world.crm.add(Kind.CONTACT, anna, {"firstname": "Eva", "lastname": "made meanwhile"})
    world.mailboxes[annas].add({"surname": "added meanwhile", "givenName": "Fabio"})
    await world.settle()
    assert (await world.causes())[annas] == "reconnect"
    before = len(world.crm.records)
    await world.sign_in(annas)
    await world.settle()
    assert names(world, annas) == ["added meanwhile", "edited meanwhile", "made meanwhile"]
    assert len(world.crm.records) == before + 1
    assert await world.settle(2) == 0


async def test_a_process_that_dies_while_it_renews_costs_a_delay_only(world: DelegatedWorld) -> None:
    """The claim on the token outlives it; the next tick comes later than the claim lasts."""
    anna, annas, _, _ = of(world)
    (mine,) = [record for record in world.crm.records.values() if record.owner == anna]
    world.crm.edit(mine.id, lastname="edited")
    for at in range(1, 30, 3):
        world.crm.edit(mine.id, lastname=f"edited {at}")
        await world.attempt(Accident(at, "crash-before"))
        await world.restore()
        await world.settle(3)
        assert names(world, annas) == [f"edited {at}"], at
        assert (await world.causes())[annas] == "", at


async def test_a_consent_that_one_person_withdrew_stops_that_person_only(world: DelegatedWorld) -> None:
    """Graph refuses every token of Anna's, however new."""
    _, annas, bruno, brunos = of(world)
    world.graph.corner.add_fault(Fault("status", 401), match=annas, times=999)
    for record in list(world.crm.records.values()):
        world.crm.edit(record.id, lastname=f"new {record.owner}")
    await world.settle()
    assert await world.causes() == {annas: "consent_missing", brunos: ""}
    assert names(world, brunos) == [f"new {bruno}"]
    assert (await world.board.read()).state == "running"


async def test_undoing_a_removal_waits_for_the_user_to_sign_in_and_brings_the_cards_back_once(
    world: DelegatedWorld,
) -> None:
    """With the user the sign-in went: nobody may write into the mailbox until the user says so again."""
    anna, annas, bruno, brunos = of(world)
    world.mailboxes[annas].add({"surname": "born in the mailbox", "givenName": "Dora", "personalNotes": "mine"})
    await world.settle()
    before = names(world, annas)
    del world.users[anna]
    at = world.now().isoformat(timespec="seconds")
    order = {"scope": RemovalScope.LINKED.value, "permitted": ALL, "left_at": at}
    await world.registry.change_mailbox(annas, enabled=False, clearing=LEAVE, **order)
    await world.settle()
    row = await world.registry.mailbox(annas)
    assert row is not None
    assert (row.state, live(world, annas), world.signed_out) == ("removed", [], [annas])
    await world.tokens.drop(annas)  # what `signed_out` stands for
    await world.registry.change_mailbox(annas, clearing=UNDO, state="ok")
    await world.settle()
    row = await world.registry.mailbox(annas)
    assert row is not None
    assert (row.state, row.cause, row.clearing) == ("error", "not_connected", UNDO)
    assert (live(world, annas), names(world, brunos)) == ([], [f"of {bruno}"])
    await world.sign_in(annas)
    world.users[anna] = annas
    await world.registry.change_mailbox(annas, enabled=True, connected_at=world.now().isoformat(), full=True)
    await world.settle()
    assert live(world, annas) == before == ["born in the mailbox", f"of {anna}"]
    row = await world.registry.mailbox(annas)
    assert row is not None
    assert (row.state, row.cause, row.clearing, row.left_at) == ("ok", "", "", "")
    assert await world.settle(2) == 0
    assert (live(world, annas), len(world.crm.records)) == (before, 3)


def live(world: DelegatedWorld, mailbox: str) -> list[str]:
    """Surnames of the cards in the folder, without those in the recycle bin."""
    found = world.mailboxes[mailbox].cards.values()
    return sorted(str(card.fields["surname"]) for card in found if card.place == "folder")

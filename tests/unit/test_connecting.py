"""Who is bound to which mailbox when somebody comes back from Microsoft's sign-in, and who is not; what an allow-list leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from control.texts import expectation
from sync import commands
from sync.commands import NotFound, NotNow
from sync.connecting import Connecting, Outcome
from sync.consent import read_consent
from sync.errors import Cause, ConfigMistake, RetryLater, StopMailbox
from sync.leaving_commands import remove_user, undo_removal
from sync.restore import clear_errors
from sync.settings_commands import change_settings
from sync.sides.base import MailboxUser
from sync.signing import GRAPH_SCOPES, Declined, Flow, Granted
from sync.store.base import Row
from sync.store.states import LIFE, States
from sync.store.tokens import TokenStore
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, TENANT, World

CARLA = "19x7"
STRANGER = "0000000f-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Person:
    tenant: str = TENANT
    oid: str = ANNAS
    admin: bool = False
    names: tuple[str, ...] = ("anna@acme.example",)


ADMIN = Person(oid="0000000c-0000-4000-8000-000000000000", admin=True, names=("boss@acme.example",))
TOKEN = Person("", "token", True, ())


class FakeEntra:
    """Grants what the test says."""

    def __init__(self) -> None:
        self.grants: Granted | Exception = granted()
        self.redeemed: list[tuple[str, Mapping[str, str]]] = []

    async def authorize(self, redirect_uri: str, state: str) -> Flow:
        return Flow(f"https://login.example/authorize?to={redirect_uri}&state={state}", f"verifier of {state}")

    async def redeem(self, secret: str, answer: Mapping[str, str]) -> Granted:
        self.redeemed.append((secret, answer))
        if isinstance(self.grants, Exception):
            raise self.grants
        return self.grants

    async def refresh(self, mailbox: str, refresh_token: str, scopes: Sequence[str]) -> Granted:
        raise AssertionError("nobody renews here")

    async def consent_url(self, redirect_uri: str, state: str) -> str:
        return f"https://login.example/adminconsent?state={state}"

    async def tenant(self) -> str:
        return TENANT

    async def check(self) -> None:
        raise AssertionError("nobody checks here")


class FakeMailboxes:
    def __init__(self) -> None:
        self.signing = FakeEntra()
        self.addresses: dict[str, tuple[str, ...]] = {
            ANNAS: ("anna@acme.example", "a.rossi@acme.example"),
            BRUNOS: ("bruno@acme.example",),
            STRANGER: ("carla@acme.example",),
        }
        self.looks = 0
        self.others: dict[str, str] = {}
        """Object ids of whoever Graph says it is instead."""

    async def entra(self) -> FakeEntra:
        return self.signing

    async def look(self, granted: Granted) -> MailboxUser:
        self.looks += 1
        return MailboxUser(self.others.get(granted.oid, granted.oid), self.addresses[granted.oid])


def granted(oid: str = ANNAS, **changed: Any) -> Granted:
    made = Granted("access", "refresh-1", 3600, GRAPH_SCOPES, TENANT, oid)
    return replace(made, **changed)


class Scene:
    """A world in delegated mode, whose directory was read."""

    def __init__(self) -> None:
        self.world = World()
        self.mailboxes = FakeMailboxes()
        keys, rows = self.world.keys, self.world.rows
        self.tokens, self.states = TokenStore(rows, keys), States(rows, keys)
        self.connecting = Connecting(
            self.world.connector, self.tokens, self.states, self.mailboxes, "https://sync.acme.example"
        )

    async def set_up(self) -> None:
        await change_settings(self.world.connector, {"sign_in_mode": "delegated"})
        await self.world.connector.refresh_directory()
        self.world.queue.take()

    async def go(self, who: Any = Person(), user: str = "", **granted_: Any) -> str:
        """Connect, sign in, come back; the outcome's code."""
        begun = await self.connecting.begin(who, user)
        if granted_:
            self.mailboxes.signing.grants = granted(**granted_)
        answer = {"state": begun.state, "code": "c"}
        return (await self.connecting.finish(who, answer, begun.browser)).code

    async def bound(self) -> list[Row]:
        """Everything that connecting could have changed but the states themselves."""
        rows = self.world.rows.everything()
        return [row for row in rows if row.partition not in ("oauth", "audit")]


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.set_up()
    return scene


async def test_the_first_sign_in_binds_by_tenant_and_object_id(scene: Scene) -> None:
    assert await scene.go() == "connected"
    anna = await scene.world.users.get(ANNA)
    assert anna is not None
    assert (anna.mailbox, anna.enabled, anna.addresses) == (ANNAS, True, ("anna@acme.example", "a.rossi@acme.example"))
    token = await scene.tokens.read(ANNAS)
    assert token is not None
    assert (token.tenant, token.refresh_token, token.scopes) == (TENANT, "refresh-1", GRAPH_SCOPES)
    row = await scene.world.mailbox()
    assert (row.enabled, row.state, row.full, row.dirty, row.user) == (True, "ok", True, True, ANNA)
    assert row.connected_at == scene.world.now().isoformat(timespec="seconds")
    assert scene.world.queue.take() == [ANNAS]


async def test_redeeming_gets_the_verifier_of_that_very_state(scene: Scene) -> None:
    begun = await scene.connecting.begin(Person())
    assert begun.url.startswith("https://login.example/authorize?to=https://sync.acme.example/api/oauth/callback&")
    await scene.connecting.finish(Person(), {"state": begun.state, "code": "c"}, begun.browser)
    ((secret, answer),) = scene.mailboxes.signing.redeemed
    assert (secret, answer["code"]) == (f"verifier of {begun.state}", "c")


async def test_another_account_is_never_bound(scene: Scene) -> None:
    before = await scene.bound()
    assert await scene.go(oid=BRUNOS) == "wrong_account"
    assert await scene.bound() == before
    assert await scene.tokens.read(BRUNOS) is None


async def test_what_graph_says_of_another_account_than_entra_is_never_bound(scene: Scene) -> None:
    """The token names Anna, and the mailbox that it opens is Bruno's."""
    scene.mailboxes.others[ANNAS] = BRUNOS
    before = await scene.bound()
    assert await scene.go() == "wrong_account"
    assert (await scene.bound(), scene.mailboxes.looks) == (before, 1)
    assert [await scene.tokens.read(each) for each in (ANNAS, BRUNOS)] == [None, None]


async def test_consent_by_an_administrator_on_the_way_is_noted_and_not_bound(scene: Scene) -> None:
    assert await scene.go(oid=BRUNOS, consents=True) == "consent_recorded"
    assert await scene.tokens.read(BRUNOS) is None
    anna = await scene.world.users.get(ANNA)
    assert anna is not None
    assert (anna.mailbox, anna.enabled) == ("", False)
    consent = await read_consent(scene.world.rows)
    assert consent is not None
    assert (consent.by, consent.how, consent.tenant) == (BRUNOS, "popup", TENANT)
    assert await scene.go(oid=ANNAS) == "connected"


async def test_reconnecting_must_be_the_same_account(scene: Scene) -> None:
    await scene.go()
    for changed in ({"oid": BRUNOS}, {"tenant": "22222222-2222-4333-8444-555555555555"}):
        before = await scene.bound()
        expected = "wrong_account" if "oid" in changed else "other_tenant"
        assert await scene.go(**changed) == expected
        assert await scene.bound() == before


async def test_an_admins_pairing_wins_over_the_address(scene: Scene) -> None:
    await commands.change_user(scene.world.connector, ANNA, {"mailbox": BRUNOS})
    assert await scene.go(TOKEN, ANNA, oid=ANNAS) == "wrong_account"
    assert await scene.go(TOKEN, ANNA, oid=BRUNOS) == "connected"


async def test_without_pairing_and_without_an_address_in_common_nobody_is_bound(scene: Scene) -> None:
    """Carla has no e-mail in the CRM: an admin says first which mailbox is hers."""
    assert await scene.go(TOKEN, CARLA, oid=STRANGER) == "wrong_account"
    scene.mailboxes.addresses[STRANGER] = ("",)
    assert await scene.go(TOKEN, CARLA, oid=STRANGER) == "wrong_account"


async def test_a_guest_account_with_the_address_is_not_the_mailbox(scene: Scene) -> None:
    """A guest of the tenant has an address, which another organisation gave it, and no mailbox here."""
    scene.mailboxes.addresses[STRANGER] = ("anna@acme.example", "anna_acme.example#EXT#@tenant.onmicrosoft.com")
    before = await scene.bound()
    assert await scene.go(oid=STRANGER) == "wrong_account"
    assert await scene.bound() == before


async def test_a_mailbox_that_is_connected_to_another_user_is_refused(scene: Scene) -> None:
    await scene.go()
    scene.mailboxes.addresses[ANNAS] = ("anna@acme.example", "bruno@acme.example")
    before = await scene.bound()
    assert await scene.go(TOKEN, BRUNO, oid=ANNAS) == "mailbox_taken"
    assert await scene.bound() == before


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"scopes": ("User.Read", "Contacts.ReadWrite")}, "scopes_missing"),
        ({"refresh_token": ""}, "scopes_missing"),
        ({"oid": ""}, "other_tenant"),
        ({"tenant": ""}, "other_tenant"),
    ],
)
async def test_less_than_is_needed_changes_nothing(scene: Scene, changed: dict[str, Any], code: str) -> None:
    before = await scene.bound()
    assert await scene.go(**changed) == code
    assert await scene.bound() == before


async def test_tasks_alone_may_be_missing(scene: Scene) -> None:
    assert await scene.go(scopes=tuple(set(GRAPH_SCOPES) - {"Tasks.ReadWrite"})) == "connected"


async def test_what_the_person_or_entra_declined(scene: Scene) -> None:
    scene.mailboxes.signing.grants = Declined("consent_needed")
    before = await scene.bound()
    assert await scene.go() == "consent_needed"
    assert await scene.bound() == before


async def test_an_unreachable_entra_is_said_and_the_state_is_used_up(scene: Scene) -> None:
    begun = await scene.connecting.begin(Person())
    scene.mailboxes.signing.grants = RetryLater(Cause.ENTRA_UNREACHABLE)
    answer = {"state": begun.state, "code": "c"}
    with pytest.raises(RetryLater):
        await scene.connecting.finish(Person(), answer, begun.browser)
    assert await scene.connecting.finish(Person(), answer, begun.browser) == Outcome("state_used")


@pytest.mark.parametrize("trouble", ["replay", "tampered", "late", "another person", "another browser", "switched off"])
async def test_nothing_is_redeemed_for_a_state_that_leads_nowhere(scene: Scene, trouble: str) -> None:
    begun = await scene.connecting.begin(Person())
    answer, who, browser = {"state": begun.state, "code": "c"}, Person(), begun.browser
    expected = {"replay": "state_used", "tampered": "state_tampered", "late": "state_expired"}.get(
        trouble, "state_of_another"
    )
    if trouble == "replay":
        assert (await scene.connecting.finish(who, answer, browser)).code == "connected"
    elif trouble == "tampered":
        answer["state"] = answer["state"][:-2] + "xx"
    elif trouble == "late":
        scene.world.time += LIFE + timedelta(seconds=1)
    elif trouble == "another person":
        who = Person(oid=BRUNOS)
    elif trouble == "another browser":
        browser = (await scene.connecting.begin(Person())).browser
    else:
        await change_settings(scene.world.connector, {"sign_in_mode": "application"})
        expected = "not_delegated"
    before, redeemed = await scene.bound(), len(scene.mailboxes.signing.redeemed)
    assert (await scene.connecting.finish(who, answer, browser)).code == expected
    assert await scene.bound() == before
    assert len(scene.mailboxes.signing.redeemed) == redeemed + (expected == "not_delegated")


# who may connect whom


async def test_a_person_connects_the_own_user_only(scene: Scene) -> None:
    assert (await scene.connecting.own_user(Person())).id == ANNA
    with pytest.raises(NotFound):
        await scene.connecting.begin(Person(), BRUNO)
    for nobody in (
        Person(oid=STRANGER, names=("stranger@acme.example",)),
        Person(names=()),
        Person(tenant="22222222-2222-4333-8444-555555555555"),
        Person(tenant=""),
    ):
        with pytest.raises(NotFound):
            await scene.connecting.begin(nobody)


async def test_once_bound_the_address_makes_nobody_the_user(scene: Scene) -> None:
    await scene.go()
    with pytest.raises(NotFound):
        await scene.connecting.own_user(Person(oid=STRANGER))
    assert (await scene.connecting.own_user(Person(names=("new.name@acme.example",)))).id == ANNA


async def test_whom_an_admin_disabled_does_not_come_back_by_pressing_connect(scene: Scene) -> None:
    world = scene.world
    asked = await scene.connecting.begin(Person())
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    await commands.change_user(world.connector, ANNA, {"enabled": False})
    with pytest.raises(NotNow, match="user_barred"):
        await scene.connecting.begin(Person())
    outcome = await scene.connecting.finish(Person(), {"code": "c", "state": asked.state}, asked.browser)
    assert outcome.code == "user_barred"
    assert (await world.users.get(ANNA)).enabled is False  # type: ignore[union-attr]
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    assert (await scene.connecting.begin(Person())).url


async def test_an_admin_may_open_the_popup_of_anybody(scene: Scene) -> None:
    assert await scene.go(ADMIN, BRUNO, oid=BRUNOS) == "connected"
    with pytest.raises(NotFound):
        await scene.connecting.begin(ADMIN, "19x999")
    with pytest.raises(NotNow, match="user_inactive"):
        await scene.connecting.begin(ADMIN, "19x8")


async def test_what_must_be_set_first(scene: Scene) -> None:
    with pytest.raises(NotNow) as refused:
        await replace(scene.connecting, public_url="").begin(Person())
    assert refused.value.data == {"missing": "PUBLIC_URL"}
    await change_settings(scene.world.connector, {"sign_in_mode": "application"})
    with pytest.raises(NotNow, match="not_delegated"):
        await scene.connecting.begin(Person())


# the states of a mailbox


async def test_enabled_by_an_admin_but_never_signed_in_waits_and_runs_not(scene: Scene) -> None:
    await commands.change_user(scene.world.connector, ANNA, {"enabled": True})
    row = await scene.world.mailbox()
    assert (row.enabled, row.state, row.cause) == (True, "error", "not_connected")
    assert scene.world.queue.take() == []
    scene.world.pass_time(60)
    assert await scene.go() == "connected"
    row = await scene.world.mailbox()
    assert (row.state, row.cause, row.full) == ("ok", "", True)
    assert row.connected_at == scene.world.now().isoformat(timespec="seconds"), "connected when it can run"
    assert scene.world.queue.take() == [ANNAS]


async def test_a_reconnection_goes_on_from_where_it_was(scene: Scene) -> None:
    await scene.go()
    connected_at = (await scene.world.mailbox()).connected_at
    await scene.world.registry.change_mailbox(ANNAS, last_run="t", full=False, dirty=False)
    await scene.world.registry.change_mailbox(ANNAS, state="error", cause="reconnect", attempts=2)
    scene.world.queue.take()
    scene.world.pass_time(60)
    assert await scene.go(refresh_token="refresh-2") == "connected"
    row = await scene.world.mailbox()
    assert (row.state, row.cause, row.attempts, row.full, row.dirty) == ("ok", "", 0, False, True)
    assert row.connected_at == connected_at
    token = await scene.tokens.read(ANNAS)
    assert token is not None
    assert token.refresh_token == "refresh-2"
    assert scene.world.queue.take() == [ANNAS]


async def test_disconnecting_forgets_the_token_and_deletes_nothing(scene: Scene) -> None:
    await scene.go()
    after = await scene.connecting.disconnect(ANNA)
    assert (after.enabled, after.mailbox) == (False, ANNAS)
    assert await scene.tokens.read(ANNAS) is None
    assert not (await scene.world.mailbox()).enabled
    assert await scene.go(oid=BRUNOS) == "wrong_account", "the pairing stays"
    assert await scene.go(oid=ANNAS) == "connected"


async def test_switching_the_mode_lets_those_go_on_who_only_lacked_a_sign_in(scene: Scene) -> None:
    await commands.change_user(scene.world.connector, ANNA, {"enabled": True})
    await commands.change_user(scene.world.connector, BRUNO, {"enabled": True})
    await scene.world.registry.change_mailbox(BRUNOS, cause="folder_deleted")
    scene.world.queue.take()
    await change_settings(scene.world.connector, {"sign_in_mode": "application"})
    row, other = await scene.world.mailbox(), await scene.world.mailbox(BRUNOS)
    assert (row.state, row.cause, other.state, other.cause) == ("ok", "", "error", "folder_deleted")
    assert scene.world.queue.take() == [ANNAS]


async def test_restoring_the_state_does_not_bring_a_sign_in_back(scene: Scene) -> None:
    await scene.go()
    token = await scene.tokens.read(ANNAS)
    assert token is not None
    await scene.tokens.ended(token)
    await scene.world.registry.change_mailbox(ANNAS, state="error", cause="reconnect")
    await clear_errors(scene.world.connector)
    ended = await scene.tokens.read(ANNAS)
    assert ended is not None
    assert not ended.usable


async def test_who_connected_whom_is_in_the_audit(scene: Scene) -> None:
    await scene.go(ADMIN, BRUNO, oid=ANNAS)
    scene.world.pass_time(1)
    await scene.go()
    scene.world.pass_time(1)
    await consent(scene, error="access_denied")
    listed = await scene.world.connector.audit.listed("", 10)
    assert [(each.by, each.what, each.target, each.outcome) for each in listed] == [
        (ADMIN.oid, "consent", "", 409),
        (ANNAS, "connect", ANNA, 200),
        (ADMIN.oid, "connect", BRUNO, 409),
    ]


# the organisation's consent


async def consent(scene: Scene, who: Any = ADMIN, **answer: str) -> str:
    begun = await scene.connecting.begin_consent(who)
    given = {"state": begun.state, "tenant": TENANT, "admin_consent": "True", **answer}
    return (await scene.connecting.finish_consent(who, given, begun.browser)).code


async def test_consent_for_everybody_is_noted(scene: Scene) -> None:
    assert await consent(scene) == "consent_given"
    found = await read_consent(scene.world.rows)
    assert found is not None
    assert (found.how, found.tenant, found.by) == ("admin_consent", TENANT, "")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "access_denied", "admin_consent": ""}, "declined"),
        ({"admin_consent": "False"}, "declined"),
        ({"tenant": "22222222-2222-4333-8444-555555555555"}, "other_tenant"),
        ({"tenant": ""}, "other_tenant"),
        ({"state": ""}, "state_missing"),
    ],
)
async def test_consent_that_was_not_given_is_not_noted(scene: Scene, answer: dict[str, str], code: str) -> None:
    assert await consent(scene, **answer) == code
    assert await read_consent(scene.world.rows) is None


async def test_only_admins_ask_for_it_and_its_state_is_no_key_to_connecting(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.connecting.begin_consent(Person())
    begun = await scene.connecting.begin_consent(ADMIN)
    assert (await scene.connecting.finish(ADMIN, {"state": begun.state}, begun.browser)).code == "state_unknown"


# the allow-list of application mode


async def test_only_mailboxes_of_the_allow_list_are_enabled() -> None:
    world = World()
    saved = (await change_settings(world.connector, {"allow_list": ["anna@acme.example", ANNAS]})).settings
    assert saved.allow_list == (ANNAS,), "kept as object ids: addresses are not stored in clear"
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    with pytest.raises(NotNow, match="not_allowed"):
        await commands.change_user(world.connector, BRUNO, {"enabled": True})
    bruno = await world.users.get(BRUNO)
    assert bruno is not None
    assert not bruno.enabled


async def test_a_mailbox_taken_off_the_list_stops() -> None:
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    generation = (await world.board.read()).generation
    await change_settings(world.connector, {"allow_list": [BRUNOS]})
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.enabled, (await world.mailbox()).enabled, (await world.mailbox(BRUNOS)).enabled) == (
        False,
        False,
        True,
    )
    assert (await world.board.read()).generation > generation, "a run under way begins anew"
    await change_settings(world.connector, {"allow_list": []})
    assert not (await world.mailbox()).enabled, "enabled again by an admin, not by itself"


async def test_an_allow_list_names_mailboxes_that_exist_and_the_admins_one() -> None:
    world = World()
    with pytest.raises(ConfigMistake) as wrong:
        await change_settings(world.connector, {"allow_list": ["nobody@acme.example"]})
    assert wrong.value.field == "allow_list"
    target = {"contact_target": "admin", "admin_mailbox": "bruno@acme.example", "admin_user": BRUNO}
    with pytest.raises(ConfigMistake) as wrong:
        await change_settings(world.connector, {**target, "allow_list": [ANNAS]})
    assert wrong.value.field == "allow_list"
    world.servers.graph_fails = StopMailbox(Cause.ACCESS_DENIED)
    with pytest.raises(StopMailbox):
        await change_settings(world.connector, {"allow_list": [ANNAS]})


def many(first: int, number: int) -> dict[str, str]:
    """Address -> id of so many mailboxes."""
    ids = (f"{each:08d}-0000-4000-8000-000000000000" for each in range(first, first + number))
    return {f"user{id_[:8]}@acme.example": id_ for id_ in ids}


async def test_an_allow_list_of_ten_thousand_mailboxes_entered_a_thousand_at_a_time() -> None:
    world = World()
    everybody = many(0, 10_000)
    addresses, listed = list(everybody), tuple[str, ...]()
    with pytest.raises(ConfigMistake) as wrong:
        await change_settings(world.connector, {"allow_list": addresses[:1001]})
    assert (wrong.value.field, wrong.value.expected) == ("allow_list", "new_at_once")
    assert "save, then add the next ones" in expectation("new_at_once", "en", wrong.value.values)
    for start in range(0, 10_000, 1000):
        world.servers.mailboxes = many(start, 1000) | {ANNAS: ANNAS}
        more = [*listed, *addresses[start : start + 1000]]
        saved = await change_settings(world.connector, {"allow_list": more, "folder_name": "È 🚀"})
        listed = saved.settings.allow_list
    assert listed == tuple(everybody.values())
    assert await world.settings.read() == await world.settings.of_version(10)
    assert (await world.settings.of_version(9)).allow_list == listed[:9000]
    await change_settings(world.connector, {"allow_list": [ANNAS]})
    after = await world.settings.read()
    assert (after.allow_list, after.folder_name) == ((ANNAS,), "È 🚀"), "nothing is left of the longer one"
    assert (await world.settings.before())[0].settings.allow_list == listed


async def test_one_mailbox_among_many_that_is_unknown_changes_nothing() -> None:
    world = World()
    world.servers.mailboxes = {**world.servers.mailboxes, **many(0, 30)}
    with pytest.raises(ConfigMistake) as wrong:
        await change_settings(world.connector, {"allow_list": [*many(0, 15), "nobody@acme.example", *many(15, 15)]})
    assert (wrong.value.field, wrong.value.expected) == ("allow_list", "mailbox_of_tenant")
    assert (await world.settings.read()).allow_list == ()


async def test_delegated_mode_knows_no_allow_list(scene: Scene) -> None:
    await change_settings(scene.world.connector, {"allow_list": [BRUNOS]})
    assert await scene.go() == "connected"


async def test_an_undoing_goes_on_when_the_user_whom_an_admin_let_in_again_has_signed_in(scene: Scene) -> None:
    """In delegated mode the removal forgot the sign-in: neither undoing nor enabling opens the mailbox, connecting does."""
    world = scene.world
    await scene.go()
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")  # as its run leaves it
    await scene.tokens.drop(ANNAS)
    world.pass_time(5)
    await undo_removal(world.connector, ANNA)
    row = await world.mailbox()
    assert (row.clearing, row.enabled) == ("undo", False)
    with pytest.raises(NotNow, match="user_barred"):  # an admin removed the user
        await scene.go()
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    row = await world.mailbox()
    assert (row.clearing, row.enabled, row.state, row.cause) == ("undo", True, "error", "not_connected")
    world.queue.take()
    assert await scene.go() == "connected"
    row = await world.mailbox()
    assert (row.clearing, row.enabled, row.state, row.cause, row.dirty) == ("undo", True, "ok", "", True)
    assert world.queue.take() == [ANNAS]

"""The JSON side of users' own sign-in: what is known of the consent, and disconnecting - by an admin, or by the user alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import azure.functions as func
import pytest

from control.api import blueprint
from control.app import App
from control.auth import ROLE
from control.environment import read_environment
from sync import commands
from sync.connecting import Connecting
from sync.consent import note_consent
from sync.model import Family
from sync.settings import Settings, SignInMode
from sync.store.states import States
from sync.store.tokens import TokenStore
from tests.contract.api_world import Api
from tests.unit.control.test_environment import CRM, NEEDED
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, TENANT, World
from tests.unit.test_leaving import CARDS, link


@pytest.fixture
async def api() -> Api:
    """Anna and Bruno are connected with their own tokens."""
    api = Api(World())
    world = api.world
    await world.settings.save(Settings(sign_in_mode=SignInMode.DELEGATED), None)
    tokens = TokenStore(world.rows, world.keys)
    for user, mailbox in ((ANNA, ANNAS), (BRUNO, BRUNOS)):
        await tokens.save(mailbox, TENANT, ("User.Read",), "refresh", world.now())
        await commands.change_user(world.connector, user, {"enabled": True})
    return api


async def as_person(world: World, name: str, oid: str, id_: str, *, admin: bool = False) -> tuple[int, Any]:
    """One call by somebody whom the platform signed in."""
    platform = {"WEBSITE_INSTANCE_ID": "i", "WEBSITE_AUTH_ENABLED": "true"}
    environment = read_environment({**NEEDED, **CRM, **platform})
    tokens, states = TokenStore(world.rows, world.keys), States(world.rows, world.keys)
    connecting = Connecting(world.connector, tokens, states, None, "")  # type: ignore[arg-type]
    app = App(environment, world.connector, None, None, connecting, None, None)  # type: ignore[arg-type]
    functions = func.FunctionApp()
    functions.register_functions(blueprint(environment, lambda: app, world.new_id))
    named = {each.get_function_name(): each.get_user_function() for each in functions.get_functions()}
    claims = [{"typ": "oid", "val": oid}, {"typ": "tid", "val": TENANT}]
    claims += [{"typ": "roles", "val": ROLE}] if admin else []
    header = base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
    headers = {"X-MS-CLIENT-PRINCIPAL": header, "Content-Type": "application/json"}
    answer = await named[name](
        func.HttpRequest("POST", "/api/x", headers=headers, route_params={"id": id_}, body=b"{}")
    )
    return answer.status_code, json.loads(answer.get_body())


async def test_the_consent_as_it_was_last_seen(api: Api) -> None:
    nothing = {"sign_in_mode": "delegated", "at": "", "by": "", "how": ""}
    assert await api.ask("consent") == (200, nothing)
    await note_consent(api.world.rows, TENANT, BRUNOS, "popup", api.world.now())
    status, shown = await api.ask("consent")
    assert (status, shown["by"], shown["how"]) == (200, BRUNOS, "popup")


async def test_an_admin_disconnects_anybody(api: Api) -> None:
    status, user = await api.ask("user_disconnect", {}, id=ANNA)
    assert (status, user["enabled"], user["state"], user["mailbox"]) == (200, False, "disabled", ANNAS)
    tokens = TokenStore(api.world.rows, api.world.keys)
    assert await tokens.read(ANNAS) is None
    assert await tokens.read(BRUNOS) is not None
    assert (await api.ask("user_disconnect", {}, id="19x999"))[0] == 404
    assert (await api.ask("user_disconnect", {"x": 1}, id=BRUNO))[0] == 400


async def test_a_person_disconnects_the_own_user_and_nobody_else(api: Api) -> None:
    status, problem = await as_person(api.world, "user_disconnect", ANNAS, BRUNO)
    assert (status, problem["code"]) == (404, "not_found")
    assert (await api.world.mailbox(BRUNOS)).enabled
    assert (await as_person(api.world, "user_disconnect", ANNAS, ANNA))[0] == 200
    assert not (await api.world.mailbox()).enabled
    assert (await as_person(api.world, "user_disconnect", "somebody", ANNA))[0] == 404
    assert (await as_person(api.world, "user_disconnect", "somebody", BRUNO, admin=True))[0] == 200


async def test_the_status_says_whose_sign_in_is_missing(api: Api) -> None:
    status, shown = await api.ask("status")
    assert (status, shown["reconnect"], shown["reconnect_warning"]) == (200, [], "")
    await api.world.registry.change_mailbox(ANNAS, state="error", cause="reconnect")
    await api.world.registry.change_mailbox(BRUNOS, state="error", cause="folder_deleted")
    _, shown = await api.ask("status", lang="it")
    assert shown["reconnect"] == [ANNAS]
    assert "Connect" in shown["reconnect_warning"]
    assert (shown["reconnect_count"], shown["trouble"], shown["mailboxes"]["error"]) == (1, [ANNAS, BRUNOS], 2)
    _, annas = await api.ask("mailbox", lang="it", id=ANNAS)
    assert annas["mend"] == {"command": "connect", "label": "Connect"}


async def test_whom_an_admin_disconnects_needs_an_admin_to_come_back_and_who_does_it_alone_does_not(api: Api) -> None:
    for user, oid, admin in ((ANNA, "somebody", True), (BRUNO, BRUNOS, False)):
        assert (await as_person(api.world, "user_disconnect", oid, user, admin=admin))[0] == 200
        found = await api.world.users.get(user)
        assert found is not None
        assert (found.enabled, found.barred) == (False, admin)
    status, user = await api.ask("user_put", {"enabled": True}, id=ANNA)
    assert (status, user["enabled"]) == (200, True)
    assert not (await api.world.users.get(ANNA)).barred  # type: ignore[union-attr]


async def test_an_admin_who_disconnects_the_own_user_is_not_barred(api: Api) -> None:
    assert (await as_person(api.world, "user_disconnect", ANNAS, ANNA, admin=True))[0] == 200
    assert not (await api.world.users.get(ANNA)).barred  # type: ignore[union-attr]


async def test_the_mailbox_of_everybody_is_an_admins_to_disconnect(api: Api) -> None:
    body = {"contact_target": "admin", "admin_mailbox": ANNAS, "admin_user": ANNA}
    assert (await api.ask("settings_put", body))[0] == 200
    status, problem = await as_person(api.world, "user_disconnect", ANNAS, ANNA)
    assert (status, problem["code"]) == (409, "shared_mailbox")
    assert (await api.world.users.get(ANNA)).enabled  # type: ignore[union-attr]
    assert (await api.ask("user_parting", id=ANNA))[1]["shared"] is True
    assert (await api.ask("user_parting", id=BRUNO))[1]["shared"] is False
    assert (await as_person(api.world, "user_disconnect", BRUNOS, BRUNO))[0] == 200
    assert (await as_person(api.world, "user_disconnect", ANNAS, ANNA, admin=True))[0] == 200


async def test_what_disconnecting_leaves_is_shown_before(api: Api) -> None:
    await link(api.world, Family.PEOPLE, CARDS[0])
    status, shown = await api.ask("user_parting", id=ANNA)
    expected = {"contacts": 1, "companies": 0, "events": 0, "tasks": 0, "pending": 0, "holds": 0, "shared": False}
    assert (status, shown) == (200, expected)
    assert await as_person(api.world, "me_parting", ANNAS, "") == (200, expected)
    assert (await as_person(api.world, "me_parting", BRUNOS, ""))[1]["contacts"] == 0
    assert (await as_person(api.world, "me_parting", "somebody", ""))[0] == 404
    assert (await as_person(api.world, "user_parting", BRUNOS, ANNA))[0] == 403
    await as_person(api.world, "user_disconnect", ANNAS, ANNA)
    assert (await api.ask("user_parting", id=ANNA))[1] == expected, "and so it is"

"""What a user who is no admin reaches: the own user and preferences, nothing of anybody else's (SPEC 7.3), by the platform's sign-in."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from control.api import ENDPOINTS
from control.endpoint import Guard
from control.texts import sentence
from sync.model import Family
from tests.contract.api_world import Api
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, TENANT, World
from tests.unit.test_leaving import CARDS, link

AZURE = {"WEBSITE_SITE_NAME": "app", "WEBSITE_AUTH_ENABLED": "true", "ADMIN_TOKEN": ""}


OTHER = "0000000d-0000-4000-8000-000000000000"


def signed_in(
    oid: str, address: str = "", *, tenant: str = TENANT, admin: bool = False, idp: str = ""
) -> dict[str, str]:
    """The headers that the platform adds. `idp`: who signed the account in, where the token says so."""
    claims = [{"typ": "oid", "val": oid}, {"typ": "tid", "val": tenant}]
    claims += [{"typ": "preferred_username", "val": address}] if address else []
    claims += [{"typ": "roles", "val": "Connector.Admin"}] if admin else []
    claims += [{"typ": "idp", "val": idp}] if idp else []
    principal = {"auth_typ": "aad", "claims": claims, "role_typ": "roles"}
    header = base64.b64encode(json.dumps(principal).encode()).decode()
    return {"X-MS-CLIENT-PRINCIPAL": header, "Content-Type": "application/json"}


@pytest.fixture
async def api() -> Api:
    api = Api(World(), **AZURE)
    await api.raw("users", signed_in("an-admin", admin=True))
    for user in (ANNA, BRUNO):
        await api.raw("user_put", signed_in("an-admin", admin=True), b'{"enabled": true}', route={"id": user})
    return api


async def _asked(api: Api, name: str, headers: dict[str, str], body: Any = None, **route: str) -> tuple[int, Any]:
    answer = await api.raw(name, headers, json.dumps(body or {}).encode(), route=route)
    return answer.status_code, json.loads(answer.get_body())


async def test_a_user_sees_the_own_page_and_nobody_elses(api: Api) -> None:
    status, me = await _asked(api, "me", signed_in(ANNAS))
    assert (status, me["user"]["id"], me["user"]["mailbox"], me["user"]["enabled"]) == (200, ANNA, ANNAS, True)
    assert "bruno" not in json.dumps(me).lower()
    assert (await _asked(api, "me", signed_in(BRUNOS)))[1]["user"]["id"] == BRUNO
    nobody, foreign = signed_in("0000000c-0000-4000-8000-000000000000"), signed_in(ANNAS, tenant="another-tenant")
    for stranger, refused in ((nobody, 404), (foreign, 403)):
        assert (await _asked(api, "me", stranger))[0] == refused
        assert (await _asked(api, "me_put", stranger, {"private_events": "none"}))[0] == refused


async def test_a_guest_is_nobodys_user_by_the_address(api: Api) -> None:
    """A guest's address is what another organisation says of it: it may be that of a colleague who has not connected yet."""
    admin = signed_in("an-admin", admin=True)
    assert (await _asked(api, "user_put", admin, {"enabled": False, "mailbox": ""}, id=ANNA))[0] == 200
    member = signed_in(OTHER, "anna@acme.example")
    guest = signed_in(OTHER, "anna@acme.example", idp="https://sts.windows.net/99999999-2222-4333-8444-555555555555/")
    assert (await _asked(api, "me", member))[1]["user"]["id"] == ANNA
    for name, body in (("me", {}), ("me_put", {"private_events": "none"}), ("my_exports", {}), ("me_parting", {})):
        assert (await _asked(api, name, guest, body))[0] == 404
    assert (await _asked(api, "user_disconnect", guest, {}, id=ANNA))[0] == 404
    await api.world.users.change(ANNA, mailbox=OTHER)
    assert (await _asked(api, "me", guest))[1]["user"]["id"] == ANNA, "paired with the object id, which admins do"


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.guard is Guard.ADMIN], ids=lambda each: each.name
)
async def test_nothing_else_is_open_to_a_user(api: Api, endpoint: Any) -> None:
    before = api.world.rows.everything()
    status, problem = await _asked(api, endpoint.name, signed_in(ANNAS), id=BRUNO)
    assert (status, problem["code"]) == (403, "not_admin")
    assert api.world.rows.everything() == before


async def test_preferences_are_the_users_own_but_who_is_enabled_is_not(api: Api) -> None:
    status, me = await _asked(api, "me_put", signed_in(ANNAS), {"private_events": "none"})
    assert (status, me["user"]["private_events"]) == (200, "none")
    assert (await api.world.users.get(BRUNO)).private_events == ""  # type: ignore[union-attr]
    for more in ({"enabled": False}, {"mailbox": "bruno@acme.example"}, {"resource": True}, {"id": BRUNO}):
        status, problem = await _asked(api, "me_put", signed_in(ANNAS), more)
        assert (status, problem["code"]) == (400, "bad_value")
    status, problem = await _asked(api, "me_put", signed_in(ANNAS), {"sync_start": "2026-01-01"})
    assert (status, problem["code"]) == (409, "start_frozen")
    notes = await api.world.connector.audit.listed("", 10)
    assert {(each.by, each.what) for each in notes} >= {(ANNAS, "me_put")}


async def test_how_the_own_mailbox_stands_what_travels_and_what_can_still_be_chosen(api: Api) -> None:
    body = {"kinds": {"task": {"to_crm": False}}, "sync_start": "2020-05-01", "private_events": "none"}
    await api.raw("settings_put", signed_in("an-admin", admin=True), json.dumps(body).encode())
    await api.world.registry.change_mailbox(ANNAS, counts="crm_new=3", last_run="2026-03-02T08:00:00+00:00")
    _, me = await _asked(api, "me", signed_in(ANNAS))
    assert (me["state"], me["mend"]["command"], bool(me["sentence"])) == ("ok", "none", True)
    assert me["connected_at"] == api.world.now().isoformat(timespec="seconds")
    assert me["last_counts"] == {"crm_new": 3}
    assert set(me["count_sentences"]) == {"crm_new"}
    assert set(me["kinds"]) == {"contact", "company", "event", "task"}
    assert me["kinds"]["task"] == {"to_crm": False, "to_mailbox": True}
    assert me["defaults"] == {"sync_start": "2020-05-01", "folder": "vtenext", "private_events": "none"}
    assert (me["start_frozen"], me["folder_frozen"], me["contacts_elsewhere"]) == (True, False, False)
    await link(api.world, Family.PEOPLE, *CARDS)
    assert (await _asked(api, "me", signed_in(ANNAS)))[1]["folder_frozen"] is True
    status, problem = await _asked(api, "me_put", signed_in(ANNAS), {"folder": "other"})
    assert (status, problem["code"]) == (409, "folder_frozen"), "as was said"


async def test_where_everybodys_contacts_go_elsewhere_the_own_page_says_so(api: Api) -> None:
    body = {"contact_target": "admin", "admin_mailbox": ANNAS, "admin_user": ANNA, "use_default_folder": True}
    await api.raw("settings_put", signed_in("an-admin", admin=True), json.dumps(body).encode())
    annas, brunos = [(await _asked(api, "me", signed_in(oid)))[1] for oid in (ANNAS, BRUNOS)]
    assert (annas["contacts_elsewhere"], brunos["contacts_elsewhere"]) == (False, True)
    assert (brunos["defaults"]["folder"], brunos["kinds"]["contact"]["to_crm"]) == ("", False)


@pytest.mark.parametrize(
    ("changes", "row", "code", "mend"),
    [
        ({"enabled": False}, {}, "cause/not_connected", "connect"),
        ({"enabled": False, "barred": True}, {}, "error/user_barred", "none"),
        ({}, {"state": "error", "cause": "reconnect"}, "cause/reconnect", "connect"),
        ({}, {"state": "error", "cause": "folder_deleted"}, "cause/folder_deleted", "none"),
        ({}, {"cause": "graph_unreachable"}, "cause/graph_unreachable", "none"),
        (
            {"enabled": False, "barred": True},
            {"enabled": False, "state": "removed", "left_at": "9"},
            "state/removed",
            "none",
        ),
    ],
)
async def test_one_sentence_and_the_button_that_is_the_users_own(
    api: Api, changes: dict[str, Any], row: dict[str, Any], code: str, mend: str
) -> None:
    await api.raw("settings_put", signed_in("an-admin", admin=True), b'{"sign_in_mode": "delegated"}')
    await api.world.users.change(ANNA, **changes)
    await api.world.registry.change_mailbox(ANNAS, **{"state": "ok", "cause": "", **row})
    _, me = await _asked(api, "me", signed_in(ANNAS))
    section, _, key = code.partition("/")
    assert (me["sentence"], me["mend"]["command"]) == (sentence(section, key, "en"), mend)


async def test_where_the_application_signs_in_nobody_is_told_to_connect(api: Api) -> None:
    await api.world.users.change(ANNA, enabled=False)
    _, me = await _asked(api, "me", signed_in(ANNAS))
    assert (me["state"], me["sentence"], me["mend"]["command"]) == (
        "disabled",
        sentence("state", "disabled", "en"),
        "none",
    )

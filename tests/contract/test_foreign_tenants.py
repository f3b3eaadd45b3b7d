"""A sign-in of the platform that lets several tenants in: another tenant's admins and users reach nothing, over any route (SPEC 7.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control.api import ENDPOINTS
from sync.settings import Settings
from sync.settings_store import Defaults
from tests.contract.api_world import Api
from tests.contract.oauth_world import Account, town
from tests.contract.test_own_page import AZURE, signed_in
from tests.unit.control.world import ANNAS, CONFIGURED, TENANT, World

ELSEWHERE = "99999999-2222-4333-8444-555555555555"


async def asked(api: Api, name: str, headers: dict[str, str], body: Any = None) -> tuple[int, str]:
    answer = await api.raw(name, headers, json.dumps(body or {}).encode())
    return answer.status_code, json.loads(answer.get_body()).get("code", "")


def admin(tenant: str) -> dict[str, str]:
    return signed_in("an-admin", tenant=tenant, admin=True)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
async def test_another_tenants_admin_reaches_nothing(endpoint: Any) -> None:
    api = Api(World(), **AZURE, TENANT_ID=TENANT)
    before = api.world.rows.everything()
    assert await asked(api, endpoint.name, admin(ELSEWHERE)) == (403, "foreign_tenant")
    assert await asked(api, endpoint.name, admin("")) == (403, "foreign_tenant")
    assert api.world.rows.everything() == before


async def test_the_saved_tenant_and_the_environments_both_count() -> None:
    world = World()
    api = Api(world, **AZURE, TENANT_ID=TENANT)
    await world.settings.save(Settings(tenant_id=ELSEWHERE), None)
    assert (await asked(api, "status", admin(ELSEWHERE)))[0] == 200
    assert (await asked(api, "status", admin(TENANT)))[0] == 200, "nobody locks the deployment's own admins out"
    assert (await asked(api, "status", admin("88888888-2222-4333-8444-555555555555")))[0] == 403


async def test_the_first_set_up_is_possible_for_whom_the_platform_lets_in() -> None:
    world = World(Defaults())
    api = Api(world, **AZURE)
    assert (await asked(api, "settings_put", admin(TENANT), {"tenant_id": TENANT}))[0] == 200
    assert await asked(api, "settings_put", admin(ELSEWHERE), {"tenant_id": ELSEWHERE}) == (403, "foreign_tenant")
    assert (await asked(api, "status", admin(TENANT.upper())))[0] == 200


async def test_a_tenant_named_by_a_domain_leaves_it_to_the_platform() -> None:
    world = World(Defaults("acme.example", CONFIGURED.client_id, CONFIGURED.client_secret))
    api = Api(world, **AZURE, TENANT_ID="acme.example")
    assert (await asked(api, "status", admin(TENANT)))[0] == 200


async def test_the_popup_is_closed_to_another_tenant_too() -> None:
    with town() as make:
        place = make(True)
        await place.set_up()
        browser = place.browser(Account(ANNAS, "anna@acme.example"), admin=True)
        ours = browser.http.headers["X-MS-CLIENT-PRINCIPAL"]
        browser.http.headers["X-MS-CLIENT-PRINCIPAL"] = admin(ELSEWHERE)["X-MS-CLIENT-PRINCIPAL"]
        for name in ("oauth_connect", "oauth_consent", "oauth_callback"):
            answer = await browser.ask(name)
            assert answer.status_code == 403
            assert 'data-code="foreign_tenant"' in answer.text
        browser.http.headers["X-MS-CLIENT-PRINCIPAL"] = ours
        assert (await browser.ask("oauth_connect")).status_code == 302

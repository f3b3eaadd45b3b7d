"""Every HTTP function of the app as Azure would list them: nobody gets in without signing in, whatever its module forgot (SPEC 7.3)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.api import ENDPOINTS
from control.oauth import ROUTES
from control.openapi import document
from control.panel.site import PAGES
from tests.unit.control.test_environment import CRM, NEEDED

ROOT = Path(__file__).resolve().parents[2]
RETURNING = {"oauth_callback", "oauth_consent_callback"}
"""Elsewhere than on Azure the browser that comes back from Microsoft has no header: its state and cookie tell who it is (control/oauth.py)."""
OPEN = {
    "panel_asset": ["GET", "panel/static/{name}"],
    "panel_sign_in_get": ["GET", "panel/sign-in"],
    "panel_sign_in_post": ["POST", "panel/sign-in"],
}
"""Stylesheet and script, and the way in: tests/contract/test_panel_shell.py says what strangers get there."""
TOLD = {"notifications": ["POST", "notifications"], "nudge": ["POST", "nudge"]}
"""What the servers tell (control/notifications.py): `{}` is no delivery, and without NUDGE_KEY there are no nudges."""
POPUP = {
    "oauth_connect",
    "oauth_connect_post",
    "oauth_callback",
    "oauth_consent",
    "oauth_consent_post",
    "oauth_consent_callback",
}
"""What a browser is led through (docs/decisions.md, Control): no API."""
ASK = """
import asyncio, json, sys
import azure.functions as func
import function_app

def request(method, headers):
    headers = {"content-type": "application/json", "if-match": "*", **headers}
    return func.HttpRequest(method, "/api/x", headers=headers, params={}, route_params={"id": "1x1"}, body=b"{}")

forged = {"X-MS-CLIENT-PRINCIPAL": "e30=", "Authorization": "Bearer x", "X-MS-CLIENT-PRINCIPAL-ID": "1"}
found = {}
for each in function_app.app.get_functions():
    trigger = each.get_trigger()
    if trigger.type != "httpTrigger":
        continue
    method = getattr(trigger.methods[0], "value", trigger.methods[0])
    answers = [asyncio.run(each.get_user_function()(request(method, h))).status_code for h in ({}, forged)]
    found[each.get_function_name()] = [method, trigger.route, answers]
print(json.dumps(found))
"""


@pytest.mark.parametrize("azure", [False, True])
def test_no_route_lets_a_stranger_in(azure: bool) -> None:
    settings = {**NEEDED, **CRM, **({"WEBSITE_SITE_NAME": "app"} if azure else {"ADMIN_TOKEN": "t" * 40})}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env={**kept, **settings}, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    named = {each.name: [each.method, each.route] for each in ENDPOINTS}
    named |= {name: [method, route] for name, method, route, _ in ROUTES}
    named |= {page.name: [page.method, page.route] for page in PAGES} | OPEN | TOLD
    assert {name: about[:2] for name, about in found.items()} == named
    pages = {page.name for page in PAGES}
    paths = document(ENDPOINTS)["paths"].values()
    described = {operation["operationId"] for methods in paths for operation in methods.values()}
    assert found.keys() - described == pages | POPUP | OPEN.keys() | TOLD.keys(), (
        "left out of openapi.json: these, and nothing else"
    )
    assert all(set(found[name][2]) <= {302, 403} for name in pages), "to where one signs in"
    assert [set(found[name][2]) for name in TOLD] == [{400}, {404}]
    open_ones = {
        name for name in found.keys() - pages - OPEN.keys() - TOLD.keys() if not set(found[name][2]) <= {401, 403}
    }
    assert open_ones == (set() if azure else RETURNING)
    for name in open_ones:
        assert set(found[name][2]) == {400}, "without a state of ours it leads nowhere"

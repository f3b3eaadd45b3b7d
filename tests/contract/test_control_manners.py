"""Manners of the control API: versions and lost updates, pages, audit, the date of the secret, trying settings before they are saved."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from sync.errors import Cause, StopConnector
from sync.model import Kind, Reason, Side
from sync.store.asking import HoldRow
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import ANNA, ANNAS, CLIENT, World


@pytest.fixture
def api() -> Api:
    return Api(World())


async def _put(api: Api, match: str, **change: Any) -> tuple[int, dict[str, Any], str]:
    answer = await api.raw("settings_put", {**HEADERS, "If-Match": match}, json.dumps(change).encode())
    return answer.status_code, json.loads(answer.get_body()), answer.headers.get("ETag", "")


async def test_a_lost_update_of_the_settings_is_refused(api: Api) -> None:
    read = await api.raw("settings", HEADERS)
    etag = read.headers["ETag"]
    status, _, after = await _put(api, etag, folder_name="CRM")
    assert (status, etag, after) == (200, '"0"', '"1"')
    status, problem, _ = await _put(api, etag, folder_name="Clienti", client_secret="another~one")
    assert (status, problem["code"]) == (412, "changed_meanwhile")
    _, shown = await api.ask("settings")
    assert (shown["folder_name"], shown["saved_version"], shown["saved_by"]) == ("CRM", 1, "token")
    assert (await api.world.settings.sign_in()).client_secret == "s3cret~value"
    status, _, after = await _put(api, f"W/{after}", folder_name="Clienti")
    assert (status, after) == (200, '"2"')
    for wrong in ("", "abc", '"-1"'):
        assert (await _put(api, wrong, folder_name="X"))[0] == (428 if not wrong else 400)


async def test_earlier_versions_can_be_read_and_never_hold_the_secret(api: Api) -> None:
    for name in ("A", "B", "C"):
        await _put(api, "*", folder_name=name, client_secret=f"s~{name}")
        api.world.pass_time(1)
    status, listed = await api.ask("settings_versions")
    assert [v["settings"]["folder_name"] for v in listed["versions"]] == ["B", "A"]
    assert [v["by"] for v in listed["versions"]] == ["token", "token"]
    assert status == 200
    assert "s~" not in json.dumps(listed)


async def test_settings_are_tried_before_they_are_saved(api: Api) -> None:
    other = CLIENT.replace("2", "3")
    status, tried = await api.ask("settings_try", {"client_id": other, "server_name": "outlook.office365.us"})
    assert (status, tried["ok"], [check["what"] for check in tried["checks"]]) == (200, True, ["crm", "mailboxes"])
    assert api.world.servers.asked == ["check crm", f"try {other} outlook.office365.us"]
    api.world.servers.graph_fails = StopConnector(Cause.SECRET_WRONG)
    status, tried = await api.ask("settings_try", {"client_secret": "wrong~one"})
    assert (status, tried["ok"], tried["checks"][1]["cause"]) == (200, False, "secret_wrong")
    assert (await api.ask("settings"))[1]["client_id"] == CLIENT
    status, refused = await api.ask("settings_try", {"client_secret": CLIENT})
    assert (status, refused["field"]) == (400, "client_secret")


async def test_exchange_on_premises_is_refused_with_the_reason(api: Api) -> None:
    status, problem, _ = await _put(api, "*", version="2016")
    assert (status, problem["field"], "EWS" in problem["reason"]) == (400, "version", True)
    assert (await _put(api, "*", version="Office365"))[0] == 200


@pytest.mark.parametrize(("days", "warns"), [(400, False), (31, False), (30, True), (0, True), (-1, True)])
async def test_the_end_of_the_secret_is_counted_down(api: Api, days: int, warns: bool) -> None:
    day = (api.world.now() + timedelta(days=days)).date().isoformat()
    await _put(api, "*", client_secret_expires=day)
    _, status = await api.ask("status", lang="it")
    assert (status["secret_days_left"], bool(status["secret_warning"])) == (days, warns)
    await _put(api, "*", client_secret="a~new-one")
    assert (await api.ask("status"))[1]["secret_days_left"] is None


async def test_every_command_is_noted_with_how_it_ended(api: Api) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    api.world.pass_time(1)
    await api.ask("control_kill")
    api.world.pass_time(1)
    await api.ask("control_run")
    await api.ask("status")
    _, listed = await api.ask("audit")
    assert [(n["by"], n["what"], n["target"], n["outcome"]) for n in listed["audit"]] == [
        ("token", "control_run", "", 409),
        ("token", "control_kill", "", 200),
        ("token", "user_put", ANNA, 200),
    ]
    assert "acme" not in json.dumps(listed)
    api.world.pass_time(60 * 24 * 401)
    await api.ask("control_restore_attempts")
    _, listed = await api.ask("audit")
    assert [n["what"] for n in listed["audit"]] == ["control_restore_attempts"]


async def test_lists_come_in_pages(api: Api) -> None:
    for number in range(7):
        row = HoldRow(f"h{number}", ANNAS, Kind.CONTACT, Side.CRM, Reason.DELETE_BRAKE, "t")
        await api.world.registry.put_hold(row)
    seen: list[str] = []
    after, pages = "", 0
    while True:
        answer = await api.raw("holds", HEADERS, params={"limit": "3", "after": after})
        body = json.loads(answer.get_body())
        seen += [hold["id"] for hold in body["holds"]]
        pages, after = pages + 1, body["next"]
        if not after:
            break
    assert (seen, pages) == ([f"h{number}" for number in range(7)], 3)
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"limt": "3"}):
        assert (await api.raw("holds", HEADERS, params=wrong)).status_code == 400
    assert (await api.raw("status", HEADERS, params={"limit": "3"})).status_code == 400

"""The HTTP functions as Azure calls them: guard, shapes of answers, refusals, and nothing of an exception's text outside."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from control.api import ENDPOINTS
from control.endpoints.groups import GroupShown
from control.endpoints.users import UserShown
from control.texts import table
from sync.errors import Cause, RetryLater, StopConnector
from sync.model import Kind, Reason, Side
from sync.settings import MailSettings, Settings
from sync.store.asking import HoldRow
from sync.store.base import StoreUnreachable
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import ANNA, ANNAS, World


@pytest.fixture
def api() -> Api:
    return Api(World())


@pytest.mark.parametrize("name", [each.name for each in ENDPOINTS])
async def test_every_endpoint_is_guarded(api: Api, name: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-MS-CLIENT-PRINCIPAL": "e30="}):
        answer = await api.raw(name, {**headers, "Content-Type": "application/json"}, b"{}")
        assert answer.status_code == 401
        assert json.loads(answer.get_body())["code"] == "sign_in_first"
    assert not api.world.rows.everything()


@pytest.mark.parametrize("name", [each.name for each in ENDPOINTS if each.changes])
async def test_what_changes_something_comes_as_json(api: Api, name: str) -> None:
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await api.raw(name, {**HEADERS, "Content-Type": kind}, b"{}", route={"id": ANNA})
        assert answer.status_code == 415
    for body in (b"[]", b"{", b'"x"', b"[" * 100_000):
        answer = await api.raw(name, HEADERS, body, route={"id": ANNA})
        assert (answer.status_code, json.loads(answer.get_body())["code"]) == (400, "bad_json")
    assert not api.world.rows.everything()


async def test_an_admins_day(api: Api) -> None:
    status, listed = await api.ask("users")
    anna = next(user for user in listed["users"] if user["id"] == ANNA)
    assert (status, anna["suggested"], anna["state"]) == (200, "anna@acme.example", "disabled")
    status, anna = await api.ask("user_put", {"enabled": True}, id=ANNA)
    assert (status, anna["mailbox"], anna["enabled"], anna["state"]) == (200, ANNAS, True, "ok")
    assert await api.ask("user", id=ANNA) == (200, anna)
    assert await api.ask("control_run") == (202, {"mailboxes": 1})
    status, killed = await api.ask("control_kill", {})
    assert (status, killed["state"], killed["mend"]["command"]) == (200, "killed", "restore-state")
    status, refused = await api.ask("control_run", lang="it")
    assert (status, refused["code"], refused["state"]) == (409, "not_running", "killed")
    assert refused["title"] == table()["error"]["not_running"]["it"]
    status, restored = await api.ask("control_restore_state")
    assert (status, restored["ok"], [check["ok"] for check in restored["checks"]]) == (200, True, [True, True])
    assert (await api.ask("control_restore_attempts"))[1]["state"] == "running"
    assert api.world.queue.take() == [ANNAS, "", ANNAS, ANNAS]


async def test_status_names_the_trouble_and_its_remedy_in_both_languages(api: Api) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    await api.world.registry.change_mailbox(ANNAS, state="error", cause="folder_deleted")
    await api.world.board.enter("error", api.world.now(), "secret_expired", "x")
    for lang in ("it", "en"):
        status, shown = await api.ask("status", lang=lang)
        assert (status, shown["state"], shown["cause"]) == (200, "error", "secret_expired")
        assert shown["why"] == table()["cause"]["secret_expired"][lang]
        assert shown["mend"] == {"command": "restore-state", "label": table()["command"]["restore-state"][lang]}
        assert (shown["trouble"], shown["trouble_count"], shown["mailboxes_total"]) == ([ANNAS], 1, 1)
        _, listed = await api.ask("mailboxes", lang=lang)
        (mailbox,) = listed["mailboxes"]
        assert (await api.ask("mailbox", lang=lang, id=ANNAS)) == (200, mailbox)
        assert (mailbox["mailbox"], mailbox["user"], mailbox["state"]) == (ANNAS, ANNA, "error")
        assert mailbox["sentence"] == table()["cause"]["folder_deleted"][lang]
        assert "acme.example" not in json.dumps((shown, listed))


async def test_status_shows_each_server_in_trouble_and_who_restored_last(api: Api) -> None:
    now = api.world.now()
    _, shown = await api.ask("status")
    assert (shown["servers"], shown["restored_by"], shown["restored_at"]) == ([], "", "")
    await api.world.board.failed("entra_unreachable", now)
    await api.world.board.pause("crm_unreachable", (now + timedelta(seconds=90)).isoformat())
    for lang in ("it", "en"):
        _, shown = await api.ask("status", lang=lang)
        assert shown["servers"] == [
            {
                "server": name,
                "attempts": attempts,
                "due_at": (now + timedelta(seconds=wait)).isoformat(),
                "cause": f"{name}_unreachable",
                "why": table()["cause"][f"{name}_unreachable"][lang],
            }
            for name, attempts, wait in (("crm", 0, 90), ("entra", 1, 60))
        ]
        assert (shown["state"], shown["attempts"], shown["cause"]) == ("running", 1, "entra_unreachable")
    api.world.pass_time(1)
    assert (await api.ask("control_restore_attempts"))[0] == 200
    _, shown = await api.ask("status")
    at = api.world.now().isoformat(timespec="seconds")
    assert (shown["servers"], shown["attempts"], shown["cause"]) == ([], 0, "")
    assert (shown["restored_by"], shown["restored_at"]) == ("token", at)


async def test_restoring_with_a_broken_connection_says_which_and_why(api: Api) -> None:
    await api.ask("control_kill")
    api.world.servers.graph_fails = StopConnector(Cause.SECRET_EXPIRED)
    status, answer = await api.ask("control_restore_state")
    assert (status, answer["code"], answer["state"], answer["ok"]) == (409, "check_failed", "killed", False)
    assert answer["checks"][1] == {
        "what": "mailboxes",
        "ok": False,
        "cause": "secret_expired",
        "why": table()["cause"]["secret_expired"]["en"],
    }


async def test_settings_are_saved_and_the_secret_is_never_shown(api: Api) -> None:
    status, before = await api.ask("settings")
    assert (status, before["active"], before["folder_name"], before["client_secret_set"]) == (
        200,
        True,
        "vtenext",
        True,
    )
    change = {"client_secret": "new~secret", "kinds": {"company": {"to_mailbox": False}}, "folder_name": "CRM"}
    status, after = await api.ask("settings_put", change)
    assert (status, after["kinds"]["company"]["to_mailbox"], after["folder_name"]) == (200, False, "CRM")
    assert after["kinds"]["contact"] == before["kinds"]["contact"]
    assert "new~secret" not in json.dumps(after)
    status, wrong = await api.ask("settings_put", {"kinds": {"contact": {"winner": "s3cr3t-value"}}})
    assert (status, wrong["code"], wrong["field"]) == (400, "bad_value", "kinds.contact.winner")
    assert "'latest'" in wrong["reason"]
    assert "s3cr3t" not in json.dumps(wrong)


async def test_groups_and_resources(api: Api) -> None:
    await api.ask("users")
    status, group = await api.ask("group", id="22x3")
    assert (status, group["name"], group["set"]) == (200, "Vendite", False)
    assert (await api.ask("groups"))[1]["groups"] == []
    status, group = await api.ask("group_put", {"members": [ANNA], "organizer": ANNA}, id="22x3")
    expected = {"id": "22x3", "name": "Vendite", "members": [ANNA], "organizer": ANNA, "set": True, "exists": True}
    expected |= {"version": 1}
    assert (status, group) == (200, expected)
    assert await api.ask("groups") == (200, {"groups": [expected], "next": "", "cause": "", "why": ""})
    assert await api.ask("group", id="22x3") == (200, expected)
    status, refused = await api.ask("group_put", {"organizer": "19x99"}, id="22x3")
    assert (status, refused["code"], refused["field"]) == (400, "bad_value", "organizer")
    status, car = await api.ask("user_put", {"resource": True, "colour": "#00ff00"}, id="19x7")
    assert (status, car["resource"], car["colour"], car["enabled"]) == (200, True, "#00FF00", False)
    status, refused = await api.ask("user_put", {"colour": "green"}, id="19x7")
    assert (status, refused["field"], "#RRGGBB" in refused["reason"]) == (400, "colour", True)


async def test_of_two_admins_who_change_a_group_at_once_the_second_looks_again(api: Api) -> None:
    await api.ask("users")
    route = {"id": "22x3"}
    for _ in range(2):
        read = await api.raw("group", HEADERS, route=route)
        assert read.headers["ETag"] == '"0"', "reading its name anew is no change"
    body = json.dumps({"members": [ANNA]}).encode()
    bare = await api.raw("group_put", {**HEADERS, "If-Match": ""}, body, route=route)
    assert (bare.status_code, json.loads(bare.get_body())["code"]) == (428, "if_match_needed")
    first = await api.raw("group_put", {**HEADERS, "If-Match": '"0"'}, body, route=route)
    assert (first.status_code, first.headers["ETag"]) == (200, '"1"')
    for lang, title in (("en", "Somebody else changed this"), ("it", "Qualcun altro ha modificato questi dati")):
        late = await api.raw("group_put", {**HEADERS, "If-Match": '"0"'}, b'{"organizer": ""}', lang, route)
        refused = json.loads(late.get_body())
        assert (late.status_code, refused["code"]) == (412, "changed_meanwhile")
        assert refused["title"].startswith(title)
    assert (await api.ask("group", id="22x3"))[1]["members"] == [ANNA]
    again = await api.raw("group_put", {**HEADERS, "If-Match": '"1"'}, b'{"members": []}', route=route)
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')
    status, wrong = await api.ask("group_put", {"members": []}, match="yesterday", id="22x3")
    assert (status, wrong["field"]) == (400, "If-Match")


async def test_settings_of_meetings_are_shown_as_they_are_in_force(api: Api) -> None:
    _, shown = await api.ask("settings")
    expected = {
        "mail_limits": {"meetings": 20, "mails": 200, "day": 500},
        "reassign_groups": True,
        "double_booking": "decline",
        "crm_contact_invitees": False,
        "crm_invitation_mail_off": False,
        "create_strangers": False,
    }
    assert {name: shown[name] for name in expected} == expected
    status, shown = await api.ask("settings_put", {"mail_limits": {"day": 0}, "double_booking": "accept"})
    assert (status, shown["mail_limits"]["day"], shown["double_booking"]) == (200, 0, "accept")
    status, refused = await api.ask("settings_put", {"crm_contact_invitees": True})
    assert (status, refused["field"]) == (400, "crm_invitation_mail_off")


async def test_holds(api: Api) -> None:
    asked = HoldRow("h1", ANNAS, Kind.CONTACT, Side.MAILBOX, Reason.SEVERAL_CANDIDATES, "2026-03-02T08:00:00+00:00")
    await api.world.registry.put_hold(asked)
    await api.world.registry.put_hold(HoldRow("h2", ANNAS, Kind.CONTACT, Side.CRM, Reason.DELETE_BRAKE, "t", count=9))
    status, listed = await api.ask("holds", lang="it")
    assert (status, [hold["id"] for hold in listed["holds"]]) == (200, ["h1", "h2"])
    assert listed["holds"][0]["sentence"] == table()["reason"]["several_candidates"]["it"]
    assert listed["holds"][0]["choices"] == ["new"]
    assert (await api.ask("hold_approve", {"choice": "4x1"}, id="h1", match="1"))[0] == 400
    assert (await api.ask("hold_approve", {"verdict": "new"}, id="h1", match="1"))[0] == 400
    status, answered = await api.ask("hold_approve", {"choice": "new"}, id="h1", match="1")
    assert (status, answered["state"], answered["choice"]) == (200, "approved", "new")
    assert (await api.ask("hold_approve", {"choice": "new"}, id="h1", match="1"))[0] == 409
    assert (await api.ask("hold_reject", id="h2", match="1"))[1]["state"] == "rejected"
    assert (await api.ask("hold", id="h2"))[1]["count"] == 9
    assert (await api.ask("hold", id="h3"))[0] == 404


@pytest.mark.parametrize(
    ("failure", "status", "cause"),
    [
        (RetryLater(Cause.GRAPH_UNREACHABLE), 503, "graph_unreachable"),
        (StopConnector(Cause.SECRET_WRONG), 503, "secret_wrong"),
        (StoreUnreachable("anna@acme.example"), 503, "storage_unreachable"),
        (RuntimeError("anna@acme.example"), 500, None),
    ],
)
async def test_failures_get_an_id_and_no_text_of_the_exception(
    api: Api, caplog: pytest.LogCaptureFixture, failure: Exception, status: int, cause: str | None
) -> None:
    async def fails(address: str) -> str:
        raise failure

    api.world.servers.resolve_mailbox = fails  # type: ignore[method-assign]
    answered, body = await api.ask("user_put", {"enabled": True}, id=ANNA)
    assert (answered, body.get("cause")) == (status, cause)
    assert body["title"]
    assert body["id"] in caplog.text
    for place in (json.dumps(body), caplog.text):
        assert "anna" not in place
        assert "Traceback" not in place


@pytest.mark.parametrize("id_", ["19x999", "a#b", "a\x01b", "x" * 600])
@pytest.mark.parametrize("name", ["user", "user_put", "group", "group_put", "hold", "hold_approve", "hold_reject"])
async def test_an_id_that_nothing_has_is_not_found(api: Api, name: str, id_: str) -> None:
    status, body = await api.ask(name, {} if name.endswith(("put", "approve", "reject")) else None, id=id_, match="1")
    assert (status, body["code"]) == (404, "not_found")


async def test_answers_are_not_kept_by_anybody(api: Api) -> None:
    answer = await api.raw("status", HEADERS)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/json", "no-store")


def test_every_setting_and_every_field_of_users_and_groups_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "control-api.md").read_text(encoding="utf-8")
    names = {*Settings.model_fields, *MailSettings.model_fields} - {"kinds"} | {f"kinds.{kind}" for kind in Kind}
    for name in (*names, *UserShown.model_fields, *GroupShown.model_fields):
        assert f"`{name}`" in text, name


def test_every_endpoint_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "control-api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(GET|PUT|POST) /api/([^`]+)`", text))
    told = {("POST", "notifications"), ("POST", "nudge")}  # by the servers, not by people
    assert documented == {(each.method, each.route) for each in ENDPOINTS} | told

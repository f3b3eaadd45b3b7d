"""The vtenext emulator answers what a real 20.04.3 answered: every ``ws-*`` transcript of this issue, replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from emulators.inprocess import InProcessTransport
from emulators.vtenext import VtenextEmulator, access_key
from emulators.vtenext.schema import ACTIVITY
from tests.contract.vtenext_replay import DATA, Replay, compare, compare_head, load, names_on_disk

START = "2026-11-23 17:46:00"

LOGIN = ("auth-bad-key", "auth-locked", "auth-no-session", "auth-ok", "auth-unknown-user", "auth-bad-session")
PLAIN = (
    "accounts-crud",
    "accounts-errors",
    "auth-extendsession",
    "contacts-crud",
    "contacts-encoding",
    "contacts-errors",
    "custom-fields",
    "employees-mirror-users",
    "events-allday-overnight",
    "events-create-newyork",
    "events-crud",
    "events-errors",
    "events-external-uid",
    "events-invitees",
    "events-invitees-ambiguous",
    "events-no-validation",
    "events-public-foreign-write",
    "events-recurring-read",
    "events-reminder",
    "events-reminder-update",
    "events-timezones",
    "events-visibility",
    "get-changes-accounts",
    "get-changes-contacts",
    "get-changes-errors",
    "get-changes-events",
    "get-changes-nonadmin",
    "get-changes-one-record",
    "get-changes-owner-move",
    "get-changes-paging",
    "get-changes-post",
    "get-changes-same-second",
    "get-changes-tasks",
    "groups-create",
    "groups-retrieve",
    "leads-read",
    "permission-denied",
    "poison-owner",
    "query-errors",
    "query-groups-crash",
    "query-operators",
    "query-paging-id",
    "query-paging-offset",
    "query-star",
    "reference-errors",
    "relate",
    "sync-crash",
    "tasks-crud",
    "tasks-errors",
    "tasks-missing-activitytype",
    "unknown-operation",
    "users-deactivate",
    "users-nonadmin",
    "users-query",
    "workflow-on-create",
    "wrong-prefix",
    "wrong-verb",
)
NOT_REPLAYED: dict[str, str] = {}
REST = "the connector uses webservice.php only; /restapi is not emulated"


@pytest.fixture
async def replay() -> Any:
    seed = json.loads((DATA / "seed.json").read_text(encoding="utf-8"))
    seed["groups"][2]["members"] = ["19x4", "19x5"]  # no operation tells members; ws-events-visibility shows anna
    emulator = VtenextEmulator(seed)
    async with httpx.AsyncClient(transport=InProcessTransport(emulator.app), base_url="http://crm.test") as http:
        player = Replay(emulator, http)
        player.at(START)
        yield player


# What happened on the real server before a step, where the transcript only tells of it.


async def changes_story(replay: Replay, step: int, expected: Any, fields: dict[str, str], edit: dict[str, str]) -> None:
    """Created only; created then changed; created then deleted; the first one deleted, later restored."""
    lists = expected["result"]
    module = fields["module"]
    given = {name: value for name, value in fields.items() if name != "module"}
    if step == 0:
        replay.line_up({"result": lists["created"][0]})
        for kind in ("created", "updated", "deleted"):
            await replay.create(lists[kind][0]["createdtime"], lists[kind][0]["id"], module, **given)
        replay.edit(lists["updated"][0]["modifiedtime"], lists["updated"][0]["id"], **edit)
        replay.delete(lists["deleted"][0]["modifiedtime"], lists["deleted"][0]["id"])
    elif step == 1:
        replay.delete(lists["deleted"][0]["modifiedtime"], lists["deleted"][0]["id"])
    elif step == 3:
        replay.restore(lists["updated"][0]["modifiedtime"], lists["updated"][0]["id"])


STORIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "get-changes-contacts": ({"module": "Contacts", "lastname": "Chg"}, {"phone": "1"}),
    "get-changes-accounts": ({"module": "Accounts", "accountname": "Chg Srl"}, {"phone": "1"}),
    "get-changes-events": (
        {"module": "Events", "subject": "Chg", "activitytype": "Meeting", "eventstatus": "Planned"}
        | {"date_start": "2026-12-15", "time_start": "10:00", "due_date": "2026-12-15", "time_end": "11:00"}
        | {"duration_hours": "1"},
        {"location": "x"},
    ),
    "get-changes-tasks": (
        {"module": "Calendar", "subject": "Chg", "activitytype": "Task", "taskstatus": "Not Started"}
        | {"date_start": "2026-12-15", "due_date": "2026-12-16"},
        {"taskstatus": "Completed"},
    ),
}


async def before_nonadmin(replay: Replay, step: int) -> None:
    if step == 0:
        for full, made, gone in (
            ("3x410", "17:47:49", "17:47:51"),
            ("3x431", "17:54:03", "17:54:08"),
            ("3x432", "17:54:03", "17:54:08"),
            ("3x433", "17:54:03", "17:54:05"),
        ):
            await replay.create(f"2026-11-23 {made}", full, "Accounts", accountname="Gone")
            replay.delete(f"2026-11-23 {gone}", full)


async def before_owner_move(replay: Replay, step: int) -> None:
    if step == 0:
        replay.emulator.crm.state.last_counter["Accounts"] = 12
        await replay.create("2026-11-23 17:54:24", "3x446", "Accounts", accountname="Owner move")
        replay.edit("2026-11-23 17:54:26", "3x446", assigned_user_id="19x5")
    if step == 2:
        replay.edit("2026-11-23 17:54:26", "3x446", assigned_user_id="22x9")


async def before_same_second(replay: Replay, step: int) -> None:
    if step == 0:
        for number, second in enumerate((21, 21, 22, 22, 22)):
            full = f"4x{440 + number}"
            await replay.create(f"2026-11-23 17:54:{second}", full, "Contacts", lastname=f"Same {number}")
        await replay.create("2026-11-23 17:54:22", "4x445", "Contacts", lastname="After")
        for number in range(440, 445):
            replay.edit("2026-11-24 09:00:00", f"4x{number}", description="same second")
        replay.edit("2026-11-24 09:00:05", "4x445", description="after")


async def before_workflow(replay: Replay, step: int) -> None:
    rule = {"when": {"department": "wf-trigger"}, "set": {"assistant": "set by workflow"}}
    replay.emulator.backdoor.set_workflows([{"module": "Contacts", **rule}])


async def before_employees(replay: Replay, step: int) -> None:
    if step == 0:  # the recorder had meanwhile set this employee inactive and renamed another
        luca, tmp = (replay.emulator.crm.state.find(number) for number in (21, 135))
        luca.values["active"], tmp.values["username"] = "0", "tmp.user"
        replay.at("2026-11-23 17:58:31")
    if step == 4:
        replay.at("2026-11-23 17:58:32")


async def before_groups_create(replay: Replay, step: int) -> None:
    if step == 0:
        replay.emulator.crm.state.last_person = 11  # another transcript made the user 19x11


async def before_poison(replay: Replay, step: int) -> None:
    if step == 0:
        replay.at("2026-11-23 17:56:18")
        replay.emulator.crm.state.last_number = 455


async def before_new_york(replay: Replay, step: int) -> None:
    replay.at("2026-11-23 17:48:00")  # this caller is answered in New York's time


async def before_foreign_write(replay: Replay, step: int) -> None:
    if step == 2:
        replay.at("2026-11-23 18:04:53")


async def before_invitees(replay: Replay, step: int) -> None:
    """The recording keeps one event of each answer: the others are taken away here."""
    if step == 0:
        replay.at("2026-11-23 17:48:03")
        state = replay.emulator.crm.state
        for record in list(state.tables[ACTIVITY].by_number()):
            state.erase(record)


async def before_relate(replay: Replay, step: int) -> None:
    if step == 0:
        replay.at("2026-11-23 17:48:07")


BEFORE: dict[str, Callable[[Replay, int], Any]] = {
    "employees-mirror-users": before_employees,
    "events-create-newyork": before_new_york,
    "events-invitees": before_invitees,
    "events-invitees-ambiguous": before_invitees,
    "events-public-foreign-write": before_foreign_write,
    "get-changes-nonadmin": before_nonadmin,
    "get-changes-owner-move": before_owner_move,
    "get-changes-same-second": before_same_second,
    "groups-create": before_groups_create,
    "poison-owner": before_poison,
    "relate": before_relate,
    "workflow-on-create": before_workflow,
}


@pytest.mark.parametrize("name", PLAIN)
async def test_transcript(name: str, replay: Replay) -> None:
    transcript = load(name)
    for step, recorded in enumerate(transcript.get("steps") or [transcript]):
        expected = recorded["response"]
        if name in STORIES:
            await changes_story(replay, step, expected["body"], *STORIES[name])
        if name in BEFORE:
            await BEFORE[name](replay, step)
        replay.line_up(expected["body"])
        user = recorded.get("as_user") or transcript["user"].split(",")[0]
        answer = await replay.http.request(**await request_of(recorded["request"], replay, user))
        where = f"{name}, step {step}: {recorded['request']}"
        compare_head(answer, expected, where)
        if expected["body"]:
            trimmed = "trimmed" in recorded.get("note", "") or name == "get-changes-same-second"
            compare(answer.json(), expected["body"], trimmed=trimmed, where=where)


@pytest.mark.parametrize("name", LOGIN)
async def test_login_transcript(name: str, replay: Replay) -> None:
    transcript = load(name)
    session = "unknown"
    for step, recorded in enumerate(transcript.get("steps") or [transcript]):
        request, expected = recorded["request"], recorded["response"]
        replay.line_up(expected["body"])
        parameters = {**request.get("query", {}), **request.get("form", {})}
        if parameters.get("accessKey"):
            parameters["accessKey"] = await login_key(replay, parameters["username"], expected["body"])
        if "sessionName" in parameters:
            parameters["sessionName"] = session
        send = replay.get if request["method"] == "GET" else replay.post
        answer = await send(**parameters)
        compare_head(answer, expected, f"{name}, step {step}")
        compare(answer.json(), expected["body"], trimmed=False, where=f"{name}, step {step}")
        session = (
            (answer.json().get("result") or {}).get("sessionName", session) if parameters.get("accessKey") else session
        )


async def login_key(replay: Replay, user: str, expected: dict[str, Any]) -> str:
    """The right key where the recording used it: on success, and when the lock refuses the right one."""
    token = (await replay.get(operation="getchallenge", username=user)).json()["result"]["token"]
    right = expected["success"] or expected["error"]["code"] == "LOGIN_LOCKED"
    secret = access_key(user) if right else "wrong"
    return hashlib.md5(f"{token}{secret}".encode()).hexdigest()


async def request_of(recorded: dict[str, Any], replay: Replay, user: str) -> dict[str, Any]:
    """The recorded request with a session of our own."""
    kind = "query" if "query" in recorded else "form"
    parameters = dict(recorded[kind])
    if "sessionName" in parameters:
        parameters["sessionName"] = await replay.session(user)
    field = "params" if kind == "query" else "data"
    return {"method": recorded["method"], "url": recorded["path"], field: parameters}


def test_every_transcript_is_replayed_or_listed_with_a_reason() -> None:
    assert sorted([*PLAIN, *LOGIN, *NOT_REPLAYED]) == sorted(names_on_disk("ws"))
    assert all(NOT_REPLAYED.values())
    assert len(list(names_on_disk("rest"))) == 12, REST

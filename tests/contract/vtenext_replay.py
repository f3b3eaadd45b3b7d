"""Replays recorded requests against the vtenext emulator and compares what comes back. Used by contract tests.

Clock, record numbers and CON/ACC/LEA counters are lined up with the recording before each step, so that ids and
times can be compared as they are. Masked are tokens, hashes, keys and generated UUIDs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from emulators.vtenext import VtenextEmulator, access_key

DATA = Path(__file__).parents[1] / "data" / "vtenext"
ROME = ZoneInfo("Europe/Rome")


def load(name: str) -> dict[str, Any]:
    return json.loads((DATA / "transcripts" / f"ws-{name}.json").read_text(encoding="utf-8"))


def names_on_disk(prefix: str) -> Iterator[str]:
    for path in sorted((DATA / "transcripts").glob(f"{prefix}-*.json")):
        yield path.stem.removeprefix(f"{prefix}-")


class Replay:
    """A client of the emulator that can stand in for any recorded caller."""

    def __init__(self, emulator: VtenextEmulator, http: httpx.AsyncClient) -> None:
        self.emulator = emulator
        self.http = http

    def at(self, stamp: str) -> None:
        """Set the clock to a wall clock of the server."""
        moment = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ROME)
        self.emulator.clock.set(moment.astimezone(UTC))

    async def session(self, user: str) -> str:
        """A fresh session, whatever the clock did to the last one."""
        token = (await self.get(operation="getchallenge", username=user)).json()["result"]["token"]
        key = hashlib.md5(f"{token}{access_key(user)}".encode()).hexdigest()
        answer = await self.post(operation="login", username=user, accessKey=key)
        return answer.json()["result"]["sessionName"]

    async def get(self, **query: str) -> httpx.Response:
        return await self.http.get("/webservice.php", params=query)

    async def post(self, **form: str) -> httpx.Response:
        return await self.http.post("/webservice.php", data=form)

    async def create(self, at: str, full: str, module: str, **fields: str) -> None:
        """Make a record that the transcript only speaks of, with the number it has there."""
        self.at(at)
        self.emulator.crm.state.last_number = int(full.split("x")[1]) - 1
        element = json.dumps({"assigned_user_id": "19x4", **fields})
        session = await self.session("svc.sync")
        answer = await self.post(operation="create", elementType=module, element=element, sessionName=session)
        assert answer.json()["result"]["id"] == full

    def edit(self, at: str, full: str, **fields: str) -> None:
        self.at(at)
        self.emulator.backdoor.edit(full, fields)

    def delete(self, at: str, full: str) -> None:
        self.at(at)
        self.emulator.backdoor.delete(full)

    def restore(self, at: str, full: str) -> None:
        self.at(at)
        self.emulator.backdoor.restore(full)

    def line_up(self, expected: Any) -> None:
        """Clock and counters such that the next record gets the recorded id, number and times."""
        state = self.emulator.crm.state
        result = expected.get("result") if isinstance(expected, dict) else None
        if not isinstance(result, dict):
            return
        if "last_update" in result and not result["more"]:
            self.emulator.clock.set(datetime.fromtimestamp(result["last_update"], UTC))
        elif "serverTime" in result:
            self.emulator.clock.set(datetime.fromtimestamp(result["serverTime"], UTC))
        elif "modifiedtime" in result:
            number = int(result["id"].split("x")[1])
            if state.find(number) is None:
                state.last_number = number - 1
            if not self.emulator.clock.now() > self._moment(result["modifiedtime"]):
                self.at(result["modifiedtime"])
        for module, field in (("Contacts", "contact_no"), ("Accounts", "account_no"), ("Leads", "lead_no")):
            if field in result:
                state.last_counter[module] = int(re.sub(r"\D", "", result[field])) - 1

    def _moment(self, stamp: str) -> datetime:
        return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ROME).astimezone(UTC)


def compare_head(answer: httpx.Response, expected: dict[str, Any], where: str) -> None:
    assert answer.status_code == expected["status"], where
    assert answer.headers["content-type"] == expected["headers"]["content-type"], where
    if not expected["body"]:
        assert answer.content == b"", where


def compare(actual: Any, expected: Any, *, trimmed: bool, where: str) -> None:
    """Same success, code, message, shape and values; of a trimmed record only the keys that were kept."""
    assert list(actual) == list(expected), where
    if not expected["success"]:
        assert actual["error"] == expected["error"], where
        return
    masked = tuple(sorted_lists(mask(body["result"])) for body in (actual, expected))
    if trimmed:
        masked = (trim(masked[0], masked[1]), masked[1])
    assert masked[0] == masked[1], where


def sorted_lists(result: Any) -> Any:
    """get_changes promises no order within its lists; a query's order is compared as it is."""
    if isinstance(result, dict) and "created" in result:
        for kind in ("created", "updated", "deleted"):
            result[kind] = sorted(result[kind], key=lambda row: int(row["id"].split("x")[1]))
    return result


UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRETS = {"token", "sessionName", "user_password", "confirm_password", "accesskey"}
# `select * from Users` shows settings of the real users that seed.json does not carry.
NOT_IN_SEED = {"currency_id", "lead_view", "menu_view", "internal_mailer", "decimal_separator"} | {
    "decimals_num",
    "activity_view",
    "start_hour",
    "holiday_countries",
}


def mask(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: mask(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [mask(inner) for inner in value]
    if key in SECRETS:
        assert value, f"{key} is empty"
        return f"<{key}>"
    if key in NOT_IN_SEED:
        return f"<{key}>"
    return "<uuid>" if isinstance(value, str) and UUID.fullmatch(value) else value


def trim(actual: Any, expected: Any) -> Any:
    """Of the actual value only what the recording kept."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: trim(actual[key], inner) for key, inner in expected.items() if key in actual}
    if isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
        return [trim(one, other) for one, other in zip(actual, expected, strict=True)]
    return actual

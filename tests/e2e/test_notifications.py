"""Change notifications, nudges and messages given up, over the real host: the timer is off and nobody orders a run. HTTP, and the queue by hand."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from azure.storage.queue import QueueClient

from control.notifications import signature
from tests.e2e.company import FOLDER
from tests.e2e.connector import wait_for
from tests.e2e.stack import ROOT, Stack, free_ports
from tests.e2e.test_bad_input import NEVER, Place

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

NUDGE_KEY = "a-key-of-the-crm-that-is-long-enough"
OURS = ("control", "mapping", "sync", "function_app.py", "pyproject.toml")
SECONDS = 20.0
"""A few are usual: a poll of the queue takes up to two. The machine may be busy."""


def impatient(folder: Path) -> Path:
    """The app as it is, on a host that tries a failed message again after a second instead of thirty."""
    folder.mkdir()
    for name in OURS:
        (folder / name).symlink_to(ROOT / name)
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    host["extensions"]["queues"]["visibilityTimeout"] = "00:00:01"
    (folder / "host.json").write_text(json.dumps(host), "utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    (port,) = free_ports(1)
    name = f"notifications-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    settings = {
        "SYNC_SCHEDULE": NEVER,
        "VTENEXT_TIME_LIMIT_SECONDS": "2",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "NUDGE_KEY": NUDGE_KEY,
    }
    with Stack(name, settings, app_port=port, app=impatient(tmp_path_factory.mktemp("app") / "app")) as stack:
        place = Place.on(stack)
        place.connector.settle()
        yield place


def told(place: Place) -> dict[str, int]:
    """What became of the notifications."""
    return dict(place.outlook.ask("GET", "notifications"))


def last_names(place: Place) -> dict[str, str]:
    """Of the CRM's contacts, with their titles."""
    return {row["lastname"]: row["title"] for row in place.crm.living()["Contacts"]}


def test_an_edit_in_outlook_is_in_the_crm_within_seconds(place: Place) -> None:
    for user in (0, 1):
        assert place.one(user)["watched"] == ["calendar", "people"]
        assert (place.one(user)["watch_cause"], place.one(user)["watch_why"]) == ("", "")
    before = place.whole()["last_run"]
    fields = {"givenName": "Zoë", "surname": "Rossi", "emailAddresses": [{"address": "zoe@acme.example"}]}
    began = time.monotonic()
    card = place.outlook.do("create", place.mailboxes[0], fields=fields, folder=FOLDER)
    wait_for("the new contact in the CRM", lambda: "Rossi" in last_names(place), SECONDS)
    place.outlook.do("edit", place.mailboxes[0], contact=card, fields={"jobTitle": "CTO"})
    wait_for("the edit in the CRM", lambda: last_names(place)["Rossi"] == "CTO", SECONDS)
    assert time.monotonic() - began < 2 * SECONDS
    assert place.whole()["last_run"] == before, "no sweep was needed"
    wait_for("all was told", lambda: not told(place)["waiting"], SECONDS)
    assert told(place)["acknowledged"] >= 3
    assert (told(place)["given_up"], told(place)["retried"], told(place)["forged"]) == (0, 0, [])
    place.crm.delete(next(row["id"] for row in place.crm.living()["Contacts"] if row["lastname"] == "Rossi"))


def test_what_is_forged_is_counted_and_starts_nothing(place: Place) -> None:
    asked = place.crm.requests()
    before = place.whole()["strangers"]["count"]
    for kind in ("wrong_client_state", "garbage"):
        place.outlook.ask("POST", "notifications/forge", {"kind": kind, "subscription": _subscription(place)})
    wait_for("both are answered", lambda: len(told(place)["forged"]) == 2, SECONDS)  # type: ignore[arg-type]
    answers = {each["kind"]: each["status"] for each in told(place)["forged"]}  # type: ignore[attr-defined]
    assert answers == {"wrong_client_state": 202, "garbage": 400}
    assert place.whole()["strangers"]["count"] == before + 1
    token = "Validation: <script>alert(1)</script> é + %2B"
    url = f"{place.stack.urls['host']}/api/notifications"
    shown = httpx.post(url, params={"validationToken": token}, trust_env=False)
    assert (shown.status_code, shown.text) == (200, token)
    assert shown.headers["content-type"].partition(";")[0] == "text/plain"
    assert (shown.headers["x-content-type-options"], shown.headers["cache-control"]) == ("nosniff", "no-store")
    assert httpx.get(url, trust_env=False).status_code == 404
    assert place.crm.requests() == asked


def _subscription(place: Place) -> str:
    found = place.outlook.ask("GET", "subscriptions")
    return str(next(each["id"] for each in found if each["state"] == "live"))


def test_a_nudge_brings_an_edit_of_the_crm_to_outlook(place: Place) -> None:
    phone = place.edit(0)
    url, body = f"{place.stack.urls['host']}/api/nudge", b'{"module": "Contacts"}'
    moment = str(int(time.time()))
    signed = {"X-Vtesync-Timestamp": moment, "X-Vtesync-Signature": f"sha256={signature(NUDGE_KEY, moment, body)}"}
    wrong = {**signed, "X-Vtesync-Signature": f"sha256={signature('x' * 32, moment, body)}"}
    assert httpx.post(url, content=body, headers=wrong, trust_env=False).status_code == 403
    assert httpx.post(url, content=body, headers=signed, trust_env=False).status_code == 202
    wait_for("the edit in Outlook", lambda: place.shows(0, phone), SECONDS)


def test_a_message_that_is_given_up_is_shown_with_its_cause_until_the_state_is_restored(place: Place) -> None:
    with QueueClient.from_connection_string(place.stack.settings["STORAGE"], "runs") as queue:
        queue.send_message(base64.b64encode(b'{"v": 99, "mailbox": "", "why": "timer"}').decode())

    def swept() -> list[dict[str, str]]:
        place.connector.order("run")
        return list(place.whole()["poison"])

    (shown,) = wait_for("it is shown", swept, 60)
    assert (shown["mailbox"], shown["error"]) == ("", "ValueError")
    assert shown["id"] in (place.stack.logs / "host.log").read_text("utf-8")
    assert place.whole()["state"] == "running"
    place.connector.order("restore-state")
    assert place.whole()["poison"] == []
    place.is_well()

"""What the log says about exceptions; which messages the queue trigger takes; what importing the app costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.failures import described
from control.queue import RunMessage, read_message
from tests.unit.control.test_environment import NEEDED

ROOT = Path(__file__).resolve().parents[3]


def test_an_exception_is_described_without_its_text() -> None:
    try:
        try:
            raise KeyError("anna@acme.example")
        except KeyError as inner:
            raise ValueError("session=abc of anna@acme.example") from inner
    except ValueError as error:
        text = described(error)
    assert text.startswith("ValueError from KeyError at control/test_failures.py:")
    assert "anna" not in text
    assert "abc" not in text
    assert described(ExceptionGroup("anna", [TypeError("anna")])) == "ExceptionGroup of TypeError at an unknown place"


def test_messages() -> None:
    assert read_message('{"v":1,"mailbox":"m","why":"timer"}') == RunMessage("m", "timer")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"v":2,"mailbox":"m","why":""}', '{"v":1,"mailbox":5,"why":""}'])
def test_other_messages_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="not a message of ours"):
        read_message(text)


def _start(**settings: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import function_app, sys;"
        "print(*sorted(f.get_function_name() for f in function_app.app.get_functions()));"
        "print(*(m for m in sys.modules if m.split('.')[0] in ('msgraph','kiota_http','httpx','msal','opentelemetry')"
        " or m.startswith(('azure.data','azure.storage','azure.identity'))))"
    )
    environment = {"PATH": os.environ.get("PATH", ""), **settings}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_start_loads_no_servers_library_and_finds_every_function() -> None:
    started = _start(**NEEDED)
    assert started.returncode == 0, started.stderr
    names, heavy = started.stdout.splitlines()
    assert {"sweep", "run", "status", "control_kill", "hold_approve"} <= set(names.split())
    assert heavy == ""


def test_a_malformed_setting_stops_the_start_with_a_sentence() -> None:
    started = _start(**{**NEEDED, "ADMIN_TOKEN": "short"})
    assert started.returncode != 0
    assert started.stderr.splitlines()[-1].endswith(
        "the settings cannot be used: ADMIN_TOKEN must be at least 32 characters without accents"
    )

"""Kill on the real host, in the middle of a run that writes all four kinds; Restore state; nothing lost or doubled. HTTP only."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.e2e.company import FOLDER
from tests.e2e.connector import wait_for
from tests.e2e.diary import today_in_rome, typed
from tests.e2e.hands import CalendarPage, Json
from tests.e2e.stack import Stack
from tests.e2e.test_bad_input import NEVER, Place
from tests.e2e.todo import assigned

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

EACH = 20
"""New ones of each kind; the servers are slow, so that all of them take a while."""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    name = f"kill-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with Stack(name, {"SYNC_SCHEDULE": NEVER, "VTENEXT_TIME_LIMIT_SECONDS": "2"}) as stack:
        yield Place.on(stack)


def test_kill_in_the_middle_and_restore(place: Place) -> None:
    crm, owner = place.crm, place.owners[0]
    day = today_in_rome() + timedelta(days=7)
    mine = {"assigned_user_id": owner}
    crm.records("Contacts", [{"lastname": f"Kilo {n}", "phone": f"1{n}", **mine} for n in range(EACH)])
    crm.records("Accounts", [{"accountname": f"Lima {n}", "phone": f"2{n}", **mine} for n in range(EACH)])
    crm.records("Events", [typed(f"Mike {n}", day, "10:00", "11:00", owner) for n in range(EACH)])
    crm.records("Calendar", [assigned(f"November {n}", day, owner) for n in range(EACH)])
    for n in range(EACH):
        card = {"surname": f"Oscar {n}", "businessPhones": [f"3{n}"]}
        place.outlook.do("create", place.mailboxes[1], folder=FOLDER, fields=card)
    crm.cap_writes(7, 13)
    place.outlook.slow_down(round_trip_ms=40, service_ms=40)
    before = place.connector.writes()
    place.order_run()
    wait_for("some of it is written", lambda: place.connector.writes() - before >= 12, seconds=60)
    assert place.connector.order("kill")["state"] == "killed"
    time.sleep(2)  # what was on its way
    done = place.connector.writes() - before
    time.sleep(4)
    assert place.connector.writes() - before == done
    assert done < 5 * EACH, "killed too late to show anything"
    place.order_run()
    assert (place.whole()["state"], place.whole()["by"]) == ("killed", "token")
    crm.cap_writes(None)
    place.outlook.slow_down()
    restored = place.connector.order("restore-state")
    assert (restored["ok"], restored["state"]) == (True, "running")
    place.connector.settle()
    assert _held(place) == Counter(
        {f"{word} {n}": 1 for word in ("Kilo", "Lima", "Mike", "November") for n in range(EACH)}
    )
    people = Counter(row["lastname"] for row in crm.living()["Contacts"])
    assert {name: people[name] for name in people if name.startswith(("Kilo", "Oscar"))} == {
        f"{word} {n}": 1 for word in ("Kilo", "Oscar") for n in range(EACH)
    }
    assert place.connector.round() == 0


def _held(place: Place) -> Counter[str]:
    """What of the new ones the first mailbox shows, and how often."""
    mailbox = place.mailboxes[0]
    whole: Json = place.outlook.mailbox(mailbox)
    cards = [card for folder in whole["folders"] for card in folder["contacts"] if folder["displayName"] == FOLDER]
    names = [card["surname"] or card["companyName"] for card in cards]
    names += [task["title"] for each in whole["task_lists"] for task in each["tasks"]]
    page = CalendarPage(place.stack.urls["graph"], place.stack.urls["entra"])
    names += [event["subject"] for event in page.events(mailbox)]
    return Counter(name for name in names if name.startswith(("Kilo", "Lima", "Mike", "November")))

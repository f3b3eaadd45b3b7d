"""Bad input of every kind, against the whole product: it ends in the right state with a sentence for people, and mending it mends it.

One stack for all tests of a worker. Each test breaks one thing, looks, mends it, and proves that nothing was lost: an edit
made in the CRM meanwhile arrives in the mailbox.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.e2e.company import FOLDER, USERS
from tests.e2e.connector import Connector, wait_for
from tests.e2e.hands import Admin, CrmScreen, Entra, Json, Outlook, Refused
from tests.e2e.stack import CLIENT_ID, CRM_KEY, Stack, StackError

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

NEVER = "0 0 0 1 1 *"  # the tests order every run themselves
PAST = "2020-01-01T00:00:00Z"


@dataclass(slots=True)
class Place:
    """Two users with a mailbox each, four contacts each, everything synchronised."""

    stack: Stack
    crm: CrmScreen
    outlook: Outlook
    entra: Entra
    connector: Connector
    owners: list[str]
    mailboxes: list[str]
    contacts: list[str]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def on(cls, stack: Stack) -> Place:
        crm, outlook = CrmScreen(stack.urls["vtenext"]), Outlook(stack.urls["graph"])
        admin = Admin(stack.urls["host"], stack.token)
        owners = crm.users([user.as_vtenext() for user in USERS[:2]])
        mailboxes = [outlook.user(user.mail, user.name) for user in USERS[:2]]
        people = [{"lastname": f"Però {n}", "assigned_user_id": owners[n % 2], "phone": f"0{n}"} for n in range(8)]
        contacts = crm.records("Contacts", people)
        connector = Connector(admin, lambda: crm.writes() + outlook.writes())
        for owner, mailbox in zip(owners, mailboxes, strict=True):
            connector.pair(owner, mailbox)
        connector.settle()
        entra = Entra(stack.urls["entra"])
        return cls(stack, crm, outlook, entra, connector, owners, mailboxes, contacts)

    def phones(self, user: int) -> list[str]:
        """What the cards of a mailbox say, sorted."""
        return sorted(
            phone for card in self.outlook.cards(self.mailboxes[user], FOLDER) for phone in card["businessPhones"]
        )

    def edit(self, contact: int) -> str:
        """Somebody edits a contact in the CRM: the new phone."""
        phone = f"+39 051 {next(self._numbers):06d}"
        self.crm.edit(self.contacts[contact], phone=phone)
        return phone

    def shows(self, user: int, phone: str) -> bool:
        """Has it arrived in the mailbox?"""
        return phone in self.phones(user)

    def order_run(self) -> None:
        """Ask for a sweep and runs; while the connector may not run it says so."""
        ask_for_runs(self.connector.admin)

    def whole(self) -> Json:
        """The status, in English."""
        return self.connector.status()

    def one(self, user: int) -> Json:
        """A mailbox as the API shows it."""
        return dict(self.connector.admin.ask("GET", f"mailboxes/{self.mailboxes[user]}"))

    def sentences(self, user: int | None = None) -> tuple[str, str]:
        """What is wrong with the connector, or with a user's mailbox, in Italian and in English."""
        if user is None:
            whole = [self.connector.status(lang) for lang in ("it", "en")]
            return str(whole[0]["why"]), str(whole[1]["why"])
        listed = [self.connector.mailboxes(lang) for lang in ("it", "en")]
        mine = [m for mailboxes in listed for m in mailboxes if m["mailbox"] == self.mailboxes[user]]
        return str(mine[0]["sentence"]), str(mine[1]["sentence"])

    def is_well(self) -> None:
        """Running, nothing lost, nothing doubled: an edit of each user arrives, every contact has one card."""
        self.connector.settle()  # what a restore set going ends first: a run that is under way when the sweep comes does not see its marks
        edits = [self.edit(0), self.edit(1)]
        self.connector.settle()
        assert self.whole()["state"] == "running"
        for user, phone in enumerate(edits):
            assert self.one(user)["state"] == "ok"
            assert phone in self.phones(user)
            assert len(self.outlook.cards(self.mailboxes[user], FOLDER)) == 4
        assert {row["id"] for row in self.crm.living()["Contacts"]} == set(self.contacts)


def ask_for_runs(admin: Admin) -> None:
    """The order is taken, or refused because the connector may not run."""
    try:
        admin.ask("POST", "control/run")
    except Refused as refused:
        if refused.status != 409:
            raise


@pytest.fixture(scope="session")
def running_place() -> Iterator[Place]:
    name = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with Stack(name, {"SYNC_SCHEDULE": NEVER, "VTENEXT_TIME_LIMIT_SECONDS": "2"}) as stack:
        yield Place.on(stack)


@pytest.fixture
def place(running_place: Place) -> Iterator[Place]:
    """A place that is well; left without faults whatever a test did."""
    yield running_place
    running_place.crm.calm()
    running_place.outlook.calm()


def says(sentences: tuple[str, str], italian: str, english: str) -> bool:
    """Both languages, each its own text, with the words that matter."""
    return italian in sentences[0] and english in sentences[1] and sentences[0] != sentences[1]


def test_wrong_access_key_is_tried_once(place: Place) -> None:
    """Three worker processes, a wrong key, many runs: the CRM counts one refused login (SPEC 4.3)."""
    before = place.crm.logins()["logins_refused"]
    place.stack.stop_host()
    hosts = [place.stack.start_host(name, VTENEXT_ACCESS_KEY="wrong") for name in ("host", "second", "third")]
    admins = [Admin(url, place.stack.token) for url in hosts]
    for admin in admins * 2:
        ask_for_runs(admin)
    wait_for("the error state", lambda: place.whole()["state"] == "error")
    for admin in admins:
        ask_for_runs(admin)
    assert place.whole()["cause"] == "crm_login_refused"
    assert says(place.sentences(), "VTENEXT_ACCESS_KEY", "VTENEXT_ACCESS_KEY")
    assert place.crm.logins()["logins_refused"] == before + 1
    for name in ("host", "second", "third"):
        place.stack.stop_host(name)
    place.stack.start_host(VTENEXT_ACCESS_KEY=CRM_KEY)
    place.connector.order("restore-state")
    place.is_well()
    assert place.crm.logins()["logins_refused"] == before + 1


@pytest.mark.parametrize(
    ("fault", "cause", "italian", "english"),
    [
        ({"kind": "drop"}, "crm_unreachable", "vtenext non risponde", "vtenext does not answer"),
        (
            {"kind": "status", "status": 200, "body": "<html>Accedi</html>", "headers": {"content-type": "text/html"}},
            "crm_not_vtenext",
            "VTENEXT_URL",
            "VTENEXT_URL",
        ),
        ({"kind": "status", "status": 500, "body": ""}, "crm_crashed", "HTTP 500", "HTTP 500"),
    ],
    ids=["unreachable", "html", "empty-500"],
)
def test_a_crm_that_does_not_work_is_tried_later(
    place: Place, fault: Json, cause: str, italian: str, english: str
) -> None:
    """An attempt is counted and a pause begins; mended, it goes on by itself or when an admin restores the attempts."""
    place.crm.disturb(fault, times=1000)
    phone = place.edit(0)
    place.order_run()
    status = wait_for("an attempt", lambda: (s := place.whole())["attempts"] and s)
    assert (status["state"], status["cause"], status["attempts"]) == ("running", cause, 1)
    assert says(place.sentences(), italian, english)
    assert phone not in place.phones(0)
    place.crm.calm()
    place.connector.order("restore-attempts")
    place.is_well()


def test_expired_client_secret(place: Place) -> None:
    """Entra says so; Restore state refuses while it is so, and mends when there is a new secret."""
    place.entra.secret(CLIENT_ID, "expired~secret", expires=PAST)
    place.connector.admin.ask("PUT", "settings", {"client_secret": "expired~secret"})
    place.order_run()
    status = wait_for("the error state", lambda: (s := place.whole())["state"] == "error" and s)
    assert status["cause"] == "secret_expired"
    assert says(place.sentences(), "scaduto", "expired")
    refused = _restore(place)
    assert refused
    assert "expired" in str(refused)
    assert place.whole()["state"] == "error"
    place.entra.secret(CLIENT_ID, "expired~secret", expires="2100-01-01T00:00:00Z")
    assert not _restore(place)
    place.is_well()
    place.connector.admin.ask("PUT", "settings", {"client_secret": ""})


def _restore(place: Place) -> Any:
    """Restore state; what was said when it did not work, None when it did."""
    try:
        place.connector.order("restore-state")
    except Refused as refused:
        return refused
    return None


def test_mailbox_without_licence_stops_alone(place: Place) -> None:
    """The colleague's mailbox goes on."""
    place.outlook.set_user(place.mailboxes[0], licensed=False)
    phone = place.edit(1)
    place.order_run()
    one = wait_for("the mailbox's error", lambda: (m := place.one(0))["state"] == "error" and m)
    assert one["cause"] == "mailbox_without_licence"
    assert says(place.sentences(user=0), "licenza", "licence")
    wait_for("the colleague's edit", lambda: phone in place.phones(1))
    assert place.whole()["state"] == "running"
    place.outlook.set_user(place.mailboxes[0], licensed=True)
    place.connector.order("restore-state")
    place.is_well()


def test_folder_deleted_in_outlook_deletes_nothing(place: Place) -> None:
    """The CRM keeps everything; Restore state makes a new folder and fills it."""
    place.outlook.do("delete_folder", place.mailboxes[0], folder=FOLDER)
    place.order_run()
    one = wait_for("the mailbox's error", lambda: (m := place.one(0))["state"] == "error" and m)
    assert one["cause"] == "folder_deleted"
    assert says(place.sentences(user=0), "cartella", "folder")
    assert {row["id"] for row in place.crm.living()["Contacts"]} == set(place.contacts)
    place.connector.order("restore-state")
    place.is_well()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"folder_name": ""}, "folder_name"),
        ({"kinds": {"contact": {"winner": "nobody"}}}, "winner"),
        ({"client_id": "not-a-guid"}, "client_id"),
        ({"colour": "red"}, "colour"),
        ({"active": "yes"}, "active"),
    ],
)
def test_malformed_settings_are_refused_by_name(place: Place, body: Json, name: str) -> None:
    before = place.connector.admin.ask("GET", "settings")
    with pytest.raises(Refused) as refused:
        place.connector.admin.ask("PUT", "settings", body)
    assert refused.value.status == 400
    assert name in str(refused.value)
    assert place.connector.admin.ask("GET", "settings") == before


def test_malformed_environment_stops_the_start_with_its_name(place: Place) -> None:
    """Both mistakes at once, and none of the values."""
    right = place.stack.settings
    place.stack.stop_host()
    wrong = {"ENTRA_AUTHORITY_HOST": "http://evil.example", "DIGEST_KEYS": "short~and~secret"}
    with pytest.raises(StackError) as said:
        place.stack.start_host(**wrong)
    place.stack.settings = right
    place.stack.start_host()
    assert "ENTRA_AUTHORITY_HOST" in str(said.value)
    assert "DIGEST_KEYS" in str(said.value)
    assert "evil.example" not in str(said.value)
    assert "short~and~secret" not in str(said.value)
    place.is_well()


def test_one_record_with_a_broken_owner_does_not_stop_the_others(place: Place) -> None:
    """From then on every query of the module that meets it fails (API.md 3.5); it waits, the others arrive."""
    owner = place.owners[0]
    place.crm.ask("POST", "silent-edit", {"id": place.contacts[2], "fields": {"assigned_user_id": "19x9999"}})
    phones = [place.edit(0), place.edit(1)]
    place.order_run()
    for user in (0, 1):
        wait_for("the others' edits", partial(place.shows, user, phones[user]))
    assert place.whole()["state"] == "running"
    assert len(place.outlook.cards(place.mailboxes[0], FOLDER)) == 4
    place.crm.edit(place.contacts[2], assigned_user_id=owner)
    place.is_well()

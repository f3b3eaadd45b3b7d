"""Users connect their own mailboxes, over the real host: the mode is switched, both press Connect, one sign-in ends and is renewed. HTTP only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.e2e.connector import wait_for
from tests.e2e.hands import Json
from tests.e2e.stack import CLIENT_ID, Stack, free_ports
from tests.e2e.test_bad_input import NEVER, Place

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

RESOURCE = "https://graph.microsoft.com/"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Connected by the application, then switched to delegated sign-in."""
    (port,) = free_ports(1)
    name = f"delegated-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    settings = {"SYNC_SCHEDULE": NEVER, "VTENEXT_TIME_LIMIT_SECONDS": "2", "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with Stack(name, settings, app_port=port) as stack:
        place = Place.on(stack)
        place.connector.say("settings", sign_in_mode="delegated")
        yield place


class Popup:
    """The browser window that Connect opens."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._http = httpx.Client(base_url=place.stack.urls["host"], trust_env=False, timeout=60)

    def begin(self, user: int) -> dict[str, str]:
        """Press Connect: what Microsoft's page is asked for."""
        headers = {"Authorization": f"Bearer {self._place.stack.token}"}
        body = {"user": self._place.owners[user]}
        answer = self._http.post("/api/oauth/connect", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        url = answer.json()["url"]
        assert url.startswith(self._place.stack.urls["entra"])
        return dict(parse_qsl(urlsplit(url).query))

    def sign_in(self, asked: dict[str, str], account: int) -> dict[str, str]:
        """Sign in with the account of that mailbox and consent."""
        oid = self._place.mailboxes[account]
        body = {
            "client_id": CLIENT_ID,
            "person": {"oid": oid, "upn": f"{oid}@acme.example", "name": "x"},
            "scopes": [scope.removeprefix(RESOURCE) for scope in asked["scope"].split()],
            "redirect_uri": asked["redirect_uri"],
            "challenge": asked["code_challenge"],
            "nonce": asked["nonce"],
        }
        return {"code": self._place.entra.ask("POST", "codes", body)["code"], "state": asked["state"]}

    def come_back(self, answer: dict[str, str]) -> tuple[int, str]:
        """Status and word of our page."""
        page = self._http.get("/api/oauth/callback", params=answer)
        return page.status_code, page.text.partition('data-code="')[2].partition('"')[0]

    def through(self, user: int, account: int | None = None) -> tuple[int, str]:
        return self.come_back(self.sign_in(self.begin(user), user if account is None else account))


def until(place: Place, what: str, check: Callable[[], object]) -> None:
    """Runs until it is so. A mailbox that stands still ends none, so that the connector's own rounds would wait for ever."""

    def look() -> object:
        place.order_run()
        return check()

    wait_for(what, look, seconds=60)


def one(place: Place, user: int) -> Json:
    shown = place.one(user)
    return {name: shown[name] for name in ("state", "cause")}


def test_users_connect_lose_their_sign_in_and_connect_again(place: Place) -> None:
    place.edit(0)
    until(place, "both stand still", lambda: [one(place, n)["cause"] for n in (0, 1)] == ["not_connected"] * 2)
    assert sorted(place.whole()["reconnect"]) == sorted(place.mailboxes)
    assert place.whole()["state"] == "running"

    popup = Popup(place)
    assert popup.through(0, account=1) == (409, "wrong_account")
    assert popup.through(0) == (200, "connected")
    answer = popup.sign_in(popup.begin(1), 1)
    assert Popup(place).come_back(answer) == (403, "no_session")
    assert popup.come_back({**answer, "state": answer["state"][:-1] + "_"}) == (400, "state_tampered")
    assert popup.come_back(answer) == (200, "connected")
    assert popup.come_back(answer)[0] in (400, 403), "once only"
    place.is_well()
    assert place.whole()["reconnect"] == []

    place.entra.ask("POST", "revoke", {"oid": place.mailboxes[0]})
    for clock in (place.entra, place.outlook):
        clock.ask("POST", "clock/advance", {"seconds": 7200})
    waiting, arrives = place.edit(0), place.edit(1)
    until(place, "Bruno's edit arrives", lambda: place.shows(1, arrives))
    assert one(place, 0) == {"state": "error", "cause": "reconnect"}
    assert one(place, 1) == {"state": "ok", "cause": ""}
    assert place.whole()["reconnect"] == [place.mailboxes[0]]
    assert place.whole()["reconnect_warning"]
    assert not place.shows(0, waiting)

    assert popup.through(0, account=1) == (409, "wrong_account")
    assert popup.through(0) == (200, "connected")
    until(place, "Anna's edit arrives", lambda: place.shows(0, waiting))
    place.is_well()

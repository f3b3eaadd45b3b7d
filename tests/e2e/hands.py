"""The people of the demo: what they do on the screens of vtenext and Outlook, and what the admin asks of the connector.

Each hand speaks HTTP: the emulators' corner (`/_emulator/`) for users' work and for reading what the two sides hold, the control API for
the admin. Nothing here knows the engine, its tables or its queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

import httpx

Json = dict[str, Any]
WRITES = ("POST", "PATCH", "PUT", "DELETE")
MODULES = ("Contacts", "Accounts", "Events", "Calendar")
VIEWER = "33333333-4444-4555-8666-777777777777"
"""The client with which people look at their calendar: not the connector's, whose requests are counted and throttled apart."""


class Corner:
    """The common part of an emulator's corner."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/_emulator/", timeout=60, trust_env=False)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One call; an error of the emulator is an exception with what it said."""
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def requests(self) -> dict[str, int]:
        """Requests so far by label."""
        return dict(self.ask("GET", "requests")["by"])

    def slow_down(self, *, round_trip_ms: float = 0, service_ms: float = 0) -> None:
        """Distance and slowness of the server."""
        self.ask("PUT", "latency", {"round_trip_ms": round_trip_ms, "service_ms": service_ms})

    def disturb(self, fault: Json, *, match: str = "", nth: int = 1, times: int = 1) -> None:
        """Arm a fault."""
        self.ask("POST", "faults", {"fault": fault, "match": match, "nth": nth, "times": times})

    def calm(self) -> None:
        """Disarm all faults."""
        self.ask("DELETE", "faults")


class CrmScreen(Corner):
    """vtenext as its users and administrators work with it."""

    def users(self, users: Sequence[Json]) -> list[str]:
        return list(self.ask("POST", "users", {"users": users})["ids"])

    def groups(self, groups: Sequence[Json]) -> list[str]:
        return list(self.ask("POST", "groups", {"groups": groups})["ids"])

    def records(self, module: str, records: Sequence[Json]) -> list[str]:
        return list(self.ask("POST", "records", {"module": module, "records": records})["ids"])

    def series(self, fields: Json, dates: Sequence[str], recurringtype: str = "Weekly") -> list[str]:
        """A series as the screen saves it: a record for each date."""
        given = {"fields": fields, "dates": list(dates), "recurringtype": recurringtype}
        return list(self.ask("POST", "series", given)["ids"])

    def edit(self, id_: str, **fields: object) -> None:
        self.ask("POST", "edit", {"id": id_, "fields": fields})

    def answer(self, id_: str, user: str, said: str) -> None:
        """A user who is invited answers in the CRM: 1 declined, 2 accepted."""
        self.ask("POST", "answer", {"id": id_, "invitee": user, "partecipation": said})

    def mails(self) -> list[Json]:
        """The mails that vtenext sent to contacts among invitees; `by`: service (whoever uses the API) or screen."""
        return list(self.ask("GET", "outbox")["mails"])

    def delete(self, id_: str) -> None:
        self.ask("POST", "delete", {"id": id_})

    def cap_writes(self, per_session: float | None = None, server: float = 13) -> None:
        """What modest hardware takes (API.md 1.3); None: no cap."""
        self.ask("PUT", "write-cap", {"per_session": per_session, "server": server} if per_session else {})

    def logins(self) -> dict[str, int]:
        return dict(self.ask("GET", "logins"))

    def living(self) -> dict[str, list[Json]]:
        """Contacts, companies, events and tasks that are not in the recycle bin."""
        modules = self.everything()
        return {name: [r for r in modules.get(name, []) if not r["deleted"]] for name in MODULES}

    def everything(self) -> dict[str, list[Json]]:
        """All rows of all modules, the recycle bin included."""
        return dict(self.ask("GET", "dump")["modules"])

    def writes(self) -> int:
        """Creates, revises and deletes that reached the server. A request that a killed host left half sent names no operation."""
        labels = [(label.split(), n) for label, n in self.requests().items()]
        return sum(n for (_, *rest), n in labels if rest and rest[0] in ("create", "revise", "update", "delete"))


class Outlook(Corner):
    """The tenant's mailboxes, and Outlook in their owners' hands."""

    def user(self, mail: str, display_name: str, *, licensed: bool = True) -> str:
        answer = self.ask("POST", "users", {"mail": mail, "display_name": display_name, "licensed": licensed})
        return str(answer["id"])

    def set_user(self, user: str, **changes: bool) -> None:
        self.ask("PATCH", "users", {"user": user, **changes})

    def do(self, action: str, user: str, **arguments: object) -> Any:
        """create, edit, move, copy, delete, create_folder, delete_folder ... (emulators/graph/README.md)"""
        return self.ask("POST", "outlook", {"do": action, "user": user, **arguments})["result"]

    def mailbox(self, user: str) -> Json:
        return dict(self.ask("POST", "mailbox", {"user": user}))

    def cards(self, user: str, folder: str) -> list[Json]:
        """The contacts of a folder by its name, [] when there is none."""
        folders = self.mailbox(user)["folders"]
        return [card for each in folders if each["displayName"] == folder for card in each["contacts"]]

    def mails(self) -> list[Json]:
        """The mails that Exchange sent, one a recipient; `by`: app, person, or resource (a room by itself)."""
        return list(self.ask("GET", "mails")["mails"])

    def writes(self, about: str = "") -> int:
        """Writes that reached the server: single requests and parts of batches (a batch itself may only read).

        `about`: only those with this in their path, for instance `/events`.
        """
        whole = [(label, n) for label, n in self.requests().items() if not label.lower().endswith("/$batch")]
        parts = list(self.ask("GET", "parts")["by"].items())
        return sum(n for label, n in whole + parts if label.split()[0] in WRITES and about in label)


class CalendarPage:
    """Outlook's calendar as its owner looks at it: Graph's own listing and view, which expands the series. Reads only."""

    def __init__(self, graph: str, entra: str) -> None:
        tenant, secret = Entra(entra), token_urlsafe(24)
        tenant.ask("POST", "apps", {"client_id": VIEWER, "roles": ["Calendars.Read"], "secrets": [{"value": secret}]})
        form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
        form |= {"client_id": VIEWER, "client_secret": secret}
        url = f"{entra}/{tenant.ask('GET', 'tenant')['id']}/oauth2/v2.0/token"
        token = httpx.post(url, data=form, trust_env=False).raise_for_status().json()["access_token"]
        prefer = 'IdType="ImmutableId", odata.maxpagesize=200, outlook.body-content-type="text"'
        headers = {"authorization": f"Bearer {token}", "prefer": prefer}
        self._http = httpx.Client(base_url=f"{graph}/v1.0/", headers=headers, timeout=60, trust_env=False)

    def events(self, user: str) -> list[Json]:
        """Single events and the masters of series, times in UTC."""
        return self._pages(f"users/{user}/events?$top=200")

    def occurrences(self, user: str, start: datetime, end: datetime) -> list[Json]:
        """What takes place between two moments and belongs to a series."""
        days = "&".join(f"{n}={m:%Y-%m-%dT%H:%M:%SZ}" for n, m in (("startDateTime", start), ("endDateTime", end)))
        view = self._pages(f"users/{user}/calendarView?{days}&$top=200")
        return [event for event in view if event["seriesMasterId"]]

    def _pages(self, url: str) -> list[Json]:
        found: list[Json] = []
        while url:
            page = self._http.get(url).raise_for_status().json()
            found += page["value"]
            url = page.get("@odata.nextLink", "")
        return found


class Entra(Corner):
    """The tenant's app registrations."""

    def secret(self, client_id: str, value: str, **changes: object) -> None:
        """Add a secret, or change the expiry of (`expires`), or `remove` it."""
        self.ask("POST", "secrets", {"client_id": client_id, "value": value, **changes})


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """The control API said no."""

    status: int
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.status} {dict(self.body)}"


class Admin:
    """An administrator with the token of the control API (docs/control-api.md)."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url}/api/", headers=headers, timeout=60, trust_env=False)

    def ask(self, method: str, path: str, body: object = None, match: str = "*") -> Any:
        """One call of the API; Refused when it answers an error. `match`: the version that is changed or answered."""
        headers = {} if method == "GET" else {"if-match": match}
        body = {} if body is None and method != "GET" else body
        answer = self._http.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise Refused(answer.status_code, _json(answer))
        return answer.json()


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {"text": answer.text[:300]}
    return body if isinstance(body, dict) else {"body": body}


Progress = Callable[[str], None]

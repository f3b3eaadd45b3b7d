"""Who is invited to an event: written by address, matched as the server matches, told by mail (API.md 7.5, 3.8).

Users match by exact address, contacts whose main e-mail *contains* the text; strangers are dropped without a word. Only get_changes shows
the result, and moving an event resets the answers.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from emulators.vtenext import columns
from emulators.vtenext.schema import modules
from emulators.vtenext.state import Mail, Record, State, User
from emulators.vtenext.views import ACTIVITY_TIMES

UNANSWERED = "0"

Invitee = dict[str, str | None]


def times_of(record: Record) -> tuple[str, ...]:
    """What counts as moving an event when it changes."""
    return tuple(record.values[name] for pair in ACTIVITY_TIMES for name in pair)


def write(state: State, record: Record, given: Mapping[str, Any], before: tuple[str, ...] | None, caller: User) -> None:
    """Bring the list up to date after a save. ``before``: the times of an event that was there already."""
    moved = before is not None and times_of(record) != before
    had = {invitee["id"] for invitee in record.invitees}
    if isinstance(given.get("invitees"), list):  # the key left out keeps the list, also for update
        record.invitees = _matched(state, given["invitees"], caller)
    elif moved:
        record.invitees = [{**invitee, "partecipation": UNANSWERED} for invitee in record.invitees]
    for invitee in record.invitees:
        if invitee["type"] == "Contacts" and (moved or invitee["id"] not in had):
            why = "moved" if moved else "invited"
            state.outbox.append(Mail(str(invitee["email1"]), str(invitee["id"]), record.values["id"], why, state.actor))


def answer(state: State, record: Record, invitee: str, partecipation: str) -> None:
    """Through the CRM's invitation link: only the invitees' table changes (API.md 5). ValueError when not invited."""
    found = next((each for each in record.invitees if each["id"] == invitee), None)
    if found is None:
        raise ValueError(f"{invitee} is not invited to {record.values['id']}")
    found["partecipation"] = partecipation


def _matched(state: State, given: Sequence[Any], caller: User) -> list[Invitee]:
    """The list that the server makes of addresses: users by number, then contacts by number, each once."""
    users: dict[int, Invitee] = {}
    contacts: dict[int, Invitee] = {}
    for entry in given:
        if not isinstance(entry, Mapping):
            continue
        text = columns.text_of(entry.get("email")).strip().lower()
        said = columns.text_of(entry.get("partecipation")) or UNANSWERED
        if not text:
            continue
        users |= {user.number: _user(user, said) for user in _users(state, caller) if text in _addresses(user)}
        for record in state.tables["Contacts"].by_number():
            if not record.deleted and text in record.values["email"].lower():
                contacts[record.number] = _contact(record, said)
    return [users[number] for number in sorted(users)] + [contacts[number] for number in sorted(contacts)]


def _users(state: State, caller: User) -> list[User]:
    """The active users whom the caller may see: an administrator all, others only themselves (API.md 7.5, 10)."""
    return [user for user in state.users.values() if user.active and (caller.is_admin or user.number == caller.number)]


def _addresses(user: User) -> set[str]:
    return {user.values.get(name, "").lower() for name in ("email1", "email2")} - {""}


def _user(user: User, said: str) -> Invitee:
    values = user.values
    return {
        "id": user.id,
        "partecipation": said,
        "user_name": values["user_name"],
        "firstname": values.get("first_name", ""),
        "lastname": values.get("last_name", ""),
        "email1": values.get("email1", ""),
        "email2": values.get("email2", ""),
        "type": "Users",
        "entityname": _entity(values.get("last_name", ""), values.get("first_name", "")),
    }


def _contact(record: Record, said: str) -> Invitee:
    values = record.values
    return {
        "id": f"{modules()['Contacts'].prefix}x{record.number}",
        "partecipation": said,
        "firstname": values["firstname"],
        "lastname": values["lastname"],
        "email1": values["email"],
        "email2": None,
        "type": "Contacts",
        "entityname": _entity(values["lastname"], values["firstname"]),
    }


def _entity(last: str, first: str) -> str:
    """Entity-encoded, as recorded: D&#039;Angelo."""
    return html.escape(f"{last} {first}".strip()).replace("&#x27;", "&#039;")

"""Who takes part in meetings, as each side shows it: a *seat* for every user and room at every meeting. By a reading of its own.

The CRM shows a meeting once, with its invitees. In Exchange a user's seat is that user's own copy, with the answer that its owner sees; a room's is
its line on the organizer's list. A seat says which meeting it is (name, place, time), what was answered, and which resources its calendar shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.e2e.compare import Json, Values
from tests.e2e.compare_events import event_item, event_record, over, record_when

ANSWERS = {"0": "none", "1": "declined", "2": "accepted"}
LEADS = "organizer"
REFUSED = " ✗"
"""Behind the name of a resource that does not take part."""
PRIVATE = ("private", "confidential")


@dataclass(frozen=True, slots=True)
class People:
    """`boxes`: user -> the mailbox whose calendar we see. `addresses`: address in lower case -> user or room. `tags`: resource -> category."""

    boxes: Mapping[str, str]
    addresses: Mapping[str, str]
    tags: Mapping[str, str]
    rooms: frozenset[str] = frozenset()

    def user_in(self, mailbox: str) -> str:
        return next(user for user, box in self.boxes.items() if box == mailbox)


def crm_seats(row: Json, people: People) -> dict[str, Values]:
    """The seats at one record's meeting, `record user` -> seat; none when it invites no user. Who declined has no copy any more."""
    said = {each["id"]: ANSWERS[each["partecipation"]] for each in row["invitees"] if each["type"] == "Users"}
    if not said:
        return {}
    shown = _tags(said, people)
    told = _told(event_record(row))
    seats = {f"{row['id']} {user}": _seat(told, said[user], user, shown) for user in said if user in people.boxes}
    seats = {name: seat for name, seat in seats.items() if dict(seat)["answer"] != "declined"}
    seats |= {f"{row['id']} {room}": _seat(told, said[room], room, "") for room in said.keys() & people.rooms}
    owner = row["assigned_user_id"]
    if owner in people.boxes and owner not in said:
        seats[f"{row['id']} {owner}"] = _seat(told, LEADS, owner, shown)
    return seats


def outlook_seats(event: Json, people: People) -> dict[str, Values]:
    """The seats that an event of a mailbox shows, `event user` -> seat: its owner's, and of an own event those of the rooms too."""
    if event["isCancelled"] or event["sensitivity"] in PRIVATE:
        return {}
    me, told = people.user_in(event["mailbox"]), _told(event_item(event))
    shown = " ".join(sorted(set(event["categories"]) & _names(people)))
    if not event["isOrganizer"]:
        return {f"{event['id']} {me}": _seat(told, _answer(event["responseStatus"]), me, shown)}
    listed = {people.addresses.get(address, ""): each["status"] for address, each in _listed(event)}
    listed.pop("", None)
    listed.pop(me, None)
    if not listed and not shown:
        return {}
    rooms = {r: _seat(told, _answer(listed[r]), r, "") for r in listed.keys() & people.rooms}
    return {f"{event['id']} {user}": seat for user, seat in {me: _seat(told, LEADS, me, shown), **rooms}.items()}


def met(rows: Iterable[Json], people: People, now: datetime) -> set[tuple[str, str]]:
    """Mailbox and contact: whom a user meets at a coming event of the CRM, private ones aside (SPEC 2.7)."""
    found: set[tuple[str, str]] = set()
    for row in rows:
        if row["visibility"] == "Private" or over(record_when(row), now):
            continue
        contacts = {each["id"] for each in row["invitees"] if each["type"] == "Contacts"} | {row["contact_id"]} - {""}
        coming = {each["id"] for each in row["invitees"] if ANSWERS[each["partecipation"]] != "declined"}
        boxes = [people.boxes[user] for user in coming | {row["assigned_user_id"]} if user in people.boxes]
        found |= {(box, contact) for box in boxes for contact in contacts}
    return found


def twice(events: Iterable[Json]) -> int:
    """How many meetings stand in a calendar more than once."""
    seen = [(e["mailbox"], e["iCalUId"], e.get("originalStart")) for e in events if not e["isCancelled"]]
    return len(seen) - len(set(seen))


def _listed(event: Json) -> Iterator[tuple[str, Json]]:
    for each in event["attendees"]:
        yield each["emailAddress"]["address"].lower(), each


def _answer(status: Json) -> str:
    """vtenext knows no tentative answer (API.md 7.5)."""
    said = str(status["response"])
    return said if said in ("accepted", "declined") else "none"


def _tags(said: Mapping[str, str], people: People) -> str:
    names = [people.tags[r] + (REFUSED if said[r] == "declined" else "") for r in said.keys() & people.tags.keys()]
    return " ".join(sorted(names))


def _names(people: People) -> set[str]:
    return {name + end for name in people.tags.values() for end in ("", REFUSED)}


def _told(values: Values) -> Sequence[tuple[str, str]]:
    return [(name, value) for name, value in values if name in ("name", "location", "when")]


def _seat(told: Sequence[tuple[str, str]], answer: str, user: str, shown: str) -> Values:
    return tuple(sorted([*told, ("answer", answer), ("who", user), ("resources", shown)]))

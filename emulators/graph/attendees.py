"""Lists of attendees: what the service keeps of a list that is sent, and what answers and moves make of it (BEHAVIOUR 7.2).

Pure. Lists are never changed in place: whoever holds the old one goes on seeing it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"
_SET_BY_CLIENTS = ("accepted", "tentativelyAccepted")


def address_of(attendee: Json) -> str:
    """Addresses compare without case."""
    return str(attendee["emailAddress"]["address"]).casefold()


def addresses(attendees: Iterable[Json], but: str = "") -> frozenset[str]:
    """All addresses, without `but` (the organizer's: nobody invites himself)."""
    return frozenset(map(address_of, attendees)) - {but.casefold()}


def listed(attendees: Iterable[Json], address: str) -> Json | None:
    """The one of that address."""
    return next((each for each in attendees if address_of(each) == address.casefold()), None)


def merged(old: Iterable[Json], sent: Iterable[Json]) -> list[Json]:
    """The list that replaces `old`: who stays keeps the answer. A status that is sent is taken when it accepts; a declining one
    reads as not responded (microsoft-graph-docs#5545, 16158)."""
    held = {address_of(each): each for each in old}
    return [_with_status(each, held.get(address_of(each))) for each in sent]


def _with_status(sent: Json, old: Json | None) -> Json:
    status = sent.get("status") or {}
    kept = (old or {}).get("status") or {"response": "none", "time": NEVER}
    if status.get("response") in _SET_BY_CLIENTS:
        kept = {"response": status["response"], "time": status.get("time") or NEVER}
    elif status.get("response") == "declined" and kept["response"] != "declined":
        kept = {"response": "notResponded", "time": "4501-01-01T00:00:00Z"}
    proposal = (old or {}).get("proposedNewTime")
    return {**sent, "status": kept, **({"proposedNewTime": proposal} if proposal else {})}


def reset(attendees: Iterable[Json]) -> list[Json]:
    """After a move nobody has answered yet."""
    return [_unanswered(each) for each in attendees]


def _unanswered(attendee: Json) -> Json:
    rest = {name: value for name, value in attendee.items() if name != "proposedNewTime"}
    if rest["status"]["response"] not in ("none", "organizer"):
        rest["status"] = {"response": "notResponded", "time": NEVER}
    return rest


def answered(attendees: Iterable[Json], address: str, status: Json, proposal: Json | None) -> list[Json]:
    """The list with one answer in it; a new time that was proposed stays until the next answer."""
    found = []
    for each in attendees:
        if address_of(each) == address.casefold():
            each = {name: value for name, value in each.items() if name != "proposedNewTime"} | {"status": status}
            each |= {"proposedNewTime": proposal} if proposal else {}
        found.append(each)
    return found


def follow(attendees: Iterable[Json], was: Iterable[Json], now: Iterable[Json]) -> list[Json]:
    """An exception's own list after its series' list went from `was` to `now`: who came comes, who left leaves (memory)."""
    before, after = addresses(was), {address_of(each): each for each in now}
    own = [each for each in attendees if address_of(each) in after or address_of(each) not in before]
    there = addresses(own)
    return own + [each for name, each in after.items() if name not in there and name not in before]


def on_copy(attendees: Iterable[Json], address: str, *, hidden: bool, organizer: Json | None) -> list[Json]:
    """How a copy lists them: nobody's answer, not even one's own (microsoft-graph-docs-contrib#7956); only oneself of a hidden
    list; `organizer`, when given, is one of the list."""
    blank: Json = {"response": "none", "time": NEVER}
    shown = [
        {"type": each["type"], "status": blank, "emailAddress": each["emailAddress"]}
        for each in attendees
        if not hidden or address_of(each) == address.casefold()
    ]
    if organizer is None:
        return shown
    mine = {"type": "required", "status": {"response": "organizer", "time": NEVER}, **organizer}
    return [mine, *(each for each in shown if address_of(each) != address_of(mine))]

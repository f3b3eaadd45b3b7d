"""What an event is called: by a mailbox, by vtenext, and by everybody. Pure.

A mailbox knows an event by its id, and an occurrence as `master|slot`; vtenext by a stamp of two columns, `ical_uuid` and `recurr_idx`;
all mailboxes together by the iCalUId, of which a person invited to one occurrence has a variant that names its day (BEHAVIOUR 5.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from zoneinfo import ZoneInfo

from sync.model import Item
from sync.spans import starts_at

UID_LENGTH = 127
"""Characters of vtenext's `ical_uuid`, of events and tasks (API.md 7.7)."""

GLOBAL_OBJECT = "040000008200E00074C5B7101A82E008"
"""How an iCalUId begins that is an Exchange GlobalObjectId in hex; the eight digits after it are an occurrence's day, or zero."""


def is_occurrence(item_id: str) -> bool:
    """Is it one occurrence of a series in a mailbox (`master|slot`)?"""
    return "|" in item_id


def series_of(item_id: str) -> str:
    """The series of an occurrence, the event itself otherwise: what counts as one thing for the delete brake."""
    return item_id.partition("|")[0]


def is_exception(version: str) -> bool:
    """Does this version of an occurrence say that it was changed apart from its series? It then names both: `series;occurrence`."""
    return ";" in version


def crm_stamp(card: Item) -> str:
    """`ical_uuid|recurr_idx` of the record of a mailbox's event: the same whichever mailbox its copy is found in."""
    alone = alone_stamp(card)
    return alone if alone and not is_occurrence(card.id) else f"{_uid(card)}|{card.fields.get('slot') or '0'}"


def alone_stamp(card: Item) -> str:
    """The stamp of an occurrence whose series its mailbox does not hold, '' when it is none: nobody there knows how many days after the first it
    comes, so its day is counted from the calendar's beginning.
    """
    day = original_day(card)
    return f"{_uid(card)}|{date.fromisoformat(day).toordinal()}" if day else ""


def original_day(card: Item) -> str:
    """The day (ISO) that an occurrence had in its series, '' = a single event. Somebody who is invited to one occurrence has a single event, whose
    iCalUId tells its day (BEHAVIOUR 5.2).
    """
    return card.id.partition("|")[2] or _day_in(str(card.fields.get("uid", "")))


def meeting_name(card: Item) -> str:
    """By what all mailboxes know an event or occurrence, however much of its series they hold."""
    return f"{_uid(card)}|{original_day(card)}"


def of_day(day: str, records: Iterable[Item], zone: ZoneInfo) -> list[Item]:
    """Of a series' records those of the occurrence that had this day, counted from the day on which most of them say that it began."""
    counted = [(r, int(str(r.fields.get("slot") or 0))) for r in records if r.fields.get("when")]
    starts = [
        (starts_at(str(r.fields["when"]), zone).astimezone(zone).date().toordinal() - index) for r, index in counted
    ]
    if not starts:
        return []
    index = date.fromisoformat(day).toordinal() - max(sorted(set(starts)), key=starts.count)
    return [record for record, mine in counted if mine == index]


def _uid(card: Item) -> str:
    return record_uid(str(card.fields.get("uid", "")))


def _day_in(uid: str) -> str:
    if not uid.upper().startswith(GLOBAL_OBJECT):
        return ""
    head = len(GLOBAL_OBJECT)
    parts = uid[head : head + 4], uid[head + 4 : head + 6], uid[head + 6 : head + 8]
    try:
        return date(*(int(part, 16) for part in parts)).isoformat()
    except ValueError:
        return ""


def record_uid(uid: str) -> str:
    """The iCalUId as vtenext can hold it: an Exchange GlobalObjectId without the occurrence's date (its bytes 16-19, hex 33-40), hashed
    when it is too long for the column."""
    head = len(GLOBAL_OBJECT)
    if len(uid) >= head + 8 and uid.upper().startswith(GLOBAL_OBJECT):
        uid = f"{uid[:head]}00000000{uid[head + 8 :]}"
    return uid if len(uid) <= UID_LENGTH else sha256(uid.encode()).hexdigest()

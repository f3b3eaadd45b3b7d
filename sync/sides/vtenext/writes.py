"""Writing records: create, revise, delete, one call each, several sessions in parallel.

vtenext has no If-Match and no bulk operation (API.md 1.3, 3.2). So just before each group of writes - as many as there are sessions - one query
reads what they expect; the window that remains is one call. Never sends a field that would not change, never `update` or `updateRecord`
(API.md 3.3, 3.4), and never creates a record for an owner that it has not seen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from mapping.attendees import invitees_of
from sync.errors import Failure, RetryLater, StopConnector
from sync.model import Gone, Item, Kind, Present, Value
from sync.sides.base import Done, New, Refused, Remove, Result, Revise, Unclear, Write
from sync.sides.vtenext import tasks
from sync.sides.vtenext.client import Row, as_text
from sync.sides.vtenext.directory import Owners
from sync.sides.vtenext.events import WHEN, NewEvent, changed, columns_of, identity_of
from sync.sides.vtenext.invitees import KEY as INVITEES
from sync.sides.vtenext.invitees import element_of, from_row, learned, matches
from sync.sides.vtenext.items import ACCOUNT, ACCOUNT_NAME, OWNER, VERSION, Form, Reader, item_of
from sync.sides.vtenext.presence import present
from sync.sides.vtenext.wire import Denied, Lost
from sync.spans import read_span

STORED_ANYWAY = frozenset({"INVALID_ID_ATTRIBUTE", "INTERNAL_SERVER_ERROR", "DATABASE_QUERY_ERROR"})
"""Errors that come after the row was stored: a broken owner certainly (API.md 3.5), a fault in the middle of a save perhaps."""

_STATUS = {"ACCESS_DENIED": 403, "RECORD_NOT_FOUND": 404}
_MOVED = 412

Stop = RetryLater | StopConnector


async def apply(reader: Reader, owners: Owners, new_event: NewEvent, writes: Sequence[Write]) -> list[Result]:
    """Execute the writes, results in their order.

    When the CRM cannot be used any more, nothing further is sent: what was not written is refused with status 0. Raised instead when
    nothing at all was written. A write that can never be right is a ValueError, before anything is sent.
    """
    for write in writes:
        _check_event(write)
        if isinstance(write, New) and write.kind is Kind.TASK:
            tasks.check_stamp(write.stamp)
    writer = _Writer(reader, await owners.known({_owner_given(write) for write in writes}), new_event)
    outcomes: list[Result | Stop] = []
    stopped: Stop | None = None
    for group in _groups(writes, reader.client.sessions):
        outcomes += [stopped] * len(group) if stopped else await writer.group(group)
        stopped = next((outcome for outcome in outcomes if isinstance(outcome, Stop)), None)
    if stopped and not any(isinstance(outcome, Done | Unclear) for outcome in outcomes):
        raise stopped
    return [_not_sent(outcome) if isinstance(outcome, Stop) else outcome for outcome in outcomes]


def _groups(writes: Sequence[Write], size: int) -> Iterator[list[Write]]:
    """In order, `size` at a time, and no record twice in one group."""
    group: list[Write] = []
    ids: set[str] = set()
    for write in writes:
        record = "" if isinstance(write, New) else write.expected.id
        if group and (len(group) == size or record in ids):
            yield group
            group, ids = [], set()
        group.append(write)
        ids |= {record} - {""}
    if group:
        yield group


def _check_event(write: Write) -> None:
    if _kind(write) is not Kind.EVENT or isinstance(write, Remove):
        return
    if isinstance(write, New):
        identity_of(write.stamp)
    if isinstance(write, New) or WHEN in write.fields:
        read_span(_text(write.fields.get(WHEN, "")))


def _owner_given(write: Write) -> str:
    match write:
        case New():
            return write.owner
        case Revise():
            return _text(write.fields.get(OWNER, ""))
        case Remove():
            return ""


def _not_sent(error: Stop) -> Refused:
    after = error.after if isinstance(error, RetryLater) else None
    return Refused(Failure(0, error.cause.value, retry_after=after, where="not sent"))


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError("a field of vtenext holds text, not a list")
    return value


def differs(expected: Item, now: Item) -> bool:
    """Is the record no longer as it was read? The name of its account is not its own and does not count."""
    if (expected.owner, expected.version) != (now.owner, now.version):
        return True
    return any(
        now.fields[name] != value
        for name, value in expected.fields.items()
        if name in now.fields and name not in {ACCOUNT_NAME, INVITEES}
    )


def _about_people(write: Write) -> bool:
    """Does it write the list of invitees, or move an event, which takes their answers away?"""
    if _kind(write) is not Kind.EVENT or isinstance(write, Remove):
        return False
    return INVITEES in write.fields or (WHEN in write.fields and isinstance(write, Revise))


def _other_people(write: Revise, now: Item) -> bool:
    """Did the list that is about to be written change meanwhile?"""
    expected = write.expected.fields.get(INVITEES)
    return INVITEES in write.fields and expected is not None and now.fields.get(INVITEES) != expected


class _Writer:
    """One `apply`. `owners`: ids that may own records. Account names are learned before writing, so that no answer needs a further read."""

    def __init__(self, reader: Reader, owners: frozenset[str], new_event: NewEvent) -> None:
        self._reader, self._client, self._owners, self._new_event = reader, reader.client, owners, new_event
        self._names: dict[str, str] = {}
        self._found: dict[str, frozenset[str]] = {}  # address -> whom the server would invite by it
        self._listed: list[tuple[Form, Row]] = []  # answers to writes of invitees, which do not show them

    async def group(self, writes: Sequence[Write]) -> list[Result | Stop]:
        """Read what the group expects, then write it in parallel."""
        try:
            zone = await self._reader.zone()
            forms = {kind: await self._reader.form(kind) for kind in {_kind(write) for write in writes}}
            fields = [write.fields for write in writes if not isinstance(write, Remove)]
            await self._reader.learn_names((_text(given.get(ACCOUNT, "")) for given in fields), self._names)
            now = await self._present(writes)
            await self._find_people(writes, now)
        except (RetryLater, StopConnector) as error:
            return [error] * len(writes)
        except Denied as denied:
            return [self._reader.whole_side(denied)] * len(writes)
        outcomes = await asyncio.gather(*(self._one(write, now, forms[_kind(write)], zone) for write in writes))
        return await self._with_people(outcomes, zone)

    async def _find_people(self, writes: Sequence[Write], now: Mapping[str, Present]) -> None:
        """Whom the server would invite by the addresses in these writes, as far as this `apply` did not ask yet."""
        events = [write for write in writes if _about_people(write) and not isinstance(write, Remove)]
        lists = [write.fields.get(INVITEES) for write in events]
        held = [now.get(write.expected.id) for write in events if isinstance(write, Revise)]
        lists += [item.fields.get(INVITEES) for item in held if isinstance(item, Item)]
        texts = {each.address for listed in lists for each in invitees_of(listed)} - self._found.keys()
        self._found |= await matches(self._client, texts)

    async def _with_people(self, outcomes: Sequence[Result | Stop], zone: ZoneInfo) -> list[Result | Stop]:
        """The same outcomes, with the invitees of what was just written. Where they cannot be read the items stay without."""
        listed, self._listed = self._listed, []
        if not listed:
            return list(outcomes)
        form = listed[0][0]  # only events have invitees
        try:
            rows = await learned(self._client, zone, form.module, [row for _, row in listed], VERSION)
        except (RetryLater, StopConnector):  # what was written stands; the next call says what is wrong
            rows = []
        shown = {row["id"]: people for row in rows if (people := from_row(row)) is not None}
        return [_told(outcome, shown) for outcome in outcomes]

    async def _present(self, writes: Sequence[Write]) -> dict[str, Present]:
        now: dict[str, Present] = {}
        for kind in Kind:
            of_kind = [write for write in writes if not isinstance(write, New) and write.expected.kind is kind]
            for people in (True, False) if of_kind else ():
                ids = [write.expected.id for write in of_kind if _about_people(write) is people]
                if ids:
                    now |= await present(self._reader, kind, ids, self._names, people)
        return now

    async def _one(self, write: Write, now: Mapping[str, Present], form: Form, zone: ZoneInfo) -> Result | Stop:
        try:
            match write:
                case New():
                    return await self._create(write, form, zone)
                case Revise():
                    return await self._revise(write, now[write.expected.id], form, zone)
                case Remove():
                    return await self._remove(write, now[write.expected.id])
        except Lost as lost:
            return Unclear(lost.failure)
        except (RetryLater, StopConnector) as error:
            return error

    async def _create(self, write: New, form: Form, zone: ZoneInfo) -> Result:
        if write.owner not in self._owners:
            return Refused(Failure(400, "OWNER_UNKNOWN", where="create"))
        element = _element(write.kind, write.fields, zone)
        if write.kind is Kind.EVENT:
            element |= self._people(write.fields, None)
        element[OWNER] = write.owner
        if form.kind is Kind.EVENT:
            element |= self._new_event.columns() | identity_of(write.stamp)
        elif form.kind is Kind.TASK:
            element |= {**tasks.NEW, form.stamp: write.stamp}
        elif form.stamp and write.stamp:
            element[form.stamp] = write.stamp
        return await self._stored("create", form, zone, element, elementType=form.module)

    async def _revise(self, write: Revise, now: Present, form: Form, zone: ZoneInfo) -> Result:
        if not isinstance(now, Item):
            return Refused(Failure(_MOVED, "GONE" if isinstance(now, Gone) else "UNREADABLE", where="revise"))
        if differs(write.expected, now) or _other_people(write, now):
            return Refused(Failure(_MOVED, "CHANGED", where="revise"))
        # nothing is said about them: not read again
        if INVITEES not in now.fields and INVITEES in write.expected.fields:
            now = replace(now, fields={**now.fields, INVITEES: write.expected.fields[INVITEES]})
        news = changed(write.fields, now.fields, zone)
        element = _element(now.kind, news, zone) | self._people(news, now)
        if not element:
            return Done(now)
        if element.get(OWNER, now.owner) not in self._owners | {now.owner}:
            return Refused(Failure(400, "OWNER_UNKNOWN", where="revise"))
        return await self._stored("revise", form, zone, {**element, "id": now.id}, now.fields.get(INVITEES))

    async def _remove(self, write: Remove, now: Present) -> Result:
        if isinstance(now, Gone):
            return Done(None)
        if not isinstance(now, Item):
            return Refused(Failure(_MOVED, "UNREADABLE", where="delete"))
        if differs(write.expected, now):
            return Refused(Failure(_MOVED, "CHANGED", where="delete"))
        try:
            await self._client.write("delete", id=now.id)
        except Denied as denied:
            return _refused(denied, "delete")
        return Done(None)

    def _people(self, fields: Mapping[str, Value], now: Item | None) -> dict[str, object]:
        """The key of the invitees, if the server would understand exactly those who are meant. A move sends their answers along."""
        held = now.fields.get(INVITEES) if now else None
        if INVITEES in fields:
            wanted: Value | None = fields[INVITEES] or (() if held else None)
        else:
            wanted = held if WHEN in fields and held else None
        listed = None if wanted is None else element_of(wanted, self._found)
        return {} if listed is None else {INVITEES: listed}

    async def _stored(
        self,
        operation: str,
        form: Form,
        zone: ZoneInfo,
        element: Mapping[str, object],
        people: Value | None = (),
        **parameters: str,
    ) -> Result:
        """Create or revise. The answer is the whole record as it is stored, workflows included (API.md 3.1), but for its invitees: those
        are read with the group's when they were written, else they are `people`.
        """
        try:
            answer = await self._client.write(operation, **parameters, element=json.dumps(element))
        except Denied as denied:
            return _refused(denied, operation)
        if not isinstance(answer, dict) or not answer.get("id"):
            return Unclear(Failure(200, "NOT_VTENEXT", where=operation))
        row: Row = {name: as_text(value) for name, value in answer.items()}
        if INVITEES in element:
            self._listed.append((form, row))
        item = item_of(form, row, zone, {"": "", **self._names})
        if form.kind is Kind.EVENT and INVITEES not in item.fields and people is not None and INVITEES not in element:
            item = replace(item, fields={**item.fields, INVITEES: people})
        return Done(item)


def _told(outcome: Result | Stop, shown: Mapping[str, tuple[str, ...]]) -> Result | Stop:
    if not isinstance(outcome, Done) or outcome.item is None or outcome.item.id not in shown:
        return outcome
    return Done(replace(outcome.item, fields={**outcome.item.fields, INVITEES: shown[outcome.item.id]}))


def _element(kind: Kind, fields: Mapping[str, Value], zone: ZoneInfo) -> dict[str, object]:
    """Fields as the server takes them, invitees aside."""
    texts = {name: _text(value) for name, value in fields.items() if name not in {ACCOUNT_NAME, INVITEES}}
    return columns_of(texts, zone) if kind is Kind.EVENT else dict(texts)


def _kind(write: Write) -> Kind:
    return write.kind if isinstance(write, New) else write.expected.kind


def _refused(denied: Denied, operation: str) -> Result:
    """vtenext answers HTTP 200 to everything it handles, so the status is ours: the nearest that HTTP knows."""
    if operation != "delete" and denied.code in STORED_ANYWAY:
        return Unclear(Failure(200, denied.code, where=operation))
    if operation == "revise" and denied.gone:
        return Refused(Failure(_MOVED, "GONE", where=operation))
    return Refused(Failure(_STATUS.get(denied.code, 400), denied.code, where=operation))

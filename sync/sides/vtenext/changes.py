"""What changed in the CRM, by its own list: `vtesync.get_changes`, the one operation that reports deletions.

Records with a broken owner are missing from it without notice, and so is what an emptied recycle bin held (API.md 3.9, 5): the id walk finds
those. Nothing is dropped as a duplicate here: the same second comes twice and a record may be saved twice in it, so only its content tells.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.errors import Cause, RetryLater, StopConnector
from sync.model import Item, Kind
from sync.sides.base import Page
from sync.sides.vtenext.client import Row, as_text
from sync.sides.vtenext.items import MODULES, VERSION, Reader
from sync.sides.vtenext.wire import Denied
from sync.sides.vtenext.zones import advanced, iso, moment_of, rewound, to_utc

MAX_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """One answer of get_changes. `until`: everything saved up to then is in this answer or an earlier one."""

    rows: list[Row]
    gone: list[str]
    until: datetime
    more: bool


async def changes(reader: Reader, kind: Kind, cursor: str) -> AsyncIterator[Page]:
    """Pages of changes since `cursor`, an ISO time in UTC to read from ('' = from the beginning).

    Each page's cursor lies an overlap before what was read, but never before the cursor that was given.
    """
    start = moment_of(cursor) if cursor else None
    async for part in listing(reader, kind, start):
        resume = rewound(part.until, await reader.zone())
        if start is not None:
            resume = max(start, resume)
        items = await reader.items(kind, part.rows)
        yield Page(items, part.gone, iso(resume), not part.more)


async def beginning(reader: Reader) -> str:
    """The cursor that a listing ending now would leave. Asked with a future date, the server answers nothing but its time."""
    part = await _answered(reader, Kind.CONTACT, reader.client.now() + timedelta(days=1))
    return iso(rewound(part.until, await reader.zone()))


async def listing(reader: Reader, kind: Kind, since: datetime | None) -> AsyncIterator[Listing]:
    """Answers of get_changes until there is no more. `since` is inclusive, to the second."""
    await reader.zone()  # known before the first answer: without a date get_changes does not tell it (API.md 5)
    asked = since
    while True:
        part = await _answered(reader, kind, asked)
        yield part
        if not part.more:
            return
        asked = part.until if asked is None else advanced(asked, part.until, await reader.zone())


async def upcoming(reader: Reader, until: datetime) -> list[Item]:
    """Events that begin between now and `until`, in pages by their beginning. Answers of invitees show nowhere else (API.md 5)."""
    found: dict[str, Row] = {}
    zone, asked = await reader.zone(), reader.client.now()
    while True:
        given = {"dateFrom": iso(asked), "dateTo": iso(until), "dateField": "time_start", "showDeleted": "false"}
        answer = await reader.client.read(
            "vtesync.get_changes", module=MODULES[Kind.EVENT], maxEntries=str(MAX_ENTRIES), **given
        )
        if not isinstance(answer, dict):
            raise RetryLater(Cause.CRM_NOT_VTENEXT)
        rows = _records(answer, "created") + _records(answer, "updated")
        fresh = [row for row in rows if row["id"] not in found]
        found |= {row["id"]: row for row in rows}
        if len(rows) < MAX_ENTRIES or not fresh:
            break
        latest = max(f"{row['date_start']} {row['time_start'] or '00:00'}:00" for row in rows)
        asked = advanced(asked, moment_of(to_utc(latest, zone)), zone)
    return await reader.items(Kind.EVENT, list(found.values()))


async def _answered(reader: Reader, kind: Kind, since: datetime | None) -> Listing:
    parameters = {"module": MODULES[kind], "maxEntries": str(MAX_ENTRIES)}
    if since is not None:
        parameters["dateFrom"] = iso(since)
    try:
        answer = await reader.client.read("vtesync.get_changes", **parameters)
    except Denied as denied:
        raise StopConnector(Cause.CRM_NO_GET_CHANGES) from denied
    if not isinstance(answer, dict) or "last_update" not in answer:
        raise RetryLater(Cause.CRM_NOT_VTENEXT)
    if since is not None:
        reader.zone_is(answer.get("local_timezone"))
    rows = _records(answer, "created") + _records(answer, "updated")
    there = {row["id"] for row in rows}
    gone = [row["id"] for row in _records(answer, "deleted") if row["id"] not in there]
    until = datetime.fromtimestamp(int(answer["last_update"]), UTC)
    return Listing(sorted(rows, key=lambda row: row.get(VERSION, "")), gone, until, bool(answer.get("more")))


def _records(answer: dict[str, object], name: str) -> list[Row]:
    records = answer.get(name)
    if not isinstance(records, list):
        raise RetryLater(Cause.CRM_NOT_VTENEXT)
    return [{field: as_text(value) for field, value in record.items()} for record in records]

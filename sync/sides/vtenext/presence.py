"""What a record is now: an item, gone with proof, or unreadable. Nothing is called gone because it is missing from a list.

vtenext does not tell deleted, unknown and forbidden apart by code (API.md 2.2), so each missing record is asked for alone, and the proof holds
only while another record of the same module can be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sync.model import Gone, Item, Kind, Present, Proof, Unread
from sync.sides.vtenext.changes import listing
from sync.sides.vtenext.client import Row, as_text
from sync.sides.vtenext.items import Form, Reader
from sync.sides.vtenext.wire import Denied

BROKEN_OWNER = "broken owner"
NO_WITNESS = "no other record can be read"


async def present(
    reader: Reader, kind: Kind, ids: Sequence[str], names: dict[str, str] | None = None, people: bool = True
) -> dict[str, Present]:
    """Each record as it is now. `names`: account names known already, added to. `people`: events with their invitees."""
    rows, broken = await reader.by_id(kind, ids)
    items = await reader.items(kind, list(rows.values()), names, people)
    answer: dict[str, Present] = {item.id: item for item in items}
    answer |= {record: Unread(record, BROKEN_OWNER) for record in broken}
    missing = [record for record in dict.fromkeys(ids) if record not in answer]
    if missing:
        answer |= await _proven(reader, kind, missing, rows, names)
    return answer


async def _proven(
    reader: Reader, kind: Kind, missing: Sequence[str], seen: Mapping[str, Row], names: dict[str, str] | None
) -> dict[str, Present]:
    """Ask for each missing record alone, then for a witness: a record of the module that should be readable."""
    answers = await asyncio.gather(*(_retrieved(reader, record) for record in missing))
    back = [answer for answer in answers if not isinstance(answer, Denied)]
    returned = {item.id: item for item in await reader.items(kind, back, names)}
    witnessed = await _witness(reader, await reader.form(kind), seen)
    listed = await _deleted_list(reader, kind, set(missing)) if witnessed is None else set()
    result: dict[str, Present] = {}
    for record, answer in zip(missing, answers, strict=True):
        result[record] = _verdict(record, answer, returned, witnessed, record in listed)
    return result


def _verdict(
    record: str, answer: Row | Denied, returned: Mapping[str, Item], witnessed: bool | None, listed: bool
) -> Present:
    if not isinstance(answer, Denied):
        return returned[record]
    if answer.broken_owner:
        return Unread(record, BROKEN_OWNER)
    if not answer.gone:
        return Unread(record, answer.code)
    if witnessed:
        return Gone(record, Proof.NOT_FOUND)
    return Gone(record, Proof.IN_DELETED_LIST) if listed else Unread(record, NO_WITNESS)


async def _retrieved(reader: Reader, record: str) -> Row | Denied:
    try:
        answer = await reader.client.read("retrieve", id=record)
    except Denied as denied:
        return denied
    row = {name: as_text(value) for name, value in answer.items()} if isinstance(answer, dict) else {}
    if row.get("id") != record:
        return Denied("WRONG_RECORD", "")
    return row


async def _witness(reader: Reader, form: Form, seen: Mapping[str, Row]) -> bool | None:
    """Does `retrieve` answer about a record that a query shows? None: the module is empty. The newest few are tried, as one may be broken."""
    for record in list(seen)[:1]:
        if not isinstance(await _retrieved(reader, record), Denied):
            return True
    newest = f"select id from {form.module} order by id desc limit 3;"
    rows = await reader.client.query(newest)
    for row in rows:
        if not isinstance(await _retrieved(reader, row["id"]), Denied):
            return True
    return False if rows else None


async def _deleted_list(reader: Reader, kind: Kind, wanted: set[str]) -> set[str]:
    """In an empty module: which of these does the CRM itself list as deleted?"""
    found: set[str] = set()
    async for page in listing(reader, kind, None):
        found |= wanted & set(page.gone)
        if found == wanted:
            break
    return found

"""Invitees of events: read where alone they are shown, written only when the server will understand exactly those who are meant.

Only get_changes shows them (API.md 7.5), so a record that was found by a query is looked for in the changes of the second in which it was last saved.
Writing is by address: users match exactly, contacts when their main e-mail contains the text. A list whose addresses would match anybody else is
not written at all (SPEC 2.5).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from mapping.attendees import Answer, Invitee, invitees_of, invitees_value
from sync.errors import Cause, RetryLater
from sync.model import Value
from sync.sides.vtenext.client import Row, VtenextClient, as_text
from sync.sides.vtenext.query import quoted
from sync.sides.vtenext.zones import advanced, iso, moment_of, to_utc

KEY = "invitees"
ANSWERS = {"0": Answer.NONE, "1": Answer.DECLINED, "2": Answer.ACCEPTED}
CODES = {Answer.NONE: 0, Answer.TENTATIVE: 0, Answer.DECLINED: 1, Answer.ACCEPTED: 2}
CLOSE = timedelta(hours=12)
"""Records that were saved within this time of each other are read by one listing: half a day of a company's events is a page, and a comparison of
a thousand events would ask a thousand times otherwise."""
PAGE = 1000
TEXTS = 20  # in one condition: the query is part of the address


def from_row(row: Mapping[str, str]) -> tuple[str, ...] | None:
    """The invitees that a row of get_changes shows, None for a row that was read otherwise."""
    if KEY not in row:
        return None
    return invitees_value(
        Invitee(str(each["id"]), ANSWERS.get(as_text(each.get("partecipation")), Answer.NONE), _address(each))
        for each in json.loads(row[KEY] or "[]")
    )


def _address(invitee: Mapping[str, object]) -> str:
    return as_text(invitee.get("email1")).strip().lower()


async def learned(client: VtenextClient, zone: ZoneInfo, module: str, rows: Sequence[Row], version: str) -> list[Row]:
    """The rows that a query answered, with their invitees. What was saved meanwhile stays without."""
    missing = {row["id"]: row[version] for row in rows if KEY not in row and row.get(version)}
    stamps = sorted({moment_of(to_utc(stamp, zone)) for stamp in missing.values()})
    found = await asyncio.gather(*(_saved(client, zone, module, *span) for span in _spans(stamps)))
    shown = {
        as_text(record["id"]): as_text(record.get(KEY, []))
        for records in found
        for record in records
        if missing.get(as_text(record["id"])) == as_text(record.get(version))
    }
    return [{**row, KEY: shown[row["id"]]} if row["id"] in shown else row for row in rows]


def _spans(stamps: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Times of saving, those close together as one span."""
    if not stamps:
        return []
    cuts = [0, *(i + 1 for i, (one, two) in enumerate(pairwise(stamps)) if two - one > CLOSE), len(stamps)]
    return [(stamps[first], stamps[last - 1]) for first, last in pairwise(cuts)]


async def _saved(
    client: VtenextClient, zone: ZoneInfo, module: str, first: datetime, last: datetime
) -> list[Mapping[str, object]]:
    """What was saved between these seconds, both included. With an end the server says `more` for ever, so the times decide."""
    found: list[Mapping[str, object]] = []
    asked = first
    while True:
        given = {"dateFrom": iso(asked), "dateTo": iso(last), "maxEntries": str(PAGE), "showDeleted": "false"}
        answer = await client.read("vtesync.get_changes", module=module, **given)
        if not isinstance(answer, dict):
            raise RetryLater(Cause.CRM_NOT_VTENEXT)
        records = [*answer.get("created", ()), *answer.get("updated", ())]
        found += records
        if len(records) < PAGE:
            return found
        asked = advanced(asked, datetime.fromtimestamp(int(answer["last_update"]), asked.tzinfo), zone)
        if asked > last:
            return found


# Writing --------------------------------------------------------------------------------------------------------------------


Matches = Mapping[str, frozenset[str]]
"""Text -> ids of the users and contacts whom the server would find by it."""


def element_of(wanted: Value | None, found: Matches) -> list[dict[str, object]] | None:
    """The list as the server takes it, None when it would invite anybody else, or somebody not, of those that are meant."""
    people = invitees_of(wanted)
    if any(not each.address for each in people):
        return None
    ids = frozenset[str]().union(*(found[each.address] for each in people))
    if ids != {each.id for each in people}:
        return None
    return [{"email": each.address, "partecipation": CODES[each.answer]} for each in people]


async def matches(client: VtenextClient, texts: Iterable[str]) -> Matches:
    """Whom the server would find by each of these texts, asked for all of them together: one listing of the users and one of contacts."""
    wanted = sorted(set(texts) - {""})
    users = [row async for rows in client.walk("Users", ("id", "email1", "email2")) for row in rows] if wanted else []
    found = {text: {row["id"] for row in users if text in _of_user(row)} for text in wanted}
    for start in range(0, len(wanted), TEXTS):
        part = wanted[start : start + TEXTS]
        where = [f"email like {quoted(f'%{text}%')}" for text in part]
        contacts = [row async for rows in client.walk("Contacts", ("id", "email"), where) for row in rows]
        for text in part:
            found[text] |= {row["id"] for row in contacts if text in row["email"].strip().lower()}
    return {text: frozenset(ids) for text, ids in found.items()}


def _of_user(row: Row) -> set[str]:
    return {row[name].strip().lower() for name in ("email1", "email2")} - {""}

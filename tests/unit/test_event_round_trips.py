"""An event around every offset change of 2026, in every zone, goes Graph -> CRM -> Graph and CRM -> Graph -> CRM through the whole translation.

test_spans.py shows the spans alone; here the adapters' words and the mapping of events lie between them, and the planner is asked in the end: it
must find nothing to write, whatever vtenext could not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mapping.model import Value
from sync.events import event_translator
from sync.merge import Merge, Sealed, merge
from sync.model import Base, Item, Kind, Role, Side
from sync.policy import EVENTS
from sync.sides.graph.events import event_of, fields_of
from sync.sides.vtenext.events import columns_of
from sync.sides.vtenext.events import fields_of as crm_fields
from sync.spans import Span, span_text
from sync.store.secrets import Keyring
from tests.unit.test_spans import ROME, ZONES, around, in_first_pass

EVENT = event_translator(ROME)
KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
IDENTITY = {"ical_uuid": "uid", "recurr_idx": "0", "createdtime": "2026-01-01 08:00:00", "recurringtype": ""}
TEXTS = {"subject": "Visita", "location": "", "description": "", "visibility": "", "taskpriority": ""}


def in_graph(fields: Mapping[str, Value], zone: ZoneInfo) -> dict[str, Value]:
    """What Graph answers, in UTC, for what is written in a zone: as an item."""
    event: dict[str, Any] = event_of(fields, zone)
    for name in ("start", "end"):
        wall, written = event[name]["dateTime"], ZoneInfo(event[name]["timeZone"])
        if not event["isAllDay"]:
            wall = _utc(wall, written)
        event[name] = {"dateTime": f"{wall}.0000000", "timeZone": "UTC"}
    return fields_of({**event, "originalStartTimeZone": zone.key, "iCalUId": "uid", "type": "singleInstance"})


def _utc(wall: str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(wall).replace(tzinfo=zone, fold=1)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def in_vtenext(fields: Mapping[str, Value]) -> dict[str, Value]:
    """What vtenext shows of what is written: as an item."""
    row = columns_of({**TEXTS, **{name: str(value) for name, value in fields.items()}}, ROME)
    shown = {"reminder_time": "", **{name: row[name] for name in TEXTS}}
    return {**shown, **crm_fields({**row, **IDENTITY}, ROME)}


def planned(record: Mapping[str, Value], event: Mapping[str, Value], base: Base) -> Merge:
    crm = Item(Side.CRM, Kind.EVENT, "18x1", "v", record)
    mailbox = Item(Side.MAILBOX, Kind.EVENT, "e1", "v", event)
    return merge(crm, mailbox, Sealed("link", EVENT.version, base, KEYS), EVENT, EVENTS, Role.HOME)


def agreed(record: Mapping[str, Value], event: Mapping[str, Value]) -> Base:
    """The base that both sides have after the first write."""
    sealed = Sealed("link", EVENT.version, {}, KEYS)
    crm, mailbox = EVENT.crm_values(record), EVENT.mailbox_values(event)
    return {pair: sealed.seal(pair, crm[pair], mailbox[pair]) for pair in crm.keys() & mailbox.keys()}


def every() -> list[tuple[ZoneInfo, Span]]:
    return [(ZoneInfo(name), span) for name in ZONES for span in around(name)]


def test_from_graph_to_the_crm_and_back() -> None:
    lost = set()
    seen: set[tuple[str, str]] = set()
    for zone, span in every():
        when = span_text(span)
        event = in_graph({"subject": "Visita", "when": when, "reminder": ""}, zone)
        assert event["when"] == when, zone
        rendered = EVENT.render_crm(EVENT.mailbox_values(event), None, {})
        record = in_vtenext(rendered.fields)
        back = EVENT.render_mailbox(EVENT.crm_values(record), event)
        assert back.fields == {}, (zone, when)
        lost |= {when} if record["when"] != when else set()
        assert ("time_rounded" in rendered.flags) == (record["when"] != when)
        if (when, str(record["when"])) not in seen:
            seen.add((when, str(record["when"])))
            assert not planned(record, event, {}).writes
            assert not planned(record, event, agreed(record, event)).writes
    assert lost == {span_text(span) for _, span in every() if in_first_pass(span, "Europe/Rome")}


def test_from_the_crm_to_graph_and_back() -> None:
    """A record is written in the home zone; whatever zone the event is moved to in Outlook, the record stays as it is."""
    for zone, span in every():
        record = in_vtenext({"subject": "Visita", "when": span_text(span)})
        rendered = EVENT.render_mailbox(EVENT.crm_values(record), None)
        for written in (ROME, zone):
            event = in_graph(rendered.fields, written)
            assert event["when"] == record["when"], (written, span)
            back = EVENT.render_crm(EVENT.mailbox_values(event), record, {})
            assert back.fields == {}, (written, span)
            assert event["zone"] == written.key

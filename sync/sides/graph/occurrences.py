"""A series as Graph holds it - master, exceptions, cancelled dates - seen as one item per occurrence. Pure.

Where the service shows exceptions and cancelled occurrences on the master, the occurrences are computed, nothing is asked. Where it does
not, or the rule or zone is one that we cannot express, they are what `/instances` lists, and a date that is not listed is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync import series, spans
from sync.model import Item, Kind, Side, Value
from sync.sides.graph.answers import Json, seconds
from sync.sides.graph.events import MASTER, fields_of, occurrence_id, version_of, when_of, zone_of
from sync.sides.graph.people import SHOWN
from sync.sides.graph.stamps import stamp_of

DAY = timedelta(days=1)
MIDNIGHT = time()
UTC_ZONE = ZoneInfo("UTC")
LONG = timedelta(days=5 * 366)
"""How far from its start a living occurrence of a series is looked for."""

INHERITED = (
    "subject",
    "location",
    "body",
    "sensitivity",
    "importance",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "isAllDay",
    "originalStartTimeZone",
    "isOnlineMeeting",
    "isCancelled",
    *SHOWN,
)
"""What an exception that does not say so has from its master (BEHAVIOUR 2.4)."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series. `listed`: occurrences as `/instances` told them, when they cannot be computed."""

    master: Json
    mailbox: str
    rule: series.Rule | None = None
    cancelled: frozenset[date] = frozenset()
    changed: Mapping[date, Json] = field(default_factory=dict)
    listed: Mapping[date, Json] | None = None

    @property
    def id(self) -> str:
        return str(self.master["id"])

    def at(self, slot: date) -> Item | None:
        """The occurrence of this slot; None when it is cancelled, or the rule does not cover it (any more)."""
        return next(iter(self._items([slot], self._covered(slot, slot))), None)

    def between(self, first: date, last: date) -> list[Item]:
        """Every occurrence whose slot is in these days, and every changed one that was moved into them."""
        covered = self._covered(first, last)
        items = self._items(sorted({*covered, *self.changed, *(self.listed or ())}), covered)
        return [item for item in items if first <= _slot(item) <= last or first <= _day(item) <= last]

    def living(self) -> Item | None:
        """Some occurrence that is not cancelled; None when there is none."""
        start = start_of(self.master)
        known = [*self._covered(start, start + LONG), *self.changed, *(self.listed or ())]
        return self.at(
            min((slot for slot in known if slot in self.changed or slot not in self.cancelled), default=start)
        )

    def _covered(self, first: date, last: date) -> list[date]:
        """The dates that the rule means, where it is known."""
        return series.slots(self.rule, first, last) if self.rule is not None else []

    def _items(self, slots: Iterable[date], covered: Iterable[date]) -> list[Item]:
        told = self.changed if self.listed is None else self.listed
        computed = set(covered) - self.cancelled
        plain = fields_of(self.master)
        first = spans.read_span(when_of(self.master)) if computed else None
        zone = zone_of(self.master) or UTC_ZONE
        items: list[Item] = []
        for slot in slots:
            if slot in told:
                items.append(self._told(slot, told[slot]))
            elif first is not None and slot in computed:
                when = spans.span_text(series.slot_span(first, slot, zone))
                items.append(self._item(slot, plain | {"when": when}, self.master, ""))
        return items

    def _told(self, slot: date, told: Json) -> Item:
        inherited = {name: self.master.get(name) for name in INHERITED if told.get(name) is None}
        own = version_of(told) if told.get("type") == "exception" else ""
        return self._item(slot, fields_of({**told, **inherited}), told, own)

    def _item(self, slot: date, fields: Mapping[str, Value], event: Json, own_version: str) -> Item:
        kept = {name: value for name, value in fields.items() if name != "rule"}
        kept["uid"] = self.master.get("iCalUId") or ""  # Graph gives each occurrence another (BEHAVIOUR 5.2)
        kept["slot"] = str((slot - start_of(self.master)).days)
        kept["zone"] = kept["zone"] or (zone.key if (zone := zone_of(self.master)) else "")
        changed = max(str(each.get("lastModifiedDateTime") or "") for each in (event, self.master))
        version = version_of(self.master)
        return Item(
            side=Side.MAILBOX,
            kind=Kind.EVENT,
            id=occurrence_id(self.id, slot),
            version=f"{version};{own_version}" if own_version else version,
            fields=kept,
            owner=self.mailbox,
            stamp=stamp_of(self.master),
            modified=seconds(changed),
            series=self.id,
        )


def read_master(master: Json, mailbox: str) -> Series | None:
    """The series, where the master shows everything that is needed to compute it; else None."""
    if master.get("type") != MASTER:
        return Series(master, mailbox, listed={})  # the user made it a single event: no occurrence is left
    rule = rule_of(master)
    if rule is None or when_of(master) == "" or not (master.get("isAllDay") or zone_of(master)):
        return None
    if "exceptionOccurrences" not in master or "cancelledOccurrences" not in master:
        return None
    changed = by_slot(master, master["exceptionOccurrences"] or ())
    cancelled = frozenset(_cancelled(each) for each in master["cancelledOccurrences"] or ())
    return Series(master, mailbox, rule, cancelled, changed)


def rule_of(master: Json) -> series.Rule | None:
    """Its rule, None when it is one that we cannot express."""
    try:
        return series.from_graph(master.get("recurrence") or {})
    except series.UnknownRule:
        return None


def by_slot(master: Json, occurrences: Iterable[Json]) -> dict[date, Json]:
    """Occurrences or exceptions by the slot that each has."""
    return {slot_in(master, each): each for each in occurrences}


def own_instance(series_: Series, slot: date, instances: Iterable[Json]) -> Json | None:
    """Graph's own event for this slot, among those that it listed or as an exception."""
    found = next((each for each in instances if slot_in(series_.master, each) == slot), None)
    return found or series_.changed.get(slot)


def slot_in(master: Json, occurrence: Json) -> date:
    """Which slot an occurrence or exception has: whole days from the first start, so that no zone needs to be known.

    Rounding absorbs the hour of a DST change. An all-day start may be told as midnight of its zone or as midnight without one.
    """
    original = _moment(str(occurrence.get("originalStart") or (occurrence.get("start") or {}).get("dateTime")))
    first = _moment(str((master.get("start") or {}).get("dateTime")))
    if master.get("isAllDay") and (zone := zone_of(master)) and (local := original.astimezone(zone)).time() == MIDNIGHT:
        return local.date()
    return start_of(master) + timedelta(days=round((original - first) / DAY))


def start_of(master: Json) -> date:
    """The local date of the series's first start."""
    return date.fromisoformat(str(master["recurrence"]["range"]["startDate"]))


def reach(master: Json, first: date, last: date) -> tuple[datetime, datetime]:
    """When the occurrences of these slots may take place: a moved one stays between its neighbours (BEHAVIOUR 7.2)."""
    rule = rule_of(master)
    before = series.slots(rule, first - 366 * DAY, first - DAY)[-1:] if rule else []
    after = series.slots(rule, last + DAY, last + 366 * DAY)[:1] if rule else []
    start = before[0] if before else first - 31 * DAY
    end = after[0] if after else last + 31 * DAY
    return _midnight(start - DAY), _midnight(end + 2 * DAY)


def _cancelled(text: str) -> date:
    """`OID.{master}.{date}`: only the end is of use, the id in it may be of another form."""
    return date.fromisoformat(str(text).rsplit(".", 1)[-1][:10])


def _slot(item: Item) -> date:
    return date.fromisoformat(item.id.rsplit("|", 1)[-1])


def _day(item: Item) -> date:
    return date.fromisoformat(str(item.fields["when"])[:10]) if item.fields["when"] else _slot(item)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _moment(text: str) -> datetime:
    """To the second, as UTC: that is what start, end and originalStart are answered in."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)

"""What the scenes of the calendars have in common: finding an event of both sides by its name, the hands, the promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tests.e2e.calendars import Calendars
from tests.e2e.compare_events import day_of, over, record_when, slot_of
from tests.e2e.office import Json, View


@dataclass(frozen=True, slots=True)
class Couple:
    """A record and the event or occurrence that shows it."""

    record: Json
    event: Json

    @property
    def crm_id(self) -> str:
        return str(self.record["id"])

    @property
    def where(self) -> dict[str, str]:
        """How Outlook's hand is told which one: an event, or a series and a slot."""
        master = self.event["seriesMasterId"]
        named = {"event": master, "slot": slot_of(self.event)} if master else {"event": self.event["id"]}
        return {"user": self.event["mailbox"], **named}

    @property
    def day(self) -> date:
        """When it begins."""
        return day_of(record_when(self.record))

    @property
    def coming(self) -> bool:
        """Is it not over yet?"""
        return not over(record_when(self.record), datetime.now(UTC))


class Scenes:
    """`pairs`: which event shows which record, as the comparison of the first fill found."""

    def __init__(self, calendars: Calendars, view: View, pairs: Mapping[str, str]) -> None:
        self._calendars, self._office, self._view = calendars, calendars.office, view
        self._couples = [Couple(view.records[crm_id], view.events[id_]) for crm_id, id_ in pairs.items()]

    def scenes(self) -> list[tuple[str, Callable[[], int]]]:
        """What happens, in words; each says how often it did."""
        raise NotImplementedError

    def happen(self) -> list[tuple[str, int]]:
        """Play all scenes; returns what was done and how often, for the table."""
        return [(words, scene()) for words, scene in self.scenes()]

    # who

    def _one(self, subject: str) -> Couple:
        (found,) = [each for each in self._couples if each.event["subject"] == subject]
        return found

    def _coming(self, subject: str) -> list[Couple]:
        """The coming occurrences of a series that was not changed so far, in order."""
        mine = [c for c in self._couples if c.event["seriesMasterId"] and c.event["subject"] == subject]
        return sorted((c for c in mine if c.coming), key=lambda c: record_when(c.record))

    def _master(self, subject: str) -> Json:
        (found,) = [master for master in self._view.masters.values() if master["subject"] == subject]
        return found

    def _edit(self, each: Couple, **fields: object) -> None:
        do = "edit_occurrence" if "slot" in each.where else "edit_event"
        self._office.outlook.do(do, fields=fields, **each.where)

    def _delete(self, each: Couple) -> None:
        self._office.outlook.do("delete_occurrence" if "slot" in each.where else "delete_event", **each.where)

    def _day(self, offset: int) -> str:
        return (self._calendars.today + timedelta(days=offset)).isoformat()

    # what must be true

    def _in_crm(self, each: Couple, name: str, value: str) -> None:
        def kept(view: View) -> bool:
            return each.crm_id in view.records and view.records[each.crm_id][name] == value

        self._office.promise(f"record {each.crm_id} says {value!r}", kept)

    def _in_outlook(self, each: Couple, words: str, check: Callable[[Json], bool]) -> None:
        id_ = each.event["id"]
        self._office.promise(f"event {words}", lambda view: id_ in view.events and check(view.events[id_]))

    def _gone(self, each: Couple) -> None:
        crm_id, id_ = each.crm_id, each.event["id"]
        self._calendars.alive -= {crm_id, id_}
        words = f"record {crm_id}, deleted on one side, is gone from both"
        self._office.promise(words, lambda view: crm_id not in view.records and id_ not in view.events)

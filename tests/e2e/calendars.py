"""The calendars of the office: what stands in them at the beginning, and the judgement of events on both sides.

Judged is what the screens show: every single event, and the occurrences of series inside the horizon. What the plan may not place is known
from the story, with its reason: records from before the connection, meetings with attendees, the past of a series that was changed since.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from tests.e2e import compare, diary
from tests.e2e.company import USERS
from tests.e2e.compare import Values, Verdict
from tests.e2e.compare_events import day_of, event_item, event_record, item_when, over, record_when
from tests.e2e.hands import CalendarPage, Json
from tests.e2e.office import Office, View

BACK, AHEAD = 30, 90
"""Days around today on which occurrences of series are in the CRM (SPEC 2.3)."""
MARGIN = 2  # midnight comes at other moments elsewhere, and may come while the demo runs


@dataclass(slots=True)
class Calendars:
    """`unplaced`: ids of either side -> why the plan may not place them. `frozen`: iCalUIds of series whose past stays as it was.

    `readable`: subjects of events that their owner made private in the CRM, where they stay readable. `secrets`: what no screen of
    the CRM may show.
    """

    office: Office
    page: CalendarPage
    today: date = field(default_factory=diary.today_in_rome)
    unplaced: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)  # ids of either side that nobody deleted
    frozen: set[str] = field(default_factory=set)
    readable: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=lambda: {diary.SECRET})

    def look(self, mailbox: str) -> Iterator[Json]:
        """One calendar: single events, masters, and the occurrences of the weeks that matter."""
        yield from self.page.events(mailbox)
        start, end = (datetime.combine(self._day(days), datetime.min.time(), UTC) for days in (-BACK - 7, AHEAD + 7))
        yield from self.page.occurrences(mailbox, start, end)

    def found(self) -> None:
        """Both sides before the first synchronisation."""
        office = self.office
        for noted in diary.mailboxes(self.today):
            mailbox = office.mailboxes[noted.user]
            id_ = office.outlook.do("create_event", mailbox, fields=noted.fields, **noted.more)
            self.alive.add(id_)
            for slot, fields in noted.changed.items():
                office.outlook.do("edit_occurrence", mailbox, event=id_, slot=slot.isoformat(), fields=fields)
            for slot in noted.cancelled:
                office.outlook.do("delete_occurrence", mailbox, event=id_, slot=slot.isoformat())
            if noted.becomes == "cancelled":
                self.unplaced[id_] = noted.becomes
        typed = diary.records(self.today, office.owners, office.group)
        for id_, each in zip(office.crm.records("Events", [t.row for t in typed]), typed, strict=True):
            self.alive.add(id_)
            if each.stays:
                self.unplaced[id_] = each.stays
            else:  # SPEC 2.1: what kind of activity it is stays its owner's business
                office.promise(f"record {id_} is a call still", partial(_says, id_, "activitytype", "Call"))
        self._found_series()

    def _found_series(self) -> None:
        """A CRM series from before the connection."""
        dates = [self._day(6 + 7 * n).isoformat() for n in range(5)]
        row = diary.typed("Formazione vecchia", self._day(6), "13:00", "14:00", self.office.owners[1])
        old = self.office.crm.series(row, dates)
        self.unplaced |= dict.fromkeys(old, "baseline")
        self.alive |= set(old)

    def judge(self, view: View) -> Verdict:
        """Compare what may be placed. An occurrence at the very edge of the horizon may be missing in the CRM."""
        records, events = self._records(view), self._events(view)
        missing = set(compare.judge(records, events).only_mailbox)
        edge = {i for i in missing if view.events[i]["seriesMasterId"] and not self._inside(view.events[i])}
        return compare.judge(records, {id_: values for id_, values in events.items() if id_ not in edge})

    def not_placed(self, view: View) -> Counter[str]:
        """How many events are not placed, by reason."""
        there = {**view.records, **view.events}
        reasons = Counter(reason for id_, reason in self.unplaced.items() if id_ in there)
        past = [r for r in view.records.values() if self._is_frozen(r["ical_uuid"], record_when(r))]
        reasons["ended"] += sum(1 for row in past if row["id"] not in self.unplaced)
        return reasons

    def duplicates(self, view: View) -> int:
        """Events that are there twice on a side, told by what they say or by the name that both sides give them."""
        sides = (self._records(view), self._events(view))
        named = Counter((r["ical_uuid"], r["recurr_idx"]) for r in view.records.values())
        return sum(compare.doubles(side.values()) for side in sides) + sum(n - 1 for n in named.values())

    def remember(self, view: View) -> None:
        """What is there now must stay, unless somebody deletes it."""
        self.alive |= view.records.keys() | view.events.keys() | view.masters.keys()

    def lost(self, view: View) -> list[str]:
        """What nobody deleted, and is not there any more."""
        there = view.records.keys() | view.events.keys() | view.masters.keys()
        return [f"{id_} is gone from its calendar" for id_ in sorted(self.alive - there)]

    def revealed(self) -> list[str]:
        """Words that the CRM must not show, and shows: anywhere in its tables, the recycle bin included."""
        whole = json.dumps(self.office.crm.everything(), ensure_ascii=False).casefold()
        return sorted(word for word in self.secrets if word.casefold() in whole)

    def _records(self, view: View) -> dict[str, Values]:
        made: dict[str, Values] = {}
        for id_, row in view.records.items():
            home = self.office.home_of(row)
            if home and id_ not in self.unplaced and not self._is_frozen(row["ical_uuid"], record_when(row)):
                made[id_] = (*event_record(row), ("where", home))
        return made

    def _standing(self, view: View) -> dict[str, Json]:
        """The events of which the CRM shows each one: own ones, and of a meeting of somebody outside the copy that is its owner's there.

        Who takes part in them is judged in `meetings`.
        """
        homes = {row["ical_uuid"]: self.office.home_of(row) for row in view.records.values()}
        standing: dict[str, Json] = {}
        for id_, event in view.events.items():
            ours = event["organizer"]["emailAddress"]["address"].lower() in {user.mail for user in USERS}
            kept = not ours and homes.get(event["iCalUId"], event["mailbox"]) == event["mailbox"]
            if event["isOrganizer"] or kept:
                standing[id_] = event
        return standing

    def _events(self, view: View) -> dict[str, Values]:
        made: dict[str, Values] = {}
        for id_, event in self._standing(view).items():
            master = view.masters.get(event["seriesMasterId"] or "", {"id": "", "iCalUId": ""})
            if {id_, master["id"]} & self.unplaced.keys() or self._is_frozen(master["iCalUId"], item_when(event)):
                continue
            values = event_item(event, readable=event["subject"] in self.readable)
            made[id_] = (*values, ("where", event["mailbox"]))
        return made

    def _is_frozen(self, uid: str, when: str) -> bool:
        return uid in self.frozen and over(when, datetime.now(UTC))

    def _inside(self, event: Json) -> bool:
        day = day_of(item_when(event))
        return self._day(MARGIN - BACK) <= day <= self._day(AHEAD - MARGIN)

    def _day(self, offset: int) -> date:
        return self.today + timedelta(days=offset)


def _says(id_: str, name: str, value: str, view: View) -> bool:
    return id_ in view.records and view.records[id_][name] == value

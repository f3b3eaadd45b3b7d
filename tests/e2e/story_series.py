"""What happens to series between two synchronisations: one occurrence or the whole, on both sides, and series made in the CRM.

In Exchange a series stays one series; in the CRM it is a record for each occurrence, and what was is never touched (SPEC 2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.e2e import diary
from tests.e2e.calendars import Calendars
from tests.e2e.compare_events import event_record, over, record_when
from tests.e2e.diary import timed
from tests.e2e.office import View
from tests.e2e.scenes import Scenes

FORMING = "series_forming"
GUARD, FAIR, LOOSE = "Turni di guardia", "Fiera di Cesena", "Sopralluoghi sparsi"


def save_series(calendars: Calendars) -> int:
    """The evening before: series saved in the CRM as its screen does it, a record for each date. Returns how many records."""
    crm, office = calendars.office.crm, calendars.office

    def day(offset: int) -> str:
        return (calendars.today + timedelta(days=offset)).isoformat()

    row = diary.typed(GUARD, calendars.today + timedelta(days=3), "20:00", "21:30", office.owners[0])
    guard = crm.series({**row, "location": "Magazzino"}, [day(3 + 7 * n) for n in range(10)])
    crm.edit(guard[4], location="Portineria")
    crm.delete(guard[6])
    days = diary.all_day(FAIR, calendars.today + timedelta(days=30), 1, office.owners[1])
    fair = crm.series(days, [day(30 + n) for n in range(4)], "Daily")
    loose = diary.typed(LOOSE, calendars.today + timedelta(days=3), "07:00", "08:00", office.owners[2])
    scattered = crm.series(loose, [day(n) for n in (3, 4, 30, 61)], "Daily")
    saved = [*guard, *fair, *scattered]
    calendars.unplaced |= dict.fromkeys(saved, FORMING)
    office.promise(f"{GUARD} is one series with one change", lambda view: _shape(view, GUARD) == (1, 0, 9, 1))
    office.promise(f"{FAIR} is one series", lambda view: _shape(view, FAIR) == (1, 0, 4, 0))
    office.promise(f"{LOOSE}, which fit no rule, are single events", lambda view: _shape(view, LOOSE) == (0, 4, 0, 0))
    return len(saved)


def end_of_evening(calendars: Calendars) -> None:
    """From now on these series must arrive."""
    for id_ in [id_ for id_, reason in calendars.unplaced.items() if reason == FORMING]:
        del calendars.unplaced[id_]


def _shape(view: View, subject: str) -> tuple[int, int, int, int]:
    """How often that subject is a series, a single event, an occurrence; how many occurrences are exceptions."""
    kinds = [event["type"] for event in view.events.values() if event["subject"] == subject]
    masters = sum(1 for event in view.masters.values() if event["subject"] == subject)
    singles, changed = kinds.count("singleInstance"), kinds.count("exception")
    return masters, singles, len(kinds) - singles, changed


class SeriesStory(Scenes):
    """The second day of series."""

    def scenes(self) -> list[tuple[str, Callable[[], int]]]:
        return [
            ("one occurrence edited or moved", self._occurrences_edited),
            ("one occurrence cancelled", self._occurrences_cancelled),
            ("a series' time changed in Outlook", self._series_moved),
            ("all coming occurrences deleted in the CRM", self._series_cut),
            ("a series deleted in Outlook", self._series_deleted),
        ]

    def _occurrences_edited(self) -> int:
        """In either direction; Exchange's series stays one series."""
        for user in range(3):
            first, second, third = self._coming(f"{diary.DEPARTMENT} {user}")[2:5]
            self._office.crm.edit(first.crm_id, subject=f"Riunione speciale {user}")
            self._office.crm.edit(second.crm_id, time_start="18:10", time_end="19:00")
            self._edit(third, subject=f"Riunione anticipata {user}", **timed(third.day, "07:30"))
            self._in_outlook(first, "has the occurrence's new name", lambda event: event["type"] == "exception")
            self._in_crm(third, "time_start", "07:30")
        return 9

    def _occurrences_cancelled(self) -> int:
        in_crm = self._coming(f"{diary.DEPARTMENT} 0")[6]
        self._office.crm.delete(in_crm.crm_id)
        in_outlook = self._coming(f"{diary.CALL} 0")[0]
        self._delete(in_outlook)
        for each in (in_crm, in_outlook):
            self._gone(each)
        return 2

    def _series_moved(self) -> int:
        """What was, stays in the CRM as it was (SPEC 2.3)."""
        master = self._master(f"{diary.ALIGNED} 2")
        begins = datetime.fromisoformat(master["recurrence"]["range"]["startDate"]).date()
        mine = [row for row in self._view.records.values() if row["ical_uuid"] == master["iCalUId"]]
        past = {row["id"]: row for row in mine if over(record_when(row), datetime.now(UTC))}
        fields = {**timed(begins, "14:45", 45), "subject": f"{diary.ALIGNED} 2, più tardi"}
        self._office.outlook.do("edit_event", master["mailbox"], event=master["id"], fields=fields)
        self._calendars.frozen.add(master["iCalUId"])
        now = {id_: event_record(row) for id_, row in past.items()}

        def unmoved(view: View) -> bool:
            return bool(now) and all(event_record(view.records[id_]) == values for id_, values in now.items())

        self._office.promise("past occurrences of a series that was moved stay", unmoved)
        return 1

    def _series_cut(self) -> int:
        coming = self._coming(f"{diary.COURSE} 1")
        master = self._master(f"{diary.COURSE} 1")["id"]
        for each in coming:
            self._office.crm.delete(each.crm_id)
            self._gone(each)
        today = self._day(0)

        def ended(view: View) -> bool:
            ends = view.masters[master]["recurrence"]["range"] if master in view.masters else {"type": ""}
            return ends["type"] == "endDate" and ends["endDate"] <= today

        self._office.promise("a series whose coming occurrences were deleted in the CRM ends", ended)
        return len(coming)

    def _series_deleted(self) -> int:
        for each in self._coming(f"{diary.PROJECT} 2"):
            self._gone(each)
        master = self._master(f"{diary.PROJECT} 2")
        self._calendars.alive.discard(master["id"])
        self._office.outlook.do("delete_event", master["mailbox"], event=master["id"])
        return 1

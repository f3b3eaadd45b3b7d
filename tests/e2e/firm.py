"""The whole company, and the judgement of everything that it holds on both sides: cards, calendars, seats at meetings, tasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.e2e.calendars import Calendars
from tests.e2e.compare import Verdict
from tests.e2e.compare_meetings import twice
from tests.e2e.hands import CalendarPage, CrmScreen, Outlook
from tests.e2e.mails import Outboxes
from tests.e2e.meetings import Meetings
from tests.e2e.office import Office, View
from tests.e2e.tasks import Tasks

KINDS = ("contacts", "companies", "events", "seats at meetings", "tasks")


@dataclass(frozen=True, slots=True)
class Firm:
    """Everybody at work."""

    office: Office
    calendars: Calendars
    meetings: Meetings
    tasks: Tasks
    outboxes: Outboxes

    @classmethod
    def at(cls, crm: CrmScreen, outlook: Outlook, page: CalendarPage) -> Firm:
        """Everybody takes a seat."""
        office = Office(crm, outlook)
        calendars = Calendars(office, page)
        meetings = Meetings(calendars)
        office.look, office.met = calendars.look, meetings.met
        return cls(office, calendars, meetings, Tasks(office), Outboxes(crm, outlook))

    def found(self) -> None:
        """Both sides before the first synchronisation."""
        for each in (self.office, self.calendars, self.meetings, self.tasks):
            each.found()

    def remember(self, view: View) -> None:
        """What is there now must stay, unless somebody deletes it."""
        self.calendars.remember(view)
        self.tasks.remember(view)

    def judge(self, view: View, kind: str) -> Verdict:
        """Compare both sides: one of `KINDS`."""
        match kind:
            case "events":
                return self.calendars.judge(view)
            case "seats at meetings":
                return self.meetings.judge(view)
            case "tasks":
                return self.tasks.judge(view)
        return self.office.judge(view, kind)

    def broken(self, view: View) -> list[str]:
        """What was lost, and promises that are not kept."""
        return (
            self.office.broken(view) + self.calendars.lost(view) + self.tasks.lost(view) + self.meetings.not_once(view)
        )

    def duplicates(self, view: View) -> int:
        """Things that are there twice on a side."""
        copies = twice(view.events.values())
        return self.office.duplicates(view) + self.calendars.duplicates(view) + self.tasks.duplicates(view) + copies

    def not_placed(self, view: View) -> dict[str, Counter[str]]:
        """How many are not placed, by kind and reason."""
        parts = {"cards and records": self.office, "events": self.calendars, "tasks": self.tasks}
        return {name: part.not_placed(view) for name, part in parts.items()}

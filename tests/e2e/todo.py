"""What stands in To Do and among the CRM's tasks before the first synchronisation. Pure data, laid out around today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tests.e2e.diary import HTML, ROME, Fields, Row, html

LIST = "Progetti"
"""A second list of each user."""
WEEKLY = "Annaffiare le piante"


@dataclass(frozen=True, slots=True)
class Jotted:
    """A task of To Do. `done`: ticked off already, so it stays where it is."""

    user: int
    fields: Fields
    task_list: str = "tasks"
    done: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """A task of the CRM from before the connection. `stays`: why it is not exported."""

    row: Row
    stays: str


def on(day: date, name: str = "dueDateTime") -> Fields:
    """A date as To Do sends it."""
    return {name: {"dateTime": f"{day}T00:00:00", "timeZone": ROME}}


def tasks(today: date) -> Iterator[Jotted]:
    """With and without dates, in both lists, one that comes again every week, one that is done."""

    def day(offset: int) -> date:
        return today + timedelta(days=offset)

    for user in range(3):
        for number in range(6):
            fields = {
                "title": f"Da fare {user}.{number} – è urgente",
                "importance": ("low", "normal", "high")[number % 3],
            }
            dates: Fields = {} if number % 2 else on(day(number + 2))
            body: Fields = (
                {"body": html(HTML)} if number == 3 else {"body": {"contentType": "text", "content": f"Punto {number}"}}
            )
            yield Jotted(user, {**fields, **dates, **body}, "tasks" if number % 3 else LIST)
        yield Jotted(
            user,
            {
                "title": f"Regalo 🎁 per il {user + 3}",
                "status": "waitingOnOthers",
                **on(day(20), "startDateTime"),
                **on(day(25)),
            },
        )
        yield Jotted(user, {"title": f"Già fatto {user}", "status": "completed"}, done=True)
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": [f"{day(3):%A}".lower()], "firstDayOfWeek": "monday"}
    rule: Fields = {
        "pattern": pattern,
        "range": {"type": "noEnd", "startDate": f"{day(3)}", "recurrenceTimeZone": ROME},
    }
    yield Jotted(0, {"title": WEEKLY, **on(day(3)), "recurrence": rule})


def records(today: date, owners: list[str], group: str) -> list[Assigned]:
    """Open and done tasks of the three users, and one of a group."""
    made: list[Assigned] = []
    for user, owner in enumerate(owners):
        for number in range(2):
            made.append(
                Assigned(
                    assigned(f"Pratica vecchia {user}.{number}", today + timedelta(days=5 + number), owner), "baseline"
                )
            )
        done = assigned(f"Pratica chiusa {user}", today - timedelta(days=5), owner)
        made.append(Assigned({**done, "taskstatus": "Completed"}, "ended"))
    made.append(Assigned(assigned("Richiamare i clienti", today + timedelta(days=9), group), "baseline"))
    return made


def assigned(subject: str, due: date, owner: str, days: int = 1) -> Row:
    """A task as a user of vtenext enters it: it begins so many days before it is due."""
    return {
        "subject": subject,
        "activitytype": "Task",
        "date_start": (due - timedelta(days=days)).isoformat(),
        "due_date": due.isoformat(),
        "time_start": "",
        "time_end": "",
        "taskstatus": "Not Started",
        "taskpriority": "Medium",
        "description": "",
        "assigned_user_id": owner,
    }

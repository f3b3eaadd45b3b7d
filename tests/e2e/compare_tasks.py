"""Do a task of the CRM and one of To Do say the same? By a reading of its own: no code of the product.

vtenext demands both dates (API.md 8): where To Do has no due date the start stands in, else the day on which the task was made. A start that To Do
lacks is vtenext's own business, so starts are promised by the story, not compared. To Do keeps days only, told as moments (BEHAVIOUR 7.3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from tests.e2e.compare import Json, Values, held
from tests.e2e.compare_events import NAMELESS, PRIORITIES, WALL

LENGTHS = {"name": 100}
STATUSES = {
    "notStarted": "Not Started", "inProgress": "In Progress", "completed": "Completed", "waitingOnOthers": "Pending Input", "deferred": "Deferred",
}  # fmt: skip


def task_record(row: Json) -> Values:
    """A row of the module Calendar. What To Do has no word for is not started there."""
    known = row["taskstatus"] in STATUSES.values()
    return _values(
        name=row["subject"],
        notes=row["description"],
        status=row["taskstatus"] if known else "Not Started",
        importance=row["taskpriority"] if row["taskpriority"] in PRIORITIES.values() else "Medium",
        due=row["due_date"],
    )


def task_item(task: Json) -> Values:
    """A task of To Do, with its body as text where it is HTML."""
    due = _day(task["dueDateTime"]["dateTime"]) if "dueDateTime" in task else ""
    made = _wall(task["createdDateTime"]).date().isoformat()
    return _values(
        name=task["title"] or NAMELESS,
        notes=_text_of(task["body"]),
        status=STATUSES[task["status"]],
        importance=PRIORITIES.get(task["importance"], "Medium"),
        due=due or start_of(task) or made,
    )


def start_of(task: Json) -> str:
    """The day on which a task of To Do begins, '' = not said."""
    return _day(task["startDateTime"]["dateTime"]) if "startDateTime" in task else ""


def _day(moment: str) -> str:
    """The day whose midnight is nearest on the wall."""
    return (_wall(moment) + timedelta(hours=12)).date().isoformat()


def _wall(moment: str) -> datetime:
    return datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC).astimezone(WALL)


def _text_of(body: Json) -> str:
    if body["contentType"] != "html":
        return str(body["content"])
    read: list[str] = []
    reader = HTMLParser()
    reader.handle_data = read.append  # type: ignore[method-assign]
    reader.feed(body["content"])
    return "".join(read)


def _values(**raw: object) -> Values:
    texts = {name: held(name, value, LENGTHS) for name, value in raw.items()}
    texts["notes"] = "".join(texts["notes"].split())
    return tuple(sorted(texts.items()))

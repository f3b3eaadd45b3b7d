"""What the service makes of a task's properties: which it takes, in which form it keeps them, how they read (BEHAVIOUR 7.3).

Pure: payload in, values out, and back. What follows from a change (completing, recurrence) is said in `todo_writing.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit

from emulators.graph import event_html, recurrence
from emulators.graph.errors import GraphError
from emulators.graph.http import Json
from emulators.graph.todo import Content, LinkedResource, Step, Task
from emulators.graph.zones import clock_text, read_moment, to_utc, to_wall, written, zone_named

STATUSES = ("notStarted", "inProgress", "completed", "waitingOnOthers", "deferred")
IMPORTANCES = ("low", "normal", "high")
# set by the server alone: without effect. createdDateTime is measured; completedDateTime: memory
SERVER = frozenset({
    "id", "createdDateTime", "lastModifiedDateTime", "bodyLastModifiedDateTime", "hasAttachments", "completedDateTime",
})  # fmt: skip
ONE_LINK = "Only one item in linkedResources is allowed"
_LINK = ("applicationName", "displayName", "externalId", "webUrl")


def invalid(message: str) -> GraphError:
    """400 of To Do: the payload is refused (BEHAVIOUR 9, invalidRequest)."""
    return GraphError(400, "invalidRequest", message)


def known(body: Json, names: tuple[str, ...], kind: str) -> Json:
    """The body without annotations and what only the server sets; 400 for a property that `kind` does not have."""
    given = {name: value for name, value in body.items() if "@" not in name and name not in SERVER}
    for name in given:
        if name not in names:
            raise invalid(f"The property '{name}' does not exist on type 'microsoft.graph.{kind}'.")
    return given


def accept(body: Json) -> dict[str, Any]:
    """Checked values of a POST or PATCH by the names of `Content`; null = the default. 400 otherwise.

    `linkedResources` and `checklistItems` are not read here: a PATCH with them is refused (they are navigation properties;
    the sentence is ours).
    """
    values: dict[str, Any] = {}
    for name, value in body.items():
        if "@" in name or name in SERVER:
            continue
        if name in ("attachments", "attachmentSessions", "extensions"):
            raise GraphError(501, "NotImplemented", f"'{name}' is not supported by this emulator.")
        if name not in _READERS:
            raise invalid(f"The property '{name}' cannot be set on an entity of type 'microsoft.graph.todoTask'.")
        values |= _READERS[name](name, value)
    return values


def links(value: Any) -> list[LinkedResource]:
    """The linkedResources of a new task: one at most (BEHAVIOUR 6)."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong("linkedResources", "Collection(microsoft.graph.linkedResource)")
    if len(value) > 1:
        raise invalid(ONE_LINK)
    return [link(each, None) for each in value]


def link(body: Json, old: LinkedResource | None) -> LinkedResource:
    """A new or changed linked resource; its fields can be set but not cleared (BEHAVIOUR 6): null and "" leave them."""
    given = known(body, _LINK, "linkedResource")
    texts = {name: _text(name, value) for name, value in given.items()}
    held = old or LinkedResource("")
    made = LinkedResource(
        texts.get("applicationName") or held.application_name,
        texts.get("displayName") or held.display_name,
        texts.get("externalId") or held.external_id,
        texts.get("webUrl") or held.web_url,
    )
    if not made.application_name:
        raise invalid("The property 'applicationName' is required in the request.")
    if made.web_url and not (urlsplit(made.web_url).scheme and urlsplit(made.web_url).netloc):
        raise invalid("The property 'webUrl' is not a valid URL.")
    return made


def steps(value: Any, now: str) -> list[Step]:
    """The checklistItems of a new task."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong("checklistItems", "Collection(microsoft.graph.checklistItem)")
    return [step(each, None, now) for each in value]


def step(body: Json, old: Step | None, now: str) -> Step:
    """A new or changed step. A PATCH without isChecked unchecks it (BEHAVIOUR 7.3, measured)."""
    names = ("displayName", "isChecked", "checkedDateTime")
    given = known(body, names, "checklistItem")
    name = _text("displayName", given["displayName"]) if "displayName" in given else old.name if old else ""
    if not name:
        raise invalid("The property 'displayName' is required in the request.")
    checked = _flag("isChecked", given.get("isChecked"))
    since = old.checked_at if old and old.checked else now
    return Step(name, old.created if old else now, checked, since if checked else "")


# how it reads ----------------------------------------------------------------------------------------------------


def render(task: Task) -> Json:
    """A task whole, children inline. What is unset, and an empty child collection, is absent (BEHAVIOUR 2.6; for dates: memory)."""
    content = task.content
    item: Json = {
        "@odata.etag": task.etag,
        "id": task.id,
        "title": content.title,
        "body": {"content": content.body, "contentType": content.body_kind},
        "status": content.status,
        "importance": content.importance,
        "isReminderOn": content.reminder_on,
        "categories": list(content.categories),
        "hasAttachments": False,
        "createdDateTime": task.created,
        "lastModifiedDateTime": task.modified,
    }
    moments = {"dueDateTime": content.due, "startDateTime": content.start, "reminderDateTime": content.reminder}
    item |= {name: written(moment, "UTC") for name, moment in moments.items() if moment}
    if content.body_modified:
        item["bodyLastModifiedDateTime"] = content.body_modified
    if content.completed:
        item["completedDateTime"] = clock_text(datetime.combine(content.completed, time()), "UTC")
    if content.rule:
        item["recurrence"] = recurrence.render(content.rule, "UTC")
    if task.links:
        item["linkedResources"] = [render_link(key, each) for key, each in task.links.items()]
    if task.steps:
        item["checklistItems"] = [render_step(key, each) for key, each in task.steps.items()]
    return item


def render_link(key: str, held: LinkedResource) -> Json:
    """A linked resource."""
    values = (held.application_name, held.display_name, held.external_id, held.web_url)
    return {**{name: value for name, value in zip(_LINK, values, strict=True) if value}, "id": key}


def render_step(key: str, held: Step) -> Json:
    """A step."""
    item: Json = {"id": key, "displayName": held.name, "createdDateTime": held.created, "isChecked": held.checked}
    return item | ({"checkedDateTime": held.checked_at} if held.checked else {})


# the readers of one property each ----------------------------------------------------------------------------------


def _wrong(name: str, expected: str) -> GraphError:
    return invalid(f"Cannot convert the value of property '{name}' to the expected type '{expected}'.")


def _text(name: str, value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "Edm.String")
    return value or ""


def _flag(name: str, value: Any) -> bool:
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "Edm.Boolean")
    return bool(value)


def _word(name: str, value: Any, words: tuple[str, ...], default: str) -> dict[str, Any]:
    if value is not None and (not isinstance(value, str) or value not in words):
        raise _wrong(name, f"microsoft.graph.{name}")
    return {name: value or default}


def _body(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"body": "", "body_kind": "text"}
    if not isinstance(value, dict) or any(key not in ("content", "contentType") and "@" not in key for key in value):
        raise _wrong(name, "microsoft.graph.itemBody")
    content, kind = value.get("content") or "", value.get("contentType") or "text"
    if not isinstance(content, str) or not isinstance(kind, str) or kind.lower() not in ("text", "html"):
        raise _wrong(name, "microsoft.graph.itemBody")
    if kind.lower() == "html":
        return {"body": event_html.stored(content, "html"), "body_kind": "html"}
    return {"body": re.sub(r"\r\n|\r|\n", "\r\n", content), "body_kind": "text"}


def _midnight(name: str, value: Any) -> dict[str, Any]:
    """Only the date is kept: midnight of the zone sent (BEHAVIOUR 7.3)."""
    key = "due" if name == "dueDateTime" else "start"
    if value is None:
        return {key: None}
    moment, zone_name = read_moment(name, value)
    zone = zone_named(zone_name)
    return {key: to_utc(datetime.combine(to_wall(moment, zone).date(), time()), zone)}


def _reminder(name: str, value: Any) -> dict[str, Any]:
    return {"reminder": None if value is None else read_moment(name, value)[0]}


def _categories(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(name, "Collection(Edm.String)")
    return {"categories": tuple(dict.fromkeys(each for each in value if each))}


_READERS: dict[str, Any] = {
    "title": lambda name, value: {"title": _text(name, value)},
    "body": _body,
    "status": lambda name, value: _word(name, value, STATUSES, "notStarted"),
    "importance": lambda name, value: _word(name, value, IMPORTANCES, "normal"),
    "isReminderOn": lambda name, value: {"reminder_on": _flag(name, value)},
    "reminderDateTime": _reminder,
    "dueDateTime": _midnight,
    "startDateTime": _midnight,
    "categories": _categories,
    "recurrence": lambda _, value: {"rule": recurrence.accept(value)},
}


# dates of a recurring task -----------------------------------------------------------------------------------------


def next_content(content: Content) -> Content | None:
    """The same task on the next date of its rule, open again; None when the rule has no more.

    The date is read in the rule's recurrenceTimeZone, else in UTC: without one the due date moves a day (BEHAVIOUR 7.3).
    """
    if content.rule is None or content.due is None:
        return None
    zone = zone_named(content.rule.zone or "UTC")
    day = to_wall(content.due, zone).date()
    following = content.rule.after(day)
    if following is None:
        return None
    days = following - day

    def moved(moment: datetime | None) -> datetime | None:
        return None if moment is None else to_utc(to_wall(moment, zone) + days, zone)

    return replace(
        content,
        due=to_utc(datetime.combine(following, time()), zone),
        start=moved(content.start),
        reminder=moved(content.reminder),
        status="notStarted",
        completed=None,
    )


def first_due(rule: recurrence.Rule) -> datetime:
    """The due date of a task that got a rule but no date (memory)."""
    zone = zone_named(rule.zone or "UTC")
    return to_utc(datetime.combine(rule.first() or rule.start, time()), zone)

"""Is an event that the default calendar does not show in another calendar of the same mailbox?

Dragging an event there is no deletion (DESIGN 2: leaving is unlinking). Graph names no calendar in an event, so each calendar is asked for its
view of the event's own time. Never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from sync.errors import Failure
from sync.model import Left, Proof
from sync.sides.graph.answers import Answer
from sync.sides.graph.batch import Part
from sync.sides.graph.client import PASSING
from sync.sides.graph.events import series_of
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.window import around_start

Doubt = Proof | Left | Failure
"""What became of an event that is not shown: deleted, moved, or not known."""


class OtherCalendars:
    """The user's other calendars, listed once per object: for one look at a number of events."""

    def __init__(self, requests: MailboxRequests) -> None:
        self._requests = requests
        self._ids: list[str] | Failure | None = None

    async def search(self, whens: Mapping[str, str]) -> dict[str, Doubt]:
        """`whens`: id of an event or a series -> a time at which it shows. A calendar that does not answer leaves the question open."""
        if self._ids is None:
            self._ids = await self._listed()
        ids = self._ids
        if isinstance(ids, Failure):
            return dict.fromkeys(whens, ids)
        urls = {f"{other} {when}": view(when, other) for other in ids for when in whens.values()}
        shown = await views(self._requests, urls)
        found: dict[str, Doubt] = {}
        for key, when in whens.items():
            answers = [shown[f"{other} {when}"] for other in ids]
            failed = next((each for each in answers if isinstance(each, Failure)), None)
            there = any(key in each for each in answers if not isinstance(each, Failure))
            found[key] = Left(key, "another_calendar") if there else failed or Proof.IN_DELETED_ITEMS
        return found

    async def _listed(self) -> list[str] | Failure:
        """Ids of the calendars that can have received an event: those that may be written to."""
        ids: list[str] = []
        url = self._requests.path("calendars?$select=id,isDefaultCalendar,canEdit&$top=100")
        while url:
            answer = await self._requests.connection.read(
                url, where="calendars.list", mailbox=self._requests.user, again=PASSING
            )
            if isinstance(answer, Failure):
                return answer
            listed = answer.body.get("value") or ()
            ids += [
                str(each["id"])
                for each in listed
                if each.get("canEdit") is not False and not each.get("isDefaultCalendar")
            ]
            url = str(answer.body.get("@odata.nextLink") or "")
        return ids


def view(when: str, calendar: str = "") -> str:
    """The view of the moment in which an event begins; of the default calendar when none is named. Relative to the user."""
    place = f"calendars/{quote(calendar, safe='')}/" if calendar else ""
    return f"{place}calendarView?{around_start(when)}&$select=id,type,seriesMasterId&$top=100"


async def views(requests: MailboxRequests, paths: Mapping[str, str]) -> dict[str, set[str] | Failure]:
    """What each of these views shows: ids of events and of the series of occurrences. An address is asked once, all its pages."""
    asked = list(dict.fromkeys(paths.values()))
    parts = [Part("GET", requests.path(path)) for path in asked]
    answers: dict[str, set[str] | Failure] = {}
    for path, first in zip(asked, await requests.run(parts, where="calendar.look", repeatable=True), strict=True):
        answers[path] = await _all_pages(requests, first)
    return {name: answers[path] for name, path in paths.items()}


async def _all_pages(requests: MailboxRequests, answer: Answer | Failure) -> set[str] | Failure:
    ids: set[str] = set()
    while True:
        if isinstance(answer, Failure):
            return answer
        page = answer.body.get("value") or ()
        ids |= {str(each["id"]) for each in page} | {series_of(each) for each in page}
        link = str(answer.body.get("@odata.nextLink") or "")
        if not link:
            return ids
        answer = await requests.connection.read(link, where="calendar.look", mailbox=requests.user, again=PASSING)

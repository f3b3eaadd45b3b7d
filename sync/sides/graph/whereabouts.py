"""Where events are that answer by their id: in the default calendar, in another one of the mailbox, or in Deleted Items.

An event answers from everywhere in its mailbox, and does not say where it is: `$expand=calendar` names a calendar that nobody has
(microsoft-graph-docs#6699), and with immutable ids deleting is a move, too (BEHAVIOUR 5.1). What tells is the view of a calendar at the
time of the event. Only when every calendar answered without it was it deleted: what the user dragged into another calendar has left
(DESIGN 2). Calendars of others may refuse or fail for ever (BEHAVIOUR 11.10) and stop nothing but that proof. Never writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote

from sync.errors import Failure
from sync.sides.graph.answers import Answer, Json
from sync.sides.graph.events import series_of
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.window import around_start

WHERE = "calendar.look"


class Place(StrEnum):
    """Where an event is that the default calendar does not show."""

    ELSEWHERE = "another_calendar"
    DELETED = "deleted_items"


Absence = Place | Failure
"""Where it is; or why that is not known."""

Shown = frozenset[str] | Failure
"""The ids of what a view shows, masters of occurrences included; or why it shows nothing."""


class _Ask(Protocol):
    def __call__(self, urls: Sequence[str], *, where: str) -> Awaitable[list[Answer | Failure]]: ...


@dataclass(frozen=True, slots=True)
class _Calendar:
    path: str
    writable: bool


class Whereabouts:
    """Looks for the events of one question: make one for each. The other calendars are listed once, when the first event is missing."""

    def __init__(self, requests: MailboxRequests) -> None:
        self._requests = requests
        self._listed: list[_Calendar] | Failure | None = None

    async def absent(self, whens: Mapping[str, str]) -> dict[str, Absence]:
        """Those of these events and series that the default calendar does not show at their time, and where they are.

        One without a time is taken to be there. Raises what the default calendar's failure says about the mailbox as a whole.
        """
        urls = {key: _view(self._requests.path(""), when) for key, when in whens.items() if when}
        shown = await self._shown(urls.values(), self._requests.fetch)
        unknown: dict[str, Absence] = {}
        missing: list[str] = []
        for key, url in urls.items():
            ids = shown[url]
            if isinstance(ids, Failure):
                unknown[key] = ids
            elif key not in ids:
                missing.append(key)
        return unknown | await self._elsewhere({key: whens[key] for key in missing})

    async def _elsewhere(self, missing: Mapping[str, str]) -> dict[str, Absence]:
        """In which of the other calendars these are."""
        if not missing:
            return {}
        if self._listed is None:
            self._listed = await self._others()
        others = self._listed
        if isinstance(others, Failure):
            return dict.fromkeys(missing, others)
        urls = {key: [_view(each.path, when) for each in others] for key, when in missing.items()}
        shown = await self._shown((url for each in urls.values() for url in each), self._requests.ask)
        return {key: _place(key, others, [shown[url] for url in each]) for key, each in urls.items()}

    async def _others(self) -> list[_Calendar] | Failure:
        """All calendars but the default one, those of others included."""
        listed = await self._pages(self._requests.path("calendars?$select=id,isDefaultCalendar,canEdit&$top=100"))
        if isinstance(listed, Failure):
            return listed
        return [
            _Calendar(
                self._requests.path(f"calendars/{quote(str(each['id']), safe='')}/"), each.get("canEdit") is not False
            )
            for each in listed
            if each.get("isDefaultCalendar") is not True
        ]

    async def _shown(self, urls: Iterable[str], ask: _Ask) -> dict[str, Shown]:
        """What each of these views shows."""
        asked = list(dict.fromkeys(urls))
        shown: dict[str, Shown] = {}
        for url, answer in zip(asked, await ask(asked, where=WHERE), strict=True):
            if isinstance(answer, Failure):
                shown[url] = answer
                continue
            following = await self._pages(str(answer.body.get("@odata.nextLink") or ""))
            if isinstance(following, Failure):
                shown[url] = following
                continue
            events = [*(answer.body.get("value") or ()), *following]
            shown[url] = frozenset({str(each["id"]) for each in events} | {series_of(each) for each in events})
        return shown

    async def _pages(self, url: str) -> list[Json] | Failure:
        """A listing from this page to its end; '' = none."""
        found: list[Json] = []
        while url:
            answer = await self._requests.connection.read(url, where=WHERE, mailbox=self._requests.user)
            if isinstance(answer, Failure):
                return answer
            found += answer.body.get("value") or ()
            url = str(answer.body.get("@odata.nextLink") or "")
        return found


def _view(path: str, when: str) -> str:
    """A calendar's view of the moment in which an event begins."""
    return f"{path}calendarView?{around_start(when)}&$select=id,type,seriesMasterId&$top=100"


def _place(key: str, calendars: Sequence[_Calendar], shown: Sequence[Shown]) -> Absence:
    """Where an event is by what the other calendars show. One that cannot be read may have it, unless nobody can move a thing there."""
    if any(key in each for each in shown if not isinstance(each, Failure)):
        return Place.ELSEWHERE
    for calendar, each in zip(calendars, shown, strict=True):
        if isinstance(each, Failure) and calendar.writable:
            return each
    return Place.DELETED

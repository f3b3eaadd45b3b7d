"""What became of single events, series and occurrences: read, and proven where they seem to be gone.

An event that was deleted in Outlook may still answer 200 (BEHAVIOUR 5.1: with immutable ids deleting is a move), so each one that answers
is also looked for in the calendar's view of its own time, and when it is not there in those of the user's other calendars: dragging an event
into one of them is no deletion. Whatever seems to be gone is looked at a second time, while the calendar
answers: lone 404s come and go, and an event may be moved between the two questions. Never writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from urllib.parse import quote

from sync.errors import Failure, classify
from sync.model import Gone, Item, Left, Proof
from sync.sides.graph.answers import Json, missing, of_the_mailbox
from sync.sides.graph.client import PASSING
from sync.sides.graph.events import MASTER, item_of, series_of, split_id
from sync.sides.graph.folders import expect
from sync.sides.graph.looks import Seen
from sync.sides.graph.masters import Days, SeriesReader
from sync.sides.graph.occurrences import Series, start_of
from sync.sides.graph.other_calendars import Doubt, OtherCalendars, view, views
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.stamps import EXPAND
from sync.sides.graph.window import around_start

YEAR = timedelta(days=366)
ANY = "2000-01-01T00:00Z/2000-01-01T00:00Z"
"""A time at which the calendar is asked whether it answers: nothing needs to be there."""


class EventsReader:
    """Items of one calendar by id."""

    def __init__(self, requests: MailboxRequests, masters: SeriesReader) -> None:
        self._requests, self._masters = requests, masters

    async def look(self, ids: Sequence[str]) -> dict[str, Seen]:
        """What each id is now: an event's, a master's, or `master|slot`."""
        others = OtherCalendars(self._requests)
        found = await self._once(list(dict.fromkeys(ids)), others)
        doubtful = [key for key, each in found.items() if _doubtful(each)]
        if doubtful:
            await self._answers()
            found.update(await self._once(doubtful, others))
        return {key: found[key] for key in dict.fromkeys(ids)}

    async def _answers(self) -> None:
        """Raises when the calendar itself does not answer."""
        url = self._requests.path(f"calendarView?{around_start(ANY)}&$select=id&$top=1")
        answer = await self._requests.connection.read(
            url, where="calendar.get", mailbox=self._requests.user, again=PASSING | {404}
        )
        expect(answer)

    async def _once(self, ids: Sequence[str], others: OtherCalendars) -> dict[str, Seen]:
        parted = {key: split_id(key) for key in ids}
        found, masters = await self._events([key for key, (_, slot) in parted.items() if slot is None])
        slots = {key: (master, slot) for key, (master, slot) in parted.items() if slot is not None}
        read = await self._masters.read(days_of(slots, masters))
        for key, (master, slot) in slots.items():
            found[key] = occurrence(key, slot, read[master])
        whens = {each.series or each.id: str(each.fields["when"]) for each in found.values() if isinstance(each, Item)}
        for key, master_event in masters.items():
            found[key], living = self._master(key, master_event, read[key])
            if living:
                whens[key] = str(living.fields["when"])
        for master, _ in slots.values():  # also of series of which only cancelled days were asked
            series = read[master]
            if master in whens or not isinstance(series, Series) or series.listed == {}:
                continue
            if one := series.living():
                whens[master] = str(one.fields["when"])
        unseen = await self._unseen(whens, others)
        for key, each in found.items():
            doubt = unseen.get(split_id(key)[0])
            if doubt and (isinstance(each, Item) or (isinstance(each, Gone) and not isinstance(doubt, Proof))):
                found[key] = _not_here(key, doubt)
        return found

    async def _events(self, ids: Sequence[str]) -> tuple[dict[str, Seen], dict[str, Json]]:
        """Singles as they are; masters, which need to be read whole, apart."""
        urls = [self._requests.path(f"events/{quote(key, safe='')}?{EXPAND}") for key in ids]
        found: dict[str, Seen] = {}
        masters: dict[str, Json] = {}
        for key, answer in zip(ids, await self._requests.fetch(urls, where="events.get"), strict=True):
            if isinstance(answer, Failure):
                found[key] = Gone(key, Proof.NOT_FOUND) if missing(answer) else answer
            elif answer.body.get("type") == MASTER:
                masters[key] = answer.body
            elif series_of(answer.body):
                found[key] = Left(key, "occurrence")  # of a series: an item under another id
            else:
                found[key] = item_of(answer.body, self._requests.user)
        return found, masters

    def _master(self, key: str, event: Json, read: Series | Failure) -> tuple[Seen, Item | None]:
        """The master's own item, and a living occurrence to look for. A series that has none left is gone."""
        if isinstance(read, Failure):
            return (Gone(key, Proof.NOT_FOUND) if missing(read) else read), None
        living = read.living()
        if living is None and read.listed is None:
            return Gone(key, Proof.NOT_FOUND), None
        return item_of(event, self._requests.user), living

    async def _unseen(self, whens: Mapping[str, str], others: OtherCalendars) -> dict[str, Doubt]:
        """Which of these events or series the default calendar does not show at that time, and what that means."""
        asked = {key: when for key, when in whens.items() if when}
        shown = await views(self._requests, {when: view(when) for when in asked.values()})
        found: dict[str, Doubt] = {}
        for key, when in asked.items():
            ids = shown[when]
            if isinstance(ids, Failure):
                if of_the_mailbox(ids):
                    raise classify(ids)
                found[key] = ids
            elif key not in ids:
                found[key] = Proof.IN_DELETED_ITEMS
        missing_here = {key: asked[key] for key, doubt in found.items() if isinstance(doubt, Proof)}
        return found | (await others.search(missing_here) if missing_here else {})


def _not_here(key: str, doubt: Doubt) -> Seen:
    if isinstance(doubt, Proof):
        return Gone(key, doubt)
    return Left(key, doubt.where) if isinstance(doubt, Left) else doubt


def occurrence(key: str, slot: date, read: Series | Failure) -> Seen:
    """What an occurrence is, by its series as it was read."""
    if isinstance(read, Failure):
        return Gone(key, Proof.NOT_FOUND) if missing(read) else read
    return read.at(slot) or Gone(key, Proof.NOT_FOUND)


def _doubtful(seen: Seen) -> bool:
    """Does it seem to be gone, under whatever name?"""
    return isinstance(seen, Gone) or (isinstance(seen, Failure) and seen.status in {404, 410})


def days_of(slots: Mapping[str, tuple[str, date]], masters: Mapping[str, Json]) -> dict[str, Days]:
    """Which slots of which series are of interest; of a master itself its first year."""
    days: dict[str, Days] = {key: (start_of(each), start_of(each) + YEAR) for key, each in masters.items()}
    for master, slot in slots.values():
        first, last = days.get(master, (slot, slot))
        days[master] = min(first, slot), max(last, slot)
    return days

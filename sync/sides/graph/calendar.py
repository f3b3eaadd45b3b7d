"""One mailbox's calendar on Graph: the `Mailbox` protocol for the default calendar of a user.

A single event is an item; a series is one item per occurrence inside the horizon, with an id of ours, and a master only where it is asked
for. What changed is told by a delta over a moving window, older and later single events by one plain listing. Which writes to make, and
what an event means in the CRM, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sync.errors import Failure, classify
from sync.model import Item, Present
from sync.sides.base import CursorLost, NaturalKey, Page, Result, Write
from sync.sides.graph.answers import missing
from sync.sides.graph.batch import LARGEST
from sync.sides.graph.categories import MasterCategories
from sync.sides.graph.client import GraphConnection
from sync.sides.graph.delta import PAGE, DeltaPage, delta_pages
from sync.sides.graph.event_answers import write_events
from sync.sides.graph.events import SINGLE, is_whole, item_of, series_of
from sync.sides.graph.events_reading import EventsReader
from sync.sides.graph.looks import presents
from sync.sides.graph.masters import SeriesReader
from sync.sides.graph.occurrences import Series
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.stamps import EXPAND
from sync.sides.graph.window import Cursor, Horizon, Window, read_cursor, utc

UTC_TIMES = 'outlook.timezone="UTC"'
PREFER = (f"odata.maxpagesize={PAGE}", UTC_TIMES)
CHUNK = 4 * LARGEST
"""Masters that are read at a time: as many as fit in the four lanes of a mailbox."""


async def open_calendar(
    connection: GraphConnection, user_id: str, *, zone: ZoneInfo, now: Callable[[], datetime], horizon: Horizon
) -> GraphCalendar:
    """The default calendar of a user (object id). `zone`: the home zone, in which what names no other is written."""
    return GraphCalendar(connection, user_id, zone=zone, now=now, horizon=horizon)


class GraphCalendar:
    """A `sides.base.Mailbox`. Open it with `open_calendar`."""

    folder_id = ""
    """The default calendar: it cannot be chosen, renamed away or deleted."""

    def __init__(
        self,
        connection: GraphConnection,
        user_id: str,
        *,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        horizon: Horizon,
    ) -> None:
        self.id = user_id
        self._connection, self._zone, self._now, self._horizon = connection, zone, now, horizon
        self._requests = MailboxRequests(connection, user_id)
        self._masters = SeriesReader(self._requests)
        self._reader = EventsReader(self._requests, self._masters)
        self._categories = MasterCategories(self._requests)

    def afresh(self, cursor: str) -> str | None:
        """See `Mailbox.afresh`. A cursor that Graph forgot is good enough: only its own part is read."""
        try:
            return Cursor(history=True).text() if read_cursor(cursor).history else None
        except CursorLost:
            return None

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        """See `Mailbox.changes`. The cursor is on the last page alone; series come after everything else of their round."""
        saved = read_cursor(cursor) if cursor is not None else Cursor(history=False)
        now = self._now()
        window, link = saved.window or self._horizon.window(now), saved.link
        touched: dict[str, None] = {}
        listed: set[str] = set()
        while True:
            async for part in self._delta(window, link or None):
                touched.update(dict.fromkeys(series for each in part.changed.values() if (series := series_of(each))))
                page = await self._singles(part)
                listed.update(each.id for each in page.items)
                link = part.link
                yield page
            if window is not saved.window or not window.used_up(now, self._horizon):
                break
            window, link = self._horizon.window(now), ""  # what the old one still had to tell is told
        async for page in self._series(list(touched)):
            yield page
        if not saved.history:
            async for page in self._history(window, listed):
                yield page
        yield Page([], [], Cursor(True, link, window).text(), last=True)

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        """See `Mailbox.stamped`: single events and masters. A listing, because $filter lags (BEHAVIOUR 6)."""
        url = self._requests.path(f"calendar/events?$top={PAGE}&{EXPAND}")
        async for events in self._requests.listing(url, where="events.list", prefer=PREFER):
            yield [item_of(event, self.id) for event in events]

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        """See `Mailbox.get`. Ids of events, of masters, and `master|slot`."""
        return presents(await self._reader.look(ids))

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        """See `Mailbox.apply`. Raises only when nothing was written; a later obstacle refuses the rest."""
        return await write_events(self._requests, self._masters, self._reader.look, self._zone, writes)

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        """See `Mailbox.colour`. The master list is read once per object."""
        return await self._categories.ensure(categories)

    async def knows(self, people: Sequence[NaturalKey]) -> list[bool]:
        """See `Mailbox.knows`: there are no cards here."""
        return [False for _ in people]

    # listing -------------------------------------------------------------------------------------------------------

    def _delta(self, window: Window, link: str | None) -> AsyncIterator[DeltaPage]:
        first = self._requests.path(f"calendarView/delta?{window.query}")
        return delta_pages(
            self._connection, self.id, first, link, entity="event", where="calendar.delta", prefer=PREFER
        )

    async def _singles(self, page: DeltaPage) -> Page:
        """What a page tells of single events; parts of series are read from their masters, later."""
        single = {key: each for key, each in page.changed.items() if not series_of(each)}
        items = [item_of(each, self.id, stamp="") for each in single.values() if is_whole(each)]
        parts = [key for key, each in single.items() if not is_whole(each)]
        read = await self.get(parts) if parts else {}
        items += [each for each in read.values() if isinstance(each, Item)]
        # a part that cannot be read as an item now is a claim like a removal: `get` settles it
        unsettled = [key for key, each in read.items() if not isinstance(each, Item)]
        return Page(items, [*page.gone, *unsettled], "", last=False)

    async def _series(self, masters: Sequence[str]) -> AsyncIterator[Page]:
        """The occurrences inside the horizon of each series that was touched."""
        first, last = self._horizon.days(self._now(), self._zone)
        for start in range(0, len(masters), CHUNK):
            read = await self._masters.read(dict.fromkeys(masters[start : start + CHUNK], (first, last)))
            items: list[Item] = []
            whole: list[str] = []
            unsettled: list[str] = []
            for key, series in read.items():
                if isinstance(series, Series):
                    items += series.between(first, last)
                    whole.append(key)
                elif missing(series) or series.status not in {0, 429}:
                    unsettled.append(key)  # gone, or not readable now: a claim, `get` settles it
                else:
                    raise classify(series)  # the whole request was lost or throttled: the round is told again
            yield Page(items, unsettled, "", last=False, whole=whole)

    async def _history(self, window: Window, listed: set[str]) -> AsyncIterator[Page]:
        """Single events outside the window, once: from where the history begins, and those that lie far ahead."""
        since = utc(self._horizon.beginning(self._zone))[:-1]
        start, end = utc(window.start)[:-1], utc(window.end)[:-1]
        for condition in (
            f"start/dateTime lt '{start}' and end/dateTime ge '{since}'",
            f"start/dateTime ge '{end}'",
        ):
            url = self._requests.path(f"calendar/events?$filter={condition.replace(' ', '%20')}&$top={PAGE}")
            async for events in self._requests.listing(url, where="events.history", prefer=PREFER):
                new = [each for each in events if each.get("type") == SINGLE and str(each["id"]) not in listed]
                yield Page([item_of(each, self.id, stamp="") for each in new], [], "", last=False)

"""Reads series from their masters: one GET a series, twenty to a request, nothing per occurrence.

The service may refuse to show exceptions and cancelled occurrences (PITFALLS 6); that is remembered, and `/instances` over the days in
question is asked instead, one more GET a series. Never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from urllib.parse import quote

from sync.errors import Failure
from sync.sides.graph.answers import Answer, Json
from sync.sides.graph.events import SELECT, split_id
from sync.sides.graph.occurrences import Series, by_slot, reach, read_master
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.stamps import EXPAND, PROPERTY
from sync.sides.graph.window import around_start, utc

Days = tuple[date, date]

_FIELDS = ",".join(SELECT)
FULL = f"$select={_FIELDS},cancelledOccurrences&$expand=exceptionOccurrences,{PROPERTY}"
PLAIN = f"$select={_FIELDS}&{EXPAND}"
LISTED = 500
"""Instances on a page: four months of a daily series fit."""


class SeriesReader:
    """Series of one mailbox."""

    def __init__(self, requests: MailboxRequests) -> None:
        self._requests = requests
        self._shows_all = True

    async def read(self, days: Mapping[str, Days]) -> dict[str, Series | Failure]:
        """Each series by its master's id. Where it must be listed, the occurrences of these slots are. Each id is asked once."""
        full = await self._masters(days, FULL) if self._shows_all else {}
        again = [key for key in days if key not in full or _otherwise(full[key])]
        plain = await self._masters(again, PLAIN)
        if any(isinstance(each, Answer) and _unsupported(full[key]) for key, each in plain.items() if key in full):
            self._shows_all = False
        found: dict[str, Series | Failure] = {}
        to_list: dict[str, Json] = {}
        for key, answer in (full | plain).items():
            if isinstance(answer, Failure):
                found[key] = answer
            elif (whole := read_master(answer.body, self._requests.user)) is not None:
                found[key] = whole
            else:
                to_list[key] = answer.body
        return found | await self._listed(to_list, days)

    async def around(self, whens: Mapping[str, str]) -> dict[str, list[Json] | Failure]:
        """Graph's own occurrences, with their ids and versions, near those of ours (`master|slot` -> when it takes place)."""
        urls = []
        for key, when in whens.items():
            query = f"{around_start(when)}&$select={_FIELDS}&$top=50"
            urls.append(f"{self._path(split_id(key)[0])}/instances?{query}")
        found: dict[str, list[Json] | Failure] = {}
        for key, answer in zip(whens, await self._requests.fetch(urls, where="series.find"), strict=True):
            found[key] = answer if isinstance(answer, Failure) else await self._pages(answer, "series.find")
        return found

    async def _masters(self, ids: Mapping[str, Days] | list[str], query: str) -> dict[str, Answer | Failure]:
        urls = [f"{self._path(key)}?{query}" for key in ids]
        return dict(zip(ids, await self._requests.fetch(urls, where="series.get"), strict=True))

    async def _listed(self, masters: Mapping[str, Json], days: Mapping[str, Days]) -> dict[str, Series | Failure]:
        """What `/instances` tells of those that cannot be computed."""
        urls = []
        for key, master in masters.items():
            start, end = reach(master, *days[key])
            query = f"startDateTime={utc(start)}&endDateTime={utc(end)}&$select={_FIELDS}&$top={LISTED}"
            urls.append(f"{self._path(key)}/instances?{query}")
        found: dict[str, Series | Failure] = {}
        for (key, master), answer in zip(
            masters.items(), await self._requests.fetch(urls, where="series.list"), strict=True
        ):
            if isinstance(answer, Failure):
                found[key] = answer
                continue
            instances = await self._pages(answer, "series.list")
            found[key] = Series(master, self._requests.user, listed=by_slot(master, instances))
        return found

    async def _pages(self, first: Answer, where: str) -> list[Json]:
        """What this page shows and those that follow it."""
        shown = list(first.body.get("value") or ())
        async for page in self._requests.listing(str(first.body.get("@odata.nextLink") or ""), where=where):
            shown += page
        return shown

    def _path(self, master: str) -> str:
        return self._requests.path(f"events/{quote(master, safe='')}")


def _unsupported(answer: Answer | Failure) -> bool:
    """Was it refused for what it asked?"""
    return isinstance(answer, Failure) and answer.status in {400, 501}


def _otherwise(answer: Answer | Failure) -> bool:
    """May the simpler question be answered where this one was not?"""
    return _unsupported(answer) or (isinstance(answer, Failure) and answer.status >= 500)

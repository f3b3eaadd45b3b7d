"""Writes to one calendar: single events and masters in one go, occurrences of a series one after the other.

Exchange keeps a series as one thing: each changed occurrence moves the version of all the others (BEHAVIOUR 5.1, derived). So before
each change of an occurrence its present content is compared with what was planned on, and its present version goes into If-Match;
cancellations, whose DELETE ignores If-Match, go together. Nothing is ever sent twice, and never a field that was not asked for: most make Exchange
mail the attendees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sync import spans
from sync.errors import Failure, SyncError
from sync.model import Gone, Item
from sync.sides.base import Done, New, Refused, Remove, Result, Revise, Unclear, Write
from sync.sides.graph.answers import (
    Answer,
    Json,
    conflict,
    deleted_already,
    may_have_happened,
    missing,
    not_sent,
)
from sync.sides.graph.batch import Part
from sync.sides.graph.events import ended_at, event_of, fields_of, item_of, split_id, version_of
from sync.sides.graph.looks import Seen
from sync.sides.graph.masters import SeriesReader
from sync.sides.graph.occurrences import Series, own_instance
from sync.sides.graph.requests import MailboxRequests

WHERE = "events.write"
UNTIL = "until"

Look = Callable[[Sequence[str]], Awaitable[Mapping[str, Seen]]]


@dataclass(slots=True)
class _Turn:
    """One occurrence to be written now."""

    index: int
    write: Revise | Remove
    master: str
    slot: date
    instances: list[Json] = field(default_factory=list)
    trouble: Failure | None = None


class EventsWriter:
    """The writes of one `apply`: make one for each."""

    def __init__(
        self, requests: MailboxRequests, masters: SeriesReader, look: Look, home: ZoneInfo, writes: Sequence[Write]
    ) -> None:
        self._requests, self._masters, self._look, self._home = requests, masters, look, home
        self._writes = writes
        self._results: dict[int, Result] = {}
        self._told: list[tuple[_Turn, Json]] = []
        """Occurrences that were changed, as the answers showed them, until their series is read again."""

    async def run(self) -> list[Result]:
        """Results in the order of the writes. Raises only when nothing was written; a later obstacle refuses the rest."""
        occurrences = [
            index for index, each in enumerate(self._writes) if not isinstance(each, New) and "|" in each.expected.id
        ]
        try:
            await self._events([index for index in range(len(self._writes)) if index not in set(occurrences)])
            await self._occurrences(occurrences)
        except SyncError as error:
            if not self._told and not any(isinstance(each, Done | Unclear) for each in self._results.values()):
                raise
            self._results |= {turn.index: self._changed(turn, answer, {}) for turn, answer in self._told}
            for index in range(len(self._writes)):
                self._results.setdefault(index, Refused(not_sent(error, WHERE)))
        return [self._results[index] for index in range(len(self._writes))]

    # single events and masters -------------------------------------------------------------------------------------

    async def _events(self, indexes: Sequence[int]) -> None:
        removes = {i: each for i in indexes if isinstance(each := self._writes[i], Remove)}
        ends = {i: each for i in indexes if isinstance(each := self._writes[i], Revise) and UNTIL in each.fields}
        seen = await self._look([each.expected.id for each in removes.values()])
        recurrences = await self._recurrences(ends)
        parts: dict[int, Part] = {}
        for index in indexes:
            write = self._writes[index]
            if isinstance(write, Remove):
                made: Part | Result = self._removal(write, seen[write.expected.id])
            else:
                made = self._part(write, recurrences.get(index))
            if isinstance(made, Part):
                parts[index] = made
            else:
                self._results[index] = made
        answers = await self._requests.run(list(parts.values()), where=WHERE)
        for index, answer in zip(parts, answers, strict=True):
            self._results[index] = self._result(self._writes[index], answer)

    def _removal(self, write: Remove, now: Seen) -> Part | Result:
        """DELETE ignores If-Match (BEHAVIOUR 5.1), so what the event is now is compared here."""
        if isinstance(now, Gone):
            return Done(None)
        if isinstance(now, Failure):
            return Refused(now)
        if not isinstance(now, Item) or now.version != write.expected.version:
            return Refused(conflict(WHERE))
        return Part("DELETE", self._path(write.expected.id))

    def _part(self, write: New | Revise, recurrence: Answer | Failure | None) -> Part | Result:
        try:
            if isinstance(write, New):
                return Part("POST", self._requests.path("events"), event_of(write.fields, self._home, write.stamp))
            body = self._changes(write)
            if recurrence is not None:
                if isinstance(recurrence, Failure):
                    return Refused(conflict(WHERE) if missing(recurrence) else recurrence)
                last = date.fromisoformat(str(write.fields[UNTIL]))
                body["recurrence"] = ended_at(recurrence.body.get("recurrence") or {}, last)
        except ValueError:  # the text may be a person's: it goes nowhere
            return Refused(Failure(status=400, code="NotExpressible", where=WHERE))
        return Part("PATCH", self._path(write.expected.id), body, if_match=write.expected.version)

    def _changes(self, write: Revise) -> dict[str, Any]:
        fields = {name: value for name, value in write.fields.items() if name != UNTIL}
        zone = spans.zone_named(str(write.expected.fields.get("zone", ""))) or self._home
        return event_of(fields, zone)

    async def _recurrences(self, ends: Mapping[int, Revise]) -> dict[int, Answer | Failure]:
        """The rules as they are now, of the series that are to end."""
        urls = [f"{self._path(each.expected.id)}?$select=id,type,recurrence" for each in ends.values()]
        return dict(zip(ends, await self._requests.fetch(urls, where="series.get"), strict=True))

    def _result(self, write: Write, answer: Answer | Failure) -> Result:
        if isinstance(answer, Failure):
            if isinstance(write, Remove) and deleted_already(answer):
                return Done(None)
            return Unclear(answer) if may_have_happened(answer) else Refused(answer)
        if isinstance(write, Remove):
            return Done(None)
        if "id" not in answer.body:
            return Unclear(Failure(status=0, code="EmptyAnswer", where=WHERE))
        stamp = write.stamp if isinstance(write, New) else write.expected.stamp  # not echoed (BEHAVIOUR 6)
        return Done(item_of(answer.body, self._requests.user, stamp))

    # occurrences ---------------------------------------------------------------------------------------------------

    async def _occurrences(self, indexes: Sequence[int]) -> None:
        """Round after round: of each series all cancellations together, then one change at a time.

        The reading that begins a round also shows what became of the changes of the round before.
        """
        waiting = [turn for index in indexes if (turn := self._turn(index)) is not None]
        while waiting or self._told:
            now = _next(waiting)
            waiting = [each for each in waiting if each not in now]
            await self._find(now)  # versions first, content after: what changes in between is a 412
            read = await self._masters.read(self._days(now))
            self._results |= {turn.index: self._changed(turn, answer, read) for turn, answer in self._told}
            self._told = []
            gone = await self._gone(now, read)
            parts: list[tuple[_Turn, Part]] = []
            for turn in now:
                made = self._occurrence(turn, read[turn.master], turn.write.expected.id in gone)
                if isinstance(made, Part):
                    parts.append((turn, made))
                else:
                    self._results[turn.index] = made
            answers = await self._requests.run([part for _, part in parts], where=WHERE)
            for (turn, _), answer in zip(parts, answers, strict=True):
                if isinstance(turn.write, Revise) and isinstance(answer, Answer) and "id" in answer.body:
                    self._told.append((turn, answer.body))
                else:
                    self._results[turn.index] = self._result(turn.write, answer)

    def _turn(self, index: int) -> _Turn | None:
        write = self._writes[index]
        if isinstance(write, New):
            return None
        master, slot = split_id(write.expected.id)
        return _Turn(index, write, master, slot) if slot else None

    async def _find(self, turns: Sequence[_Turn]) -> None:
        """Graph's own ids and versions of the occurrences: they are asked for around the time that they are known to have."""
        expected = [turn.write.expected for turn in turns]
        found = await self._masters.around(
            {each.id: when for each in expected if (when := str(each.fields.get("when", "")))}
        )
        for turn in turns:
            instances = found.get(turn.write.expected.id, [])
            if isinstance(instances, Failure):
                turn.trouble = instances
            else:
                turn.instances = instances

    def _days(self, now: Sequence[_Turn]) -> dict[str, tuple[date, date]]:
        """The slots of interest: those to be written now and those written last."""
        days: dict[str, tuple[date, date]] = {}
        for turn in (*now, *(turn for turn, _ in self._told)):
            first, last = days.get(turn.master, (turn.slot, turn.slot))
            days[turn.master] = min(first, turn.slot), max(last, turn.slot)
        return days

    async def _gone(self, turns: Sequence[_Turn], read: Mapping[str, Series | Failure]) -> set[str]:
        """Which occurrences are proven to be gone, of those that their series does not show."""
        absent: list[str] = []
        for turn in turns:
            series = read[turn.master]
            if missing(series) if isinstance(series, Failure) else series.at(turn.slot) is None:
                absent.append(turn.write.expected.id)
        return {key for key, each in (await self._look(absent)).items() if isinstance(each, Gone)}

    def _occurrence(self, turn: _Turn, read: Series | Failure, gone: bool) -> Part | Result:
        """What to send for one occurrence, or why nothing is sent."""
        write = turn.write
        if isinstance(read, Failure) and not missing(read):
            return Refused(read)
        present = None if isinstance(read, Failure) else read.at(turn.slot)
        if isinstance(read, Failure) or present is None:
            return Done(None) if gone and isinstance(write, Remove) else Refused(conflict(WHERE))
        if present.version != write.expected.version and present.fields != write.expected.fields:
            return Refused(conflict(WHERE))
        own = own_instance(read, turn.slot, turn.instances)
        if own is None:
            return Refused(turn.trouble or conflict(WHERE))
        if isinstance(write, Remove):
            return Part("DELETE", self._path(str(own["id"])))
        try:
            return Part("PATCH", self._path(str(own["id"])), self._changes(write), if_match=version_of(own))
        except ValueError:
            return Refused(Failure(status=400, code="NotExpressible", where=WHERE))

    def _changed(self, turn: _Turn, answer: Json, read: Mapping[str, Series | Failure]) -> Result:
        """An occurrence that was changed, as its series shows it now; as the answer showed it when that cannot be read."""
        series = read.get(turn.master)
        item = series.at(turn.slot) if isinstance(series, Series) else None
        if item is None:
            before = turn.write.expected
            kept = {name: before.fields.get(name, "") for name in ("uid", "slot", "zone")}
            version = f"{before.version.partition(';')[0]};{version_of(answer)}"
            item = replace(before, version=version, fields={**fields_of(answer), **kept})
        return Done(item)

    def _path(self, item_id: str) -> str:
        return self._requests.path(f"events/{quote(item_id, safe='')}")


def _next(waiting: Sequence[_Turn]) -> list[_Turn]:
    """Of each series: its cancellations while there are any, else its first change."""
    cancelling = {turn.master for turn in waiting if isinstance(turn.write, Remove)}
    now: list[_Turn] = []
    taken: set[str] = set()
    for turn in waiting:
        if turn.master in cancelling:
            if isinstance(turn.write, Remove):
                now.append(turn)
        elif turn.master not in taken:
            taken.add(turn.master)
            now.append(turn)
    return now

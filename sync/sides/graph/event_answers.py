"""Answers to invitations: accept, decline or tentativelyAccept on an attendee's own copy, and `apply` around them.

An answer is an action, not a field: no version goes along, Exchange mails the organizer each time, and what is declined leaves the calendar
(BEHAVIOUR 7.2). So the copy is looked at just before, an answer that stands already is not given again, and one whose outcome is unknown is never
repeated here. Other fields of the same write go first, because a declined copy takes no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from zoneinfo import ZoneInfo

from mapping.attendees import Answer as Response
from sync.errors import Failure, SyncError
from sync.model import Gone, Item
from sync.sides.base import Done, Refused, Result, Revise, Unclear, Write
from sync.sides.graph.answers import Answer, conflict, may_have_happened, missing, not_sent
from sync.sides.graph.batch import Part
from sync.sides.graph.event_writes import EventsWriter, Look
from sync.sides.graph.events import split_id
from sync.sides.graph.events_reading import days_of
from sync.sides.graph.looks import Seen
from sync.sides.graph.masters import SeriesReader
from sync.sides.graph.occurrences import own_instance
from sync.sides.graph.requests import MailboxRequests

WHERE = "events.answer"
RESPONSE = "response"
ACTIONS = {Response.ACCEPTED: "accept", Response.DECLINED: "decline", Response.TENTATIVE: "tentativelyAccept"}
NOT_EXPRESSIBLE = Failure(status=400, code="NotExpressible", where=WHERE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer to be given on a copy, as the copy should be now."""

    expected: Item
    response: Response


async def write_events(
    requests: MailboxRequests, masters: SeriesReader, look: Look, home: ZoneInfo, writes: Sequence[Write]
) -> list[Result]:
    """All writes, answers last; results in the order of the writes. Raises only when nothing was written; a later obstacle
    refuses the rest."""
    results: dict[int, Result] = {}
    plain: dict[int, Write] = {}
    wanted: dict[int, Response] = {}
    for index, write in enumerate(writes):
        if not isinstance(write, Revise) or RESPONSE not in write.fields:
            plain[index] = write
            continue
        response = next((each for each in ACTIONS if each == write.fields[RESPONSE]), None)
        if response is None:
            results[index] = Refused(NOT_EXPRESSIBLE)
            continue
        wanted[index] = response
        if rest := {name: value for name, value in write.fields.items() if name != RESPONSE}:
            plain[index] = Revise(write.expected, rest)
    if plain:
        written = await EventsWriter(requests, masters, look, home, list(plain.values())).run()
        results |= dict(zip(plain, written, strict=True))
    asked: dict[int, _Asked] = {}
    for index, response in wanted.items():
        before, write = results.get(index), writes[index]
        if before is None and isinstance(write, Revise):
            asked[index] = _Asked(write.expected, response)
        elif isinstance(before, Done) and before.item is not None:
            asked[index] = _Asked(before.item, response)
    try:
        results |= await _Answers(requests, masters, look).give(asked)
    except SyncError as error:
        if not any(isinstance(each, Done | Unclear) for each in results.values()):
            raise
        results |= dict.fromkeys(asked, Refused(not_sent(error, WHERE)))
    return [results[index] for index in range(len(writes))]


class _Answers:
    """The answers of one `apply`."""

    def __init__(self, requests: MailboxRequests, masters: SeriesReader, look: Look) -> None:
        self._requests, self._masters, self._look = requests, masters, look

    async def give(self, asked: Mapping[int, _Asked]) -> dict[int, Result]:
        """What became of each. Raises only when none was sent."""
        seen = await self._look([each.expected.id for each in asked.values()])
        results: dict[int, Result] = {}
        copies: dict[int, Item] = {}
        for index, each in asked.items():
            found = _before(each, seen[each.expected.id])
            if isinstance(found, Item):
                copies[index] = found
            else:
                results[index] = found
        parts: dict[int, Part] = {}
        for index, made in (await self._parts(copies, asked)).items():
            if isinstance(made, Part):
                parts[index] = made
            else:
                results[index] = Refused(conflict(WHERE) if missing(made) else made)
        answers = await self._requests.run(list(parts.values()), where=WHERE)
        given: list[int] = []
        for index, answer in zip(parts, answers, strict=True):
            if isinstance(answer, Answer):
                given.append(index)
            else:
                results[index] = Unclear(answer) if may_have_happened(answer) else Refused(answer)
        return results | await self._after({index: asked[index].expected.id for index in given})

    async def _parts(self, copies: Mapping[int, Item], asked: Mapping[int, _Asked]) -> dict[int, Part | Failure]:
        """What to send for each copy. Whoever asked for no answers gets none: Exchange would refuse to send it (memory)."""
        made: dict[int, Part | Failure] = {}
        paths: dict[int, str] = {}
        for index, id_ in (await self._own_ids(copies)).items():
            if isinstance(id_, Failure):
                made[index] = id_
            else:
                paths[index] = self._requests.path(f"events/{quote(id_, safe='')}")
        urls = [f"{path}?$select=id,responseRequested" for path in paths.values()]
        for (index, path), shown in zip(paths.items(), await self._requests.fetch(urls, where=WHERE), strict=True):
            if isinstance(shown, Failure):
                made[index] = shown
                continue
            body = {"sendResponse": shown.body.get("responseRequested") is not False}
            made[index] = Part("POST", f"{path}/{ACTIONS[asked[index].response]}", body)
        return made

    async def _own_ids(self, copies: Mapping[int, Item]) -> dict[int, str | Failure]:
        """Graph's own id of each: of an occurrence it is another than ours."""
        slots = {item.id: (master, slot) for item in copies.values() for master, slot in [split_id(item.id)] if slot}
        near = await self._masters.around({i.id: str(i.fields["when"]) for i in copies.values() if i.id in slots})
        read = await self._masters.read(days_of(slots, {}))
        found: dict[int, str | Failure] = {}
        for index, item in copies.items():
            if item.id not in slots:
                found[index] = item.id
                continue
            master, slot = slots[item.id]
            series, instances = read[master], near[item.id]
            if isinstance(series, Failure):
                found[index] = series
            elif isinstance(instances, Failure):
                found[index] = instances
            else:
                own = own_instance(series, slot, instances)
                found[index] = str(own["id"]) if own else conflict(WHERE)
        return found

    async def _after(self, given: Mapping[int, str]) -> dict[int, Result]:
        """The copies as they are now; one that cannot be read is to be looked up later."""
        try:
            seen = await self._look(list(given.values()))
        except SyncError as error:
            return dict.fromkeys(given, Unclear(not_sent(error, WHERE)))
        results: dict[int, Result] = {}
        for index, key in given.items():
            now = seen[key]
            if isinstance(now, Item | Gone):
                results[index] = Done(now if isinstance(now, Item) else None)
            else:
                results[index] = Unclear(now if isinstance(now, Failure) else conflict(WHERE))
        return results


def _before(asked: _Asked, now: Seen) -> Item | Result:
    """The copy, when the answer is to be given on it; else what becomes of the write."""
    if isinstance(now, Failure):
        return Refused(now)
    if not isinstance(now, Item):
        return Refused(conflict(WHERE))
    # an occurrence's version moves with all the others of its series
    if now.version != asked.expected.version and not (now.series and now.fields == asked.expected.fields):
        return Refused(conflict(WHERE))
    return Done(now) if now.fields[RESPONSE] == asked.response else now

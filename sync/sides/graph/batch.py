"""Many small requests in few: `$batch`, as chains that use one lane each.

Twenty parts linked by `dependsOn` run one after the other and count as one request in flight; twenty parallel ones always lose some
to 429 (BEHAVIOUR 4). A chain stops at its first failure and the parts behind it answer 424, never run: they are chained
again, and after a few broken chains sent four abreast, holding all four lanes. Knows nothing of contacts; a part's own failure
is a value here, for its caller to judge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.errors import Failure, SyncError
from sync.sides.graph.answers import DEFAULT_PAUSE, Answer, answer_of, not_sent
from sync.sides.graph.client import IMMUTABLE, THROTTLED_TRIES, GraphConnection
from sync.sides.graph.throttle import LANES

LARGEST = 20
BREAKS = 3
"""Broken chains that are chained again before the rest goes in parallel."""

NEVER_RAN = 424


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. `url` is relative to the version root, quoted already."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    if_match: str = ""


async def run_parts(
    connection: GraphConnection,
    mailbox: str,
    parts: Sequence[Part],
    *,
    where: str,
    repeatable: bool = False,
    ids: str = IMMUTABLE,
) -> list[Answer | Failure]:
    """Execute the parts, at most 20 at a time; what became of each, in their order.

    Every part runs at most once, throttled ones aside, which did not run. If the answer of a whole request is lost, each of its
    parts is a failure of status 0. Raises what `GraphConnection.send` raises, but only when no part was executed yet.
    """
    done: dict[int, Answer | Failure] = {}
    left = deque(range(len(parts)))
    breaks = throttled = 0
    while left:
        chained = breaks < BREAKS
        now = [left.popleft() for _ in range(min(len(left), LARGEST if chained else LANES))]
        try:
            answers = await _request(connection, mailbox, [parts[i] for i in now], chained, where, repeatable, ids)
        except SyncError as error:
            if not done:
                raise
            done.update(dict.fromkeys((*now, *left), not_sent(error, where)))
            break
        if isinstance(answers, Failure):  # of the whole request, patience included
            done.update(dict.fromkeys(now, answers))
            continue
        again: list[int] = []
        for index, answer in zip(now, answers, strict=True):
            if isinstance(answer, Answer):
                done[index] = answer
            elif answer.status == NEVER_RAN:
                again.append(index)
            elif answer.status == 429 and throttled < THROTTLED_TRIES:
                throttled += 1
                connection.throttle.refused(mailbox, answer.retry_after or DEFAULT_PAUSE)
                again.append(index)
            else:
                done[index] = answer
                breaks += 1
        left.extendleft(reversed(again))
    return [done[index] for index in range(len(parts))]


async def _request(
    connection: GraphConnection,
    mailbox: str,
    parts: Sequence[Part],
    chained: bool,
    where: str,
    repeatable: bool,
    ids: str,
) -> list[Answer | Failure] | Failure:
    requests = [_json(number, part, chained, ids) for number, part in enumerate(parts)]
    answer = await connection.send(
        "POST",
        "/$batch",
        where=where,
        mailbox=mailbox,
        body={"requests": requests},
        cost=len(parts),
        lanes=1 if chained else len(parts),
        repeatable=repeatable,
        ids=ids,
    )
    if isinstance(answer, Failure):
        return answer
    lost = Failure(status=0, code="PartMissing", where=where)
    found: list[Answer | Failure] = [lost] * len(parts)
    for each in answer.body.get("responses") or ():  # in any order (BEHAVIOUR 4)
        found[int(each["id"])] = answer_of(each["status"], each.get("headers") or {}, each.get("body"), where)
    return found


def _json(number: int, part: Part, chained: bool, ids: str) -> dict[str, Any]:
    headers = {"Prefer": ids} if ids else {}
    if part.if_match:
        headers["If-Match"] = part.if_match
    request: dict[str, Any] = {"id": str(number), "method": part.method, "url": part.url, "headers": headers}
    if part.body is not None:
        headers["Content-Type"] = "application/json"
        request["body"] = part.body
    if chained and number:
        request["dependsOn"] = [str(number - 1)]
    return request

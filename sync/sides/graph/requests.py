"""What the contacts and the calendar of one mailbox ask in the same way: many parts side by side, and listings page by page.

Knows neither cards nor events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sync.errors import Failure, SyncError, classify
from sync.sides.graph.answers import Answer, Json, not_sent, of_the_mailbox
from sync.sides.graph.batch import LARGEST, Part, run_parts
from sync.sides.graph.client import IMMUTABLE, GraphConnection
from sync.sides.graph.folders import expect, user_path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MailboxRequests:
    """Requests that concern one user's mailbox."""

    connection: GraphConnection
    user: str
    ids: str = IMMUTABLE

    def path(self, rest: str) -> str:
        """`/users/{...}/rest`."""
        return f"{user_path(self.user)}/{rest}"

    async def run(self, parts: Sequence[Part], *, where: str, repeatable: bool = False) -> list[Answer | Failure]:
        """All parts, in batches of 20 side by side: the throttle lets four of them through at a time.

        Raises only when no batch was sent; a batch that was not sent while others were is a failure of its parts.
        """
        batches = [parts[start : start + LARGEST] for start in range(0, len(parts), LARGEST)]
        outcomes = await _all(
            [
                run_parts(self.connection, self.user, batch, where=where, repeatable=repeatable, ids=self.ids)
                for batch in batches
            ]
        )
        errors = [each for each in outcomes if isinstance(each, SyncError)]
        if errors and len(errors) == len(outcomes):
            raise errors[0]
        answers: list[Answer | Failure] = []
        for batch, outcome in zip(batches, outcomes, strict=True):
            answers += [not_sent(outcome, where)] * len(batch) if isinstance(outcome, SyncError) else outcome
        return answers

    async def fetch(self, urls: Sequence[str], *, where: str) -> list[Answer | Failure]:
        """GET all of these in batches, once more what got no answer. Raises what a failure says about the mailbox as a whole."""
        parts = [Part("GET", url) for url in urls]
        answers = await self.run(parts, where=where, repeatable=True)
        lost = [at for at, answer in enumerate(answers) if isinstance(answer, Failure) and answer.status == 0]
        again = await self.run([parts[at] for at in lost], where=where, repeatable=True)
        for at, answer in zip(lost, again, strict=True):
            answers[at] = answer
        for answer in answers:
            if isinstance(answer, Failure) and of_the_mailbox(answer):
                raise classify(answer)
        return answers

    async def listing(self, url: str, *, where: str, prefer: tuple[str, ...] = ()) -> AsyncIterator[Sequence[Json]]:
        """A listing, page by page, every wish on every page. Raises what a failure means for the mailbox."""
        while url:
            body = expect(await self.connection.read(url, where=where, mailbox=self.user, prefer=prefer, ids=self.ids))
            yield list(body.get("value") or ())
            url = str(body.get("@odata.nextLink") or "")


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T | SyncError]:
    """Run side by side and wait for all of them, whatever some raise: none may go on writing unseen."""
    outcomes: list[T | SyncError] = []
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, SyncError):
            raise outcome
        outcomes.append(outcome)
    return outcomes

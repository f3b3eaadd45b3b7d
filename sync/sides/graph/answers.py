"""What came back from Graph, as plain data: an `Answer`, or a `Failure` that carries no text of the server's.

Whole answers and the parts of a batch have the same shape, so both are read here. Messages of the server are dropped: they
may quote an address or a name. Never touches the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sync.errors import Failure, RetryLater, SyncError

Json = Mapping[str, Any]

DEFAULT_PAUSE = 10.0
"""Seconds to wait where the server asks for patience without saying how much."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: status 2xx and the decoded body ({} when there is none)."""

    status: int
    body: Json


def answer_of(status: int, headers: Mapping[str, str], body: object, where: str) -> Answer | Failure:
    """The answer, or the failure that it reports. `headers` may be spelled in any case."""
    content = body if isinstance(body, Mapping) else {}
    if 200 <= status < 300:
        return Answer(status, content)
    lower = {name.lower(): value for name, value in headers.items()}
    error = content.get("error")
    error = error if isinstance(error, Mapping) else {}
    inner = error.get("innerError")
    inner = inner if isinstance(inner, Mapping) else {}
    return Failure(
        status=status,
        code=str(error.get("code") or inner.get("code") or ""),
        retry_after=retry_after(lower.get("retry-after", ""), lower.get("date", "")),
        where=where,
        request_id=str(lower.get("request-id") or inner.get("request-id") or ""),
    )


def retry_after(text: str, date: str) -> float | None:
    """Seconds of a Retry-After: an integer, a fraction (BEHAVIOUR 4) or an HTTP date, which is taken against the answer's own Date.

    None: not asked for. What cannot be understood means `DEFAULT_PAUSE`.
    """
    text = text.strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until, now = _moment(text), _moment(date)
        if until is None or now is None:
            return DEFAULT_PAUSE
        seconds = (until - now).total_seconds()
    if seconds != seconds or seconds == float("inf"):  # 'nan' and 'inf' are floats too
        return DEFAULT_PAUSE
    return max(0.0, seconds)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def asks_for_patience(failure: Failure) -> bool:
    """Throttled: 429, or a server-side refusal that names a Retry-After."""
    return failure.status == 429 or (failure.status in {503, 504, 509} and failure.retry_after is not None)


def patience(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds of patience that an answer of Entra asks for, None = none. Names of headers are small."""
    pause = retry_after(headers.get("retry-after", ""), headers.get("date", ""))
    if not asks_for_patience(Failure(status, retry_after=pause)):
        return None
    return DEFAULT_PAUSE if pause is None else pause


def may_have_happened(failure: Failure) -> bool:
    """Can a write that failed so have been done all the same? Whoever is not sure looks it up (BEHAVIOUR 4, 'outcome unknown')."""
    if failure.status in {501, 507, 509}:
        return False
    return failure.status in {0, 408} or failure.status >= 500


def not_sent(error: SyncError, where: str) -> Failure:
    """What stopped a request before it was sent, for one item: like a throttled one, it did not happen and is tried again.

    The next call meets the same obstacle first and raises it, so nothing is hidden by this.
    """
    after = error.after if isinstance(error, RetryLater) else None
    return Failure(status=429, code=str(error), retry_after=after, where=where)


OF_THE_MAILBOX = frozenset(
    {
        "erroraccessdenied",
        "mailboxnotenabledforrestapi",
        "resourcenotfound",
        "errorinvaliduser",
        "request_resourcenotfound",
    }
)


def missing(failure: Failure) -> bool:
    """Is the item not there? Lone 404s come and go (BEHAVIOUR 11.11): it counts when it repeats."""
    return failure.status == 410 or (failure.status == 404 and failure.code.lower() == "erroritemnotfound")


def of_the_mailbox(failure: Failure) -> bool:
    """Does it say something about the mailbox or the sign-in instead of the item? (BEHAVIOUR 9)"""
    return failure.status == 401 or failure.code.lower() in OF_THE_MAILBOX


def deleted_already(failure: Failure) -> bool:
    """403 ErrorCannotDeleteObject: it lies in Deleted Items already (BEHAVIOUR 5.1)."""
    return missing(failure) or (failure.status == 403 and failure.code.lower() == "errorcannotdeleteobject")


def conflict(where: str) -> Failure:
    """What we say ourselves when an item is no longer as it was planned on: as Graph says it (BEHAVIOUR 9)."""
    return Failure(status=412, code="ErrorIrresolvableConflict", where=where)


def seconds(moment: str) -> str:
    """ISO 8601 UTC with seconds: fractions are cut, so that text order is time order."""
    return f"{moment[:19]}Z" if len(moment) >= 20 else ""

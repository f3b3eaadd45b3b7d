"""What an HTTP answer of `webservice.php` means: result, refusal, crash, or not vtenext at all. No I/O.

Also keeps httpx from logging addresses: the URL of a read carries the session and the query (SPEC 7.3).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from sync.errors import Cause, Failure, RetryLater

SESSION_CODES = frozenset({"AUTHENTICATION_REQUIRED", "INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"})
BROKEN_OWNER = ("INVALID_ID_ATTRIBUTE", "Invalid owner of the record")
GONE = ("ACCESS_DENIED", "Permission to perform the operation is denied")
"""The answer about a record that is deleted or never was; the other texts of ACCESS_DENIED mean something else (API.md 2.2)."""


class Denied(Exception):
    """vtenext handled the call and refused it. `code` and `message` in its own spelling; the message may name fields."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message

    @property
    def broken_owner(self) -> bool:
        """Does a record of this module belong to a user who does not exist (API.md 3.5)?"""
        return (self.code, self.message) == BROKEN_OWNER

    @property
    def gone(self) -> bool:
        return (self.code, self.message) == GONE


class Lost(Exception):
    """A write was sent and no usable answer came back: it may or may not have happened."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Result:
    """`success: true`: what the operation answers (object, list or null)."""

    value: object


@dataclass(frozen=True, slots=True)
class Unusable:
    """No answer of a working vtenext. `error` says what it means for the whole side, `sent` whether a write may have happened."""

    error: RetryLater
    failure: Failure
    sent: bool = True


def read_answer(status: int, headers: Mapping[str, str], body: bytes, where: str) -> Result | Denied | Unusable:
    """Sort one HTTP answer. Handled errors come with HTTP 200 and a code, faults of PHP as 500 with an empty body (API.md 1.1)."""
    if status >= 500 or status == 429:
        return _server_error(status, headers, body, where)
    answer = _parsed(body)
    if isinstance(answer, dict) and answer.get("success") is True:
        return Result(answer.get("result"))
    error = answer.get("error") if isinstance(answer, dict) and answer.get("success") is False else None
    if isinstance(error, dict):
        return Denied(str(error.get("code", "")), str(error.get("message", "")))
    return Unusable(RetryLater(Cause.CRM_NOT_VTENEXT), Failure(status, "NOT_VTENEXT", where=where))


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _server_error(status: int, headers: Mapping[str, str], body: bytes, where: str) -> Unusable:
    """A gateway speaks for a server that is not there; a 500 is vtenext's own. Retry-After is obeyed and never counts (SPEC 4.3)."""
    wait = headers.get("retry-after", "")
    pause = float(wait) if wait.isdigit() else (60.0 if status == 429 else None)
    crashed = status == 500 or not body
    cause = Cause.CRM_CRASHED if crashed else Cause.CRM_UNREACHABLE
    code = "CRASHED" if crashed else "UNREACHABLE"
    return Unusable(
        RetryLater(cause, pause, counts=pause is None),
        Failure(status, code, retry_after=pause, where=where),
        sent=status != 429,
    )


def no_answer(error: httpx.TransportError, where: str) -> Unusable:
    """The connection failed. Only before it stood is it certain that nothing was sent."""
    never = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    code = "TIMEOUT" if isinstance(error, httpx.TimeoutException) else "UNREACHABLE"
    return Unusable(RetryLater(Cause.CRM_UNREACHABLE), Failure(0, code, where=where), sent=not never)


class _WithoutQueries(logging.Filter):
    """Takes the query off every URL that httpx is about to log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


_filter = _WithoutQueries()


def keep_queries_out_of_logs() -> None:
    """Make httpx log addresses without their query. May be called any number of times."""
    logging.getLogger("httpx").addFilter(_filter)

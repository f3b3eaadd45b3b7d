"""Reading answers: failures without the server's words, Retry-After in every spelling."""

from __future__ import annotations

import pytest

from sync.errors import Cause, Failure, RetryLater, StopConnector
from sync.sides.graph.answers import Answer, answer_of, asks_for_patience, may_have_happened, not_sent, retry_after

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("7", 7.0),
        (" 2.128 ", 2.128),
        ("-3", 0.0),
        ("Mon, 23 Nov 2026 10:01:30 GMT", 90.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", 10.0),
        ("nan", 10.0),
        ("inf", 10.0),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after(text, DATE) == seconds


def test_a_date_without_the_answers_own_date_is_no_measure() -> None:
    assert retry_after("Mon, 23 Nov 2026 10:01:30 GMT", "") == 10.0


def test_a_failure_keeps_codes_and_drops_sentences() -> None:
    error = {"code": "ErrorItemNotFound", "message": "anna@example.com", "innerError": {"request-id": "r-1"}}
    failure = answer_of(404, {"Retry-After": "3"}, {"error": error}, "contacts.get")
    assert failure == Failure(404, "ErrorItemNotFound", 3.0, "contacts.get", "r-1")


@pytest.mark.parametrize("body", [None, "<html>", [], {"error": "x"}, {"error": {"innerError": []}}])
def test_bodies_of_any_kind(body: object) -> None:
    assert answer_of(502, {}, body, "w") == Failure(502, "", None, "w")
    assert isinstance(answer_of(204, {}, body, "w"), Answer)


@pytest.mark.parametrize(
    ("status", "wait", "patience", "maybe"),
    [
        (0, None, False, True),
        (400, None, False, False),
        (408, None, False, True),
        (412, None, False, False),
        (424, None, False, False),
        (429, None, True, False),
        (500, None, False, True),
        (501, None, False, False),
        (503, None, False, True),
        (503, 1.0, True, True),
        (504, None, False, True),
        (507, None, False, False),
    ],
)
def test_what_a_failure_means_for_a_write(status: int, wait: float | None, patience: bool, maybe: bool) -> None:
    failure = Failure(status, "", wait)
    assert (asks_for_patience(failure), may_have_happened(failure)) == (patience, maybe)


def test_what_was_not_sent_certainly_did_not_happen() -> None:
    for error in (RetryLater(Cause.GRAPH_UNREACHABLE, 5.0), StopConnector(Cause.SECRET_EXPIRED)):
        assert not may_have_happened(not_sent(error, "w"))
    assert not_sent(RetryLater(Cause.GRAPH_THROTTLED, 5.0), "w").retry_after == 5.0

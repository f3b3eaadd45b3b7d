"""What a failure of a whole mailbox means, and whether it counts as an attempt."""

from __future__ import annotations

import pytest

from sync.errors import Cause, Failure, RetryLater, classify


@pytest.mark.parametrize(
    ("failure", "after"),
    [
        (Failure(429, retry_after=120), 120),
        (Failure(429), 10.0),
        (Failure(503, retry_after=120), 120),
        (Failure(504, retry_after=30), 30),
        (Failure(509, retry_after=0), 0),
    ],
)
def test_a_server_that_asks_for_patience_uses_up_no_attempt(failure: Failure, after: float) -> None:
    later = classify(failure)
    assert isinstance(later, RetryLater)
    assert (later.cause, later.after, later.counts) == (Cause.GRAPH_THROTTLED, after, False)


@pytest.mark.parametrize("status", [0, 408, 500, 502, 503, 504])
def test_a_server_that_fails_without_asking_for_patience_uses_one_up(status: int) -> None:
    later = classify(Failure(status))
    assert isinstance(later, RetryLater)
    assert (later.cause, later.after, later.counts) == (Cause.GRAPH_UNREACHABLE, None, True)

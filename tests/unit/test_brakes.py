"""The delete brake."""

from __future__ import annotations

import pytest

from sync.brakes import braked
from sync.policy import MAILBOX_LIMITS, SWEEP_LIMITS, DeleteLimits


@pytest.mark.parametrize(
    ("planned", "recent", "population", "limits", "expected"),
    [
        (0, 0, 0, MAILBOX_LIMITS, False),
        (5, 0, 10, MAILBOX_LIMITS, False),
        (6, 0, 10, MAILBOX_LIMITS, True),
        (3, 3, 10, MAILBOX_LIMITS, True),
        (10, 0, 100, MAILBOX_LIMITS, False),
        (11, 0, 100, MAILBOX_LIMITS, True),
        (0, 99, 100, MAILBOX_LIMITS, False),
        (20, 0, 100, SWEEP_LIMITS, False),
        (21, 0, 100, SWEEP_LIMITS, True),
        (40, 0, 2000, SWEEP_LIMITS, False),
        (41, 0, 2000, SWEEP_LIMITS, True),
    ],
)
def test_brake(planned: int, recent: int, population: int, limits: DeleteLimits, expected: bool) -> None:
    assert braked(planned, recent, population, limits) is expected

"""The garbage collector of a process that runs mailboxes."""

from __future__ import annotations

import gc

STEPS = 20_000, 10, 10
"""As `gc.set_threshold` takes them; Python's own first step is 2,000 (3.13) or 700."""


def calm_down() -> None:
    """What is loaded stays for ever, and is looked through no more. A comparison holds half a million objects until it ends: steps that are
    taken seldom save a fourteenth of its CPU time."""
    gc.freeze()
    gc.set_threshold(*STEPS)

"""What is said about an exception that nobody expected: an id for support, its type and where it happened - never its text.

An exception's text may quote an address, a name or a URL with a session in it; the places in the code say enough.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

log = logging.getLogger("connector")

PLACES = 6


class Failed(Exception):
    """Tells the host that an invocation failed, with the id under which the log says more."""


def report(error: BaseException, id_: str, what: str) -> None:
    """One line in the log."""
    log.error("%s %s: %s", what, id_, described(error))


def described(error: BaseException) -> str:
    """Its type, the type of what caused it, and the last places, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES:]
    places = " < ".join(f"{_short(frame.filename)}:{frame.lineno}" for frame in reversed(frames))
    cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
    inner = ""
    if isinstance(error, BaseExceptionGroup):
        inner = " of " + ", ".join(sorted({type(each).__name__ for each in error.exceptions}))
    return f"{type(error).__name__}{inner}{cause} at {places or 'an unknown place'}"


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])

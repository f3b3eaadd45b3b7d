"""Which receivers are slow: over 10 % of the answers of ten minutes late = delayed, over 15 % = dropped (BEHAVIOUR 3.3)."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Literal

WINDOW = timedelta(minutes=10)
Verdict = Literal["fast", "delayed", "dropped"]


class Endpoints:
    """The answers of late by address, without its query (memory)."""

    def __init__(self) -> None:
        self._answers: dict[str, deque[tuple[datetime, bool]]] = {}

    def reset(self) -> None:
        """Nobody was ever slow."""
        self._answers.clear()

    def note(self, url: str, now: datetime, *, late: bool) -> None:
        """One answer, or one that did not come in time."""
        self._answers.setdefault(_name(url), deque()).append((now, late))

    def verdict(self, url: str, now: datetime, sample: int) -> Verdict:
        """What becomes of new notifications; fewer answers than `sample` say nothing."""
        answers = self._answers.get(_name(url))
        if not answers:
            return "fast"
        while answers and answers[0][0] <= now - WINDOW:
            answers.popleft()
        late = sum(each for _, each in list(answers))  # a copy: other threads append
        if len(answers) < sample or late * 10 <= len(answers):
            return "fast"
        return "dropped" if late * 100 > len(answers) * 15 else "delayed"

    def verdicts(self, now: datetime, sample: int) -> dict[str, Verdict]:
        """Of every address that answered lately."""
        return {url: self.verdict(url, now, sample) for url in list(self._answers)}


def _name(url: str) -> str:
    return url.partition("?")[0]

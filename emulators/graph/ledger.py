"""What became of the notifications: counts, answer times, and when each change was heard of. For tests and benches."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from emulators.graph.http import Json
from emulators.graph.notices import Notice

_KEPT = 50_000  # deliveries; older ones are counted, not told one by one
NAMES = (
    "posts", "sent", "acknowledged", "retried", "given_up", "dropped", "delayed", "lost", "duplicated", "paused",
    "discarded",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice that was acknowledged. Times by the emulator's clock, the answer's by the real one."""

    subscription: str
    about: str
    item: str
    changed: datetime
    acknowledged: datetime
    attempts: int
    answer_s: float

    def row(self) -> Json:
        """As tests read it."""
        return {
            "subscription": self.subscription,
            "about": self.about,
            "id": self.item,
            "changed": self.changed.isoformat(),
            "acknowledged": self.acknowledged.isoformat(),
            "attempts": self.attempts,
            "answer_s": round(self.answer_s, 4),
        }


@dataclass(slots=True)
class Ledger:
    """`counts` of notifications (but `posts`): sent = attempts, discarded = their subscription was over before they went."""

    counts: Counter[str] = field(default_factory=Counter)
    lifecycle: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    deliveries: deque[Delivery] = field(default_factory=lambda: deque(maxlen=_KEPT))
    forged: list[Json] = field(default_factory=list)

    def reset(self) -> None:
        """Nothing was ever sent."""
        self.counts.clear()
        self.lifecycle.clear()
        self.slowest_s = 0.0
        self.deliveries.clear()
        self.forged.clear()

    def acknowledge(self, notice: Notice, now: datetime, took: float) -> None:
        """It arrived."""
        self.counts["acknowledged"] += 1
        notice.subscription.acknowledged += 1
        made = Delivery(notice.subscription.id, notice.about, notice.item, notice.changed, now, notice.attempts, took)
        self.deliveries.append(made)

    def rows(self) -> list[Json]:
        """Every delivery that is kept, in order."""
        return [each.row() for each in list(self.deliveries)]

    def summary(self) -> Json:
        """Counts, the slowest answer, and how long changes took to be heard of (lifecycle events not among them)."""
        waits = sorted(
            (each.acknowledged - each.changed).total_seconds() for each in list(self.deliveries) if each.item
        )
        return {
            **{name: self.counts[name] for name in NAMES},
            "lifecycle": dict(self.lifecycle),
            "slowest_answer_s": round(self.slowest_s, 4),
            "latency_s": {
                "count": len(waits),
                **{f"p{share}": _percentile(waits, share) for share in (50, 90, 95, 99)},
                "max": waits[-1] if waits else None,
            },
            "forged": list(self.forged),
        }


def _percentile(ordered: list[float], share: int) -> float | None:
    """Nearest rank."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else None

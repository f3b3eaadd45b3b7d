"""The last day as bars: items written to Exchange upwards, to vtenext downwards, failures as marks. Pure numbers for an inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control.endpoints.activity import HourShown, KindsShown

WIDTH, HALF, GAP, LABELS = 960, 90, 6, 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour. `x`, `width`, heights and places are units of the drawing; the numbers are what they stand for."""

    hour: str
    x: int
    width: int
    up: int
    down: int
    to_mailbox: int
    to_crm: int
    failures: int

    @property
    def up_from(self) -> int:
        return HALF - self.up

    @property
    def label(self) -> str:
        """The hour of the day, UTC."""
        return self.hour[11:13]


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars, what the day came to by kind and side, and the size of the drawing. `most`: items of the highest bar."""

    bars: tuple[Bar, ...]
    to_mailbox: Mapping[str, int]
    to_crm: Mapping[str, int]
    failures: int
    most: int
    width: int = WIDTH
    height: int = 2 * HALF + LABELS
    middle: int = HALF


def chart(hours: Sequence[HourShown]) -> Chart:
    """The drawing of these hours."""
    most = max((max(_sum(each.to_mailbox), _sum(each.to_crm)) for each in hours), default=0)
    step = WIDTH // max(1, len(hours))
    bars = tuple(
        Bar(
            hour=each.hour,
            x=number * step,
            width=step - GAP,
            up=_height(_sum(each.to_mailbox), most),
            down=_height(_sum(each.to_crm), most),
            to_mailbox=_sum(each.to_mailbox),
            to_crm=_sum(each.to_crm),
            failures=sum(each.failures.values()),
        )
        for number, each in enumerate(hours)
    )
    return Chart(
        bars,
        _sums([each.to_mailbox for each in hours]),
        _sums([each.to_crm for each in hours]),
        sum(sum(each.failures.values()) for each in hours),
        most,
    )


def _height(number: int, most: int) -> int:
    """What is there at all can be seen."""
    return max(2, round(number / most * (HALF - 4))) if number else 0


def _sum(kinds: KindsShown) -> int:
    return sum(kinds.model_dump().values())


def _sums(parts: Sequence[KindsShown]) -> dict[str, int]:
    return {kind: sum(getattr(part, kind) for part in parts) for kind in KindsShown.model_fields}

"""The last day as bars: items written to Exchange upwards, to vtenext downwards, failures as marks. Pure numbers for an inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control.endpoints.status import ActivityHour

WIDTH, HALF, GAP, LABELS = 960, 90, 6, 20


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


def chart(hours: Sequence[ActivityHour]) -> Chart:
    """The drawing of these hours."""
    most = max((max(sum(each.to_mailbox.values()), sum(each.to_crm.values())) for each in hours), default=0)
    step = WIDTH // max(1, len(hours))
    bars = tuple(
        Bar(
            hour=each.hour,
            x=number * step,
            width=step - GAP,
            up=_height(sum(each.to_mailbox.values()), most),
            down=_height(sum(each.to_crm.values()), most),
            to_mailbox=sum(each.to_mailbox.values()),
            to_crm=sum(each.to_crm.values()),
            failures=each.failures,
        )
        for number, each in enumerate(hours)
    )
    return Chart(
        bars,
        _sums([each.to_mailbox for each in hours]),
        _sums([each.to_crm for each in hours]),
        sum(each.failures for each in hours),
        most,
    )


def _height(number: int, most: int) -> int:
    """What is there at all can be seen."""
    return max(2, round(number / most * (HALF - 4))) if number else 0


def _sums(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {kind: sum(part[kind] for part in parts) for kind in (parts[0] if parts else ())}

"""NCRONTAB: when a timer is due next. Pure; UTC only, like the real host without WEBSITE_TIME_ZONE."""

from __future__ import annotations

import re
from datetime import datetime

from cronsim import CronSim, CronSimError

from emulators.functions_host.config import ConfigError

# Cron-like extras of the library (L, W, #) that NCRONTAB does not have; letters of month and day names stay.
_FIELDS = re.compile(r"(?:[\d*,/-]|\b[A-Za-z]{3}\b)+")


def next_after(schedule: str, moment: datetime) -> datetime:
    """The first occurrence later than `moment` (to the second)."""
    iterator = CronSim(schedule, moment)
    # NCRONTAB wants both day fields to match; cronsim follows Debian's cron, where either is enough.
    iterator.day_and = True
    return next(iterator)


def check_schedule(schedule: str, where: str) -> None:
    """ConfigError unless `schedule` is NCRONTAB: six fields, or five without seconds."""
    fields = schedule.split()
    known = len(fields) in (5, 6) and all(_FIELDS.fullmatch(field) for field in fields)
    try:
        if not known:
            raise CronSimError
        next_after(schedule, datetime(2026, 1, 1))  # noqa: DTZ001 - only to see whether it can be reckoned
    except (CronSimError, StopIteration) as error:
        raise ConfigError(
            f"{where}: the schedule {schedule!r} is not NCRONTAB "
            "(six fields: second minute hour day month weekday, e.g. 0 */5 * * * *)"
        ) from error

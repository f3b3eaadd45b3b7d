"""The last day in numbers, hour by hour: what was written on which side, and what failed."""

from __future__ import annotations

from collections.abc import Mapping

from control.endpoint import Call, Endpoint, Shown
from sync.model import Kind, Side
from sync.store.tally import Hour, last_day


class KindsShown(Shown):
    """Items created, changed or deleted."""

    contact: int
    company: int
    event: int
    task: int


class HourShown(Shown):
    """`hour`: when it began. `failures`: of runs, by whose trouble it was (crm, graph, entra, mailbox); `runs`: that wrote something or failed."""

    hour: str
    to_crm: KindsShown
    to_mailbox: KindsShown
    failures: Mapping[str, int]
    runs: int


class ActivityShown(Shown):
    """24 hours, the one under way last."""

    hours: tuple[HourShown, ...]


async def activity(call: Call) -> ActivityShown:
    connector = call.app.connector
    return ActivityShown(hours=tuple(_hour(each) for each in await last_day(connector.registry.rows, connector.now())))


def _hour(found: Hour) -> HourShown:
    return HourShown(
        hour=found.hour,
        to_crm=_kinds(found, Side.CRM),
        to_mailbox=_kinds(found, Side.MAILBOX),
        failures=found.failures,
        runs=found.runs,
    )


def _kinds(found: Hour, side: Side) -> KindsShown:
    return KindsShown(**{kind.value: found.items(side, kind) for kind in Kind})


ENDPOINTS = (Endpoint("activity", "GET", "activity", activity, "The last day, hour by hour", ActivityShown),)

"""The coming events of a user that were in the CRM before the connection and are as they were: what an order to export them would do. Pure.

Of each the planner says what a run would make of it; here it is only asked and counted. They go out without their attendees.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync.events import as_connected, plan_event
from sync.inference import infer
from sync.invitations import first_guests, mails_of
from sync.model import Create, Item, Kind, Leave, Pair, Reason, Side, Wait
from sync.plan import Context
from sync.spans import read_span


@dataclass(frozen=True, slots=True)
class Exports:
    """`items`: crm ids of what would be made in the mailbox: `single` events and `series` (of the other items). `meetings`: items that somebody is
    invited to; `mails`: that would leave at most, `withheld`: that inviting everybody would make. `left`: why others stay where they are."""

    items: tuple[str, ...] = ()
    single: int = 0
    series: int = 0
    meetings: int = 0
    mails: int = 0
    withheld: int = 0
    left: Mapping[Reason, int] = field(default_factory=dict)


def exports_of(records: Sequence[Item], context: Context) -> Exports:
    """What ordering these records would do. Of no account are those that are not this mailbox's, are ordered already, or go out anyhow."""
    mine = [
        record
        for record in records
        if context.is_home(record) and record.id not in context.ordered and as_connected(record, context)
    ]
    asked = replace(context, ordered=frozenset(record.id for record in mine))
    made: list[Item] = []
    mails = 0
    left: Counter[Reason] = Counter()
    for record in mine:
        match plan_event(Pair(record, None, kind=Kind.EVENT), asked):
            case Create(side=Side.MAILBOX) as action:
                made.append(record)
                mails += mails_of(action, context)
            case Leave(because=because) | Wait(because=because):
                left[because] += 1
    together = _series(made, context)
    guests = [len(first_guests(record, context)) for record in made]
    return Exports(
        tuple(sorted(record.id for record in made)),
        single=len(made) - sum(len(records) for records in together),
        series=len(together),
        meetings=sum(1 for number in guests if number),
        mails=mails,
        withheld=sum(guests),
        left=dict(left),
    )


def _series(records: Sequence[Item], context: Context) -> list[list[Item]]:
    """Those that become one event together, as far as their dates tell."""
    by_uid: dict[str, list[Item]] = defaultdict(list)
    for record in records:
        by_uid[str(record.fields.get("uid", ""))].append(record)
    by_uid.pop("", None)
    zone = context.policy.calendar.zone
    spans = [{r.id: read_span(str(r.fields["when"])) for r in group} for group in by_uid.values()]
    return [group for group, each in zip(by_uid.values(), spans, strict=True) if infer(each, zone) is not None]

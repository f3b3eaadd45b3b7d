"""After a lost ledger: the occurrences of a series that we made ourselves are the records that it was made from. I/O.

A single event carries its record's id as our stamp; a series carries a keyed digest of its ical_uuid, because it stands for many records.
Which record is which occurrence is told by their times, where these differ by the rule that the dates of all records follow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from sync.event_names import series_of
from sync.gather import Joined, Links, Work
from sync.inference import infer
from sync.joining import read_stamp
from sync.model import Item, Kind, Reason
from sync.recurring import SERIES
from sync.spans import read_span, server_holds
from sync.tools import Tools


async def relink(work: Work, links: Links, tools: Tools) -> None:
    """Join unlinked occurrences of our own series with the records they were made from."""
    slots: dict[str, list[str]] = defaultdict(list)
    for item_id, card in work.cards.items():
        if card and card.series and item_id not in links.by_item:
            slots[series_of(item_id)].append(item_id)
    masters = await tools.mailbox.get(sorted(slots)) if slots else {}
    stamps = {read_stamp(m.stamp)[0]: series for series, m in masters.items() if isinstance(m, Item)}
    ours = {stamp.removeprefix(SERIES): series for stamp, series in stamps.items() if stamp.startswith(SERIES)}
    if not ours:
        return
    zone = tools.context.policy.calendar.zone
    for uid, records in (await _by_uid(work, links, tools)).items():
        series = ours.get(tools.keys.index(uid), "")
        shown = {item_id: _when(card) for item_id in slots[series] if (card := work.cards[item_id])}
        free = {record.id: _when(record) for record in records if record.id not in links.by_crm}
        found = _by_time(free, shown, zone)
        for crm_id, day in _slots_by_rule(records, zone).items() if shown else ():
            item_id = f"{series}|{day.isoformat()}"
            if item_id in shown.keys() - found.keys() and crm_id in free.keys() - set(found.values()):
                found[item_id] = crm_id
        for item_id, crm_id in found.items():
            work.joined[item_id] = Joined(crm_id, Reason.STAMP)
            work.records.setdefault(crm_id, Kind.EVENT)


def _when(item: Item) -> str:
    return str(item.fields.get("when", ""))


def _by_time(records: Mapping[str, str], shown: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    """Occurrence -> the record of its time, where there is one of each."""
    crm = _alone(records)
    mailbox = _alone({item_id: server_holds(when, zone) for item_id, when in shown.items() if when})
    return {item_id: crm[when] for when, item_id in mailbox.items() if when in crm}


def _alone(times: Mapping[str, str]) -> dict[str, str]:
    """Time -> id, of times that only one has."""
    counted = Counter(times.values())
    return {when: id_ for id_, when in times.items() if counted[when] == 1}


def _slots_by_rule(records: Sequence[Item], zone: ZoneInfo) -> Mapping[str, date]:
    """Record -> its day by the rule that all of them follow, if they do."""
    spans = {record.id: read_span(_when(record)) for record in records if _when(record)}
    inferred = infer(spans, zone)
    return inferred.slots if inferred else {}


async def _by_uid(work: Work, links: Links, tools: Tools) -> dict[str, list[Item]]:
    """Records by ical_uuid, of which this mailbox has some without a link. With all that share it: a series' past helps to tell its rule."""
    unlinked = [crm_id for crm_id in work.records if crm_id not in links.by_crm]
    present = await tools.crm.get(Kind.EVENT, unlinked) if unlinked else {}
    uids = {str(item.fields.get("uid", "")) for item in present.values() if isinstance(item, Item)} - {""}
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in await tools.crm.by_uid(Kind.EVENT, sorted(uids)) if uids else ():
        groups[str(item.fields["uid"])].append(item)
    return groups

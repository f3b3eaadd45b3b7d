"""After a lost ledger: the occurrences of a series that we made ourselves are the records that it was made from. I/O.

A single event carries its record's id as our stamp; a series carries a keyed digest of its ical_uuid, because it stands for many records.
Which record belongs to which day is inferred anew.
"""

from __future__ import annotations

from collections import defaultdict

from sync.events import series_of
from sync.gather import Joined, Links, Work
from sync.inference import infer
from sync.joining import read_stamp
from sync.model import Item, Kind, Reason
from sync.recurring import SERIES
from sync.spans import read_span
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
    for uid, records in (await _by_uid(work, links, tools)).items():
        series = ours.get(tools.keys.index(uid), "")
        spans = {r.id: read_span(str(r.fields["when"])) for r in records if r.fields.get("when")}
        inferred = infer(spans, tools.context.policy.calendar.zone) if series else None
        for crm_id, day in inferred.slots.items() if inferred else ():
            item_id = f"{series}|{day.isoformat()}"
            if item_id in slots[series]:
                work.joined[item_id] = Joined(crm_id, Reason.STAMP)
                work.records.setdefault(crm_id, Kind.EVENT)


async def _by_uid(work: Work, links: Links, tools: Tools) -> dict[str, list[Item]]:
    """The records of this mailbox without a link, with all that share their ical_uuid: a series' past is needed to tell its rule."""
    unlinked = [crm_id for crm_id in work.records if crm_id not in links.by_crm]
    present = await tools.crm.get(Kind.EVENT, unlinked) if unlinked else {}
    uids = {str(item.fields.get("uid", "")) for item in present.values() if isinstance(item, Item)} - {""}
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in await tools.crm.by_uid(Kind.EVENT, sorted(uids)) if uids else ():
        groups[str(item.fields["uid"])].append(item)
    return groups

"""What a run of tasks gathers besides the common steps: lists that went, tasks that were moved to another list, partners by stamp and uid. I/O.

Decides nothing about tasks: that is `sync.tasks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from sync.gather import Joined, Links, Work, drop_echoes, read_links
from sync.joining import join_stamped, learn, read_stamp
from sync.lookalikes import join_alike_tasks
from sync.model import Gone, Item, Kind, Link, Reason, Side, Unread
from sync.record import waiting
from sync.store.base import Op
from sync.store.ledger import drop_link, put_link
from sync.tasks import moved_here, task_uid
from sync.tools import Tools

CHUNK = 200


async def linked(work: Work, tools: Tools) -> Links:
    """The links of what is to be looked at, and partners for what has none."""
    links = await read_links(tools.ledger, work)
    await _claim_lists(work, links, tools)
    await _follow(work, links, tools)
    drop_echoes(work, links)
    await _join(work, links, tools)
    return links


async def _claim_lists(work: Work, links: Links, tools: Tools) -> None:
    """Linked tasks of lists that went, or that were listed afresh and do not show them: claims, like a removal."""
    lists = {item_id for item_id in work.gone if "|" not in item_id}
    work.gone -= lists
    for each in sorted(lists | work.whole):
        for link in await tools.ledger.links_of_series(each):
            links.add(link)
            if link.item_id not in work.cards:
                work.gone.add(link.item_id)


async def _follow(work: Work, links: Links, tools: Tools) -> None:
    """A task that was moved has another id: its link goes along, by our stamp, else by what it says.

    A copy that the user made carries the stamp too, so the old task must be proven gone.
    """
    new = {i: item for i, item in work.cards.items() if item and i not in links.by_item and not tools.context.buried(i)}
    if not new:
        return
    stamped = {item_id: read_stamp(item.stamp)[0] for item_id, item in new.items()}
    await learn(links, set(stamped.values()) - {""}, tools.ledger)
    known = [links.by_crm[c].item_id for c in (*stamped.values(), *work.records) if c in links.by_crm]
    suspects = {*known, *work.gone}
    suspects = {item_id for item_id in suspects if item_id in links.by_item and item_id not in work.cards}
    present = await tools.mailbox.get(sorted(suspects)) if suspects else {}
    gone = {i: links.by_item[i] for i, state in present.items() if isinstance(state, Gone)}
    groups: list[list[Op]] = []
    successors = _successors(new, stamped, gone, tools)
    if unread := {i: links.by_item[i] for i, state in present.items() if isinstance(state, Unread)}:
        await _put_off(unread, new.keys() - successors.keys(), work, tools)
    for item_id, link in successors.items():
        groups.append([*drop_link(link)[1:], *put_link(replace(link, item_id=item_id))])
        work.gone.discard(link.item_id)
        links.by_item.pop(link.item_id)
        links.add(replace(link, item_id=item_id))
    await tools.ledger.commit_groups(groups)


async def _put_off(unread: Mapping[str, Link], new: Collection[str], work: Work, tools: Tools) -> None:
    """What cannot be read now may have been moved: neither it nor what may be its successor is settled in this run."""
    for item_id, link in unread.items():
        work.gone.discard(item_id)
        work.records.pop(link.crm_id, None)
    rows = [[waiting(Side.CRM, link.crm_id, Kind.TASK, Reason.UNREADABLE, tools)] for link in unread.values()]
    await tools.ledger.commit_groups(rows)
    tools.context = replace(tools.context, intents={*tools.context.intents, *new})


def _successors(
    new: Mapping[str, Item], stamped: Mapping[str, str], gone: Mapping[str, Link], tools: Tools
) -> dict[str, Link]:
    """New item id -> the link that it takes over: one to one, stamps first, then whatever has most in common."""
    found: dict[str, Link] = {}
    by_record = {link.crm_id: link for link in gone.values()}
    for item_id, crm_id in stamped.items():
        if link := by_record.pop(crm_id, None):
            found[item_id] = link
    free = {item_id: item for item_id, item in new.items() if item_id not in found and not stamped[item_id]}
    scores = [
        (moved_here(link, item, tools.context), item_id, crm_id)
        for item_id, item in free.items()
        for crm_id, link in by_record.items()
    ]
    for score, item_id, crm_id in sorted(scores, reverse=True):
        if score and item_id not in found and crm_id in by_record:
            found[item_id] = by_record.pop(crm_id)
    return found


async def _join(work: Work, links: Links, tools: Tools) -> None:
    """Find the records of tasks without a link when the ledger may have been lost: by our stamp, then by the uid that we made of the id."""
    await learn(links, [joined.crm_id for joined in work.joined.values()], tools.ledger)
    work.joined = {i: j for i, j in work.joined.items() if j.crm_id not in links.by_crm}
    cards = {i: item for i, item in work.cards.items() if item and i not in links.by_item and i not in work.joined}
    if not work.full:
        return
    stamps = {item_id: item.stamp for item_id, item in cards.items() if item.stamp}
    await join_stamped(stamps, cards, work, links, tools.crm, tools.context, tools.ledger)
    uids: dict[str, str] = {
        task_uid(item): item_id
        for item_id, item in cards.items()
        if item_id not in work.joined and item_id not in tools.context.tombstones
    }
    records: dict[str, list[str]] = defaultdict(list)
    wanted = sorted(uids)
    for start in range(0, len(wanted), CHUNK):
        for record in await tools.crm.by_uid(Kind.TASK, wanted[start : start + CHUNK]):
            records[record.stamp].append(record.id)
    await learn(links, [crm_id for ids in records.values() for crm_id in ids], tools.ledger)
    taken = links.by_crm.keys() | {joined.crm_id for joined in work.joined.values()}
    for uid, ids in records.items():
        if len(ids) == 1 and ids[0] not in taken and not tools.context.buried(ids[0]):
            work.joined[uids[uid]] = Joined(ids[0], Reason.STAMP)
            work.records.setdefault(ids[0], Kind.TASK)
    if tools.context.policy.calendar.import_only:
        unknown = {i: card for i, card in cards.items() if i not in work.joined and i not in tools.context.tombstones}
        await join_alike_tasks(unknown, work, links, tools)

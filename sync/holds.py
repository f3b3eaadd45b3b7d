"""Asking an admin, and acting on the answer: holds of single items. I/O."""

from __future__ import annotations

from sync.gather import Work
from sync.mails import ASKED, permit, shown_as
from sync.model import Hold, Kind, Reason, Side
from sync.store.asking import HoldRow
from sync.store.base import Op
from sync.store.ledger import Pending, Tombstone, drop_pending, put_pending, put_tombstone
from sync.tools import Tools


async def ask(action: Hold, kind: Kind, tools: Tools) -> Op:
    """Put the question, once per item and set of candidates; the item is pending until it is answered."""
    mailbox = tools.context.policy.mailbox
    shown = shown_as(action, tools)
    hold_id = shown[:22]
    if await tools.registry.hold(hold_id) is None:
        await tools.registry.put_hold(
            HoldRow(
                hold_id,
                mailbox,
                kind,
                action.side,
                action.because,
                tools.at(),
                count=action.count,
                items=(action.id,),
                candidates=tuple(sorted(action.candidates)),
            )
        )
    tools.counts[action.because.value] += 1
    row = Pending(action.side, action.id, action.because, tools.at(), hold=hold_id, shown=shown, kind=kind.value)
    tools.pending[(action.side, action.id)] = row
    return put_pending(row)


async def decided(row: Pending, tools: Tools) -> str:
    """The answer about a held item: '' (none, or too old), 'rejected', 'look' (see sync.deletions), 'new', or the candidate's id."""
    hold = await tools.registry.hold(row.hold)
    if hold is None or hold.state == "open":
        return ""
    if row.because is Reason.DELETE_BRAKE:
        return "look"
    if row.because in ASKED:
        return await permit(row, tools)
    if hold.state == "rejected":
        stone = Tombstone(row.side, row.id, Reason.SEVERAL_CANDIDATES, "")
        await tools.ledger.commit([put_tombstone(stone), drop_pending(row.side, row.id)])
        tools.pending.pop((row.side, row.id), None)
        return "rejected"
    if hold.until <= tools.at():
        await tools.registry.drop_hold(hold.id)
        return ""
    return hold.choice or "new"


async def reconsider(row: Pending, work: Work, tools: Tools) -> None:
    """An open question about a CRM item: asked again with its cards if the item was touched, dropped when no card is in question."""
    if row.side is not Side.CRM or row.because is not Reason.SEVERAL_CANDIDATES:
        return
    hold = await tools.registry.hold(row.hold)
    cards = hold.candidates if hold else ()
    questions = [c for c in cards if (p := tools.pending.get((Side.MAILBOX, c))) and p.because is row.because]
    if not questions:
        work.records.setdefault(row.id, Kind(row.kind))
    elif row.id in work.records:
        work.cards.update({card: None for card in questions if card not in work.cards})


async def tidy(tools: Tools) -> None:
    """Remove questions about this family of kinds in this mailbox that no item asks any more."""
    asked = {row.hold for row in tools.pending.values() if row.hold}
    for hold in await tools.registry.holds():
        mine = hold.mailbox == tools.context.policy.mailbox and hold.kind in tools.family.kinds
        if mine and hold.id not in asked and hold.because is not Reason.PURGED:  # that one is `sync.clearing`'s
            await tools.registry.drop_hold(hold.id)

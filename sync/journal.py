"""What an action overwrites, deletes and writes, as rows of the journal. Pure but for ids and the time.

Kept is what the CRM may see: of a masked event nothing that is masked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mapping.calendar import MASKED, masked
from mapping.model import Rendered
from mapping.people import is_person
from sync.events import shown_fields
from sync.model import Create, Delete, Flag, Item, Link, Reason, Side, Update, Value
from sync.store.base import Op, Put
from sync.store.journal import BEGUN, Change, Kept, history_place, put_kept
from sync.tools import Tools


def change_by(action: Create | Update | Delete, rendered: Mapping[Side, Rendered], tools: Tools) -> Change:
    """The values before and after an action that is about to be carried out on the sides of `rendered`."""
    match action:
        case Delete(side=side, item=item):
            return Change({f"{side.value}:{name}": value for name, value in shown_fields(item).items() if value})
        case Create(side=side, source=source):
            hidden = _hidden(source, tools)
            return Change({}, _written(side, rendered[side].held, hidden))
        case Update(pair=pair, lost=lost):
            if not isinstance(pair.crm, Item) or not isinstance(pair.mailbox, Item):
                raise TypeError("an update needs both items")
            hidden = _hidden(pair.mailbox, tools)
            before: dict[str, Value] = {f"{x.side.value}:{x.field_pair}": x.value for x in lost if x.value}
            after: dict[str, Value] = {}
            for side, item in ((Side.CRM, pair.crm), (Side.MAILBOX, pair.mailbox)):
                if side in rendered:
                    sent = rendered[side].held
                    before.update(overwritten(item, sent, hidden, tools, pair.link))
                    after.update(_written(side, sent, hidden))
            return Change(before, after)


def overwritten(
    item: Item, sent: Mapping[str, str], hidden: Collection[str], tools: Tools, link: Link | None
) -> dict[str, Value]:
    """What `item` says in the field pairs that are written, where it says anything else."""
    translator = tools.translator(item.kind)
    anchor = tools.context.sealed(link).anchor() if link else None
    crm = item.side is Side.CRM
    now = translator.crm_values(item.fields) if crm else translator.mailbox_values(item.fields, anchor)
    image = translator.image
    return {
        f"{item.side.value}:{pair}": now[pair]
        for pair, value in sent.items()
        if _shown(pair, hidden) and now.get(pair) and image(pair, now[pair]) != image(pair, value)
    }


def _hidden(item: Item, tools: Tools) -> frozenset[str]:
    """Field pairs of a masked event that are not for the CRM. Who takes part in it is not either: see `_shown`."""
    return tools.translator(item.kind).inbound(item.fields) if item.fields.get(MASKED) else frozenset()


def _written(side: Side, held: Mapping[str, str], hidden: Collection[str]) -> dict[str, Value]:
    return {f"{side.value}:{pair}": value for pair, value in held.items() if _shown(pair, hidden)}


def _shown(pair: str, hidden: Collection[str]) -> bool:
    return pair not in hidden and not (hidden and is_person(pair))


def new_key(tools: Tools) -> str:
    return f"j|{tools.at()}|{tools.new_id()}"


def keep(kept: Kept, change: Change, pairs: Collection[str], tools: Tools) -> list[Op]:
    """The rows before the call: the values, and of what is overwritten or deleted a line of history that says that it began."""
    ops = [put_kept(kept, change, tools.keys)]
    if change.before and kept.crm_id:
        data: dict[str, str | int | bool] = {
            "what": BEGUN,
            "because": kept.because,
            "pairs": ",".join(sorted(pairs)),
            "run": kept.run,
        }
        item = {"item": kept.item_id, "kind": kept.kind.value, "journal": kept.key}
        ops.append(Put(history_key(kept.crm_id, kept.key), {**data, **item}))
    return ops


def deleted(action: Delete, key: str, because: Reason, tools: Tools) -> Kept:
    """The row of a deletion, without its values."""
    link, item = action.link, action.item
    ids = (link.crm_id, link.item_id)
    open_ = Flag.CRM_PRIVATE in link.flags
    side = action.side.value
    return Kept(key, *ids, item.kind, "delete", because.value, tools.run, side, item.owner, link.role.value, open_)


def deletion(action: Delete, because: Reason, tools: Tools) -> tuple[str, list[Op]]:
    """Key and rows of a deletion that is a part of something larger (a series that is called off): committed before the call."""
    key, change = new_key(tools), change_by(action, {}, tools)
    kept = deleted(action, key, because, tools)
    return key, keep(kept, change, {name.partition(":")[2] for name in change.before}, tools)


def master_deletion(master: Item, hidden: bool, tools: Tools) -> tuple[str, list[Op]]:
    """The same for what a series said of all its occurrences, its rule above all. `hidden`: it is private, so the CRM may see a busy block only."""
    fields = masked(master.fields) if hidden else master.fields
    change = Change({f"{Side.MAILBOX.value}:{name}": value for name, value in fields.items() if value})
    key, because = new_key(tools), Reason.SERIES_CUT.value
    kept = Kept(key, "", master.id, master.kind, "delete", because, tools.run, Side.MAILBOX.value, master.owner)
    return key, [put_kept(kept, change, tools.keys)]


def history_key(crm_id: str, journal: str) -> str:
    """Where the line of history stands that belongs to a journal row."""
    _, at, id_ = journal.split("|")
    return history_place(crm_id, at, id_)

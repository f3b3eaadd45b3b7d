"""What a change of the mapping means for one linked item. Pure.

New pairs have no base: `merge` adopts what is equal, fills what is empty, and lets the policy decide the rest. Removed pairs: the base
ends, and the field is emptied on the copy that we created, if it still holds what both sides last agreed on there. Never on the side where
the item was born, never of items that both were there before they were linked, never where any present pair names the field: that is
overwritten, in the same write.
"""

from __future__ import annotations

from dataclasses import dataclass

from mapping.moving import Remap
from sync.merge import Sealed
from sync.model import Item, Link, Lost, Side
from sync.policy import KindPolicy


@dataclass(frozen=True, slots=True)
class Ended:
    """`pairs`: field pairs whose base ends. `emptied`: of them what is cleared, with the value that goes to the journal."""

    pairs: frozenset[str] = frozenset()
    emptied: tuple[Lost, ...] = ()

    def clears(self, side: Side) -> dict[str, str]:
        """Field pair -> '' to be written there."""
        return {lost.field_pair: "" for lost in self.emptied if lost.side is side}


NOTHING = Ended()


def ended(link: Link, crm: Item, mailbox: Item, sealed: Sealed, remap: Remap | None, policy: KindPolicy) -> Ended:
    """What the present mapping ends for this link. `remap` None: the kind's mapping never changes."""
    if remap is None:
        return NOTHING
    gone = frozenset(link.base.keys() - remap.kept)
    if not gone:
        return NOTHING
    copy = link.origin.other
    if link.matched or not policy.writes(copy, link.role):
        return Ended(gone)
    on_card = copy is Side.MAILBOX
    held = remap.mailbox_values(mailbox.fields, sealed.anchor()) if on_card else remap.crm_values(crm.fields)
    ours = (pair for pair in sorted(gone) if held.get(pair) and sealed.unchanged(copy, pair, held[pair]))
    return Ended(gone, tuple(Lost(copy, pair, held[pair]) for pair in ours))

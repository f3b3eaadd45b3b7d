"""A mapping at work after an admin changed it, while links still remember what pairs of earlier versions held. Pure.

A *retired* pair is one that an earlier version had and the present one has not. It is translated no more, but its field can still be read and
emptied, in the same write as everything else, so that a list of addresses is rewritten once and an element is known by what it was. Which fields
are emptied is decided in `sync.remap`. Never speaks of a field that any pair of the present mapping names on that side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mapping.fields import MAILBOX_CATALOG, Field, compatible
from mapping.model import Anchor, Direction, FieldPair, Rendered, Translator, Value
from mapping.rules import FieldMapping
from mapping.translate import COMPANY_LINK, BoundPair, CardTranslator


@dataclass(frozen=True, slots=True)
class Remap:
    """What became of earlier versions of a kind's mapping.

    `kept`: ids of all pairs of the saved mapping, also of those that this CRM cannot use now: their bases stay. `on_crm`, `on_mailbox`: read and
    write present and retired pairs; `from_crm`, `from_mailbox`: ids of the retired pairs whose field may be emptied on that side.
    """

    kept: frozenset[str]
    on_crm: Translator | None = None
    on_mailbox: Translator | None = None
    from_crm: frozenset[str] = field(default=frozenset())
    from_mailbox: frozenset[str] = field(default=frozenset())

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        """Retired pair -> what the CRM's record still holds in its field."""
        return _only(self.on_crm.crm_values(fields), self.from_crm) if self.on_crm else {}

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor) -> dict[str, str]:
        """Retired pair -> what the card still holds in its field. Those that no listing shows (fax) are left out: nobody knows."""
        return _only(self.on_mailbox.mailbox_values(fields, anchor), self.from_mailbox) if self.on_mailbox else {}


class MovingTranslator:
    """`mapping.model.Translator` of the present pairs, that can empty the fields of retired ones too. Immutable; made by `moving`."""

    def __init__(self, present: Translator, remap: Remap) -> None:
        self.kind, self.version, self.pairs = present.kind, present.version, present.pairs
        self._present = present
        self._on_crm, self._on_mailbox = remap.on_crm or present, remap.on_mailbox or present
        self._ids = frozenset(pair.id for pair in present.pairs)
        self._only_mailbox = remap.from_mailbox - remap.from_crm

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        return self._present.crm_values(fields)

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        """An element that is known to be a retired pair's is nobody else's."""
        return _only(self._on_mailbox.mailbox_values(fields, anchor), self._ids)

    def image(self, pair: str, value: str) -> str:
        return (self._on_mailbox if pair in self._only_mailbox else self._on_crm).image(pair, value)

    def render_crm(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, accounts: Mapping[str, tuple[str, ...]]
    ) -> Rendered:
        return self._on_crm.render_crm(values, current, accounts)

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        return self._on_mailbox.render_mailbox(values, current, anchor)

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        return self._present.inbound(mailbox_fields)

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        return self._present.usable(mailbox_fields)


def moving(
    saved: FieldMapping, usable: FieldMapping, earlier: Iterable[FieldMapping], crm_catalog: Mapping[str, Field]
) -> tuple[Translator, Remap]:
    """The translator of `usable` (what this CRM can hold of `saved`), and what is to be known of `earlier` versions, oldest first.

    Of several retired pairs in one field the newest is known; a pair that this CRM could not translate is not. `usable` holds only pairs with
    which nothing is wrong by itself: what else is wrong (vtenext demands a field that no pair brings) stops nobody.
    """
    present = _with(usable, (), crm_catalog)
    kept = frozenset(pair.id for pair in saved.pairs)
    retired = {pair.id: pair for each in earlier for pair in each.pairs if pair.id not in kept}
    known = [pair for pair in retired.values() if _translatable(pair, crm_catalog)]
    crm = _free([p for p in known if p.direction is not Direction.TO_MAILBOX], {p.crm for p in saved.pairs}, "crm")
    mailbox = _free(
        [p for p in known if p.direction is not Direction.TO_CRM], {p.mailbox for p in saved.pairs}, "mailbox"
    )
    if not crm and not mailbox:
        return present, Remap(kept)
    remap = Remap(
        kept,
        _with(usable, crm, crm_catalog),
        _with(usable, mailbox, crm_catalog),
        frozenset(pair.id for pair in crm),
        frozenset(pair.id for pair in mailbox),
    )
    return MovingTranslator(present, remap), remap


def _translatable(pair: FieldPair, crm_catalog: Mapping[str, Field]) -> bool:
    crm, mailbox = crm_catalog.get(pair.crm), MAILBOX_CATALOG.get(pair.mailbox)
    if crm is None or mailbox is None:
        return False
    return pair.id == COMPANY_LINK.id or compatible(crm.type, mailbox.type)


def _free(pairs: Iterable[FieldPair], taken: set[str], side: str) -> list[FieldPair]:
    """Those whose field on that side nobody speaks of any more, one for each field: the newest."""
    by_field = {pair.crm if side == "crm" else pair.mailbox: pair for pair in pairs}
    return [pair for name, pair in by_field.items() if name not in taken]


def _with(usable: FieldMapping, retired: Iterable[FieldPair], crm_catalog: Mapping[str, Field]) -> CardTranslator:
    pairs = (*usable.pairs, *retired)
    bound = (BoundPair(pair, crm_catalog[pair.crm], MAILBOX_CATALOG[pair.mailbox]) for pair in pairs)
    return CardTranslator(usable.kind, bound)


def _only(values: Mapping[str, str], wanted: frozenset[str]) -> dict[str, str]:
    return {pair: value for pair, value in values.items() if pair in wanted}

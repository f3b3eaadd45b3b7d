"""Three-way merge of one pair, by field pair. Pure.

The base says what both sides held when they last agreed. What differs from it is an edit; what both sides say the same, in the image of the
poorer side, needs no write. A field pair without a base was never agreed on: equal adopts, one empty is filled, both
different is a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from mapping.model import Direction, FieldPair, Mode, Translator
from mapping.people import is_person
from sync.model import Base, Held, Item, Lost, Role, Side
from sync.policy import KindPolicy, Winner


class Digests(Protocol):
    """Keyed digests (sync.store.secrets.Keyring). `matches` is None when key or normaliser version are not known any more.

    `is_current`: was it made with the key that is written with now?
    """

    def digest(self, link: str, pair: str, version: str, value: str) -> str: ...

    def matches(self, digest: str, link: str, pair: str, version: str, value: str) -> bool | None: ...

    def is_current(self, digest: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """A link's base, ready to be compared with values."""

    link: str
    version: str
    base: Base
    digests: Digests
    _told: dict[tuple[str, str, str], bool | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def unchanged(self, side: Side, pair: str, value: str) -> bool | None:
        """Is `value` what `side` held when both last agreed? None = never agreed, or not comparable any more."""
        held = self.base.get(pair)
        if held is None:
            return None
        return self._matches(held.crm if side is Side.CRM else held.mailbox, pair, value)

    def settled(self, pair: str, crm: str | None, mailbox: str | None) -> bool:
        """Do both sides show what they held when they last agreed? So it is with nearly all pairs of nearly all items."""
        held = self.base.get(pair)
        if held is None or crm is None or mailbox is None or not self._matches(held.crm, pair, crm):
            return False
        return (held.mailbox == held.crm and mailbox == crm) or bool(self._matches(held.mailbox, pair, mailbox))

    def _matches(self, digest: str, pair: str, value: str) -> bool | None:
        """As `Digests.matches`, each computed once: both sides mostly hold the same, and digests are most of a quiet run's work."""
        if not value:  # costs less than to remember it
            return self.digests.matches(digest, self.link, pair, self.version, value)
        asked = (pair, digest, value)
        if asked not in self._told:
            self._told[asked] = self.digests.matches(digest, self.link, pair, self.version, value)
        return self._told[asked]

    def seal(self, pair: str, crm: str, mailbox: str) -> Held:
        """The base entry for what both sides hold now."""
        make = self.digests.digest
        ours = make(self.link, pair, self.version, crm)
        return Held(ours, ours if mailbox == crm else make(self.link, pair, self.version, mailbox))

    def anchor(self) -> Callable[[str, str], bool]:
        """For mapping's list alignment: is this what the mailbox held in that field pair?"""
        return lambda pair, value: self.unchanged(Side.MAILBOX, pair, value) is True


@dataclass(frozen=True, slots=True)
class Merge:
    """The outcome. `agreed`: both say the same (or neither changed and the base must be renewed); no write needed."""

    to_crm: Mapping[str, str]
    to_mailbox: Mapping[str, str]
    agreed: frozenset[str]
    lost: tuple[Lost, ...]
    edited: frozenset[Side]

    @property
    def writes(self) -> bool:
        return bool(self.to_crm or self.to_mailbox)


def edited(side: Side, values: Mapping[str, str], sealed: Sealed) -> bool:
    """Was anything edited on `side` since both last agreed? What was never agreed on counts when it is not empty.

    Who takes part in a meeting is no content: an answer does not keep alive what somebody deleted.
    """
    for pair, value in values.items():
        if is_person(pair):
            continue
        same = sealed.unchanged(side, pair, value)
        if same is False or (same is None and value):
            return True
    return False


def merge(crm: Item, mailbox: Item, sealed: Sealed, translator: Translator, policy: KindPolicy, role: Role) -> Merge:
    """Decide every field pair of a pair of items that both exist."""
    crm_values = translator.crm_values(crm.fields)
    mailbox_values = translator.mailbox_values(mailbox.fields, sealed.anchor())
    later = Side.CRM if crm.modified >= mailbox.modified else Side.MAILBOX
    winner = {Winner.CRM: Side.CRM, Winner.MAILBOX: Side.MAILBOX, Winner.LATEST: later}[policy.winner]
    writes: dict[Side, dict[str, str]] = {Side.CRM: {}, Side.MAILBOX: {}}
    agreed: set[str] = set()
    lost: list[Lost] = []
    sides: set[Side] = set()
    inbound = translator.inbound(mailbox.fields)
    for pair in translator.pairs:
        if sealed.settled(pair.id, crm_values.get(pair.id), mailbox_values.get(pair.id)):
            continue
        if pair.id not in crm_values:
            if _mends(pair, mailbox_values, sealed, policy, role):
                writes[Side.CRM][pair.id] = mailbox_values[pair.id]
                sides.add(Side.MAILBOX)
            continue
        values = {Side.CRM: crm_values[pair.id]}
        if pair.id in mailbox_values:
            values[Side.MAILBOX] = mailbox_values[pair.id]
        if pair.id in inbound:
            pair = replace(pair, direction=Direction.TO_CRM)
        verdict = _field(pair, values, sealed, translator, policy, role, winner)
        sides |= verdict.edited
        if verdict.agree:
            agreed.add(pair.id)
        elif verdict.write is not None:
            source = verdict.write.other
            writes[verdict.write][pair.id] = values[source]
            if verdict.conflict:
                lost.append(Lost(verdict.write, pair.id, values[verdict.write]))
    return Merge(writes[Side.CRM], writes[Side.MAILBOX], frozenset(agreed), tuple(lost), frozenset(sides))


def _mends(pair: FieldPair, mailbox: Mapping[str, str], sealed: Sealed, policy: KindPolicy, role: Role) -> bool:
    """Was something edited in the mailbox that was agreed on once, and is unreadable in the CRM since? That is no edit, and hides none."""
    if pair.id not in mailbox or sealed.unchanged(Side.MAILBOX, pair.id, mailbox[pair.id]) is not False:
        return False
    return _may_write(pair, Side.CRM, {Side.MAILBOX: mailbox[pair.id]}, sealed, policy, role)


@dataclass(frozen=True, slots=True)
class _Verdict:
    edited: frozenset[Side] = frozenset()
    agree: bool = False
    write: Side | None = None
    conflict: bool = False


_NOTHING = _Verdict()


def _field(
    pair: FieldPair,
    values: Mapping[Side, str],
    sealed: Sealed,
    translator: Translator,
    policy: KindPolicy,
    role: Role,
    winner: Side,
) -> _Verdict:
    """One field pair: what was edited, and which side, if any, is written."""
    unchanged = {side: sealed.unchanged(side, pair.id, value) for side, value in values.items()}
    if Side.MAILBOX not in values:  # the mailbox cannot show it (fax): only the CRM's edits count
        if unchanged[Side.CRM]:
            return _NOTHING
        if unchanged[Side.CRM] is None and not values[Side.CRM]:
            return _Verdict(agree=True)
        blocked = not _may_write(pair, Side.MAILBOX, values, sealed, policy, role)
        return _Verdict(frozenset({Side.CRM}), write=None if blocked else Side.MAILBOX)
    if all(unchanged.values()):
        return _NOTHING
    known = all(same is not None for same in unchanged.values())
    changed = frozenset(side for side, same in unchanged.items() if same is False)
    images = {side: translator.image(pair.id, value) for side, value in values.items()}
    if images[Side.CRM] == images[Side.MAILBOX]:
        return _Verdict(changed, agree=True)
    if known:
        target = next(iter(changed)).other if len(changed) == 1 else winner.other
        conflict = len(changed) == 2
    else:
        empty = [side for side, value in values.items() if not value]
        target = empty[0] if empty else winner.other
        conflict = not empty
        changed = frozenset({target.other})
    if conflict and not _may_write(pair, target, values, sealed, policy, role):
        target = target.other  # a one-way field: its source wins, whatever the policy says
    if not _may_write(pair, target, values, sealed, policy, role):
        return _Verdict(changed)
    return _Verdict(changed, write=target, conflict=conflict)


def _may_write(
    pair: FieldPair, target: Side, values: Mapping[Side, str], sealed: Sealed, policy: KindPolicy, role: Role
) -> bool:
    if not policy.writes(target, role):
        return False
    if pair.direction is not Direction.BOTH and (pair.direction is Direction.TO_CRM) != (target is Side.CRM):
        return False
    match pair.mode:
        case Mode.ALWAYS:
            return True
        case Mode.ON_CREATE:
            return False
        case Mode.ONLY_IF_EMPTY:  # empty now and in its base; a clear never travels
            was_empty = sealed.unchanged(target, pair.id, "") is not False
            return not values.get(target) and bool(values[target.other]) and was_empty


def creation_values(source: Item, target: Side, translator: Translator, sealed: Sealed) -> dict[str, str]:
    """The values that a new item on `target` starts with: every pair whose direction allows it, and that is not empty."""
    values = (
        translator.crm_values(source.fields)
        if source.side is Side.CRM
        else translator.mailbox_values(source.fields, sealed.anchor())
    )
    away = Direction.TO_CRM if target is Side.MAILBOX else Direction.TO_MAILBOX
    allowed = {pair.id for pair in translator.pairs if pair.direction is not away}
    return {pair: value for pair, value in values.items() if value and pair in allowed}

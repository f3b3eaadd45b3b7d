"""A real record and its card, translated there and back with a mapping that is not saved yet (SPEC 3.3). Pure: nothing is stored or logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mapping.model import Direction, FieldPair, Rendered, Translator
from sync.model import Item, Side

Accounts = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Trip:
    """The value of one pair on its way from `begins` to the other side (`arrives`, as that side would hold it) and back (`returns`).

    `travels` False: the pair's direction does not take it there. `refused`: it would be left out, `flags` say why, or what was given up.
    """

    side: Side
    begins: str
    travels: bool
    arrives: str = ""
    returns: str = ""
    refused: bool = False
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairShown:
    pair: FieldPair
    from_crm: Trip | None
    from_mailbox: Trip | None


def pairs_shown(
    translator: Translator, record: Item | None, card: Item | None, accounts: Accounts
) -> tuple[PairShown, ...]:
    """Every pair, from each side that there is an item of."""
    trips = {Side.CRM: _from_crm(translator, record, accounts), Side.MAILBOX: _from_mailbox(translator, card, accounts)}
    return tuple(
        PairShown(pair, trips[Side.CRM].get(pair.id), trips[Side.MAILBOX].get(pair.id)) for pair in translator.pairs
    )


def _from_crm(translator: Translator, record: Item | None, accounts: Accounts) -> dict[str, Trip]:
    if record is None:
        return {}
    values = translator.crm_values(record.fields)
    there = translator.render_mailbox(_travelling(translator, values, Direction.TO_CRM), None)
    back = _on_card(translator, there)
    home = translator.render_crm(_travelling(translator, back, Direction.TO_MAILBOX), record.fields, accounts)
    trips = _trips(Side.CRM, translator, values, there, home)
    return {
        id_: replace(trip, flags=_flags(translator, id_, back.get(id_, ""), accounts)) for id_, trip in trips.items()
    }


def _from_mailbox(translator: Translator, card: Item | None, accounts: Accounts) -> dict[str, Trip]:
    if card is None:
        return {}
    values = translator.mailbox_values(card.fields)
    there = translator.render_crm(_travelling(translator, values, Direction.TO_MAILBOX), None, accounts)
    back = _travelling(translator, there.held, Direction.TO_CRM)
    home = translator.render_mailbox(back, card.fields)
    trips = _trips(Side.MAILBOX, translator, values, there, home)
    return {id_: replace(trip, flags=_flags(translator, id_, trip.begins, accounts)) for id_, trip in trips.items()}


def _travelling(translator: Translator, values: Mapping[str, str], against: Direction) -> dict[str, str]:
    away = {pair.id for pair in translator.pairs if pair.direction is against}
    return {id_: value for id_, value in values.items() if id_ not in away}


def _on_card(translator: Translator, written: Rendered) -> dict[str, str]:
    """What the new card would say of itself; what no listing shows does not come back."""
    return translator.mailbox_values(written.fields, lambda pair, value: written.held.get(pair) == value)


def _trips(
    side: Side, translator: Translator, values: Mapping[str, str], there: Rendered, home: Rendered
) -> dict[str, Trip]:
    against = Direction.TO_CRM if side is Side.CRM else Direction.TO_MAILBOX
    return {
        pair.id: Trip(
            side,
            values[pair.id],
            pair.direction is not against,
            there.held.get(pair.id, ""),
            home.held.get(pair.id, ""),
            pair.id in there.refused,
        )
        for pair in translator.pairs
        if pair.id in values
    }


def _flags(translator: Translator, pair: str, value: str, accounts: Accounts) -> tuple[str, ...]:
    """What the CRM gives up of this one value."""
    known = next(each for each in translator.pairs if each.id == pair)
    if not value or known.direction is Direction.TO_MAILBOX:
        return ()
    return tuple(sorted(translator.render_crm({pair: value}, {}, accounts).flags))


def names_of_companies(translator: Translator, card: Item | None, record: Item | None) -> Sequence[str]:
    """Companies that the CRM must be asked about before `pairs_shown`."""
    fields = [item.fields for item in (card, record) if item]
    found = {str(each.get(name, "")) for each in fields for name in ("companyName", "account_name")}
    linked = any(pair.crm == "account_id" for pair in translator.pairs)
    return sorted(found - {""}) if linked else ()

"""Which items without a link are the same person or company (SPEC 1.5). Pure.

Order: our stamp (only if the ledger agrees), then an e-mail address with agreeing names, then full name and company. Whatever is not one to one
is a hold: nothing is written on a guess.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mapping.model import Translator
from sync.model import Item, Kind, Side
from sync.sides.base import NaturalKey


@dataclass(frozen=True, slots=True)
class KeyFields:
    """Field pair ids that a natural key is made of, found in the mapping by their CRM field names."""

    emails: tuple[str, ...]
    given: str
    family: str
    company: str

    @classmethod
    def of(cls, kind: Kind, translator: Translator) -> KeyFields:
        by_crm = {pair.crm: pair.id for pair in translator.pairs}
        if kind is Kind.COMPANY:
            emails = tuple(by_crm[name] for name in ("email1", "email2") if name in by_crm)
            return cls(emails, "", "", by_crm.get("accountname", ""))
        emails = tuple(by_crm[name] for name in ("email",) if name in by_crm)
        company = by_crm.get("account_id", by_crm.get("account_name", ""))
        return cls(emails, by_crm.get("firstname", ""), by_crm.get("lastname", ""), company)


def natural_key(item: Item, translator: Translator) -> NaturalKey:
    """What the item is recognised by, in the image that both sides can hold."""
    raw = translator.crm_values(item.fields) if item.side is Side.CRM else translator.mailbox_values(item.fields)
    values = {pair: translator.image(pair, value) for pair, value in raw.items()}
    key = KeyFields.of(item.kind, translator)
    return NaturalKey(
        item.kind,
        tuple(sorted({values[pair] for pair in key.emails if values.get(pair)})),
        values.get(key.given, ""),
        values.get(key.family, ""),
        values.get(key.company, ""),
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _names(key: NaturalKey) -> str:
    parts = (key.company,) if key.kind is Kind.COMPANY else (key.given, key.family)
    return _plain(" ".join(parts))


def same(one: NaturalKey, other: NaturalKey) -> bool:
    """Do two natural keys speak of the same person or company? An address alone does not, unless one side has no name."""
    if one.kind is not other.kind:
        return False
    names_equal = _names(one) == _names(other)
    shared = {_plain(a) for a in one.emails} & {_plain(b) for b in other.emails}
    if shared and (names_equal or not _names(one) or not _names(other)):
        return True
    if not names_equal or not _names(one):
        return False
    return one.kind is Kind.COMPANY or (_plain(one.company) == _plain(other.company) != "")


def told_by(key: NaturalKey) -> set[str]:
    """By what a card of a person would tell that its owner knows the person: an address, or the full name with a company (SPEC 2.7)."""
    names, company = _names(key), _plain(key.company)
    return {f"@{_plain(email)}" for email in key.emails} | ({f"={names}|{company}"} if names and company else set())


@dataclass(frozen=True, slots=True)
class Matches:
    """`pairs`: mailbox id -> crm id, one to one. `unsure`: id -> ids on the other side that it may be, for a hold."""

    pairs: Mapping[str, str]
    unsure: Mapping[str, tuple[str, ...]]


def match(
    cards: Sequence[tuple[str, NaturalKey]], records: Sequence[tuple[str, NaturalKey]], taken: Collection[str] = ()
) -> Matches:
    """Join unlinked cards with records. `taken`: crm ids that are linked in this mailbox already: a second card of one is unsure."""
    of_card: dict[str, list[str]] = {}
    of_record: dict[str, list[str]] = defaultdict(list)
    index: dict[str, list[int]] = defaultdict(list)
    for number, (_, key) in enumerate(records):
        for handle in handles_of(key):
            index[handle].append(number)
    for card_id, key in cards:
        numbers = sorted({n for handle in handles_of(key) for n in index.get(handle, ())})
        found = list(dict.fromkeys(records[n][0] for n in numbers if same(key, records[n][1])))
        of_card[card_id] = found
        for crm_id in found:
            of_record[crm_id].append(card_id)
    pairs: dict[str, str] = {}
    unsure: dict[str, tuple[str, ...]] = {}
    for card_id, found in of_card.items():
        if not found:
            continue
        if len(found) == 1 and len(of_record[found[0]]) == 1 and found[0] not in taken:
            pairs[card_id] = found[0]
            continue
        unsure[card_id] = tuple(found)
        for crm_id in found:
            if crm_id not in taken:
                unsure[crm_id] = tuple(of_record[crm_id])
    return Matches(pairs, unsure)


def handles_of(key: NaturalKey) -> list[str]:
    """What two keys must share at least one of to be compared at all."""
    name = _names(key)
    return [f"@{_plain(email)}" for email in key.emails] + ([f"={name}"] if name else [])

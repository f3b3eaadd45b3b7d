"""Do both sides say the same? Judged from what the screens show, by a reading of its own: no ledger, no stamp, no code of the product.

A CRM record and a card are equal when some twenty values are, each cut and mangled as vtenext does it (API.md 3.7) and spelt as Exchange
does it (BEHAVIOUR 7.1). Records and cards are paired by these values alone: what remains on either side is lost, doubled or different.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Json = Mapping[str, Any]
Values = tuple[tuple[str, str], ...]

# Characters that vtenext keeps (API.md 3.7 and field-lengths.json); descriptions are not cut.
CONTACT_LENGTHS = {
    "given": 40, "family": 80, "job": 50, "department": 30, "company": 100, "email": 100, "phone": 50, "mobile": 50, "home": 50,
    "street": 250, "city": 40, "state": 30, "zip": 30, "country": 40, "other street": 250, "other city": 40, "assistant": 30,
}  # fmt: skip
COMPANY_LENGTHS = {
    "name": 100, "email": 100, "email 2": 100, "phone": 30, "phone 2": 30, "website": 100, "street": 250, "city": 30, "state": 30,
    "zip": 30, "country": 30, "other street": 250, "other city": 30,
}  # fmt: skip
SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")
UNCASED = ("email", "email 2", "website")
# These say little about who or what it is.
COMMON = (
    "country", "city", "zip", "state", "salutation", "department", "job", "where",
    "visibility", "importance", "reminder", "location",
)  # fmt: skip
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def held(name: str, text: object, lengths: Mapping[str, int]) -> str:
    """A text as vtenext can hold it: emoji as ????, dangerous tags encoded (compared decoded), cut; ends and line ends aside."""
    plain = str(text or "").replace("\r\n", "\n").replace("\r", "\n")
    plain = _ASTRAL.sub("????", plain)[: lengths.get(name)]
    plain = plain.replace("&lt;", "<").replace("&gt;", ">").strip()
    return plain.casefold() if name in UNCASED else plain


def _values(raw: Mapping[str, object], lengths: Mapping[str, int]) -> Values:
    return tuple((name, held(name, value, lengths)) for name, value in sorted(raw.items()))


def contact_record(row: Json, accounts: Mapping[str, str]) -> Values:
    """A row of Contacts; `accounts`: id -> name."""
    salutation = row["salutationtype"]
    raw = {
        "given": row["firstname"],
        "family": row["lastname"],
        "salutation": salutation if salutation in SALUTATIONS else "",
        "job": row["title"],
        "department": row["department"],
        "company": accounts.get(row["account_id"], ""),
        "email": row["email"],
        "phone": row["phone"],
        "mobile": row["mobile"],
        "home": row["homephone"],
        "street": row["mailingstreet"],
        "city": row["mailingcity"],
        "state": row["mailingstate"],
        "zip": row["mailingzip"],
        "country": row["mailingcountry"],
        "other street": row["otherstreet"],
        "other city": row["othercity"],
        "birthday": "" if row["birthday"].startswith("0000") else row["birthday"],
        "notes": row["description"],
        "assistant": row["assistant"],
    }
    return _values(raw, CONTACT_LENGTHS)


def contact_card(card: Json, companies: Iterable[str]) -> Values:
    """A card of a person. Its company counts only if the CRM has exactly one of that name (SPEC 1.8)."""
    given, family = _names(card)
    company = held("company", card["companyName"], CONTACT_LENGTHS)
    known = Counter(held("company", name, CONTACT_LENGTHS).casefold() for name in companies)
    business, other = card["businessAddress"], card["otherAddress"]
    raw = {
        "given": given,
        "family": family,
        "salutation": card["title"] if card["title"] in SALUTATIONS else "",
        "job": card["jobTitle"],
        "department": card["department"],
        "company": company if known[company.casefold()] == 1 else "",
        "email": _address(card, 0),
        "phone": _element(card["businessPhones"], 0),
        "mobile": card["mobilePhone"],
        "home": _element(card["homePhones"], 0),
        "street": business.get("street"),
        "city": business.get("city"),
        "state": business.get("state"),
        "zip": business.get("postalCode"),
        "country": business.get("countryOrRegion"),
        "other street": other.get("street"),
        "other city": other.get("city"),
        "birthday": _day(card["birthday"]),
        "notes": card["personalNotes"],
        "assistant": card["assistantName"],
    }
    return _values(raw, CONTACT_LENGTHS)


def company_record(row: Json) -> Values:
    """A row of Accounts."""
    raw = {
        "name": row["accountname"],
        "email": row["email1"],
        "email 2": row["email2"],
        "phone": row["phone"],
        "phone 2": row["otherphone"],
        "website": row["website"],
        "street": row["bill_street"],
        "city": row["bill_city"],
        "state": row["bill_state"],
        "zip": row["bill_code"],
        "country": row["bill_country"],
        "other street": row["ship_street"],
        "other city": row["ship_city"],
        "notes": row["description"],
    }
    return _values(raw, COMPANY_LENGTHS)


def company_card(card: Json) -> Values:
    """A card that has only a company's name."""
    business, other = card["businessAddress"], card["otherAddress"]
    raw = {
        "name": card["companyName"],
        "email": _address(card, 0),
        "email 2": _address(card, 1),
        "phone": _element(card["businessPhones"], 0),
        "phone 2": _element(card["businessPhones"], 1),
        "website": card["businessHomePage"],
        "street": business.get("street"),
        "city": business.get("city"),
        "state": business.get("state"),
        "zip": business.get("postalCode"),
        "country": business.get("countryOrRegion"),
        "other street": other.get("street"),
        "other city": other.get("city"),
        "notes": card["personalNotes"],
    }
    return _values(raw, COMPANY_LENGTHS)


def is_company(card: Json) -> bool:
    """SPEC 1.2: no first and last name but a company's."""
    return bool(card["companyName"]) and not (card["givenName"] or card["surname"])


def _names(card: Json) -> tuple[str, str]:
    """vtenext demands a last name (SPEC 1.7): given name alone, else the display name, else the address's local part."""
    given, family = card["givenName"] or "", card["surname"] or ""
    if family:
        return given, family
    return "", given or card["displayName"] or _address(card, 0).partition("@")[0]


def _address(card: Json, position: int) -> str:
    addresses = card["emailAddresses"]
    return str(addresses[position]["address"]) if position < len(addresses) else ""


def _element(texts: Sequence[str], position: int) -> str:
    return texts[position] if position < len(texts) else ""


def _day(moment: str | None) -> str:
    """Only the date of a birthday matters, to the nearest day (BEHAVIOUR 7.1)."""
    if not moment:
        return ""
    return (datetime.fromisoformat(moment.replace("Z", "+00:00")) + timedelta(hours=12)).date().isoformat()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`pairs`: ids of records and their equal cards. What has no equal on the other side, and the first difference in words."""

    pairs: Mapping[str, str]
    only_crm: tuple[str, ...]
    only_mailbox: tuple[str, ...]
    difference: str

    @property
    def equal(self) -> int:
        return len(self.pairs)

    @property
    def total(self) -> int:
        return self.equal + max(len(self.only_crm), len(self.only_mailbox))


def judge(records: Mapping[str, Values], cards: Mapping[str, Values]) -> Verdict:
    """Pair things of equal values, one to one."""
    free: dict[Values, list[str]] = defaultdict(list)
    for card_id, values in cards.items():
        free[values].append(card_id)
    pairs = {crm_id: free[values].pop() for crm_id, values in records.items() if free.get(values)}
    only_crm = tuple(crm_id for crm_id in records if crm_id not in pairs)
    only_mailbox = tuple(card_id for left in free.values() for card_id in left)
    return Verdict(pairs, only_crm, only_mailbox, _difference(records, cards, only_crm, only_mailbox))


def _difference(
    records: Mapping[str, Values], cards: Mapping[str, Values], only_crm: Sequence[str], only_mailbox: Sequence[str]
) -> str:
    """The first record without an equal, against the remaining card that is most like it."""
    if not only_crm:
        return f"{only_mailbox[0]} ({_called(cards[only_mailbox[0]])}) has no record" if only_mailbox else ""
    record = dict(records[only_crm[0]])
    rest = [dict(cards[id_]) for id_ in only_mailbox]
    nearest = max(rest, key=lambda card: _alike(record, card), default=None)
    if nearest is None or not _alike(record, nearest):
        return f"record {only_crm[0]} ({_called(records[only_crm[0]])}) is in no mailbox"
    name = next(name for name in record if record[name] != nearest[name])
    return f"record {only_crm[0]}: {name} is {record[name][:60]!r} in the CRM and {nearest[name][:60]!r} in the mailbox"


def _called(values: Values) -> str:
    named = dict(values)
    name = named["name"] if "name" in named else f"{named['given']} {named['family']}".strip()
    return f"{name}, {named['when']}" if "when" in named else name


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    return sum(1 for name, value in one.items() if value and value == other[name] and name not in COMMON)


def doubles(values: Iterable[Values]) -> int:
    """How many things are there more than once, told by all their values."""
    return sum(n - 1 for n in Counter(values).values())

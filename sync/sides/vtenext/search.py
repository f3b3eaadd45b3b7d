"""Finding records by what they are recognised by: addresses, names, accounts, time of creation, an event's uid.

Answers are supersets, compared as loosely as the database does; what agrees is decided elsewhere. Never changes anything.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sync.model import Family, Item, Kind
from sync.sides.base import NaturalKey
from sync.sides.vtenext.client import VtenextClient
from sync.sides.vtenext.events import FIRST_DAY, LAST_DAY, UID
from sync.sides.vtenext.items import ACCOUNT, CREATED, MODULES, OWNER, Reader
from sync.sides.vtenext.query import chunks, conditions, equals, folded, member, quoted
from sync.sides.vtenext.zones import OVERLAP_AT_CHANGE, moment_of, near_change, to_server

EMAILS: Mapping[Kind, tuple[str, ...]] = {Kind.CONTACT: ("email",), Kind.COMPANY: ("email1", "email2")}
MAX_ALTERNATIVES = 30
"""Conditions joined by `or` in one query."""

Token = tuple[str, str]


async def find(reader: Reader, keys: Sequence[NaturalKey]) -> list[list[Item]]:
    """For each key, in order, the records that share an address or the name."""
    holders: dict[tuple[Kind, Token], dict[str, Item]] = defaultdict(dict)
    for kind in Family.PEOPLE.kinds:
        for item in await _candidates(reader, kind, [key for key in keys if key.kind is kind]):
            for token in _tokens_of_item(item):
                holders[kind, token][item.id] = item
    return [_matching(holders, key) for key in keys]


def _matching(holders: Mapping[tuple[Kind, Token], Mapping[str, Item]], key: NaturalKey) -> list[Item]:
    found: dict[str, Item] = {}
    for token in _tokens_of_key(key):
        found.update(holders.get((key.kind, token), {}))
    return list(found.values())


async def _candidates(reader: Reader, kind: Kind, keys: Sequence[NaturalKey]) -> list[Item]:
    if not keys:
        return []
    addresses = [email for key in keys for email in key.emails]
    wheres = [conditions(field, chunk) for field in EMAILS[kind] for chunk in chunks(dict.fromkeys(addresses))]
    if kind is Kind.COMPANY:
        wheres += [conditions("accountname", chunk) for chunk in chunks(dict.fromkeys(key.company for key in keys))]
    else:
        names = (condition for key in keys for condition in name_conditions(key.given, key.family))
        wheres += chunks(dict.fromkeys(names), MAX_ALTERNATIVES)
    answers = await asyncio.gather(*(reader.where(kind, where) for where in wheres if where))
    return [item for items in answers for item in items]


def name_conditions(given: str, family: str) -> list[str]:
    """Conditions for a full name, wherever the CRM cuts it in two: vtenext demands a last name, so the first may be missing."""
    words = f"{given} {family}".split()
    whole = " ".join(words)
    if not whole:
        return []
    cuts = [(given, family)] if given.strip() and family.strip() else []
    if len(words) <= 5:
        cuts += [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words))]
    split = [f"{equals('firstname', first)} and {equals('lastname', last)}" for first, last in dict.fromkeys(cuts)]
    return [*split, equals("lastname", whole)]


def _tokens_of_key(key: NaturalKey) -> Iterable[Token]:
    name = key.company if key.kind is Kind.COMPANY else f"{key.given} {key.family}"
    return _tokens(key.emails, name)


def _tokens_of_item(item: Item) -> Iterable[Token]:
    names = ("accountname",) if item.kind is Kind.COMPANY else ("firstname", "lastname")
    name = " ".join(str(item.fields.get(field, "")) for field in names)
    return _tokens([str(item.fields.get(field, "")) for field in EMAILS[item.kind]], name)


def _tokens(emails: Iterable[str], name: str) -> Iterable[Token]:
    yield from (("email", folded(email)) for email in emails if email.strip())
    plain = " ".join(folded(name).split())
    if plain:
        yield "name", plain


async def accounts_named(client: VtenextClient, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each name the ids of the Accounts of that name, as the database compares; none = empty."""
    found: dict[str, set[str]] = defaultdict(set)
    for chunk in chunks(dict.fromkeys(names)):
        where = conditions("accountname", chunk)
        if not where:
            continue
        async for rows in client.walk(MODULES[Kind.COMPANY], ("id", "accountname"), where):
            for row in rows:
                found[folded(row["accountname"])].add(row["id"])
    return {name: tuple(sorted(found[folded(name)])) if name.strip() else () for name in names}


async def contacts_of(reader: Reader, account_ids: Sequence[str]) -> list[str]:
    """Ids of the contacts that point to one of these accounts."""
    found: dict[str, None] = {}
    for chunk in chunks(dict.fromkeys(account_ids)):
        async for ids in reader.ids(Kind.CONTACT, [member(ACCOUNT, chunk)]):
            found.update(dict.fromkeys(ids))
    return list(found)


async def created_since(reader: Reader, kind: Kind, since: str) -> list[Item]:
    """What our own account created since then, by the server's clock. `creator` is the only field that tells (API.md 3.8).

    Events and tasks have none (describe-Events, describe-Calendar): ValueError.
    """
    if kind not in Family.PEOPLE.kinds:
        raise ValueError("events and tasks do not tell who created them: look by uid")
    zone = await reader.zone()
    start = moment_of(since)
    if near_change(start, zone):
        start -= OVERLAP_AT_CHANGE
    ours = equals("creator", await reader.client.user_id())
    return await reader.where(kind, [f"{CREATED} >= '{to_server(start, zone)}' and {ours}"])


async def beginning_on(reader: Reader, owner: str, days: Sequence[date]) -> list[Item]:
    """Events of this owner that begin on one of these days, by the server's calendar."""
    texts = [day.isoformat() for day in days]
    wheres = [[f"{equals(OWNER, owner)} and {member(FIRST_DAY, chunk)}"] for chunk in chunks(texts)]
    answers = await asyncio.gather(*(reader.where(Kind.EVENT, where, people=False) for where in wheres))
    return [item for items in answers for item in items]


async def by_uid(reader: Reader, kind: Kind, uids: Sequence[str]) -> list[Item]:
    """Every event or task with one of these uids, as they are written: the database also answers with what only resembles them."""
    wanted = {uid for uid in uids if uid.strip()}
    wheres = [conditions(UID, chunk) for chunk in chunks(sorted(wanted))]
    answers = await asyncio.gather(*(reader.where(kind, where) for where in wheres))
    found = {item.id: item for items in answers for item in items if item.fields["uid"] in wanted}
    return list(found.values())


def ending_after(moment: datetime, zone: ZoneInfo) -> str:
    """The condition for events that end on that day or later, by the server's calendar. Whole days have no better time."""
    return f"{LAST_DAY} >= {quoted(moment.astimezone(zone).date().isoformat())}"


async def count(client: VtenextClient, kind: Kind) -> int:
    """How many records the module holds, deleted ones not counted."""
    rows = await client.query(f"select count(*) from {MODULES[kind]};")
    return int(rows[0]["count"])

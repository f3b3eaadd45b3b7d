"""Collect what a run must look at, and make pairs of it: both sides' present values, links, matches. I/O, no decisions.

A pair is made only of what was read in this run. What neither side changed since both last agreed never becomes a pair, so a quiet
mailbox costs one request.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mapping import kind_of_card
from mapping.model import Translator
from sync.merge import edited
from sync.model import Family, Item, Kind, Link, Pair, Present, Reason, Role, Side, Unread
from sync.plan import Context
from sync.sides.base import Crm, CursorLost, Mailbox
from sync.store.ledger import MailboxLedger
from sync.store.registry import Registry

MANY = 60  # from here on all links are read at once instead of one by one


@dataclass(frozen=True, slots=True)
class Joined:
    """A card and a record without a link that are the same thing."""

    crm_id: str
    because: Reason


@dataclass(slots=True)
class Work:
    """Ids to look at, on both sides, and what is known of them already."""

    cards: dict[str, Item | None] = field(default_factory=dict)  # item id -> from the delta, None = to be read
    gone: set[str] = field(default_factory=set)  # item ids the delta claims to be gone
    records: dict[str, Kind] = field(default_factory=dict)  # crm id -> kind
    joined: dict[str, Joined] = field(default_factory=dict)  # item id -> the record it is the same as, and why
    unsure: dict[str, tuple[str, ...]] = field(default_factory=dict)  # id -> candidates: a hold asks
    allowed: set[str] = field(default_factory=set)  # ids that an admin said are new: not matched
    again: set[str] = field(default_factory=set)  # ids that an earlier run could not settle: both sides are looked at
    whole: set[str] = field(default_factory=set)  # series whose occurrences inside the horizon are all in `cards`
    cursor: str = ""
    full: bool = False
    family: Family = Family.PEOPLE


async def read_changes(mailbox: Mailbox, cursor: str, work: Work) -> None:
    """Follow the mailbox's delta into `work`. A lost cursor begins again and makes the run a full comparison."""
    try:
        async for page in mailbox.changes(cursor or None):
            for item in page.items:
                work.cards[item.id] = item
                work.gone.discard(item.id)
            for item_id in page.gone:
                work.cards.pop(item_id, None)
                work.gone.add(item_id)
            work.whole.update(page.whole)
            work.cursor = page.cursor or work.cursor
    except CursorLost:
        if not cursor:
            raise
        work.cards.clear()
        work.gone.clear()
        work.whole.clear()
        work.full = True
        await read_changes(mailbox, "", work)  # everything: what is outside a calendar's window may have changed too


async def read_everything(crm: Crm, owners: Sequence[str], work: Work, now: datetime) -> None:
    """All CRM records that live in this mailbox, for the first fill and the nightly comparison; of events and tasks those to come."""
    for kind in work.family.kinds:
        for owner in owners:
            async for ids in crm.owned(kind, owner, ending_after=now if kind not in Family.PEOPLE.kinds else None):
                work.records.update(dict.fromkeys(ids, kind))


@dataclass(slots=True)
class Links:
    """The links that concern this run, by either id."""

    by_crm: dict[str, Link] = field(default_factory=dict)
    by_item: dict[str, Link] = field(default_factory=dict)

    def add(self, link: Link) -> None:
        self.by_crm[link.crm_id] = link
        self.by_item[link.item_id] = link


async def read_links(ledger: MailboxLedger, work: Work, before: str = "") -> Links:
    """Links of everything in `work`; in a full comparison all links, whose items then are looked at too.

    `before`: ISO UTC; events that were over by then are not in the listing's window and are not looked for.
    """
    links = Links()
    ids = [*work.cards, *work.gone, *work.records]
    if work.full or len(ids) > MANY:
        async for link in ledger.links():
            links.add(link)
    else:
        found = await asyncio.gather(
            *(ledger.link_by_item(id_) for id_ in (*work.cards, *work.gone)),
            *(ledger.link_by_crm(id_) for id_ in work.records),
        )
        for one in found:
            if one:
                links.add(one)
    if work.full:
        for link in links.by_crm.values():
            if link.ends and link.ends < before:
                continue
            work.records[link.crm_id] = link.kind
            if link.item_id not in work.cards:
                work.gone.add(link.item_id)
    return links


async def read_waiting(work: Work, mailbox: Mailbox) -> None:
    """Cards that an earlier run could not settle: as they are now."""
    waiting = [item_id for item_id, item in work.cards.items() if item is None]
    for item_id, present in (await mailbox.get(waiting)).items() if waiting else ():
        if isinstance(present, Item):
            work.cards[item_id] = present
        else:
            del work.cards[item_id]
            work.gone.add(item_id)


def drop_echoes(work: Work, links: Links) -> None:
    """Forget delta items that are as we left them and whose record nobody touched: our own writes coming back."""
    if work.full:
        return
    for item_id, item in list(work.cards.items()):
        link = links.by_item.get(item_id)
        if not item or not link or link.crm_id in work.records or item_id in work.again:
            continue
        if item.version == link.item_version:
            del work.cards[item_id]


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to plan: its ids as far as they are known."""

    crm_id: str
    item_id: str
    kind: Kind
    link: Link | None = None
    because: Reason | None = None


def keys_of(work: Work, links: Links) -> list[Key]:
    """Everything in `work` as keys, each thing once, the unlinked first (a slice that ends early made progress)."""
    partner = {joined.crm_id: item_id for item_id, joined in work.joined.items()}
    keys: dict[tuple[str, str], Key] = {}
    for crm_id, kind in work.records.items():
        link = links.by_crm.get(crm_id)
        item_id = link.item_id if link else partner.get(crm_id, "")
        because = work.joined[item_id].because if not link and item_id else None
        keys[(crm_id, item_id)] = Key(crm_id, item_id, link.kind if link else kind, link, because)
    for item_id in [*work.cards, *sorted(work.gone)]:
        link = links.by_item.get(item_id)
        joined = None if link else work.joined.get(item_id)
        crm_id = link.crm_id if link else joined.crm_id if joined else ""
        card = work.cards.get(item_id)
        kind = link.kind if link else work.records.get(crm_id, card.kind if card else work.family.kinds[0])
        keys[(crm_id, item_id)] = Key(crm_id, item_id, kind, link, joined.because if joined else None)
    return sorted(keys.values(), key=lambda key: (key.link is not None, key.crm_id, key.item_id))


def not_compared(keys: Sequence[Key], compared: str, touched: Collection[str], work: Work) -> list[Key]:
    """What is left of a comparison in full whose earlier slices came up to `compared`, and what changed since (`touched`: crm ids)."""
    return [key for key in keys if not (key.link and key.crm_id <= compared and _as_left(key, touched, work))]


def _as_left(key: Key, touched: Collection[str], work: Work) -> bool:
    card = work.cards.get(key.item_id)
    same = key.link is not None and card is not None and card.version == key.link.item_version
    return same and key.crm_id not in touched


async def read_pairs(
    keys: Sequence[Key], records: Mapping[str, Present], work: Work, mailbox: Mailbox, context: Context
) -> list[Pair]:
    """Both sides' present values of these keys, `records` being the CRM's. Linked pairs in which nothing changed are left out."""
    wanted = [key for key in keys if _needs_card(key, records.get(key.crm_id), work, context)]
    cards = await _read_cards(wanted, work, mailbox)
    pairs: list[Pair] = []
    for key in wanted:
        record = records.get(key.crm_id) if key.crm_id else None
        card = cards.get(key.item_id) if key.item_id else None
        pairs.append(Pair(_of_kind(record, key), _of_kind(card, key), key.link, key.because, key.kind))
    return pairs


def _of_kind(present: Present | None, key: Key) -> Present | None:
    """A linked card keeps its link's kind, whatever it looks like: `plan` decides about a change of kind."""
    if isinstance(present, Item) and (key.link or key.crm_id) and present.kind is not key.kind:
        return replace(present, kind=key.kind)
    return present


async def read_records(keys: Sequence[Key], crm: Crm) -> dict[str, Present]:
    ids: dict[Kind, list[str]] = defaultdict(list)
    for key in keys:
        if key.crm_id:
            ids[key.kind].append(key.crm_id)
    parts = await asyncio.gather(*(crm.get(kind, part) for kind, part in ids.items()))
    return {crm_id: present for part in parts for crm_id, present in part.items()}


def _needs_card(key: Key, record: Present | None, work: Work, context: Context) -> bool:
    """False when the mailbox says nothing new and the record is as it was when both last agreed."""
    if key.link is None or not key.item_id or key.item_id in work.cards or key.item_id in work.gone:
        return True
    if not isinstance(record, Item) or key.crm_id in work.again:
        return True
    if context.role_of(record) is not key.link.role or key.kind is Kind.EVENT:  # who takes part is no content
        return True
    sealed = context.sealed(key.link)
    return edited(Side.CRM, context.translators[key.kind].crm_values(record.fields), sealed)


async def _read_cards(keys: Sequence[Key], work: Work, mailbox: Mailbox) -> dict[str, Present]:
    known: dict[str, Present] = {}
    missing: list[str] = []
    for key in keys:
        if not key.item_id:
            continue
        card = work.cards.get(key.item_id)
        if card is not None:
            known[key.item_id] = card
        else:
            missing.append(key.item_id)
    if missing:
        known.update(await mailbox.get(missing))
    for item_id in missing:
        known.setdefault(item_id, Unread(item_id, "not answered"))
    return known


async def company_names(
    pairs: Sequence[Pair], crm: Crm, translators: Mapping[Kind, Translator]
) -> dict[str, tuple[str, ...]]:
    """Accounts by name, for the contacts' cards whose company the CRM does not say already (SPEC 1.8)."""
    names: set[str] = set()
    for pair in pairs:
        card, record = pair.mailbox, pair.crm
        if not isinstance(card, Item) or kind_of_card(card.fields) != Kind.CONTACT.value:
            continue
        company = str(card.fields.get("companyName", ""))
        known = str(record.fields.get("account_name", "")) if isinstance(record, Item) else ""
        if company and company != known:
            names.add(company)
    return await crm.accounts_named(sorted(names)) if names else {}


async def other_homes(pairs: Sequence[Pair], registry: Registry, context: Context) -> set[str]:
    """CRM ids of linked records that went to another owner and are held as home by another mailbox already."""
    moved = [
        pair.crm.id
        for pair in pairs
        if pair.link and pair.link.role is Role.HOME and isinstance(pair.crm, Item) and not context.is_home(pair.crm)
    ]
    if not moved:
        return set()
    holders = await registry.holders_near(moved)
    mine, family = context.policy.mailbox, Family.of(pairs[0].kind)
    taken: set[str] = set()
    for crm_id, held in holders.items():
        for mailbox in (
            m for m, role in held.items() if m != mine and role in {Role.HOME, Role.MEMBER, Role.ORGANIZER}
        ):
            ledger = MailboxLedger(registry.rows, mailbox, 0, "", family)
            if await ledger.link_by_crm(crm_id):  # holding is noted before the call
                taken.add(crm_id)
    return taken

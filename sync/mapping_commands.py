"""What an admin can order about mappings: read, check, try on a real item, save (SPEC 3.3, 3.4). No HTTP, no sentences.

A preview holds people's data: it is answered to the admin who asked, never stored, never logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapping import calendar, tasks
from mapping.advice import Warned, advice
from mapping.calendar import Shown
from mapping.fields import MAILBOX_CATALOG, Field
from mapping.rules import BadMapping, FieldMapping, Problem, Unmapped, translator, unmapped
from sync.clearing_tools import PURGE, is_ours
from sync.commands import NotFound, NotNow
from sync.connector import Connector
from sync.errors import ConfigMistake
from sync.mapping_preview import PairShown, names_of_companies, pairs_shown
from sync.mappings import DEFAULTS, Mappings, Strategy, Version, left_behind
from sync.model import Item, Kind, Link, Role
from sync.store.base import Conflict, LimitExceeded, Stale, check_key
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import MailboxRow

FIXED: Mapping[Kind, tuple[Shown, ...]] = {Kind.EVENT: calendar.SHOWN, Kind.TASK: tasks.SHOWN}
"""The mappings that nobody edits, as they are shown (SPEC 2.1)."""
_RECORD = re.compile(r"\d{1,9}x\d{1,12}")


class WrongMapping(ConfigMistake):
    """A mapping that can be read and not be used. `problems`: all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.pair or "pairs", f"without: {first.wrong.value}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class MappingRead:
    """A kind's mapping in force. `problems`: why pairs of it are left out on this CRM; `warnings`: where values are given up.

    `version` is to be handed back when it is saved. `crm`, `mailbox`: all fields of both sides; `unmapped`: those that no pair speaks of.
    """

    kind: Kind
    version: int
    at: str
    by: str
    mapping: FieldMapping
    problems: tuple[Problem, ...]
    warnings: tuple[Warned, ...]
    crm: tuple[Field, ...]
    mailbox: tuple[Field, ...]
    unmapped: Unmapped


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a mapping that is not saved, and what is worth knowing about it."""

    problems: tuple[Problem, ...]
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A record and its card (either may be missing: '') translated with a mapping that is not saved."""

    record: str
    mailbox: str
    item: str
    pairs: tuple[PairShown, ...]


@dataclass(frozen=True, slots=True)
class PurgeCount:
    """Copies that we created and that `purge` deletes and makes again. `mailboxes`: how many in each; `linked`: all that `in_place` rewrites."""

    total: int
    mailboxes: Mapping[str, int]
    linked: int = 0


def kind_of(name: str) -> Kind:
    """The kind whose mapping can be edited. Raises NotFound."""
    found = next((kind for kind in DEFAULTS if kind.value == name), None)
    if found is None:
        raise NotFound
    return found


def mapping_of(kind: Kind, body: Mapping[str, Any]) -> FieldMapping:
    """The mapping that somebody sent: `pairs`, and for contacts `stamp_field`. Raises ConfigMistake, naming the place."""
    try:
        return FieldMapping.from_json({**body, "kind": kind.value})
    except BadMapping as bad:
        raise ConfigMistake(bad.where, bad.expected) from None


async def read(connector: Connector, kind: Kind) -> MappingRead:
    """The mapping in force, with everything that an editor needs."""
    (catalog, now) = await _catalog(connector, kind), (await Mappings(connector.registry.rows).of(kind))[-1]
    return MappingRead(
        kind,
        now.number,
        now.at,
        now.by,
        now.mapping,
        tuple(now.mapping.validate(catalog)),
        tuple(advice(now.mapping, catalog)),
        tuple(catalog.values()),
        tuple(MAILBOX_CATALOG.values()),
        unmapped(now.mapping, catalog),
    )


async def check(connector: Connector, kind: Kind, body: Mapping[str, Any]) -> Checked:
    """Is this mapping right for this CRM? Nothing is changed."""
    mapping, catalog = mapping_of(kind, body), await _catalog(connector, kind)
    return Checked(tuple(mapping.validate(catalog)), tuple(advice(mapping, catalog)))


async def preview(
    connector: Connector, kind: Kind, body: Mapping[str, Any], *, record: str = "", mailbox: str = "", item: str = ""
) -> Preview:
    """Translate a real item with this mapping: the record named (and its card), the card named (and its record), else any linked one."""
    mapping, catalog = mapping_of(kind, body), await _catalog(connector, kind)
    _usable(mapping, catalog)
    link = await _link(connector, kind, record, mailbox, item)
    if link is not None:
        record, mailbox, item = link.crm_id, link.mailbox, link.item_id
    crm = await connector.outside.crm_showing({kind: [pair.crm for pair in mapping.pairs]})
    found = (await crm.get(kind, [record]))[record] if record else None
    card = await _card(connector, mailbox, item) if mailbox and item else None
    row = found if isinstance(found, Item) else None
    if row is None and card is None:
        raise NotNow("nothing_to_show")
    at_work = translator(mapping, catalog)
    names = names_of_companies(at_work, card, row)
    accounts = await crm.accounts_named(names) if names else {}
    shown = pairs_shown(at_work, row, card, accounts)
    return Preview(record if row else "", mailbox if card else "", item if card else "", shown)


async def purge_count(connector: Connector) -> PurgeCount:
    """How many cards `purge` would delete (`sync.clearing`): home copies that we made, of contacts and companies. What began in a mailbox, or was
    joined with a record, is never among them."""
    counted: dict[str, int] = {}
    linked = 0
    for row in await connector.registry.mailboxes():
        if not _is_purged(row):
            continue
        ledger = MailboxLedger(connector.registry.rows, row.id, 0, "")
        links = [link async for link in ledger.links()]
        number = len([link for link in links if is_ours(link) and link.role is Role.HOME])
        counted.update({row.id: number} if number else {})
        linked += len(links)
    return PurgeCount(sum(counted.values()), counted, linked)


async def save(
    connector: Connector,
    kind: Kind,
    body: Mapping[str, Any],
    *,
    over: int | None,
    strategy: Strategy = Strategy.IN_PLACE,
    confirm: int | None = None,
    by: str,
) -> MappingRead:
    """Put a mapping in force and compare every mailbox in full with it.

    `over`: the version that is changed, None = whichever is there; `confirm`: the total of `purge_count`, when the strategy is `purge`. Raises
    ConfigMistake, WrongMapping, Stale (somebody else saved it) and NotNow `confirm_purge` with the `count`.
    """
    mapping, catalog = mapping_of(kind, body), await _catalog(connector, kind)
    _usable(mapping, catalog)
    store = Mappings(connector.registry.rows)
    versions = await store.of(kind)
    now = versions[-1]
    if over not in (None, now.number):
        raise Stale
    if mapping == now.mapping and strategy is Strategy.IN_PLACE:
        return await read(connector, kind)
    purged = await purge_count(connector) if strategy is Strategy.PURGE else PurgeCount(0, {})
    if purged.total and confirm != purged.total:
        raise NotNow("confirm_purge", count=str(purged.total))
    behind = left_behind(versions, await _compared(connector))
    at = connector.now().isoformat(timespec="seconds")
    try:
        await store.save(kind, Version(now.number + 1, mapping, at, by, strategy))
    except Conflict:
        raise Stale from None
    await store.drop(kind, behind)
    await _apply(connector, purged)
    return await read(connector, kind)


async def _compared(connector: Connector) -> list[str]:
    """When each mailbox was compared in full last, '' = it is to be; mailboxes that are off and hold no links remember nothing."""
    found = []
    for row in await connector.registry.mailboxes():
        ledger = MailboxLedger(connector.registry.rows, row.id, 0, "")
        if row.enabled or [link async for link in ledger.links()]:
            found.append("" if row.full else (await ledger.checkpoint()).full_at)
    return found


async def _apply(connector: Connector, purged: PurgeCount) -> None:
    """Runs under way stop; then every mailbox is to be compared: whatever began before sees the stop."""
    await connector.board.touch()
    for mailbox, number in purged.mailboxes.items():
        await connector.registry.change_mailbox_if(mailbox, _is_purged, clearing=PURGE, permitted=number)
    await connector.compare_all("mapping")


def _is_purged(row: MailboxRow) -> bool:
    """What goes with its user, or comes back, is not made anew."""
    return row.enabled and row.clearing in ("", PURGE)


def _usable(mapping: FieldMapping, catalog: Mapping[str, Field]) -> None:
    problems = mapping.validate(catalog)
    if problems:
        raise WrongMapping(problems)


async def _catalog(connector: Connector, kind: Kind) -> Mapping[str, Field]:
    missing = await connector.missing()
    if missing:
        raise NotNow("not_configured", missing=", ".join(missing))
    return (await connector.outside.catalogs())[kind]


async def _link(connector: Connector, kind: Kind, record: str, mailbox: str, item: str) -> Link | None:
    """The link of the item that was named; of any item when none was. None: it is linked nowhere."""
    rows = connector.registry.rows
    if record:
        if not _RECORD.fullmatch(record):
            raise ConfigMistake("record", "crm_record")
        held = [
            await MailboxLedger(rows, each, 0, "").link_by_crm(record)
            for each in await connector.registry.holders(record)
        ]
        return next((link for link in held if link), None)
    if mailbox or item:
        if not mailbox or not item:
            raise ConfigMistake("item" if mailbox else "mailbox", "named_by_both")
        try:
            check_key(mailbox)
        except LimitExceeded:
            raise NotFound from None
        return await MailboxLedger(rows, mailbox, 0, "").link_by_item(item)
    for row in await connector.registry.mailboxes():
        async for link in MailboxLedger(rows, row.id, 0, "").links():
            if row.enabled and link.kind is kind:
                return link
    raise NotNow("nothing_to_show")


async def _card(connector: Connector, mailbox: str, item: str) -> Item | None:
    """The card as it is now, in the folder that the mailbox's runs use; None when it is not there."""
    folder = (await MailboxLedger(connector.registry.rows, mailbox, 0, "").checkpoint()).folder
    if not folder:
        return None
    present = (await (await connector.outside.mailbox(mailbox, folder)).get([item]))[item]
    return present if isinstance(present, Item) else None

"""What a hold is about, by name, for the admin who decides (SPEC 4.6): read live from both sides, shown, and neither stored nor logged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mapping.calendar import is_private
from sync.commands import hold
from sync.connector import Connector
from sync.model import Family, Item, Kind, Link, Side
from sync.store.asking import HoldRow
from sync.store.ledger import MailboxLedger

CRM_ID = re.compile(r"\d+x\d+")
NAMES = {
    (Side.CRM, Kind.CONTACT): ("firstname", "lastname"),
    (Side.CRM, Kind.COMPANY): ("accountname",),
    (Side.CRM, Kind.EVENT): ("subject",),
    (Side.CRM, Kind.TASK): ("subject",),
    (Side.MAILBOX, Kind.CONTACT): ("givenName", "surname"),
    (Side.MAILBOX, Kind.COMPANY): ("companyName",),
    (Side.MAILBOX, Kind.EVENT): ("subject",),
    (Side.MAILBOX, Kind.TASK): ("title",),
}
"""The fields that people know an item by. No others are shown."""


@dataclass(frozen=True, slots=True)
class Named:
    """An item of a hold. `name` '' = it cannot be read now, is gone from both sides, or is a private event that stays hidden."""

    id: str
    side: Side
    name: str
    when: str = ""
    candidate: bool = False


async def explain(connector: Connector, id_: str) -> tuple[Named, ...]:
    """Items and candidates of a hold by name. Raises NotFound, and what the servers' failures are."""
    asked = await hold(connector, id_)
    if asked.kind is None:
        users = {user.id: user.name for user in await connector.users.all()}
        return tuple(Named(each, Side.CRM, users.get(each, "")) for each in asked.items)
    ids = list(dict.fromkeys((*asked.items, *asked.candidates)))
    links = await _links(connector, asked, asked.kind, ids)
    crm_ids = [each for each in ids if CRM_ID.fullmatch(each)]
    cards = [each for each in ids if not CRM_ID.fullmatch(each)] + [link.item_id for link in links.values()]
    folder = (await _ledger(connector, asked, asked.kind).checkpoint()).folder if asked.mailbox else ""
    found = await connector.outside.look(asked.mailbox, folder, asked.kind, crm_ids, cards)
    items = {item.id: item for item in found}
    return tuple(_named(each, asked, items, links) for each in ids)


def _ledger(connector: Connector, asked: HoldRow, kind: Kind) -> MailboxLedger:
    return MailboxLedger(connector.registry.rows, asked.mailbox, 0, "", Family.of(kind))  # no fence: for reading only


async def _links(connector: Connector, asked: HoldRow, kind: Kind, ids: list[str]) -> dict[str, Link]:
    """CRM id -> link: of what is gone from the CRM the card still says who it is."""
    if not asked.mailbox:
        return {}
    ledger = _ledger(connector, asked, kind)
    found = [await ledger.link_by_crm(each) for each in ids if CRM_ID.fullmatch(each)]
    return {link.crm_id: link for link in found if link}


def _named(id_: str, asked: HoldRow, items: dict[str, Item], links: dict[str, Link]) -> Named:
    side = Side.CRM if CRM_ID.fullmatch(id_) else Side.MAILBOX
    link = links.get(id_)
    item = items.get(id_) or (items.get(link.item_id) if link else None)
    candidate = id_ in asked.candidates
    if item is None:
        return Named(id_, side, "", candidate=candidate)
    secret = item.side is Side.MAILBOX and item.kind is Kind.EVENT and is_private(item.fields)
    parts = () if secret else (str(item.fields.get(name, "")).strip() for name in NAMES[item.side, item.kind])
    return Named(id_, side, " ".join(filter(None, parts)), str(item.fields.get("when", "")), candidate)

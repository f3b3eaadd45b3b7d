"""The memory mailbox keeps the mailbox contract, but for what it leaves out: it is a folder without a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from mapping import kind_of_card
from mapping.model import Value
from sync.model import Kind
from sync.sides.memory import MemoryMailbox
from tests.contract.mailbox_contract import MailboxContract


def kind_of(fields: Mapping[str, Value]) -> Kind:
    return Kind.COMPANY if kind_of_card(fields) == Kind.COMPANY else Kind.CONTACT


@dataclass
class MemoryWorld:
    """A memory mailbox and its user."""

    mailbox: MemoryMailbox = field(
        default_factory=lambda: MemoryMailbox("me", lambda: datetime(2026, 11, 23, 8, tzinfo=UTC), kind_of)
    )

    def add(self, fields: Mapping[str, str]) -> str:
        return self.mailbox.add(fields).id

    def keep(self, fields: Mapping[str, str], *addresses: str) -> None:
        self.mailbox.usual.append({**fields, "emailAddresses": addresses})

    def edit(self, item_id: str, fields: Mapping[str, str]) -> None:
        self.mailbox.edit(item_id, **fields)

    def delete(self, item_id: str) -> None:
        self.mailbox.move(item_id, "deleted")

    def purge(self, item_id: str) -> None:
        del self.mailbox.cards[item_id]

    def move_away(self, item_id: str) -> None:
        self.mailbox.move(item_id, "elsewhere")

    def copy(self, item_id: str) -> str:
        card = self.mailbox.cards[item_id]
        return self.mailbox.add(card.fields, card.stamp).id

    def forget_cursors(self) -> None:
        self.mailbox.forgotten = len(self.mailbox.log) + 1

    def count(self) -> int:
        return len([card for card in self.mailbox.cards.values() if card.place == "folder"])


class TestMemoryMailbox(MailboxContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()

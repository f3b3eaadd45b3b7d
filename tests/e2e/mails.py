"""The mails that left because of the connector, by both servers' own count, and whether they stay within what an admin allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tests.e2e.hands import CrmScreen, Json, Outlook


@dataclass(frozen=True, slots=True)
class Limits:
    """What the setting `mail_limits` says: per mailbox, meetings and mails of one run, mails of a day."""

    meetings: int
    mails: int
    day: int

    def shown(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Sent:
    """Mails because of us. `exchange`: by the address that sent them; `vtenext`: of the whole CRM."""

    exchange: Counter[str]
    vtenext: int

    @property
    def total(self) -> int:
        return self.exchange.total() + self.vtenext

    def excess(self, limits: Limits) -> list[str]:
        """What is more than a day's limit. vtenext's mails may all be of one mailbox, so they count with each."""
        numbers = {sender: n + self.vtenext for sender, n in self.exchange.items()} or {"vtenext": self.vtenext}
        return [
            f"{n} mails of {who} because of us, {limits.day} are allowed"
            for who, n in numbers.items()
            if n > limits.day
        ]


def sent(exchange: Iterable[Json], vtenext: Iterable[Json]) -> Sent:
    """Of all mails those that somebody made leave through an API."""
    ours = Counter(str(mail["from"]) for mail in exchange if mail["by"] == "app")
    return Sent(ours, sum(1 for mail in vtenext if mail["by"] == "service"))


@dataclass(frozen=True, slots=True)
class Outboxes:
    """Both servers' outgoing mail."""

    crm: CrmScreen
    outlook: Outlook

    def sent(self) -> Sent:
        return sent(self.outlook.mails(), self.crm.mails())

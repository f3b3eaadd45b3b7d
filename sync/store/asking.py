"""A question that waits for an admin, as a row (SPEC 4.6). Who asks and answers: `sync.holds`, `sync.deletions`, `sync.sweep`, `sync.commands`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sync.model import Kind, Reason, Side
from sync.store.base import Data, Row


@dataclass(frozen=True, slots=True)
class HoldRow:
    """Something that waits for an admin. An approval is a permit for 24 hours for exactly what was shown. `kind` None: it is about users.

    `version` moves whenever what is asked about moves: an answer is given to one version.
    """

    id: str
    mailbox: str
    kind: Kind | None
    side: Side
    because: Reason
    since: str
    state: str = "open"  # open | approved | rejected
    until: str = ""
    count: int = 1
    items: Sequence[str] = ()  # ids, the first hundred
    candidates: Sequence[str] = ()
    choice: str = ""
    by: str = ""  # who answered, and when (ISO UTC)
    at: str = ""
    version: int = 1


def hold_data(hold: HoldRow) -> Data:
    """As it is kept."""
    lists = {name: json.dumps(list(getattr(hold, name))) for name in ("items", "candidates")}
    texts = ("mailbox", "side", "because", "since", "state", "until", "count", "choice", "by", "at", "version")
    return {**{name: getattr(hold, name) for name in texts}, **lists, "kind": hold.kind.value if hold.kind else ""}


def hold_of(row: Row) -> HoldRow:
    """As it was kept."""
    data = row.data
    return HoldRow(
        row.key,
        str(data["mailbox"]),
        Kind(str(data["kind"])) if data["kind"] else None,
        Side(str(data["side"])),
        Reason(str(data["because"])),
        str(data["since"]),
        str(data["state"]),
        str(data["until"]),
        int(data["count"]),
        tuple(json.loads(str(data["items"]))),
        tuple(json.loads(str(data["candidates"]))),
        str(data["choice"]),
        str(data.get("by", "")),
        str(data.get("at", "")),
        int(data.get("version", 1)),
    )

"""What a mailbox says when something in it was saved or went away: the raw matter of change notifications (BEHAVIOUR 3.3).

The stores tell, `subscriptions.py` knows who asked to hear of it. Nothing here knows a subscription or a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["contact", "event", "task"]
What = Literal["created", "updated", "deleted"]
WHATS: tuple[What, ...] = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Change:
    """One save or removal, with the ids and the etag of that moment: a later move changes them."""

    owner: str
    kind: Kind
    what: What
    default_id: str
    immutable_id: str  # of a task, which has one form only, the same
    etag: str
    folder: str | None = None  # contact folder or task list whose subscriptions hear of it; None = of no folder's
    whole: bool = True  # whether subscriptions to the whole mailbox hear of it
    occurrence: bool = False  # about one occurrence, told besides its master (switch `series_notifications`)


Hear = Callable[[Change], None]


def nobody(change: Change) -> None:
    """Who hears of it before anybody listens."""

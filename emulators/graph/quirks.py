"""Switches of the emulator: what is uncertain on the live service, or wanted only by some tests.

The defaults are the reading that hurts a careless client most. Each names its section of BEHAVIOUR.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_type_hints


@dataclass(slots=True)
class Quirks:
    """All switches; a test sets an attribute, the demo uses PUT /_emulator/quirks."""

    deleted_items: Literal["visible", "gone"] = "visible"  # 5.1: GET by immutable id after a deletion: 200 or 404
    concurrency: Literal["mailbox", "app"] = "mailbox"  # 4: 4 in flight per app and mailbox, or per app
    max_in_flight: int = 4  # 4
    quota: int = 10_000  # 4: requests per app and mailbox ...
    quota_window_s: int = 600  # 4: ... in ten minutes
    retry_after: str = "1"  # 4: "often just 1", seconds, may be fractional
    parallel_batch_losses: bool = True  # 11.12: parallel batches over 4 parts on a mailbox lose some to 429
    generations_kept: int = 4  # 2.2: "a handful of recent generations"
    delta_page: int = 10  # 7.2 Collections: default page when Prefer names none
    delta_empty_pages: bool = True  # 2.1: empty page in the middle, last page with nothing but the deltaLink
    delta_repeats: bool = True  # 2.1: the same id twice in a round
    delta_initial_removals: bool = True  # 2.1: "the initial round may hold removed items too"
    filter_lag_s: float = 0.0  # 6: search by extended property may lag behind a create
    bad_email: Literal["kept", "dropped"] = "kept"  # 7.1: a wrong address stays as text or vanishes
    series_details: bool = True  # 7.2: $select=cancelledOccurrences and $expand=exceptionOccurrences; off: 400
    range_change: Literal["resets", "keeps_exceptions"] = "resets"  # 7.2: what moving only a series' end does
    transaction_repeat: Literal["event", "error"] = "event"  # 13.7: 201 with the same event, or 409
    echo_text_body: bool = True  # docs#8215: answers to writes show a text body as sent, later reads show HTML
    long_subject: Literal["refused", "cut"] = "refused"  # 7.2: over 255 characters
    events_listing: Literal["mailbox", "default"] = "mailbox"  # memory: what /events lists
    delta_masters: Literal["touched", "always", "never"] = "touched"  # 2.4, 13.4: masters in calendarView/delta
    delta_exceptions: Literal["inherited_empty", "whole"] = "inherited_empty"  # 2.4: inherited texts arrive empty
    delta_gone_occurrences: Literal["silent", "removed"] = "silent"  # 2.4: a cancelled one is just missing
    todo_language: Literal["it", "en"] = "it"  # 7.3: the names of built-in lists are localised
    todo_lists: Literal["flagged_only", "all"] = "flagged_only"  # 2.6, 11.3: GET /todo/lists
    todo_late_posts: bool = True  # 2.6: a POST into a deleted list may still answer 201
    todo_start_sets_due: Literal["always", "missing"] = "always"  # 7.3: or only where there is none
    todo_split_keeps_link: bool = True  # memory: the second task of a recurring one carries the linked resource, too
    todo_recurring_due: Literal["duplicates", "moves"] = "duplicates"  # docs#5424: PATCH of its due date
    delivery: Literal["at_once", "late"] = (
        "at_once"  # invitations and answers reach mailboxes now, or by outlook.deliver()
    )
    unchanged_patch: Literal["mails", "silent"] = "mails"  # 13.6: a PATCH that repeats what is there mails, or does not
    answers_touch_event: bool = (
        True  # 11.9, 13.13: an answer alone is a new etag of the organizer's event, and in delta
    )
    copies_list_organizer: bool = (
        True  # 7.2 (response `organizer`), memory: copies name the organizer among the attendees
    )
    deleted_copies: Literal["stay", "come_back"] = (
        "stay"  # memory: an update that moves nothing brings them back or not
    )
    cancelled_occurrence: Literal["removed", "marked"] = (
        "removed"  # memory: what a copy shows of an occurrence called off
    )
    delete_cancelled: Literal[204, 403, 410] = 204  # 7.2: DELETE of a copy that was called off
    delta_options: Literal["refused", "ignored"] = "refused"  # 2.4: $select and the like on calendarView/delta
    subscription_minutes: int = 10_080  # 3.1: contacts and events; the live service was seen to refuse over 10_070
    folder_subscriptions: Literal["accepted", "refused"] = "accepted"  # 3.1: documented, "does not work" (M)
    subscriptions_per_mailbox: int = 1000  # 3.1: all apps together
    subscription_page: int = 100  # memory: page of GET /subscriptions
    handshake: Literal["exact", "escaped_too"] = "exact"  # 3.2: the token as it is, or with HTML escaped
    handshake_limit_s: float = 10.0  # 3.2
    create_notifies_twice: bool = True  # 3.3: a create brings `created` and `updated`
    edit_notifications: int = 3  # 3.3: an edit brings one to so many `updated`, seeded
    series_notifications: Literal["master", "occurrence_too"] = "master"  # memory: what a changed occurrence names
    notification_latency_s: float = 0.0  # 3.1: from change to first attempt, by the emulator's clock ...
    notification_jitter_s: float = 0.0  # 3.1: ... and up to so much more, seeded
    notifications_per_post: int = 20  # 3.3: "one POST may carry many"
    answer_limit_s: float = 3.0  # 3.3: a later answer is none, and slow
    retry_s: float = 10.0  # 3.3, memory: first back-off, doubled up to ten minutes, by the emulator's clock
    retry_for_s: float = 14_400.0  # 3.3: four hours
    slow_sample: int = 10  # 3.3, memory: fewer answers in ten minutes make no endpoint slow
    reauthorize_lead_s: float = 3600.0  # 3.4, memory: how long before the end reauthorizationRequired comes
    reauthorize_grace_s: float = 3600.0  # 3.4, memory: how long it may be ignored until delivery pauses

    def update(self, values: dict[str, Any]) -> None:
        """Set some switches by name; an unknown name, type or word is a ValueError and changes nothing."""
        hints = get_type_hints(Quirks)
        for name, value in values.items():
            if name not in hints:
                raise ValueError(f"no switch named {name!r}")
            words = getattr(hints[name], "__args__", None)
            number = hints[name] is float and type(value) is int
            if value not in words if words else type(value) is not hints[name] and not number:
                raise ValueError(f"{name}: {value!r} is not {words or hints[name].__name__}")
        for name, value in values.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Name and value of every switch."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

"""Bugs planted on purpose: the simulator must find each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import sync.apply
import sync.calendar
import sync.events
import sync.invitations
import sync.joining
import sync.mails
import sync.meetings
import sync.plan
import sync.record
import sync.recurring
import sync.run
import sync.sweep
import sync.tasks
import sync.todo
from mapping.calendar import EventTranslator
from mapping.translate import CardTranslator
from sync.brakes import Budget
from sync.model import Delete, Family, Reason, Side
from sync.plan import Context
from sync.remap import Ended
from sync.store.bookings import Bookings
from sync.store.ledger import drop_intent, drop_pending
from sync.store.mailboxes import Mailboxes
from sync.store.meetings import Meetings
from sync.watches import Watches

Plant = tuple[ModuleType | type, str, object]


def _skip_the_intent(intent):  # type: ignore[no-untyped-def]
    return drop_intent(intent.side, intent.id)


def _take_the_sent_value_for_held(sent, held, answer, translator):  # type: ignore[no-untyped-def]
    return dict(sent)


def _raw(self, pair, value):  # type: ignore[no-untyped-def]
    return value


def _forget_the_pending_row(row):  # type: ignore[no-untyped-def]
    return drop_pending(row.side, row.id)


def _believe_the_delta(work, links):  # type: ignore[no-untyped-def]
    """Drop what looks like an echo although its record was touched too."""
    for item_id in [i for i, item in work.cards.items() if item and i in links.by_item]:
        del work.cards[item_id]


async def _trust_every_stamp(links, crm_ids, ledger):  # type: ignore[no-untyped-def]
    return None


async def _resolve_nothing(intents, work, limit, tools):  # type: ignore[no-untyped-def]
    for intent in intents:
        await tools.ledger.commit([drop_intent(intent.side, intent.id)])
    return set()


def _end_nothing(link, crm, mailbox, sealed, remap, policy):  # type: ignore[no-untyped-def]
    return Ended()


def _whatever_it_holds(link, crm, mailbox, sealed, shape):  # type: ignore[no-untyped-def]
    return bool(link.rest)


def _by_the_newest_key_only(stored, item, translator, digests):  # type: ignore[no-untyped-def]
    return stored == sync.events.baseline_of(item, translator, digests)


async def _not_told(self, mailbox, families, now, **more):  # type: ignore[no-untyped-def]
    return False


def _every_family(self, now):  # type: ignore[no-untyped-def]
    return set(Family)


async def _no_marks_for_deletions(ids, kind, tools, swept):  # type: ignore[no-untyped-def]
    return None


async def _claim_nothing(work, links, tools):  # type: ignore[no-untyped-def]
    return None


def _always(*anything):  # type: ignore[no-untyped-def]
    return True


def _nobody(*anything):  # type: ignore[no-untyped-def]
    return {}


def _no_tags(invitees, book):  # type: ignore[no-untyped-def]
    return {}


def _never(*anything):  # type: ignore[no-untyped-def]
    return False


def _all_that_a_member_says(context):  # type: ignore[no-untyped-def]
    return context


def _follow_nothing(new, stamped, gone, tools):  # type: ignore[no-untyped-def]
    return {}


def _as_planned(action, context):  # type: ignore[no-untyped-def]
    return action


async def _begin_without_baseline(point, owners, tools):  # type: ignore[no-untyped-def]
    return point


async def _ask_nobody(*anything):  # type: ignore[no-untyped-def]
    return True


async def _keep_for_ever(self, handle, mailbox, holding, now, keep=Meetings.keep):  # type: ignore[no-untyped-def]
    """Whoever asked first, though that copy ended long ago."""
    row = await self._rows.get("meetings", f"k|{handle}")
    return await keep(self, handle, mailbox, holding, now) if row is None else row.data["mailbox"] == mailbox


async def _nothing_done(*anything):  # type: ignore[no-untyped-def]
    return None


def _nothing(*anything):  # type: ignore[no-untyped-def]
    return None


async def _import_and_export(point, owners, tools):  # type: ignore[no-untyped-def]
    """The first run of a mailbox is like any other."""
    return point


def _delete_for_a_decline(crm, card, link, context, over):  # type: ignore[no-untyped-def]
    return Delete(Side.CRM, crm, link, Reason.MAILBOX_DELETED)


def _delete_with_the_first_copy(pair, crm, card, role, context):  # type: ignore[no-untyped-def]
    return Delete(Side.CRM, crm, pair.link, Reason.CANCELLED) if pair.link else None


async def _occurrence_by_occurrence(planned, again, tools):  # type: ignore[no-untyped-def]
    return list(planned)


async def _every_car_is_free(self, wanted):  # type: ignore[no-untyped-def]
    return []


def _only_of_the_others(people, role, context):  # type: ignore[no-untyped-def]
    """Answers of users who are not connected are left where they are."""


PLANTS: Mapping[str, list[Plant]] = {
    "skip the intent": [(sync.apply, "put_intent", _skip_the_intent)],
    "digest the raw value": [
        (sync.record, "answered", _take_the_sent_value_for_held),
        (CardTranslator, "image", _raw),
    ],
    "forget what could not be settled": [(sync.record, "put_pending", _forget_the_pending_row)],
    "drop edits as echoes": [(sync.run, "drop_echoes", _believe_the_delta)],
    "believe a stamp against the ledger": [(sync.joining, "learn", _trust_every_stamp)],
    "forget open intents": [(sync.run, "resolve", _resolve_nothing)],
    "ignore deletions in the CRM": [(sync.sweep, "_mark_gone", _no_marks_for_deletions)],
    "remember removed pairs": [(sync.plan, "ended", _end_nothing)],
    "take for at rest what once was": [(sync.plan, "at_rest", _whatever_it_holds)],
    "note no hints": [(Mailboxes, "hint", _not_told)],
    "take everything for watched": [(Watches, "families", _every_family)],
}

CALENDAR_PLANTS: Mapping[str, list[Plant]] = {
    "skip the intent of an event": [(sync.apply, "put_intent", _skip_the_intent)],
    "touch the past": [(sync.events, "_over", _never)],
    "compare with the newest key only": [(sync.events, "same_record", _by_the_newest_key_only)],
    "show private events": [(sync.events, "is_private", _never)],
    "export what was there before": [(sync.calendar, "begin", _begin_without_baseline)],
    "miss vanished occurrences": [(sync.calendar, "claim_occurrences", _claim_nothing)],
    "take the sent text for held": [
        (sync.record, "answered", _take_the_sent_value_for_held),
        (EventTranslator, "image", _raw),
    ],
    "forget open intents of events": [(sync.run, "resolve", _resolve_nothing)],
}

TASK_PLANTS: Mapping[str, list[Plant]] = {
    "skip the intent of a task": [(sync.apply, "put_intent", _skip_the_intent)],
    "forget open intents of tasks": [(sync.run, "resolve", _resolve_nothing)],
    "lose tasks that are moved": [(sync.todo, "_successors", _follow_nothing)],
    "miss lists that went": [(sync.todo, "_claim_lists", _claim_nothing)],
    "take all that a member says": [(sync.tasks, "_as_member", _all_that_a_member_says)],
    "forget the stand-ins": [(sync.tasks, "_finished", _as_planned)],
    "take To Do's answer for an echo": [(sync.record, "_says_more", _never)],
    "export what was there before": [(sync.calendar, "begin", _begin_without_baseline)],
    "give members back what they deleted": [(Context, "buried", _never)],
    "take members for owners": [(sync.tasks, "_is_members", _never)],
}
MEETING_PLANTS: Mapping[str, list[Plant]] = {
    "write to copies": [(sync.events, "_of_a_copy", _never)],
    "delete for a decline": [(sync.meetings, "_copy_gone", _delete_for_a_decline)],
    "delete with the first copy that is called off": [(sync.meetings, "_cancelled", _delete_with_the_first_copy)],
    "invite at the first connection": [(sync.calendar, "begin", _import_and_export)],
    "invite to what had begun": [(sync.meetings, "_begun", _never)],
    "charge no mails": [(sync.mails, "charged", _nothing_done)],
    "know no mail limit": [(Budget, "fits", _always)],
    "ignore claims": [(Meetings, "keep", _ask_nobody)],
    "keep a meeting for ever": [(Meetings, "keep", _keep_for_ever)],
    "forget where organizers' events lie": [(Meetings, "name", _nothing_done)],
    "leave answers of strangers": [(sync.invitations, "_answers", _only_of_the_others)],
    "promise the car twice": [(Bookings, "take", _every_car_is_free)],
    "show no car": [(sync.invitations, "tags_of", _no_tags)],
    "show private meetings": [(sync.events, "is_private", _never)],
    "leave guests of private meetings": [(sync.meetings, "scrubbed", _nobody)],
    "make a meeting of every new owner": [(sync.events, "_not_exported", _nothing)],
}

FIRST_SEED = {
    "compare with the newest key only": 26,
    "take everything for watched": 109,
    "note no hints": 21,
    "forget what could not be settled": 33,
    "skip the intent": 47,
    "believe a stamp against the ledger": 27,
    "forget open intents": 47,
    "ignore deletions in the CRM": 22,
    "skip the intent of an event": 277,
    "forget open intents of events": 143,
    "miss vanished occurrences": 19,
    "skip the intent of a task": 68,
    "forget open intents of tasks": 68,
    "miss lists that went": 31,
    "take all that a member says": 70,
    "take To Do's answer for an echo": 14,
    "give members back what they deleted": 160,
    "take members for owners": 70,
    "know no mail limit": 33,
    "keep a meeting for ever": 38,
    "leave answers of strangers": 8,
    "leave guests of private meetings": 12,
    "make a meeting of every new owner": 527,
}
"""Where a bug that few stories show is looked for: at one that showed it when this was written. The search goes on from there, so when
stories change it only takes longer."""

SERIES_PLANT: list[Plant] = [(sync.recurring, "put_intent", _skip_the_intent)]
"""Found at one crash point only: seeds hit it too seldom."""

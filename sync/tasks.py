"""What to do about one task: the table of `plan`, and what tasks add to it. Pure.

- The first synchronisation only imports open tasks; afterwards records that are as they were when the mailbox was connected, or done, stay where
  they are. A task that is done in To Do later, and a copy that a recurring one leaves behind when it is done, become done records.
- The dates that vtenext demands and To Do lacks never travel back.
- A task of a group has a copy in every member's list (SPEC 2.8): its status travels both ways, the rest to the copies only; a member who deletes
  the copy keeps it deleted, and a deletion in the CRM removes every copy.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from mapping.tasks import COMPLETED, DATES, DUE, MADE, START, STATUS, TITLE, TaskTranslator, is_completed
from sync.events import begun_as_it_is, same_record, without_mailbox_writes
from sync.model import (
    Action,
    Create,
    Delete,
    Flag,
    Gone,
    Item,
    Kind,
    Leave,
    Link,
    Pair,
    Reason,
    Role,
    Side,
    Unlink,
    Update,
    Wait,
)
from sync.plan import Context, plan_pair


def plan_task(pair: Pair, context: Context) -> Action | None:
    """The one action for this pair of tasks now, None when there is nothing to do."""
    left = _left_alone(pair, context)
    if left is not None:
        return left
    importing = context.policy.calendar.import_only
    if importing:
        context = without_mailbox_writes(context, Kind.TASK)
    action = _of_member(pair, context) if _is_members(pair, context) else _finished(plan_pair(pair, context), context)
    return begun_as_it_is(action, context) if importing and isinstance(action, Update) else action


# A group's task ----------------------------------------------------------------------------------------------------------


def _is_members(pair: Pair, context: Context) -> bool:
    """Is it a copy among several, or was it one until now? A copy that is there and became its user's own is no more one of them."""
    role = context.role_of(pair.crm) if isinstance(pair.crm, Item) else Role.GUEST
    if role is Role.HOME and isinstance(pair.mailbox, Item):
        return False
    return role is Role.MEMBER or (pair.link is not None and pair.link.role is Role.MEMBER)


def _of_member(pair: Pair, context: Context) -> Action | None:
    """A copy among several. What the member edits in it, its status aside, stays there."""
    link, crm, card = pair.link, pair.crm, pair.mailbox
    context = _as_member(context)
    if link is not None and isinstance(crm, Item) and isinstance(card, Gone) and context.is_home(crm):
        return Unlink(link, Reason.DELETE_LEFT, tombstone=True)
    if link is not None and link.role is Role.MEMBER:
        if isinstance(crm, Gone) and isinstance(card, Item):
            if context.policy.kinds[Kind.TASK].deletes(Side.MAILBOX):
                return Delete(Side.MAILBOX, card, link, Reason.CRM_DELETED)
            return Unlink(link, Reason.DELETE_LEFT, tombstone=True)
        if isinstance(crm, Item) and not context.is_home(crm):  # the others have it: nobody is waited for
            context = replace(context, homes={*context.homes, crm.id})
            return _finished(plan_pair(replace(pair, link=replace(link, role=Role.HOME)), context), context)
    return _said_once(pair, _finished(plan_pair(pair, context), context), context)


def _as_member(context: Context) -> Context:
    translator = context.translators[Kind.TASK]
    if not isinstance(translator, TaskTranslator):
        raise TypeError("tasks have a fixed mapping")
    return replace(context, translators={**context.translators, Kind.TASK: translator.of_member()})


def _said_once(pair: Pair, action: Action | None, context: Context) -> Action | None:
    """Flag the copy while it holds what only its member says."""
    link, card, crm = pair.link, pair.mailbox, pair.crm
    if link is None or not isinstance(card, Item) or not isinstance(crm, Item):
        return action
    if action is not None and not isinstance(action, Update):
        return action
    sealed = context.sealed(link)
    values = context.translators[Kind.TASK].mailbox_values(card.fields)
    written = action.to_mailbox.keys() | action.agreed if action else frozenset()
    own = any(
        pair_id != STATUS.id and pair_id not in written and sealed.unchanged(Side.MAILBOX, pair_id, value) is False
        for pair_id, value in values.items()
    )
    if own == (Flag.COPY_EDITED in link.flags):
        return action
    action = action or Update(pair, {}, {}, frozenset(), Reason.MAILBOX_EDITED, role=context.role_of(crm))
    if own:
        return replace(action, flags=action.flags | {Flag.COPY_EDITED})
    return replace(action, dropped=action.dropped | {Flag.COPY_EDITED})


# What is brought to the other side at all --------------------------------------------------------------------------------


def _left_alone(pair: Pair, context: Context) -> Leave | Wait | None:
    """A task without a link that is not brought to the other side, and why."""
    crm, card = pair.crm, pair.mailbox
    if pair.link is not None:
        return None
    if isinstance(card, Item) and isinstance(crm, Item):  # joined again after the ledger was lost
        return None if context.is_home(crm) else Leave(Side.MAILBOX, card.id, Reason.REASSIGNED)
    if isinstance(card, Item):
        return Leave(Side.MAILBOX, card.id, Reason.ENDED) if _done_before(card, context) else None
    if not isinstance(crm, Item) or not context.is_home(crm) or context.buried(crm.id):
        return None
    if is_completed(crm.fields):
        return Leave(Side.CRM, crm.id, Reason.ENDED)
    stored = context.baseline.get(crm.id)
    if stored is not None and same_record(stored, crm, context.translators[Kind.TASK], context.digests):
        return Leave(Side.CRM, crm.id, Reason.BASELINE)
    return Wait(Side.CRM, crm.id, Reason.FIRST_IMPORT) if context.policy.calendar.import_only else None


def _done_before(card: Item, context: Context) -> bool:
    """Was it done before this mailbox was connected? `completed` is a day only (BEHAVIOUR 7.3)."""
    if card.fields.get("status") != COMPLETED:
        return False
    if context.policy.calendar.import_only or not context.connected:
        return True
    since = datetime.fromisoformat(context.connected)
    day = str(card.fields.get("completed", ""))
    return (bool(card.modified) and datetime.fromisoformat(card.modified) < since) or day < since.date().isoformat()


def _finished(action: Action | None, context: Context) -> Action | None:
    """A new record gets the day on which the task was made; a date that To Do lacks is not filled with vtenext's stand-in."""
    if isinstance(action, Create) and action.side is Side.CRM:
        made = str(action.source.fields.get("created", ""))
        zone = context.policy.calendar.zone
        moment = datetime.fromisoformat(made) if made else context.now
        return replace(action, values={**action.values, MADE: moment.astimezone(zone).date().isoformat()})
    if not isinstance(action, Update) or not isinstance(action.pair.mailbox, Item):
        return action
    shown = context.translators[Kind.TASK].mailbox_values(action.pair.mailbox.fields)
    if START.id in action.to_mailbox and not shown.get(DUE.id) and isinstance(action.pair.crm, Item):
        due = context.translators[Kind.TASK].crm_values(action.pair.crm.fields).get(DUE.id, "")
        action = replace(action, to_mailbox={**action.to_mailbox, DUE.id: due})  # else To Do takes the start for it
    link = action.pair.link
    unknown = {pair.id for pair in DATES if link is None or pair.id not in link.base}
    stand_ins = {id_ for id_ in unknown & action.to_mailbox.keys() if not shown.get(id_)}
    if not stand_ins:
        return action
    rest = {id_: value for id_, value in action.to_mailbox.items() if id_ not in stand_ins}
    return replace(action, to_mailbox=rest, agreed=action.agreed | stand_ins)


# What a task is called in vtenext ----------------------------------------------------------------------------------------


def task_uid(card: Item) -> str:
    """`ical_uuid` of the record of a mailbox's task: found again by it when the ledger was lost, so that To Do's own tasks carry nothing of ours.

    A hash, because ids are longer than the column and say more than a CRM needs to know.
    """
    return sha256(f"{card.owner}|{card.id}".encode()).hexdigest()


def moved_here(link: Link, card: Item, context: Context) -> int:
    """How much of a linked task that is gone this new one is: field pairs that hold what the link's did, 0 when the title is another."""
    sealed = context.sealed(link)
    values = context.translators[Kind.TASK].mailbox_values(card.fields)
    same = {id_ for id_, value in values.items() if sealed.unchanged(Side.MAILBOX, id_, value)}
    return len(same) if TITLE.id in same and values[TITLE.id] else 0

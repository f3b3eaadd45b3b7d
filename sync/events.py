"""What to do about one event: the table of `plan`, and what calendars add to it. Pure.

- What is over is not written to a mailbox; an occurrence that is over is not touched on either side (SPEC 2.3, 2.11).
- The first synchronisation only imports; afterwards records that are as they were when the mailbox was connected stay where they are.
- A private event shows itself in the CRM as a busy block, or not at all (SPEC 2.10).
- A meeting is written by its organizer's mailbox only: `sync.meetings`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from mapping.calendar import BODY, BUSY, MASKED, SENSITIVITY, EventTranslator, is_private, masked
from mapping.model import Translator, Value
from sync.event_names import is_occurrence
from sync.meetings import COPIES, as_home, flagged, is_copy, lead, plan_copy, role_of
from sync.merge import Digests
from sync.model import (
    Action,
    Create,
    Delete,
    Flag,
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
from sync.policy import PrivateEvents
from sync.settle import is_record, record_digest
from sync.spans import ends_at, server_holds


def plan_event(pair: Pair, context: Context) -> Action | None:
    """The one action for this pair of events now, None when there is nothing to do."""
    pair = _masked(pair, context)
    if pair.link and is_occurrence(pair.link.item_id) and _over(pair, context):
        return _frozen(pair, context)
    left = _left_alone(pair, context)
    if left is not None:
        return left
    over = _over(pair, context)
    closed = over or context.policy.calendar.import_only
    if _of_a_copy(pair):
        action = plan_copy(pair, context, without_mailbox_writes(context), over)
        return _finished(action, True, context) if isinstance(action, Update) else action
    action = _own(pair, context, closed)
    if taken_out := _taken_out(pair, action, context):
        return taken_out
    if isinstance(action, Delete) and action.because is Reason.REASSIGNED and _only_here(action.item, context):
        return Unlink(action.link, Reason.REASSIGNED, tombstone=True)
    return action


def _own(pair: Pair, context: Context, closed: bool) -> Action | None:
    """An event of this mailbox's user, alone or with others."""
    link, crm, card = pair.link, pair.crm, pair.mailbox
    if link and isinstance(crm, Item) and isinstance(card, Item) and crm.id in context.led_twice:
        return Delete(Side.MAILBOX, card, link, Reason.MEETING, moved=True)  # its new owner's; Exchange has it already
    leads = role_of(card, crm, link, context) if isinstance(card, Item) else link.role if link else Role.HOME
    plain = without_mailbox_writes(context) if closed else context
    if leads is Role.ORGANIZER and isinstance(crm, Item):
        plain = replace(plain, led={crm.id})
    action = plan_pair(as_home(pair), plain)
    action = replace(action, pair=pair) if isinstance(action, Update) else _of_a_block(action, context)
    action = lead(pair, action, context, closed)
    if not closed:
        action = flagged(action, pair, leads, Flag.BODY_KEPT, _body_stays(pair, action, context))
    if isinstance(action, Create):
        return replace(action, flags=action.flags | {Flag.CRM_PRIVATE}) if _made_open(action) else action
    return _finished(action, closed, context) if isinstance(action, Update) else action


def _of_a_block(action: Action | None, context: Context) -> Action | None:
    """A private event is gone and somebody moved the busy block that stands for it: there is nothing that could be made of a block."""
    if not isinstance(action, Create) or action.side is not Side.MAILBOX or action.replaces is None:
        return action
    if str(action.source.fields.get("subject", "")) != BUSY:
        return action
    if context.policy.kinds[Kind.EVENT].deletes(Side.CRM):
        return Delete(Side.CRM, action.source, action.replaces, Reason.MAILBOX_DELETED)
    return Unlink(action.replaces, Reason.DELETE_LEFT, tombstone=True)


def _made_open(action: Create) -> bool:
    """Is it private by the CRM's own word? Said with the action, because a crash forgets what was answered."""
    if action.side is Side.MAILBOX and action.values.get(SENSITIVITY.id) == "private":
        return True
    before = action.replaces.flags if action.replaces else frozenset()
    return Flag.CRM_PRIVATE in before and not action.source.fields.get(MASKED)


def _body_stays(pair: Pair, action: Action | None, context: Context) -> bool:
    """Was the text edited in the CRM, where the mailbox's body holds what text cannot?"""
    crm, card, translator = pair.crm, pair.mailbox, context.translators[Kind.EVENT]
    if pair.link is None or not isinstance(crm, Item) or not isinstance(card, Item) or card.fields.get(MASKED):
        return False
    if BODY.id not in translator.inbound(card.fields) or (isinstance(action, Update) and BODY.id in action.to_crm):
        return False
    mine, theirs = translator.crm_values(crm.fields)[BODY.id], translator.mailbox_values(card.fields)[BODY.id]
    same = translator.image(BODY.id, mine) == translator.image(BODY.id, theirs)
    return not same and context.sealed(pair.link).unchanged(Side.CRM, BODY.id, mine) is False


def _of_a_copy(pair: Pair) -> bool:
    if isinstance(pair.mailbox, Item):
        return is_copy(pair.mailbox)
    return pair.link is not None and pair.link.role in COPIES


def _taken_out(pair: Pair, action: Action | None, context: Context) -> Delete | None:
    """The user keeps private events out of the CRM: a record that shows a busy block only goes. (Its text went by an earlier update.)"""
    crm, card = pair.crm, pair.mailbox
    if context.policy.calendar.private is not PrivateEvents.NONE or pair.link is None:
        return None
    if not isinstance(crm, Item) or not isinstance(card, Item) or not card.fields.get(MASKED):
        return None
    if pair.link.role in COPIES:
        return None
    hidden = context.translators[Kind.EVENT].inbound(card.fields)
    if isinstance(action, Update) and hidden & action.to_crm.keys():
        return None
    return Delete(Side.CRM, crm, pair.link, Reason.PRIVATE, moved=True)


def _only_here(card: Item, context: Context) -> bool:
    """Does the mailbox's event hold what the CRM does not have (masked text, pictures)? Then our copy does not follow its record."""
    return card.side is Side.MAILBOX and bool(context.translators[Kind.EVENT].inbound(card.fields))


def _frozen(pair: Pair, context: Context) -> Update | None:
    """The past of a series is not touched, but what turned private in the mailbox is hidden in the CRM all the same."""
    card = pair.mailbox
    if not isinstance(card, Item) or not isinstance(pair.crm, Item) or not card.fields.get(MASKED):
        return None
    action = plan_pair(pair, without_mailbox_writes(context))
    if not isinstance(action, Update):
        return None
    hidden = context.translators[Kind.EVENT].inbound(card.fields)
    scrubbed = {p: v for p, v in action.to_crm.items() if p in hidden}
    agreed = action.agreed & hidden
    return Update(pair, scrubbed, {}, agreed, Reason.PRIVATE) if scrubbed or agreed else None


def over_at(items: Collection[object], link: Link | None, context: Context) -> str:
    """When the latest of these (an event's two sides) is over, ISO UTC, '' = unknown. What the link says counts where one cannot tell."""
    zone = context.policy.calendar.zone
    times = [str(item.fields["when"]) for item in items if isinstance(item, Item) and item.fields.get("when")]
    known = [ends_at(text, zone).isoformat(timespec="seconds") for text in times]
    return max([*known, *([link.ends] if link and len(known) < len(items) else [])], default="")


def is_over(item: Item, context: Context) -> bool:
    """Is this item over, whatever the other side says? Without a usable time it is not."""
    ends = over_at([item], None, context)
    return bool(ends) and datetime.fromisoformat(ends) <= context.now


def _over(pair: Pair, context: Context) -> bool:
    ends = over_at((pair.crm, pair.mailbox), pair.link, context)
    return bool(ends) and datetime.fromisoformat(ends) <= context.now


def without_mailbox_writes(context: Context, kind: Kind = Kind.EVENT) -> Context:
    """The context in which items of this kind are not written to the mailbox."""
    kinds = dict(context.policy.kinds)
    kinds[kind] = replace(kinds[kind], to_mailbox=False, delete_in_mailbox=False)
    return replace(context, policy=replace(context.policy, kinds=kinds))


def _left_alone(pair: Pair, context: Context) -> Leave | Wait | None:
    """An event without a link that is not brought to the other side, and why."""
    if pair.link is not None:
        return None
    crm, card = pair.crm, pair.mailbox
    if isinstance(card, Item) and not isinstance(crm, Item):
        because = _not_imported(card, context)
        return Leave(Side.MAILBOX, card.id, because) if because else None
    if isinstance(crm, Item) and not isinstance(card, Item):
        because = Reason.MEETING if crm.id in context.led_elsewhere else _not_exported(crm, context)
        if because is None and context.is_home(crm) and context.policy.calendar.import_only:
            return Wait(Side.CRM, crm.id, Reason.FIRST_IMPORT)
        return Leave(Side.CRM, crm.id, because) if because else None
    return None


def brought_in(card: Item, context: Context) -> bool:
    """Would an event without a record be brought into the CRM at all?"""
    shown = _masked(Pair(None, card, kind=Kind.EVENT), context).mailbox
    return isinstance(shown, Item) and card.id not in context.tombstones and _not_imported(shown, context) is None


def _not_imported(card: Item, context: Context) -> Reason | None:
    rules = context.policy.calendar
    if card.fields.get("cancelled"):
        return Reason.CANCELLED
    if not card.fields.get("when"):
        return Reason.NO_TIME
    start = datetime.combine(rules.since, time(), rules.zone)
    if ends_at(str(card.fields["when"]), rules.zone) < start.astimezone(UTC):
        return Reason.BEFORE_START
    hidden = rules.private is PrivateEvents.NONE and bool(card.fields.get(MASKED))
    return Reason.PRIVATE if hidden else None


def _not_exported(crm: Item, context: Context) -> Reason | None:
    if not context.is_home(crm) or context.buried(crm.id):
        return None  # said by the common table
    if not crm.fields.get("when"):
        return Reason.NO_TIME
    if is_over(crm, context):
        return Reason.ENDED
    return Reason.BASELINE if as_connected(crm, context) else None


def as_connected(crm: Item, context: Context) -> bool:
    """Is the record as it was when the mailbox was connected, or when its group got this organizer? A digest that cannot be compared any more counts
    as the same. What somebody ordered to be exported is of no such account any more."""
    if crm.id in context.ordered:
        return False
    group = context.policy.groups.get(crm.owner)
    since = group.since if group is not None and crm.modified else ""
    if since and datetime.fromisoformat(crm.modified) < datetime.fromisoformat(since):
        return True
    stored = context.baseline.get(crm.id)
    return stored is not None and same_record(stored, crm, context.translators[Kind.EVENT], context.digests)


def same_record(stored: str, item: Item, translator: Translator, digests: Digests) -> bool:
    """Does a stored digest of a record (`settle.record_digest`) speak of what it holds now, as far as that can be told?"""
    version, _, digest = stored.partition("\n")
    return version != translator.version or is_record(digest, item, translator, digests) is not False


def baseline_of(item: Item, translator: Translator, digests: Digests) -> str:
    """What `same_record` compares with."""
    return f"{translator.version}\n{record_digest(item, translator, digests)}"


def is_current_baseline(stored: str, digests: Digests) -> bool:
    """Was it made with the key that is written with now?"""
    return digests.is_current(stored.partition("\n")[2])


def _masked(pair: Pair, context: Context) -> Pair:
    """A private event as the CRM may see it. What the user made private in the CRM stays readable there."""
    card = pair.mailbox
    if not isinstance(card, Item) or not is_private(card.fields) or _open_in_crm(pair, context):
        return pair
    if context.policy.calendar.private is PrivateEvents.FULL:
        return pair
    return replace(pair, mailbox=replace(card, fields={**card.fields, MASKED: "1"}))


def _open_in_crm(pair: Pair, context: Context) -> bool:
    if pair.link is None:
        return (
            pair.because is Reason.STAMP
            and isinstance(pair.crm, Item)
            and pair.crm.fields.get("visibility") == "Private"
        )
    return Flag.CRM_PRIVATE in pair.link.flags and not _made_private_in_mailbox(pair, pair.link, context)


def _made_private_in_mailbox(pair: Pair, link: Link, context: Context) -> bool:
    """Did somebody set the sensitivity in the mailbox since both sides last agreed? Where the CRM says it too, that was a write of ours."""
    if not isinstance(pair.mailbox, Item):
        return False
    translator, sealed = context.translators[Kind.EVENT], context.sealed(link)
    theirs = translator.mailbox_values(pair.mailbox.fields).get(SENSITIVITY.id, "")
    mine = translator.crm_values(pair.crm.fields).get(SENSITIVITY.id, "") if isinstance(pair.crm, Item) else ""
    written = theirs == mine == "private" and sealed.unchanged(Side.CRM, SENSITIVITY.id, mine) is False
    return not written and sealed.unchanged(Side.MAILBOX, SENSITIVITY.id, theirs) is False


def _finished(action: Update, closed: bool, context: Context) -> Update:
    """An update of events: what cannot be written now is agreed as it is when a link begins; masked values leave no trace."""
    pair, translator = action.pair, context.translators[Kind.EVENT]
    card = pair.mailbox
    if not isinstance(card, Item):
        return action
    if closed:
        action = begun_as_it_is(action, context)
    if pair.link and Flag.CRM_PRIVATE in pair.link.flags and _made_private_in_mailbox(pair, pair.link, context):
        action = replace(action, dropped=frozenset({Flag.CRM_PRIVATE}))
    if action.to_mailbox.get(SENSITIVITY.id) == "private" or (pair.link is None and _open_in_crm(pair, context)):
        action = replace(action, flags=action.flags | {Flag.CRM_PRIVATE})
    if not card.fields.get(MASKED):
        return action
    hidden = translator.inbound(card.fields)
    begins = pair.link is None or pair.link.role is Role.ATTENDEE  # what an attendee's copy hides was of no account
    if begins and action.role not in {Role.ATTENDEE, Role.GUEST}:
        action = replace(action, to_crm={**_scrubbed(pair, card, hidden, context), **action.to_crm})
    return replace(action, lost=tuple(lost for lost in action.lost if lost.field_pair not in hidden))


def begun_as_it_is(action: Update, context: Context) -> Update:
    """A link that begins while the mailbox is not written: what the CRM does not take over is agreed on as it is."""
    if action.pair.link is not None:
        return action
    crm = action.pair.crm
    translator = context.translators[crm.kind if isinstance(crm, Item) else Kind.EVENT]
    rest = frozenset(each.id for each in translator.pairs) - action.to_crm.keys()
    return replace(action, agreed=action.agreed | rest)


def _scrubbed(pair: Pair, card: Item, hidden: Iterable[str], context: Context) -> dict[str, str]:
    """What a record still says of an event that it is about to be joined with, which is private."""
    translator = context.translators[Kind.EVENT]
    said = translator.crm_values(pair.crm.fields) if isinstance(pair.crm, Item) else {}
    shown = translator.mailbox_values(card.fields)
    return {p: shown[p] for p in hidden if translator.image(p, said.get(p, "")) != translator.image(p, shown[p])}


def hides(action: Update, context: Context) -> bool:
    """Does this update take text out of the CRM because the event turned private? The journal forgets it too."""
    card = action.pair.mailbox
    if not isinstance(card, Item) or not card.fields.get(MASKED):
        return False
    return bool(action.to_crm.keys() & context.translators[Kind.EVENT].inbound(card.fields))


def shown_fields(item: Item) -> Mapping[str, Value]:
    """The fields of an item that may be kept in the journal: of a masked one what the CRM may see."""
    return masked(item.fields) if item.fields.get(MASKED) else item.fields


def event_translator(zone: ZoneInfo) -> EventTranslator:
    """The fixed mapping of events, for a CRM that keeps wall clocks of `zone`."""
    return EventTranslator(lambda text: server_holds(text, zone))

"""One meeting, many mailboxes: whose copy leads it, and what may be done from any other copy. Pure.

The organizer's copy leads when the organizer is one of our connected users; else one attendee's copy, the first that claims it, keeps the
CRM's event. Every other copy is read-only but for its user's answer and our categories, and its end is an answer, never a deletion (SPEC 2.4).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from mapping.attendees import Answer, invitees_of
from mapping.calendar import LOCATION, MASKED, SUBJECT, WHEN
from mapping.people import ORGANIZER, SAYS, WHO, tags_of
from sync.invitations import (
    Invitations,
    first_guests,
    first_invitees,
    plan_invitations,
    plan_tags,
    scrubbed,
    things_on,
    withheld,
    without_organizer,
)
from sync.model import (
    Action,
    Create,
    Decline,
    Delete,
    Flag,
    Gone,
    Hold,
    Item,
    Kind,
    Leave,
    Left,
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
from sync.policy import Policy

COPIES = frozenset({Role.ATTENDEE, Role.KEEPER})
LEADERS = frozenset({Role.ORGANIZER, Role.KEEPER})
TOLD = (WHEN.id, SUBJECT.id, LOCATION.id)
"""What an attendee who edits the own copy is told about: only the organizer can change it."""


def is_copy(card: Item) -> bool:
    """Is it an attendee's copy of somebody else's meeting?"""
    return not card.fields.get("organizer") and bool(card.fields.get("organizer_address"))


def organizer_of(card: Item, policy: Policy) -> str:
    """The organizer of a copy when that is one of our connected users, '' otherwise."""
    user = policy.people.user_of(str(card.fields.get("organizer_address", "")))
    return user if user in policy.homes else ""


def role_of(card: Item, crm: object, link: Link | None, context: Context) -> Role:
    """What this mailbox's event is to the CRM's. Who once led a meeting goes on, also when nobody is invited any more; guests whom the CRM invites
    to an event of somebody else are that mailbox's to invite."""
    if is_copy(card):
        return Role.KEEPER if card.id in context.kept else Role.ATTENDEE
    led = link is not None and link.role is Role.ORGANIZER
    return Role.ORGANIZER if led or _meeting(card, crm, context) else Role.HOME


def _meeting(card: Item, crm: object, context: Context) -> bool:
    if card.fields.get("attendees"):
        return True
    guests = first_guests(crm, context) if isinstance(crm, Item) and context.is_home(crm) else {}
    return bool(guests)


def as_home(pair: Pair) -> Pair:
    """The pair as the common table plans it: whoever leads a meeting is at home with it."""
    leads = pair.link is not None and pair.link.role in LEADERS | {Role.ATTENDEE}
    return replace(pair, link=replace(pair.link, role=Role.HOME)) if pair.link and leads else pair


# Copies -----------------------------------------------------------------------------------------------------------------


def plan_copy(pair: Pair, context: Context, closed: Context, over: bool) -> Action | None:
    """What to do about a copy, or about the record whose copy went. `closed`: the context in which the mailbox is not written."""
    crm, card, link = pair.crm, pair.mailbox, pair.link
    match crm, card:
        case Item(), Item():
            return _both_there(pair, crm, card, context, closed, over)
        case Item(), Gone() | Left() if link:
            return _copy_gone(crm, card, link, context, over)
        case Gone(), Item() if link:
            return Unlink(link, Reason.DELETE_LEFT, tombstone=True)
        case _, Item() if link is None and not isinstance(crm, Item):
            return _copy_only(card, context, closed)
        case _:
            return plan_pair(pair, context)


def _copy_only(card: Item, context: Context, closed: Context) -> Action | None:
    if card.id in context.tombstones:
        return Leave(Side.MAILBOX, card.id, Reason.TOMBSTONE)
    if card.id not in context.kept:
        return Wait(Side.MAILBOX, card.id, Reason.ORGANIZER_FIRST)
    action = plan_pair(Pair(None, card, None, None, Kind.EVENT), closed)
    if not isinstance(action, Create):
        return action
    address = str(card.fields.get("organizer_address", ""))
    named = not context.policy.people.user_of(address) and not card.fields.get(MASKED)
    external = {ORGANIZER: address} if named else {}
    return replace(
        action, values={**action.values, **_invitees(card, Role.KEEPER, context), **external}, role=Role.KEEPER
    )


def _invitees(card: Item, role: Role, context: Context) -> dict[str, str]:
    return {} if card.fields.get(MASKED) else first_invitees(card, role, context)


def _both_there(pair: Pair, crm: Item, card: Item, context: Context, closed: Context, over: bool) -> Action | None:
    role = role_of(card, crm, pair.link, context)
    if card.fields.get("cancelled"):
        return _cancelled(pair, crm, card, role, context)
    if pair.link is None and not _may_join(crm, card, context):
        return Leave(Side.MAILBOX, card.id, Reason.TOMBSTONE)
    silent = over or context.policy.calendar.import_only or not context.policy.kinds[Kind.EVENT].to_mailbox
    people = plan_invitations(crm, card, pair.link, role, context, closed=silent)
    if role is Role.KEEPER:
        if card.fields.get(MASKED):
            people = replace(people, to_crm={**people.to_crm, **scrubbed(crm, card, context), **without_organizer(crm)})
        return _kept(pair, crm, card, people, context, closed)
    return _attended(pair, crm, card, people, context)


def _may_join(crm: Item, card: Item, context: Context) -> bool:
    """A copy that went may come back: somebody who declined takes part after all."""
    back = {Reason.COPY_ENDED, Reason.LEFT_FOLDER, Reason.REASSIGNED, None}
    return {context.tombstones.get(crm.id), context.tombstones.get(card.id)} <= back


def _cancelled(pair: Pair, crm: Item, card: Item, role: Role, context: Context) -> Action | None:
    """The organizer cancelled the meeting, or invited this person no more: the copy looks the same. So only the last copy takes the CRM's event
    along, unless its organizer's own mailbox tells."""
    if pair.link is None:
        return Leave(Side.MAILBOX, card.id, Reason.CANCELLED)
    if role is Role.ATTENDEE and not organizer_of(card, context.policy) and _asked(crm, context):
        return Wait(Side.CRM, crm.id, Reason.ORGANIZER_FIRST)
    if role is Role.ATTENDEE or crm.id in context.shared:
        return Unlink(pair.link, Reason.COPY_ENDED, tombstone=True)
    if context.policy.kinds[Kind.EVENT].deletes(Side.CRM):
        return Delete(Side.CRM, crm, pair.link, Reason.CANCELLED)
    return Unlink(pair.link, Reason.DELETE_LEFT, tombstone=True)


def _asked(crm: Item, context: Context) -> bool:
    """Does the CRM still list the user of this mailbox, without a refusal?"""
    people = invitees_of(crm.fields.get("invitees"))
    return any(each.id == context.policy.owner and each.answer is not Answer.DECLINED for each in people)


def _kept(pair: Pair, crm: Item, card: Item, people: Invitations, context: Context, closed: Context) -> Action | None:
    """The copy keeps the CRM's event up to date; edits made there have no organizer who could write them."""
    action = plan_pair(as_home(pair), replace(closed, led={crm.id}))
    update = with_people(action, pair, people, Role.KEEPER)
    stuck = pair.link is not None and _edited_in_crm(crm, card, pair.link, update, context)
    return flagged(update, pair, Role.KEEPER, Flag.ORGANIZER_ELSEWHERE, stuck)


def _attended(pair: Pair, crm: Item, card: Item, people: Invitations, context: Context) -> Action | None:
    """Nothing but the answer is written; what both hold is noted, so that the copy can lead one day without undoing anything."""
    translator, link = context.translators[Kind.EVENT], pair.link
    sealed = context.sealed(link) if link else context.unlinked(Kind.EVENT, crm.id)
    values = {Side.CRM: translator.crm_values(crm.fields), Side.MAILBOX: translator.mailbox_values(card.fields)}
    pairs = [p.id for p in translator.pairs if all(p.id in each for each in values.values())]
    moved = {side: {p for p in pairs if not sealed.unchanged(side, p, values[side][p])} for side in Side}
    images = {side: {p: translator.image(p, values[side][p]) for p in pairs} for side in Side}
    differs = {p for p in TOLD if images[Side.CRM].get(p) != images[Side.MAILBOX].get(p)}
    was = link is not None and Flag.COPY_EDITED in link.flags
    edited = link is not None and not moved[Side.CRM] and bool(differs & moved[Side.MAILBOX])
    people = replace(people, agreed=people.agreed | moved[Side.CRM] | moved[Side.MAILBOX])
    update = with_people(None, pair, people, Role.ATTENDEE)
    return flagged(update, pair, Role.ATTENDEE, Flag.COPY_EDITED, edited or (was and bool(differs)))


def _edited_in_crm(crm: Item, card: Item, link: Link, action: Action | None, context: Context) -> bool:
    """Does the CRM say something new that is not overwritten either?"""
    translator, sealed = context.translators[Kind.EVENT], context.sealed(link)
    mine = translator.mailbox_values(card.fields)
    written = action.to_crm if isinstance(action, Update) else {}
    for pair, value in translator.crm_values(crm.fields).items():
        known = pair in mine and sealed.unchanged(Side.CRM, pair, value) is False
        if known and pair not in written and translator.image(pair, value) != translator.image(pair, mine[pair]):
            return True
    return False


def _copy_gone(crm: Item, card: Gone | Left, link: Link, context: Context, over: bool) -> Action:
    """Deleted or declined: the person's answer. Moved to another calendar: nothing. The last copy of a meeting without its organizer takes
    the CRM's event along."""
    if isinstance(card, Left):
        return Unlink(link, Reason.LEFT_FOLDER, tombstone=True)
    if over:
        return Unlink(link, Reason.COPY_ENDED, tombstone=True)
    if link.role is Role.KEEPER and crm.id not in context.shared and context.policy.kinds[Kind.EVENT].deletes(Side.CRM):
        return Delete(Side.CRM, crm, link, Reason.MAILBOX_DELETED)
    return Decline(crm, link) if _asked(crm, context) else Unlink(link, Reason.COPY_ENDED, tombstone=True)


# The leader -------------------------------------------------------------------------------------------------------------


def lead(pair: Pair, action: Action | None, context: Context, closed: bool) -> Action | None:
    """Add the people to what is planned for the own event of a mailbox."""
    crm, card = pair.crm, pair.mailbox
    match action:
        case Create(side=Side.CRM, source=source) if not is_copy(source):
            people = _invitees(source, Role.ORGANIZER, context)
            if action.replaces:
                people |= things_on(source, action.replaces, context)
            role = Role.ORGANIZER if source.fields.get("attendees") else Role.HOME
            made = replace(action, values={**action.values, **people}, role=role)
            return _withheld_again(made, source, context)
        case Create(side=Side.MAILBOX, source=source):
            return _invited(action, source, context)
        case Update() | None if isinstance(crm, Item) and isinstance(card, Item):
            return _withheld_again(_led(pair, crm, card, action, context, closed), card, context)
        case _:
            return action


def _invited(action: Create, source: Item, context: Context) -> Create:
    """An event of the CRM goes out with its guests, unless it had begun when its user connected, was made again, or was there before and is exported
    by an order (SPEC 2.9): its guests know of it."""
    tags = tags_of(invitees_of(source.fields.get("invitees")), context.policy.people)
    action = replace(action, values={**action.values, **{pair: answer for pair, answer in tags.items() if answer}})
    guests = first_guests(source, context)
    # without guests too: whoever is invited later is a question
    if source.id in context.ordered or _begun(source, context):
        role = Role.ORGANIZER if guests else action.role
        return replace(action, flags=action.flags | {Flag.ATTENDEES_WITHHELD}, role=role)
    if not guests:
        return action
    return replace(action, values={**action.values, **guests}, role=Role.ORGANIZER)


def _begun(crm: Item, context: Context) -> bool:
    start = str(crm.fields.get("when", "")).partition("/")[0]
    connected = context.connected or context.now.isoformat()
    since = context.now if crm.id in context.again else datetime.fromisoformat(connected)
    return bool(start) and _moment(start, context) < since


def _withheld_again(action: Action | None, card: Item, context: Context) -> Action | None:
    """An event that was made again in the mailbox after it had begun stays without attendees."""
    if card.id not in context.again or not _begun(card, context) or not isinstance(action, Create | Update):
        return action
    return replace(action, flags=action.flags | {Flag.ATTENDEES_WITHHELD})


def _moment(start: str, context: Context) -> datetime:
    moment = datetime.fromisoformat(start)
    return moment if moment.tzinfo else moment.replace(tzinfo=context.policy.calendar.zone)


def _led(pair: Pair, crm: Item, card: Item, action: Update | None, context: Context, closed: bool) -> Action | None:
    role = role_of(card, crm, pair.link, context)
    tags = {} if closed else plan_tags(crm, card, pair.link, context)
    if role is Role.HOME and (pair.link is None or pair.link.role is Role.HOME):
        return with_people(action, pair, Invitations(to_mailbox=tags), role) if tags else action
    if card.fields.get(MASKED):
        people = Invitations({**scrubbed(crm, card, context), **without_organizer(crm)}, tags)
    else:
        people = plan_invitations(crm, card, pair.link, Role.ORGANIZER, context, closed)
    update = with_people(action, pair, people, role)
    guests = {p: v for p, v in people.to_mailbox.items() if p.startswith(WHO)}
    if not guests or not withheld(pair.link):
        return update
    shown = " ".join(f"{p}={v}" for p, v in sorted(guests.items()))
    there = context.translators[Kind.EVENT].mailbox_values(card.fields).keys() | guests.keys()
    others = first_guests(crm, context).keys() - there  # an approval invites whom it shows: they stay withheld
    invited = flagged(update, pair, role, Flag.ATTENDEES_WITHHELD, raised=bool(others))
    rest = _without(guests, update) if isinstance(update, Update) else None
    return Hold(Side.CRM, crm.id, Reason.WITHHELD, shown=shown, count=len(guests), instead=invited, rest=rest)


def _without(guests: Collection[str], update: Update) -> Update:
    return replace(update, to_mailbox={p: v for p, v in update.to_mailbox.items() if p not in guests})


def with_people(action: Action | None, pair: Pair, people: Invitations, role: Role) -> Action | None:
    """The update with these people added, or one of its own."""
    if action is None:
        turned = pair.link is not None and pair.link.role is not role
        if not people and not turned and pair.link is not None:
            return None
        because = Reason.SAME
        if people.to_crm or people.to_mailbox:
            because = Reason.CRM_EDITED if people.to_mailbox else Reason.MAILBOX_EDITED
        because = because if pair.link else (pair.because or Reason.MATCHED)
        return Update(pair, people.to_crm, people.to_mailbox, people.agreed, because, role=role)
    if not isinstance(action, Update):
        return action
    because = action.because
    if because is Reason.SAME and (people.to_crm or people.to_mailbox):
        because = Reason.CRM_EDITED if people.to_mailbox else Reason.MAILBOX_EDITED
    return replace(
        action,
        pair=pair,
        to_crm={**action.to_crm, **people.to_crm},
        to_mailbox={**action.to_mailbox, **people.to_mailbox},
        agreed=action.agreed | people.agreed,
        because=Reason.MATCHED if because is Reason.GUEST else because,
        flags=action.flags - {Flag.GUEST_COPY},
        role=role,
    )


def flagged(action: Action | None, pair: Pair, role: Role, flag: Flag, raised: bool) -> Action | None:
    """The action with a flag raised or taken away, when that is news."""
    before = pair.link is not None and flag in pair.link.flags
    if raised == before or not (action is None or isinstance(action, Update)):
        return action
    action = action or Update(pair, {}, {}, frozenset(), Reason.SAME, role=role)
    if raised:
        return replace(action, flags=action.flags | {flag})
    return replace(action, dropped=action.dropped | {flag})


def answered_by(crm: Item, user: str, answer: Answer) -> dict[str, str]:
    """Field pairs of one user's answer in the CRM."""
    return {SAYS + user: answer} if any(each.id == user for each in invitees_of(crm.fields.get("invitees"))) else {}

"""Who is invited to a meeting and what they answered: what travels where, and how many mails that makes. Pure.

Merged person by person, for our users only. Invitations travel both ways between the CRM and the organizer's copy; an answer travels between
the CRM and the copy of whoever gave it. When a link begins nothing is sent that would make Exchange mail: what differs then is agreed on as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mapping.attendees import Answer, attendees_of, invitees_of
from mapping.calendar import MASKED, REMINDER, WHEN
from mapping.people import (
    CONTACT,
    ORGANIZER,
    SAYS,
    TAG,
    WHO,
    contacts_among,
    is_person,
    shown_answer,
    tags_of,
    tags_on,
)
from sync.merge import Sealed
from sync.model import Action, Create, Delete, Flag, Item, Kind, Link, Reason, Role, Side, Update
from sync.plan import Context

BEGUN = WHO
"""Field pair that a base has when the list of a link was agreed on once."""
SILENT = frozenset({REMINDER.id})
"""Field pairs of a meeting that Exchange changes without telling the attendees."""


@dataclass(frozen=True, slots=True)
class Invitations:
    """What to write about people, by field pair, and whose base is renewed."""

    to_crm: Mapping[str, str] = field(default_factory=dict)
    to_mailbox: Mapping[str, str] = field(default_factory=dict)
    agreed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.to_crm or self.to_mailbox or self.agreed)


NONE = Invitations()


@dataclass(slots=True)
class _People:
    """One merge: both sides' values and the base."""

    crm: Mapping[str, str]
    mailbox: Mapping[str, str]
    sealed: Sealed
    begins: bool
    back: bool  # the copy had ended and came again: what the CRM says answered the earlier invitation
    to_crm: dict[str, str] = field(default_factory=dict)
    to_mailbox: dict[str, str] = field(default_factory=dict)
    agreed: set[str] = field(default_factory=set)

    def changed(self, side: Side, pair: str) -> bool:
        """Is it another value than when both last agreed? Somebody without a base was not invited then."""
        value = (self.crm if side is Side.CRM else self.mailbox).get(pair, "")
        same = self.sealed.unchanged(side, pair, value)
        return bool(value) if same is None else not same


def plan_invitations(
    crm: Item, card: Item, link: Link | None, role: Role, context: Context, closed: bool
) -> Invitations:
    """What to do about the people of one meeting. `closed`: nothing may be written to the mailbox now."""
    if "invitees" not in crm.fields or "attendees" not in card.fields:
        return NONE
    translator = context.translators[Kind.EVENT]
    sealed = context.sealed(link) if link else context.unlinked(Kind.EVENT, crm.id)
    mine = {p: v for p, v in translator.mailbox_values(card.fields).items() if is_person(p)}
    answer = str(card.fields.get("response", ""))
    if card.fields.get(MASKED) and answer:  # no secret to a list that names the user
        mine[SAYS + context.policy.owner] = answer
    theirs = {p: v for p, v in translator.crm_values(crm.fields).items() if is_person(p)}
    back = context.tombstones.get(crm.id) is Reason.COPY_ENDED
    people = _People(theirs, mine, sealed, BEGUN not in sealed.base, back)
    if not closed:
        people.to_mailbox |= plan_tags(crm, card, link, context)
    if role is Role.ATTENDEE:
        _come_along(people, card, context)
        _answer(people, context, closed)
    else:
        _guests(people, role, context, closed)
        _contact(people, crm, card, context)
        _answers(people, role, context)
        if role is Role.KEEPER:
            _answer(people, context, closed)
    if role is not Role.KEEPER:
        _while_moving(people, crm, card, context)
    if people.begins:
        people.agreed.add(BEGUN)
    return Invitations(people.to_crm, people.to_mailbox, frozenset(people.agreed))


def plan_tags(crm: Item, card: Item, link: Link | None, context: Context) -> dict[str, str]:
    """Field pairs of resources whose category the mailbox's event should carry, or carry no more: only what we once put there is taken away, because
    a person may have a category of that name."""
    book = context.policy.people
    if "invitees" not in crm.fields or "categories" not in card.fields or not book.tags:
        return {}
    wanted, there = tags_of(invitees_of(crm.fields["invitees"]), book), tags_on(card.fields, book)
    ours = link.base if link else {}
    return {p: a for p, a in wanted.items() if shown_answer(a) != there[p] and (a or p in ours)}


def at_once(crm: Item, card: Item, context: Context) -> frozenset[str]:
    """Field pairs of answers that the organizer's new event brought along and the CRM does not know: nothing was agreed on about them."""
    if crm.kind is not Kind.EVENT:
        return frozenset()
    translator = context.translators[Kind.EVENT]
    mine, theirs = translator.mailbox_values(card.fields), translator.crm_values(crm.fields)
    answers = {pair for pair in mine.keys() & theirs.keys() if pair.startswith(SAYS) and card.fields.get("organizer")}
    return frozenset(p for p in answers if _image(mine[p]) not in {Answer.NONE, _image(theirs[p])})


def _guests(people: _People, role: Role, context: Context, closed: bool) -> None:
    """Who is invited. The mailbox wins, and without a base it fills the CRM's list in, never the other way round.

    Who cannot be an attendee here is agreed on as it is: who can one day (a contact, by a setting) is not invited for having been there before.
    """
    for pair in sorted(_pairs(people, WHO)):
        ours = _ours(pair.removeprefix(WHO), role, context)
        crm, mailbox = people.crm.get(pair, ""), people.mailbox.get(pair, "")
        edited = {side for side in Side if people.changed(side, pair)}
        if people.begins:
            if ours and mailbox and not crm:
                people.to_crm[pair] = mailbox
            else:
                people.agreed.add(pair)
        elif not edited:
            continue
        elif crm == mailbox or not ours:
            people.agreed.add(pair)
        elif Side.MAILBOX in edited:
            people.to_crm[pair] = mailbox
        elif role is Role.ORGANIZER and not closed:
            people.to_mailbox[pair] = crm


def _contact(people: _People, crm: Item, card: Item, context: Context) -> None:
    """The CRM's event shows one contact who takes part: another one only when whom it shows takes part no more, and nobody chose it there."""
    if "contact_id" not in crm.fields:
        return
    among, shown = contacts_among(card.fields, context.policy.people), people.crm.get(CONTACT, "")
    known = people.sealed.unchanged(Side.CRM, CONTACT, shown)
    moved = known is not True or people.changed(Side.MAILBOX, CONTACT)
    first = among[0] if among else ""
    chosen = known is False or (known is None and bool(shown))  # only what we wrote is ours to change
    if shown in among or shown == first:
        people.agreed |= {CONTACT} if moved else set()
    elif moved and not chosen:
        people.to_crm[CONTACT] = first


def _answers(people: _People, role: Role, context: Context) -> None:
    """Answers of users whose own copy we do not synchronise: from the organizer's copy to the CRM. New guests bring theirs along."""
    for pair in sorted(_pairs(people, SAYS)):
        user = pair.removeprefix(SAYS)
        invited = people.to_crm.get(WHO + user, people.crm.get(WHO + user, ""))
        if not _ours(user, role, context) or not invited:
            continue
        if WHO + user in people.to_crm:
            if _image(people.mailbox.get(pair, "")) is not Answer.NONE:
                people.to_crm[pair] = people.mailbox[pair]
        elif user not in context.policy.homes and role is Role.ORGANIZER:
            _answer_of(people, pair, closed=True)


def _come_along(people: _People, card: Item, context: Context) -> None:
    """Exchange tells nobody who else is invited later: where no organizer of ours does, a new copy puts its user on the CRM's list."""
    book, me = context.policy.people, WHO + context.policy.owner
    led = book.user_of(str(card.fields.get("organizer_address", ""))) in context.policy.homes
    if people.begins and not led and people.mailbox.get(me) and not people.crm.get(me):
        people.to_crm[me] = people.mailbox[me]


def _answer(people: _People, context: Context, closed: bool) -> None:
    """The answer of this mailbox's user, on an own copy of the meeting."""
    me = context.policy.owner
    if not people.to_crm.get(WHO + me, people.crm.get(WHO + me, "")):
        return
    _answer_of(people, SAYS + me, closed)


def _answer_of(people: _People, pair: str, closed: bool) -> None:
    """Both ways; none in the CRM is never an answer, and what both changed is what the mailbox says."""
    crm, mailbox = _image(people.crm.get(pair, "")), _image(people.mailbox.get(pair, ""))
    moved = {side for side in Side if people.begins or people.changed(side, pair)}
    if crm == mailbox:
        if moved:
            people.agreed.add(pair)
    elif (
        crm is Answer.NONE or people.back or (Side.MAILBOX in moved and not (people.begins and mailbox is Answer.NONE))
    ):
        people.to_crm[pair] = people.mailbox.get(pair, "")
    elif Side.CRM in moved:
        if closed:
            people.agreed.add(pair)
        else:
            people.to_mailbox[pair] = people.crm[pair]


def _while_moving(people: _People, crm: Item, card: Item, context: Context) -> None:
    """A move takes answers away on either side: until it has reached the other one no answer says anything."""
    translator = context.translators[Kind.EVENT]
    theirs = translator.crm_values(crm.fields).get(WHEN.id, "")
    mine = translator.mailbox_values(card.fields).get(WHEN.id, "")
    news = {people.sealed.unchanged(Side.CRM, WHEN.id, theirs), people.sealed.unchanged(Side.MAILBOX, WHEN.id, mine)}
    if news == {True} or translator.image(WHEN.id, theirs) == translator.image(WHEN.id, mine):
        return
    for values in (people.to_crm, people.to_mailbox):
        for pair in [p for p in values if p.startswith(SAYS) and WHO + p.removeprefix(SAYS) not in values]:
            del values[pair]
    people.agreed -= {pair for pair in people.agreed if pair.startswith(SAYS)}


def _pairs(people: _People, prefix: str) -> set[str]:
    known = (*people.crm, *people.mailbox, *people.sealed.base)
    return {pair for pair in known if pair.startswith(prefix) and pair != BEGUN}


def _ours(user: str, role: Role, context: Context) -> bool:
    """Is it one of our users who can be an attendee of this copy's meeting? The organizer is none."""
    book = context.policy.people
    known = user in book.invited_as and user not in book.things
    return known and not (role is Role.ORGANIZER and user == context.policy.owner)


def _image(value: str) -> Answer:
    """What the CRM can hold of an answer."""
    return Answer.NONE if value in {"", Answer.TENTATIVE} else Answer(value)


def first_guests(crm: Item, context: Context) -> dict[str, str]:
    """Field pairs of those whom a CRM event invites, for the event that is made of it in its organizer's mailbox."""
    values = context.translators[Kind.EVENT].crm_values(crm.fields)
    listed = {pair: answer for pair, answer in values.items() if pair.startswith(WHO)}
    return {pair: a for pair, a in listed.items() if _ours(pair.removeprefix(WHO), Role.ORGANIZER, context)}


def first_invitees(card: Item, role: Role, context: Context) -> dict[str, str]:
    """Field pairs of the people of a mailbox's meeting, for the record that is made of it."""
    values = context.translators[Kind.EVENT].mailbox_values(card.fields)
    people = {p: v for p, v in values.items() if is_person(p)}
    known = {p: v for p, v in people.items() if _ours(p.partition(":")[2], role, context)}
    known = {p: v for p, v in known.items() if WHO + p.partition(":")[2] in known}
    among = contacts_among(card.fields, context.policy.people)
    return {**known, CONTACT: among[0]} if among else known


def things_on(card: Item, link: Link, context: Context) -> dict[str, str]:
    """Field pairs of the things without a mailbox that an event shows by a category of ours, for the record that is made again: only the record
    that went said that they take part."""
    book = context.policy.people
    shown = tags_on(card.fields, book)
    return {WHO + thing: "1" for thing in sorted(book.things) if TAG + thing in link.base and shown.get(TAG + thing)}


def scrubbed(crm: Item, card: Item, context: Context) -> dict[str, str]:
    """Field pairs that take everybody off a record who takes part in its event: it turned private. Things without a mailbox stay, because nobody but
    the CRM knows that they are taken."""
    book, listed = context.policy.people, invitees_of(crm.fields.get("invitees"))
    shown = str(crm.fields.get("contact_id", ""))
    contact = {CONTACT: ""} if shown in contacts_among(card.fields, book) else {}
    return {WHO + each.id: "" for each in listed if each.id in book.known_as and each.id not in book.things} | contact


def without_organizer(crm: Item) -> dict[str, str]:
    """The field pair that takes the organizer's address off a record: the event turned private."""
    return {ORGANIZER: ""} if crm.fields.get("organizer_address") else {}


def contacts_on(crm: Item, context: Context) -> frozenset[str]:
    """The CRM's contacts who take part in an event: invitees who are no users, and the contact that the event itself names."""
    named = str(crm.fields.get("contact_id") or "")
    everybody = {each.id for each in invitees_of(crm.fields.get("invitees"))} | ({named} if named else set())
    return frozenset(each for each in everybody if not context.policy.is_user(each))


# Mails ----------------------------------------------------------------------------------------------------------------------


def mails_of(action: Action, context: Context) -> int:
    """How many mails this makes Exchange and vtenext send, at most."""
    match action:
        case Create(side=Side.MAILBOX, values=values):
            return sum(1 for pair, value in values.items() if pair.startswith(WHO) and value)
        case Update(pair=pair, to_crm=to_crm, to_mailbox=to_mailbox):
            mine = _of_exchange(pair.mailbox, to_mailbox) if isinstance(pair.mailbox, Item) else 0
            return mine + (_of_vtenext(pair.crm, to_crm, context) if isinstance(pair.crm, Item) else 0)
        case Delete(side=Side.MAILBOX, item=item):
            return len(attendees_of(item.fields.get("attendees"))) if item.fields.get("organizer") else 0
    return 0


def _of_exchange(card: Item, values: Mapping[str, str]) -> int:
    """Updates to everybody for a change of content; to those who are added or removed for a change of the list only."""
    answers = sum(1 for pair in values if pair.startswith(SAYS))
    if not card.fields.get("organizer"):
        return answers
    guests = sum(1 for pair in values if pair.startswith(WHO))
    content = [pair for pair in values if not is_person(pair) and pair not in SILENT]
    return guests + (len(attendees_of(card.fields.get("attendees"))) if content else 0)


def _of_vtenext(crm: Item, values: Mapping[str, str], context: Context) -> int:
    """vtenext tells its contact invitees itself that an event was moved (API.md 3.8)."""
    users, listed = context.policy.people.known_as, invitees_of(crm.fields.get("invitees"))
    return sum(1 for each in listed if each.id not in users) if WHEN.id in values else 0


def withheld(link: Link | None) -> bool:
    """Was the event written without its attendees, because it had begun when its user connected?"""
    return link is not None and Flag.ATTENDEES_WITHHELD in link.flags

"""Who takes part in a meeting, on either side, as values that can be compared: our users by their CRM id. Pure.

Two field pairs per user, made on the fly: `who:<id>` ('1' = invited) and `says:<id>` (the answer); `tag:<id>` per resource, whose answer an
event shows by a category; and one for the CRM's contacts among an event's attendees. Strangers have none, and contacts have no others unless the
CRM is to list them as invitees; those whom it lists anyway are kept when its list is written again. Decides nothing about who may invite or
answer: that is `sync.meetings` and `sync.invitations`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mapping.attendees import (
    REQUIRED,
    RESOURCE,
    Answer,
    Attendee,
    Invitee,
    attendees_of,
    attendees_value,
    invitees_of,
    invitees_value,
)
from mapping.model import Value

WHO, SAYS, TAG = "who:", "says:", "tag:"
ORGANIZER = "organizer:"
"""Field pair of a new CRM event: the address of an organizer who is no connected user."""
CONTACT = "contact:"
"""Field pair of the contacts who take part: in the CRM the one that the event shows (`contact_id`), in a mailbox the ids of all, in order."""


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Our users: CRM id -> addresses. `invited_as`: the one that Exchange invites; `known_as`: the one that vtenext matches exactly.

    `aliases`: every further address of theirs. `rooms`: resources with a mailbox (attendees of type `resource`); `things`: resources without one,
    never attendees (SPEC 5.3). `tags`: resource -> the category that events carry which invite it; `colours`: category -> Outlook's preset.
    `contacts`: address in lower case -> the one contact of the CRM that has it.
    """

    invited_as: Mapping[str, str] = field(default_factory=dict)
    known_as: Mapping[str, str] = field(default_factory=dict)
    rooms: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Collection[str]] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(init=False)
    """Address in lower case -> user, of all but the things; '' for an address that several share."""

    def __post_init__(self) -> None:
        users: dict[str, str] = {}
        single = [(user, (address,)) for each in (self.known_as, self.invited_as) for user, address in each.items()]
        for user, addresses in (*single, *self.aliases.items()):
            for address in (text.lower() for text in addresses if text and user not in self.things):
                users[address] = user if users.get(address, user) == user else ""
        object.__setattr__(self, "users", users)

    def user_of(self, address: str) -> str:
        """The user with this address, '' = none of ours, or several: then nobody knows which of them is meant."""
        return self.users.get(address.lower(), "")

    def knowing(self, contacts: Mapping[str, str], *, invited: bool) -> AddressBook:
        """The same with these contacts too. `invited`: the CRM lists them among the invitees, as it does our users (SPEC 2.5)."""
        known = {address: contact for address, contact in {**self.contacts, **contacts}.items() if contact}
        book = replace(self, contacts=known)
        if not invited:
            return book
        people = {contact: address for address, contact in known.items() if address not in self.users}
        return replace(book, known_as={**people, **self.known_as}, invited_as={**people, **self.invited_as})


NOBODY = AddressBook()


def is_person(pair: str) -> bool:
    """Is it one of the field pairs made here?"""
    return pair.startswith((WHO, SAYS, TAG, ORGANIZER, CONTACT))


def crm_people(fields: Mapping[str, Value]) -> dict[str, str]:
    """What the CRM's event says about its invitees; nothing at all when they were not read."""
    values: dict[str, str] = {}
    for invitee in invitees_of(fields.get("invitees")):
        values[WHO + invitee.id] = "1"
        values[SAYS + invitee.id] = invitee.answer
    if "contact_id" in fields:
        values[CONTACT] = str(fields["contact_id"])
    return values


def mailbox_people(fields: Mapping[str, Value], book: AddressBook, me: str) -> dict[str, str]:
    """What a mailbox's event says about our users. An attendee's copy knows its own answer only."""
    values: dict[str, str] = {CONTACT: " ".join(contacts_among(fields, book))} if "attendees" in fields else {}
    for attendee in attendees_of(fields.get("attendees")):
        if user := book.user_of(attendee.address):
            values[WHO + user] = "1"
            if fields.get("organizer"):
                values[SAYS + user] = attendee.response
    if me and not fields.get("organizer") and fields.get("response"):
        values[SAYS + me] = str(fields["response"])
    return values


def contacts_among(fields: Mapping[str, Value], book: AddressBook) -> list[str]:
    """The CRM's contacts whom a mailbox's event invites, in an order that does not change with Exchange's."""
    addresses = sorted(attendee.address for attendee in attendees_of(fields.get("attendees")))
    return list(dict.fromkeys(book.contacts[address] for address in addresses if address in book.contacts))


def image_of_person(pair: str, value: str) -> str:
    """vtenext knows no tentative answer (API.md 7.5); not to be invited is not to have answered."""
    return (Answer.NONE if value in {"", Answer.TENTATIVE} else value) if pair.startswith(SAYS) else value


def with_invitees(values: Mapping[str, str], current: Mapping[str, Value] | None, book: AddressBook) -> tuple[str, ...]:
    """The CRM's list with these values brought in; who is there and not spoken of stays."""
    people = {each.id: each for each in invitees_of((current or {}).get("invitees"))}
    for user, value in _spoken(values, WHO):
        if value and user not in people:
            people[user] = Invitee(user, Answer.NONE, book.known_as.get(user, ""))
        elif not value:
            people.pop(user, None)
    for user, value in _spoken(values, SAYS):
        if user in people:
            people[user] = replace(people[user], answer=Answer(image_of_person(SAYS, value)))
    return invitees_value(people.values())


def with_attendees(
    values: Mapping[str, str], current: Mapping[str, Value] | None, book: AddressBook
) -> tuple[str, ...]:
    """The mailbox's list with these values brought in; strangers stay, types are kept."""
    people = attendees_of((current or {}).get("attendees"))
    there = {book.user_of(each.address): each for each in people}
    for user, value in _spoken(values, WHO):
        if value and user not in there:
            type_ = RESOURCE if user in book.rooms else REQUIRED
            people.append(Attendee(book.invited_as[user].lower(), type_))
        elif not value and user in there:
            people.remove(there[user])
    return attendees_value(people)


def tags_of(invitees: Iterable[Invitee], book: AddressBook) -> dict[str, str]:
    """Field pairs of the categories that an event should carry: of each resource, invited or not, its answer ('' = not invited)."""
    answers = {each.id: str(each.answer) for each in invitees}
    return {TAG + resource: answers.get(resource, "") for resource in book.tags}


def tags_on(fields: Mapping[str, Value], book: AddressBook) -> dict[str, str]:
    """Field pairs of the categories that a mailbox's event carries, in the words of `shown_answer`."""
    there = set(fields.get("categories") or ())
    found = {}
    for resource, name in book.tags.items():
        found[TAG + resource] = BUSY if refused_tag(name) in there else FREE if name in there else ""
    return found


FREE, BUSY = "free", "busy"


def shown_answer(answer: str) -> str:
    """How a resource's answer is shown: two categories, for a resource that takes part and one that does not."""
    return "" if not answer else BUSY if answer == Answer.DECLINED else FREE


def refused_tag(name: str) -> str:
    """The category of an event whose resource is taken by another one. In no language, because everybody sees it."""
    return f"{name} ✗"


def with_tags(values: Mapping[str, str], current: Mapping[str, Value] | None, book: AddressBook) -> tuple[str, ...]:
    """The mailbox's categories with those of resources brought in; a person's own stay."""
    names = set((current or {}).get("categories") or ())
    for resource, value in _spoken(values, TAG):
        name = book.tags[resource]
        names -= {name, refused_tag(name)}
        if value:
            names.add(refused_tag(name) if shown_answer(value) == BUSY else name)
    return tuple(sorted(names))


def unaddressed(values: Mapping[str, str], addresses: Mapping[str, str]) -> frozenset[str]:
    """Of these field pairs those that invite somebody who has no address there."""
    return frozenset(p for p, v in values.items() if p.startswith(WHO) and v and not addresses.get(p.removeprefix(WHO)))


def _spoken(values: Mapping[str, str], prefix: str) -> list[tuple[str, str]]:
    return [(pair.removeprefix(prefix), value) for pair, value in values.items() if pair.startswith(prefix)]

"""The users as meetings need them: who is invited by which address, which are rooms and things, and under which category. Pure.

Only active users: vtenext matches no others. An address that several of them have names nobody: vtenext would invite them all, so it is asked for
none of them, and an attendee with it counts as a stranger. What a thing is called in the CRM counts there only: nobody else invites it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from mapping.colours import nearest
from mapping.people import AddressBook, refused_tag
from sync.users import User

NO_COLOUR = "none"
REFUSED_COLOUR = "preset12"
"""Gray: of the category that says that a resource does not take part."""
LONGEST = 255
"""Characters of a category's name (Graph, resource type outlookCategory)."""

_ADDRESS = re.compile(r"[^\s@|,;]+@[^\s@|,;]+")
"""What may be an address: the CRM checks none (API.md 3.7)."""


def address_book(users: Iterable[User]) -> AddressBook:
    """The address book of all users."""
    everybody = sorted(users, key=lambda user: _number(user.id))
    names = category_names([user for user in everybody if user.resource])
    active = [user for user in everybody if user.active]
    people = [user for user in active if not user.is_thing]
    in_crm = Counter(email.lower() for user in active if (email := _in_crm(user)))
    anywhere = Counter(address for user in people for address in {each.lower() for each in addresses_of(user)})
    shared = {address for address, times in anywhere.items() if times > 1}
    ambiguous = shared | {address for address, times in in_crm.items() if times > 1}
    resources = {user.id: user for user in active if user.resource}
    tags = {id_: names[id_] for id_ in resources if id_ in names}
    presets = {tag: nearest(colour) if (colour := resources[id_].colour) else NO_COLOUR for id_, tag in tags.items()}
    return AddressBook(
        invited_as={user.id: address for user in people if (address := _invited_as(user, shared))},
        known_as={u.id: email for u in active if (email := _in_crm(u)) and email.lower() not in ambiguous},
        rooms=frozenset(id_ for id_, user in resources.items() if user.is_room),
        things=frozenset(id_ for id_, user in resources.items() if user.is_thing),
        tags=tags,
        aliases={user.id: addresses_of(user) for user in people},
        colours={name: preset for tag in presets for name, preset in _coloured(tag, presets[tag])},
    )


def addresses_of(user: User) -> tuple[str, ...]:
    """Every address that leads to this user."""
    return tuple(dict.fromkeys(each for each in (*_of_mailbox(user), _in_crm(user)) if each))


def category_names(resources: Sequence[User]) -> dict[str, str]:
    """Resource -> the name of its category: its own, cut, without what Outlook allows in none; the same name twice is numbered. No name, no category.

    Outlook takes names that differ in case only for the same. Hand over inactive resources too, in an order that stays: names must.
    """
    taken: set[str] = set()
    names: dict[str, str] = {}
    for each in resources:
        name = " ".join(each.name.replace(",", " ").replace(";", " ").split())
        if not name:
            continue
        tries = (
            _cut(name, f" ({number})" if number > 1 else "") for number in range(1, len(resources) + len(taken) + 2)
        )
        names[each.id] = free = next(name for name in tries if not {_key(name), _key(refused_tag(name))} & taken)
        taken |= {_key(free), _key(refused_tag(free))}
    return names


def _invited_as(user: User, shared: set[str]) -> str:
    """The primary address of the mailbox, else the next one that is this user's alone; without a mailbox the CRM's."""
    candidates = _of_mailbox(user) or (_in_crm(user),)
    return next((each for each in candidates if each and each.lower() not in shared), "")


def _of_mailbox(user: User) -> tuple[str, ...]:
    """What is known of the mailbox's addresses: of one that was paired before they were asked for what it was paired by."""
    paired_by = (user.address,) if user.mailbox else ()
    return tuple(each for each in user.addresses or paired_by if _ADDRESS.fullmatch(each))


def _in_crm(user: User) -> str:
    email = user.email.strip()
    return email if _ADDRESS.fullmatch(email) else ""


def _coloured(tag: str, preset: str) -> tuple[tuple[str, str], ...]:
    return (tag, preset), (refused_tag(tag), REFUSED_COLOUR)


def _cut(name: str, suffix: str) -> str:
    room = LONGEST - len(refused_tag("")) - len(suffix)
    return name[:room].rstrip() + suffix


def _key(name: str) -> str:
    return name.casefold()


def _number(crm_id: str) -> tuple[int, str]:
    number = crm_id.partition("x")[2]
    return (int(number) if number.isdecimal() else 0, crm_id)

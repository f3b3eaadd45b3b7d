"""Whether a user's folders hold a card of somebody already: asked with filters, so that nobody's address book is read through.

Decides nothing about what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import quote

from sync.errors import Failure, SkipItem, classify
from sync.sides.base import NaturalKey
from sync.sides.graph.answers import Answer, Json
from sync.sides.graph.folders import folder_path
from sync.sides.graph.requests import MailboxRequests

SHOWN = "$select=id,emailAddresses,givenName,surname,companyName&$top=100"
"""A hundred cards of one name are looked at for the company."""


async def known(requests: MailboxRequests, folders: Collection[str], people: Sequence[NaturalKey]) -> list[bool]:
    """See `Mailbox.knows`, for these folders: in each one request per address, and one for a name with a company, all in batches.

    Raises what a failure says about the mailbox as a whole, or that the server cannot answer now.
    """
    asked = [
        (at, f"{folder_path(requests.user, folder)}/contacts?{question}")
        for at, person in enumerate(people)
        for folder in folders
        for question in _questions(person)
    ]
    answers = await requests.fetch([url for _, url in asked], where="contacts.known")
    told: list[list[bool | None]] = [[] for _ in people]
    for (at, _), answer in zip(asked, answers, strict=True):
        told[at].append(_says(answer, people[at]))
    return [True in each or (bool(each) and set(each) == {None}) for each in told]


def _questions(person: NaturalKey) -> list[str]:
    """Query strings. Of an address only `address` can be filtered, with `any` and `eq` (BEHAVIOUR 7.1); companies are compared here."""
    wanted = [f"emailAddresses/any(a:a/address eq {_literal(address)})" for address in person.emails]
    names = {"givenName": person.given, "surname": person.family}
    named = [f"{name} eq {_literal(value)}" for name, value in names.items() if value]
    if named and person.company:
        wanted.append(" and ".join(named))
    return [f"$filter={quote(each, safe='')}&{SHOWN}" for each in wanted]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _says(answer: Answer | Failure, person: NaturalKey) -> bool | None:
    """Does an answer show a card of the person? None: the server refused the question."""
    if isinstance(answer, Failure):
        error = classify(answer)
        if isinstance(error, SkipItem):
            return None
        raise error
    return any(_shows(card, person) for card in answer.body.get("value") or ())


def _shows(card: Json, person: NaturalKey) -> bool:
    """One of the addresses, or the whole name and the company: asked for one of two names the server shows relatives too."""
    addresses = {_plain(each.get("address")) for each in card.get("emailAddresses") or ()}
    if addresses & {_plain(each) for each in person.emails}:
        return True
    texts = (card.get("givenName"), card.get("surname"), card.get("companyName"))
    wanted = (person.given, person.family, person.company)
    return bool(_plain(person.company)) and [_plain(each) for each in texts] == [_plain(each) for each in wanted]


def _plain(text: object) -> str:
    return " ".join(str(text or "").casefold().split())

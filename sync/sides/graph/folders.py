"""Which folder of a mailbox is ours, and what it means when a card is somewhere else.

The folder is found or made once and held by id from then on. With the permission that the app has (Contacts.ReadWrite) Deleted
Items cannot be asked for by name: it is a mail folder. But each *contact* folder answers by its id, so a card whose parent does not
answer as one, while our folder does, is out of every contact folder: that is what deleting a card in Outlook does (with
immutable ids it is a move and the card still answers 200, BEHAVIOUR 5.1). A parent that does answer is another folder of the
user's, unless it is Deleted Items or lies in it. A folder that was ours and is gone is never replaced in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from sync.errors import Cause, Failure, RetryLater, StopMailbox, classify
from sync.sides.base import MailboxUser
from sync.sides.graph.answers import Answer, Json
from sync.sides.graph.batch import Part, run_parts
from sync.sides.graph.client import PASSING, GraphConnection

DEFAULT = "contacts"
"""The default folder's well-known name (BEHAVIOUR 2.3): the list of folders does not show it."""
USER = "id,mail,userPrincipalName,proxyAddresses"
"""proxyAddresses are shown only when selected."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Our folder in a mailbox. Others of the same name are left alone."""

    id: str


class Place(StrEnum):
    """Where a parent folder is."""

    ELSEWHERE = "another_folder"
    DELETED = "deleted_items"
    UNKNOWN = "unknown"


def user_path(user: str) -> str:
    """`/users/{...}`. A principal name that begins with $ needs the other spelling (BEHAVIOUR 1.1)."""
    if user.startswith("$"):
        return f"/users('{quote(user.replace(chr(39), chr(39) * 2), safe='$@')}')"
    return f"/users/{quote(user, safe='@')}"


def folder_path(user: str, folder: str) -> str:
    """A contact folder, by id or well-known name."""
    return f"{user_path(user)}/contactFolders/{quote(folder, safe='')}"


async def resolve_user(connection: GraphConnection, address: str) -> MailboxUser:
    """The user with this object id, principal name or mail address. Raises StopMailbox(MAILBOX_UNKNOWN)."""
    found = await connection.read(f"{user_path(address)}?$select={USER}", where="user.get")
    if isinstance(found, Answer):
        return mailbox_user(found.body)
    if found.status not in {400, 404}:
        raise classify(found)
    text = quote(address.replace("'", "''"), safe="@")
    listed = expect(await connection.read(f"/users?$filter=mail%20eq%20'{text}'&$select={USER}", where="user.find"))
    users = [mailbox_user(each) for each in listed.get("value") or ()]
    if len(users) != 1:
        raise StopMailbox(Cause.MAILBOX_UNKNOWN)
    return users[0]


def mailbox_user(body: Json) -> MailboxUser:
    """Addresses of the mailbox: `SMTP:` marks the primary one, `smtp:` each other (Graph, resource type user); what has another scheme is none.

    The principal name comes last, because mail sent to it usually arrives too.
    """
    proxies = [str(each).partition(":") for each in body.get("proxyAddresses") or ()]
    primary = [address for scheme, _, address in proxies if scheme == "SMTP"]
    others = [address for scheme, _, address in proxies if scheme == "smtp"]
    found = [*primary, str(body.get("mail") or ""), *others, str(body.get("userPrincipalName") or "")]
    unique: dict[str, str] = {}
    for address in (each.strip() for each in found if "@" in each):
        unique.setdefault(address.casefold(), address)
    return MailboxUser(str(body["id"]), tuple(unique.values()))


async def open_folder(connection: GraphConnection, user: str, folder_id: str | None, name: str) -> Folder:
    """The folder to work in: the known one if it is alive, else found by name or made. `name` '' = the default folder.

    Raises StopMailbox: FOLDER_DELETED for a known folder that is gone or in Deleted Items; no licence; unknown mailbox.
    """
    if not name:
        answer = await connection.read(f"{folder_path(user, DEFAULT)}?$select=id", where="folder.get", mailbox=user)
        return Folder(str(expect(answer)["id"]))
    if folder_id is not None:
        await _check_alive(connection, user, folder_id)
        return Folder(folder_id)
    named = await _named(connection, user, name)
    if not named:
        made = await connection.send(
            "POST",
            f"{user_path(user)}/contactFolders",
            where="folder.create",
            mailbox=user,
            body={"displayName": name},
        )
        if isinstance(made, Answer):
            return Folder(str(made.body["id"]))
        named = await _named(connection, user, name)  # made by somebody else, or by us with the answer lost
        if not named:
            raise classify(made)
    return Folder(named[0])


async def find_folder(connection: GraphConnection, user: str, name: str) -> str:
    """The folder that `open_folder` would open without knowing one, '' when it would make it. Makes nothing."""
    if not name:
        return (await open_folder(connection, user, None, "")).id
    return next(iter(await _named(connection, user, name)), "")


async def places(connection: GraphConnection, user: str, ours: str, parents: Iterable[str]) -> dict[str, Place]:
    """Where each of these folders is; see the module's text. `ours` is read along, as the proof that contact folders answer."""
    asked = sorted(set(parents))
    proof, *answers = await run_parts(
        connection,
        user,
        [Part("GET", f"{folder_path(user, each)}?$select=id,parentFolderId") for each in (ours, *asked)],
        where="folder.locate",
        repeatable=True,
    )
    expect(proof)
    found = {each: _place(answer) for each, answer in zip(asked, answers, strict=True)}
    alive = {each: answer for each, answer in zip(asked, answers, strict=True) if isinstance(answer, Answer)}
    if alive:
        bin_ = await connection.read(
            f"{folder_path(user, 'deleteditems')}?$select=id", where="folder.bin", mailbox=user
        )
        if isinstance(bin_, Answer):  # not documented for contact folders: believed only when it answers
            bin_id = bin_.body.get("id")
            inside = {each for each, answer in alive.items() if bin_id in (each, answer.body.get("parentFolderId"))}
            found.update(dict.fromkeys(inside, Place.DELETED))
    return found


def expect(answer: Answer | Failure) -> Json:
    """The body of a success; raises what a failure means for the whole mailbox."""
    if isinstance(answer, Failure):
        raise classify(answer)
    return answer.body


def _place(answer: Answer | Failure) -> Place:
    if isinstance(answer, Answer):
        return Place.ELSEWHERE
    return Place.DELETED if answer.status in {400, 403, 404} else Place.UNKNOWN


async def _check_alive(connection: GraphConnection, user: str, folder_id: str) -> None:
    url = f"{folder_path(user, folder_id)}?$select=id,parentFolderId"
    default = f"{folder_path(user, DEFAULT)}?$select=id,parentFolderId"
    ours, usual = await run_parts(
        connection, user, [Part("GET", url), Part("GET", default)], where="folder.get", repeatable=True
    )
    if isinstance(ours, Failure):
        ours = await connection.read(url, where="folder.get", mailbox=user, again=PASSING | {404})
    if isinstance(ours, Failure) and isinstance(classify(ours), StopMailbox) and isinstance(usual, Failure):
        raise classify(usual)  # the mailbox does not answer for its default folder either: ours proves nothing
    parent = str(expect(ours).get("parentFolderId") or "")
    normal = (usual.body.get("id"), usual.body.get("parentFolderId")) if isinstance(usual, Answer) else ()
    if not parent or parent in normal:
        return
    place = (await places(connection, user, folder_id, [parent]))[parent]
    if place is Place.DELETED:
        raise StopMailbox(Cause.FOLDER_DELETED)
    if place is Place.UNKNOWN:
        raise RetryLater(Cause.GRAPH_UNREACHABLE)


async def _named(connection: GraphConnection, user: str, name: str) -> list[str]:
    """Ids of the top folders of that name, in a fixed order: Graph tells no folder's age."""
    ids: list[str] = []
    url = f"{user_path(user)}/contactFolders?$top=100&$select=id,displayName"
    while url:
        body = expect(await connection.read(url, where="folder.list", mailbox=user))
        listed = body.get("value") or ()
        ids += [str(each["id"]) for each in listed if str(each.get("displayName", "")).casefold() == name.casefold()]
        url = str(body.get("@odata.nextLink") or "")
    return sorted(ids)

"""One mailbox's contacts and companies on Graph: the `Mailbox` protocol, for the folder that is ours.

Reads cards in batches and proves what became of the missing ones; writes in chained batches, each write once. Which writes to
make, and what a card means in the CRM, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

from sync.errors import Failure
from sync.model import Gone, Item, Left, Present, Proof
from sync.sides.base import Done, NaturalKey, New, Page, Refused, Remove, Result, Revise, Unclear, Write
from sync.sides.graph.answers import Answer, deleted_already, may_have_happened, missing
from sync.sides.graph.batch import Part
from sync.sides.graph.cards import card_of, is_whole, item_of
from sync.sides.graph.client import GraphConnection
from sync.sides.graph.delta import PAGE, delta_pages
from sync.sides.graph.folders import DEFAULT, Folder, Place, expect, folder_path, open_folder, places
from sync.sides.graph.known import known
from sync.sides.graph.looks import Seen, before_delete, presents
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.stamps import EXPAND

PREFER = (f"odata.maxpagesize={PAGE}",)


async def open_mailbox(
    connection: GraphConnection, user_id: str, folder_id: str | None, folder_name: str
) -> GraphMailbox:
    """The mailbox of a user (object id), with its folder found, made or checked. See `folders.open_folder` for what it raises."""
    return GraphMailbox(connection, user_id, await open_folder(connection, user_id, folder_id, folder_name))


class GraphMailbox:
    """A `sides.base.Mailbox`. Open it with `open_mailbox`."""

    def __init__(self, connection: GraphConnection, user_id: str, folder: Folder) -> None:
        self.id = user_id
        self._connection, self._folder = connection, folder
        self._requests = MailboxRequests(connection, user_id)

    @property
    def folder_id(self) -> str:
        """To be kept by the caller and handed to the next `open_mailbox`."""
        return self._folder.id

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        """See `Mailbox.changes`."""
        first = f"{folder_path(self.id, self._folder.id)}/contacts/delta"
        async for page in delta_pages(
            self._connection, self.id, first, cursor, entity="contact", where="contacts.delta", prefer=PREFER
        ):
            parts = [key for key, card in page.changed.items() if not is_whole(card)]
            read = await self.get(parts) if parts else {}
            items = [item_of(card, self.id) for card in page.changed.values() if is_whole(card)]
            items += [each for each in read.values() if isinstance(each, Item)]
            # a part that cannot be read as an item now is a claim like a removal: `get` settles it
            unsettled = [key for key, each in read.items() if not isinstance(each, Item)]
            yield Page(items, [*page.gone, *unsettled], page.link, last=bool(page.link))

    def afresh(self, cursor: str) -> str | None:
        """See `Mailbox.afresh`: a folder has no history apart."""
        return None

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        """See `Mailbox.stamped`. A listing, because delta shows no stamps and $filter lags (BEHAVIOUR 2.3, 6)."""
        url = f"{folder_path(self.id, self._folder.id)}/contacts?$top={PAGE}&{EXPAND}"
        async for cards in self._requests.listing(url, where="contacts.list", prefer=PREFER):
            yield [item_of(card, self.id) for card in cards]

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        """See `Mailbox.get`."""
        return presents(await self._look(ids))

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        """See `Mailbox.colour`: nothing to do here."""
        return None

    async def knows(self, people: Sequence[NaturalKey]) -> list[bool]:
        """See `Mailbox.knows`. Our folder may be the default one: then it is asked twice, which is cheaper than to find out."""
        return await known(self._requests, (DEFAULT, self._folder.id), people)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        """See `Mailbox.apply`. Raises only when nothing was written; a later obstacle refuses the rest."""
        results: dict[int, Result] = {}
        parts: dict[int, Part] = {}
        doomed = await self._look([write.expected.id for write in writes if isinstance(write, Remove)])
        for index, write in enumerate(writes):
            settled = before_delete(write, doomed, "contacts.delete") if isinstance(write, Remove) else None
            if settled is None:
                parts[index] = self._part(write)
            else:
                results[index] = settled
        answers = await self._requests.run(list(parts.values()), where="contacts.write")
        for index, answer in zip(parts, answers, strict=True):
            results[index] = self._result(writes[index], answer)
        return [results[index] for index in range(len(writes))]

    # reading -------------------------------------------------------------------------------------------------------

    async def _look(self, ids: Sequence[str]) -> dict[str, Seen]:
        """What each id is now. A 404 counts when it repeats while our folder answers: lone ones come and go (BEHAVIOUR 11.11)."""
        found: dict[str, Answer | Failure] = await self._cards(list(dict.fromkeys(ids)))
        absent = [key for key, each in found.items() if isinstance(each, Failure) and each.status in {404, 410}]
        if absent:
            expect(
                await self._connection.read(
                    f"{folder_path(self.id, self._folder.id)}?$select=id", where="folder.get", mailbox=self.id
                )
            )
            found.update(await self._cards(absent))
        strays = {key: parent for key, answer in found.items() if (parent := self._stray(answer))}
        where = await places(self._connection, self.id, self._folder.id, strays.values()) if strays else {}
        return {key: self._present(key, answer, where) for key, answer in found.items()}

    async def _cards(self, ids: Sequence[str]) -> dict[str, Answer | Failure]:
        urls = [f"{self._path(key)}?{EXPAND}" for key in ids]
        return dict(zip(ids, await self._requests.fetch(urls, where="contacts.get"), strict=True))

    def _stray(self, answer: Answer | Failure) -> str:
        """The parent folder of a card that is not in ours."""
        parent = "" if isinstance(answer, Failure) else str(answer.body.get("parentFolderId") or "")
        return "" if parent == self._folder.id else parent

    def _present(self, key: str, answer: Answer | Failure, where: Mapping[str, Place]) -> Seen:
        if isinstance(answer, Failure):
            return Gone(key, Proof.NOT_FOUND) if missing(answer) else answer
        place = where.get(self._stray(answer))
        if place is None:
            return item_of(answer.body, self.id)
        if place is Place.DELETED:
            return Gone(key, Proof.IN_DELETED_ITEMS)
        return (
            Left(key, place.value) if place is Place.ELSEWHERE else Failure(503, "FolderUnread", None, "folder.locate")
        )

    # writing -------------------------------------------------------------------------------------------------------

    def _part(self, write: Write) -> Part:
        match write:
            case New(fields=fields, stamp=stamp):
                url = f"{folder_path(self.id, self._folder.id)}/contacts"
                return Part("POST", url, card_of(fields, fields, stamp))
            case Revise(expected=item, fields=fields):
                return Part("PATCH", self._path(item.id), card_of(fields, item.fields), if_match=item.version)
            case Remove(expected=item):
                return Part("DELETE", self._path(item.id))

    def _result(self, write: Write, answer: Answer | Failure) -> Result:
        if isinstance(answer, Failure):
            if isinstance(write, Remove) and deleted_already(answer):
                return Done(None)
            return Unclear(answer) if may_have_happened(answer) else Refused(answer)
        if isinstance(write, Remove):
            return Done(None)
        if "id" not in answer.body:
            return Unclear(Failure(status=0, code="EmptyAnswer", where="contacts.write"))
        stamp = write.stamp if isinstance(write, New) else write.expected.stamp  # not echoed (BEHAVIOUR 6)
        return Done(item_of(answer.body, self.id, stamp))

    # both ----------------------------------------------------------------------------------------------------------

    def _path(self, item_id: str) -> str:
        return self._requests.path(f"contacts/{quote(item_id, safe='')}")

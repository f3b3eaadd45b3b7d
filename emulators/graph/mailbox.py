"""A mailbox: folders, contacts (and its calendar), ids, change keys and the log that delta queries read.

No HTTP and no OData here. Contacts are never copied as a whole world: a change replaces values of one contact and
appends one entry to the log of its folder.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from emulators.graph.calendar import Calendar
from emulators.graph.changes import Change, Hear, What, nobody
from emulators.graph.ids import change_key, opaque
from emulators.graph.todo import Todo

ITEM_ID = re.compile(r"(?:AAMkA|AAkALg)[A-Za-z0-9_-]{20,}={0,2}")
FOLDER_ID = re.compile(r"AQMkA[A-Za-z0-9_-]{20,}={0,2}")


class Entry(NamedTuple):
    """One line of a folder's log: this contact changed in, came to or left this folder."""

    seq: int
    contact: Contact
    default_id: str  # at that moment: a move changes it (BEHAVIOUR 5.2)


@dataclass(slots=True, eq=False)
class Folder:
    """A contact folder, or Deleted Items (which no contact route shows)."""

    id: str
    name: str
    parent: Folder | None
    contacts: dict[int, Contact] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    deleted: bool = False
    contact_lists: int = 0  # distribution lists: counted by $count, never returned (BEHAVIOUR 2.3)


@dataclass(slots=True, eq=False)
class Contact:
    """A contact with both its ids; `values` holds only what is set, `extended` the extended properties."""

    number: int
    folder: Folder
    immutable_id: str
    default_id: str
    created: str
    modified: str = ""
    moves: int = 0
    change_key: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    rendered: dict[str, Any] | None = None  # cache of the whole body without its id, dropped by each change

    @property
    def etag(self) -> str:
        """`W/"<changeKey>"` (BEHAVIOUR 5.1)."""
        return f'W/"{self.change_key}"'


@dataclass(slots=True)
class Category:
    """One of the mailbox's master categories; the name never changes (BEHAVIOUR 7.2)."""

    id: str
    name: str
    color: str


class Mailbox:
    """The contacts, the calendar and the To Do of one user. Times are ready-made strings: the mailbox reads no clock."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.seq = 0
        self.folder_log: list[tuple[int, Folder]] = []
        self.generations: dict[str, int] = {}  # newest delta generation of each scope
        self.folders: dict[str, Folder] = {}
        self._by_immutable: dict[str, Contact] = {}
        self._by_default: dict[str, Contact] = {}
        self._made = 0
        self.hear: Hear = nobody
        self.calendar = Calendar(owner, self._next_change, self._tell)
        self.todo = Todo(owner, self._next_change, self._tell)
        self.categories: dict[str, Category] = {}
        self.default = self._new_folder("Contacts", None)
        self.deleted_items = self._new_folder("Deleted Items", None)

    # ids -------------------------------------------------------------------------------------------------------

    def _next_change(self) -> int:
        self.seq += 1
        return self.seq

    # folders ---------------------------------------------------------------------------------------------------

    def _new_folder(self, name: str, parent: Folder | None) -> Folder:
        self._made += 1
        folder = Folder(opaque(self.owner, "AQMkAD", "folder", self._made), name, parent)
        self.folders[folder.id] = folder
        return folder

    def add_folder(self, name: str, parent: Folder) -> Folder:
        """A new contact folder under `parent`."""
        folder = self._new_folder(name, parent)
        self.folder_log.append((self._next_change(), folder))
        return folder

    def rename_folder(self, folder: Folder, name: str) -> None:
        """Change the display name; the id stays (folder ids are stable, BEHAVIOUR 5.2)."""
        folder.name = name
        self.folder_log.append((self._next_change(), folder))

    def delete_folder(self, folder: Folder) -> None:
        """The folder and those below it vanish from every contact route, with what they hold."""
        for child in self.children(folder):
            self.delete_folder(child)
        for contact in folder.contacts.values():
            self._told(contact, "deleted", folder)
        folder.deleted = True
        self.folder_log.append((self._next_change(), folder))

    def children(self, folder: Folder) -> list[Folder]:
        """The live contact folders right below."""
        return [each for each in self.folders.values() if each.parent is folder and not each.deleted]

    def contact_folders(self) -> list[Folder]:
        """All live contact folders, the default one first, Deleted Items not among them."""
        return [each for each in self.folders.values() if not each.deleted and each is not self.deleted_items]

    def is_trashed(self, contact: Contact) -> bool:
        """In Deleted Items, or in a folder that was deleted."""
        return contact.folder is self.deleted_items or contact.folder.deleted

    # contacts --------------------------------------------------------------------------------------------------

    def find(self, item_id: str) -> Contact | None:
        """The contact of an id of either form, in any folder, Deleted Items included. Case matters."""
        return self._by_immutable.get(item_id) or self._by_default.get(item_id)

    def create(self, folder: Folder, values: dict[str, Any], extended: dict[str, str], now: str) -> Contact:
        """A new contact in `folder`."""
        self._made += 1
        number = self._made
        contact = Contact(
            number,
            folder,
            opaque(self.owner, "AAkALgAAAA", number),
            opaque(self.owner, "AAMkAD", number, 0),
            now,
            values=values,
            extended=extended,
        )
        self._by_immutable[contact.immutable_id] = contact
        self._by_default[contact.default_id] = contact
        folder.contacts[number] = contact
        self._touch(contact, now)
        self._told(contact, "created", folder)
        return contact

    def change(self, contact: Contact, values: dict[str, Any], extended: dict[str, str], now: str) -> None:
        """Replace what the contact holds; every save is a new change key, even one that alters nothing."""
        contact.values = values
        contact.extended = extended
        self._touch(contact, now)
        self._told(contact, "updated", contact.folder)

    def move(self, contact: Contact, folder: Folder, now: str) -> None:
        """To another folder: the default id changes, the immutable one does not (BEHAVIOUR 2.3, 5.2)."""
        if folder is contact.folder:
            return
        old, former, lost = contact.folder, contact.default_id, self.is_trashed(contact)
        del old.contacts[contact.number]
        old.log.append(Entry(self._next_change(), contact, contact.default_id))
        del self._by_default[contact.default_id]
        contact.moves += 1
        contact.default_id = opaque(self.owner, "AAMkAD", contact.number, contact.moves)
        self._by_default[contact.default_id] = contact
        contact.folder = folder
        folder.contacts[contact.number] = contact
        self._touch(contact, now)
        self._told_of_move(contact, old, former, lost=lost)

    def purge(self, contact: Contact) -> None:
        """Away for good, as by emptying Deleted Items."""
        del contact.folder.contacts[contact.number]
        contact.folder.log.append(Entry(self._next_change(), contact, contact.default_id))
        del self._by_immutable[contact.immutable_id]
        del self._by_default[contact.default_id]

    def _touch(self, contact: Contact, now: str) -> None:
        seq = self._next_change()
        contact.modified = now
        contact.change_key = change_key(seq)
        contact.rendered = None
        contact.folder.log.append(Entry(seq, contact, contact.default_id))

    # who hears of it -------------------------------------------------------------------------------------------

    def _tell(self, change: Change) -> None:
        self.hear(change)

    def _told(
        self, contact: Contact, what: What, folder: Folder | None, *, former: str | None = None, whole: bool = True
    ) -> None:
        """`former`: the default id that it had. What lies in Deleted Items is nobody's contact (memory)."""
        if folder is not None and (folder is self.deleted_items or folder.deleted):
            return
        ids = former or contact.default_id, contact.immutable_id
        self._tell(Change(self.owner, "contact", what, *ids, contact.etag, folder.id if folder else None, whole))

    def _told_of_move(self, contact: Contact, old: Folder, former: str, *, lost: bool) -> None:
        """Between folders: an update for the mailbox, a removal and a creation for the two folders (memory)."""
        if lost:
            self._told(contact, "created", contact.folder)
        elif self.is_trashed(contact):
            self._told(contact, "deleted", old, former=former)
        else:
            self._told(contact, "updated", None)
            self._told(contact, "deleted", old, former=former, whole=False)
            self._told(contact, "created", contact.folder, whole=False)

    # what changed ----------------------------------------------------------------------------------------------

    def changed_since(self, folder: Folder, seq: int) -> list[Entry]:
        """The log of a folder after `seq`, the last line of each default id only, in order."""
        start = bisect_right(folder.log, seq, key=lambda entry: entry.seq)
        last = {entry.default_id: entry for entry in folder.log[start:]}
        return sorted(last.values(), key=lambda entry: entry.seq)

    def folders_since(self, seq: int) -> Iterator[Folder]:
        """Contact folders that were made, renamed or deleted after `seq`, each once."""
        start = bisect_right(self.folder_log, seq, key=lambda entry: entry[0])
        yield from {folder.id: folder for _, folder in self.folder_log[start:]}.values()

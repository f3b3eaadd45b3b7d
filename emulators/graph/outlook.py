"""What a person does in Outlook: create, edit, move, copy, delete, restore; empty the bin, fiddle with folders.

Calendar, meetings and To Do are in `outlook_calendar.py`, `outlook_meetings.py`, `outlook_todo.py`. For tests, simulator and
demo. Users are named by id or address, folders by id, name or `contacts`, contacts by either id. Every method returns immutable
ids (but of tasks). A ValueError says that something named is not there.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from emulators.graph import contact_body
from emulators.graph.errors import GraphError
from emulators.graph.http import Json
from emulators.graph.mailbox import Contact, Folder, Mailbox
from emulators.graph.outlook_meetings import MeetingHands
from emulators.graph.outlook_todo import TodoHands


class Outlook(MeetingHands, TodoHands):
    """Acts on mailboxes directly: no token, no throttling, no request counted."""

    def mailbox(self, user: str) -> Mailbox:
        """The mailbox of a user, licensed or not."""
        try:
            return self._world.user(user).mailbox
        except GraphError as error:
            raise ValueError(f"no user {user!r}") from error

    def _folder(self, mailbox: Mailbox, ref: str) -> Folder:
        for folder in mailbox.contact_folders():
            if ref == folder.id or ref.casefold() == folder.name.casefold():
                return folder
        raise ValueError(f"no folder {ref!r}")

    def _contact(self, mailbox: Mailbox, ref: str) -> Contact:
        contact = mailbox.find(ref)
        if contact is None:
            raise ValueError(f"no contact {ref!r}")
        return contact

    def _accept(self, fields: Json) -> tuple[dict[str, Any], dict[str, str | None]]:
        """As the service does, but a birthday may be a plain date and is stored with Outlook's odd time (7.1)."""
        fields = dict(fields)
        birthday = fields.get("birthday")
        if isinstance(birthday, str) and "T" not in birthday:
            fields["birthday"] = contact_body.outlook_birthday(date.fromisoformat(birthday))
        try:
            return contact_body.accept(fields)
        except GraphError as error:
            raise ValueError(error.message) from error

    def create(self, user: str, fields: Json, folder: str = "contacts") -> str:
        """A new contact."""
        mailbox = self.mailbox(user)
        sent, extended = self._accept(fields)
        kept = {name: value for name, value in extended.items() if value is not None}
        values = contact_body.merged({}, sent)
        return mailbox.create(self._folder(mailbox, folder), values, kept, self._world.now()).immutable_id

    def edit(self, user: str, contact: str, fields: Json) -> None:
        """Change some properties, as PATCH would."""
        mailbox = self.mailbox(user)
        found = self._contact(mailbox, contact)
        sent, extended = self._accept(fields)
        held = {name: value for name, value in {**found.extended, **extended}.items() if value is not None}
        mailbox.change(found, contact_body.merged(found.values, sent), held, self._world.now())

    def move(self, user: str, contact: str, folder: str = "contacts") -> None:
        """To another folder; also out of Deleted Items (restore)."""
        mailbox = self.mailbox(user)
        mailbox.move(self._contact(mailbox, contact), self._folder(mailbox, folder), self._world.now())

    def copy(self, user: str, contact: str, folder: str | None = None) -> str:
        """A duplicate, in the same folder by default: the extended properties travel with it (BEHAVIOUR 6)."""
        mailbox = self.mailbox(user)
        original = self._contact(mailbox, contact)
        target = original.folder if folder is None else self._folder(mailbox, folder)
        made = mailbox.create(target, dict(original.values), dict(original.extended), self._world.now())
        return made.immutable_id

    def delete(self, user: str, contact: str) -> None:
        """To Deleted Items (BEHAVIOUR 5.1)."""
        mailbox = self.mailbox(user)
        mailbox.move(self._contact(mailbox, contact), mailbox.deleted_items, self._world.now())

    def empty_deleted_items(self, user: str) -> int:
        """Purge what is in Deleted Items: from now on 404 by any id. Returns how many."""
        mailbox = self.mailbox(user)
        trashed = list(mailbox.deleted_items.contacts.values())
        for contact in trashed:
            mailbox.purge(contact)
        events = mailbox.calendar.trashed()
        for event in events:
            mailbox.calendar.purge(event)
        return len(trashed) + len(events)

    def create_folder(self, user: str, name: str, parent: str = "contacts") -> str:
        """A new contact folder; returns its id."""
        mailbox = self.mailbox(user)
        return mailbox.add_folder(name, self._folder(mailbox, parent)).id

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        """The id stays."""
        mailbox = self.mailbox(user)
        mailbox.rename_folder(self._folder(mailbox, folder), name)

    def delete_folder(self, user: str, folder: str) -> None:
        """The folder and what it holds; the default folder cannot go."""
        mailbox = self.mailbox(user)
        found = self._folder(mailbox, folder)
        if found is mailbox.default:
            raise ValueError("the default folder cannot be deleted")
        mailbox.delete_folder(found)

    def create_contact_list(self, user: str, folder: str = "contacts") -> None:
        """A distribution list: counted, never returned (BEHAVIOUR 2.3)."""
        mailbox = self.mailbox(user)
        self._folder(mailbox, folder).contact_lists += 1

    def dump(self, user: str) -> Json:
        """What the mailbox holds: folders with their contacts (all properties, immutable id, extended), deleted ones; events,
        masters with `exceptions` and `cancelled` dates, with their `place`; task lists with their tasks."""
        mailbox = self.mailbox(user)
        folders = [
            {"id": each.id, "displayName": each.name, "contacts": _contacts(each)} for each in mailbox.contact_folders()
        ]
        return {
            "folders": folders,
            "deleted": _contacts(mailbox.deleted_items),
            "events": self._events(user),
            "task_lists": self._task_lists(user),
        }


def _contacts(folder: Folder) -> list[Json]:
    return [
        {"id": each.immutable_id, **contact_body.render(each), "extended": dict(each.extended)}
        for each in folder.contacts.values()
    ]

"""The routes of contacts: listing, one contact, create, change, delete, delta (BEHAVIOUR 2.3, 5, 6, 7.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emulators.graph import contact_body, odata
from emulators.graph.delta import DeltaService, Source
from emulators.graph.errors import GraphError, conflict, item_not_found, malformed_id, sync_folder_not_found
from emulators.graph.filters import parse_expand, parse_filter
from emulators.graph.folders import find_folder
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import ITEM_ID, Contact, Entry, Folder, Mailbox
from emulators.graph.world import World

READ = ("Contacts.Read", "Contacts.ReadWrite")  # 1.1
WRITE = ("Contacts.ReadWrite",)
_KIND = "microsoft.graph.contact"
_COLLECTIONS = {"emailAddresses": "address", "extended": "value"}  # 7.1: only `address` can be filtered


def routes(router: Router, world: World, deltas: DeltaService) -> None:
    """Add the routes of contacts, in the default folder and in a folder."""
    contacts = _Contacts(world, deltas)
    for base in ("users/{user}/contacts", "users/{user}/contactFolders/{folder}/contacts"):
        router.add("GET", f"{base}/delta", contacts.delta)
        router.add("GET", base, contacts.listing)
        router.add("POST", base, contacts.create)
        router.add("GET", f"{base}/{{contact}}", contacts.get)
        router.add("PATCH", f"{base}/{{contact}}", contacts.patch)
        router.add("DELETE", f"{base}/{{contact}}", contacts.delete)


class _Contacts:
    def __init__(self, world: World, deltas: DeltaService) -> None:
        self._world = world
        self._deltas = deltas

    def _folder(self, call: Call, mailbox: Mailbox) -> Folder:
        """`/contacts` without a folder reads the default folder only (2.3)."""
        ref = call.params.get("folder")
        return mailbox.default if ref is None else find_folder(mailbox, ref)

    def _contact(self, call: Call, mailbox: Mailbox) -> Contact:
        """`/contacts/{id}` finds it in any folder, Deleted Items included; below a folder only there (5.1)."""
        ref = call.params["contact"]
        if not ITEM_ID.fullmatch(ref):
            raise malformed_id()
        contact = mailbox.find(ref)
        if contact is None:
            raise item_not_found()
        if mailbox.is_trashed(contact) and self._world.quirks.deleted_items == "gone":
            raise item_not_found()
        if "folder" in call.params and contact.folder is not self._folder(call, mailbox):
            raise item_not_found()
        return contact

    def _item(self, call: Call, contact: Contact, expand: tuple[str, ...] = ()) -> Json:
        item_id = contact.immutable_id if call.immutable else contact.default_id
        body = {"id": item_id, **contact_body.render(contact)}
        held = [{"id": each, "value": contact.extended[each]} for each in expand if each in contact.extended]
        if held:
            body["singleValueExtendedProperties"] = held
        return body

    def _answer(self, call: Call, status: int, contact: Contact, expand: tuple[str, ...] = ()) -> Answer:
        select = odata.selected(call, contact_body.SELECTABLE, _KIND)
        body: Json = {"@odata.context": f"{call.base}/$metadata#users('{call.params['user']}')/contacts/$entity"}
        item = self._item(call, contact, expand)
        body |= item if select is None else odata.pick(item, (*select, "singleValueExtendedProperties"))
        return Answer(status, body, {"ETag": contact.etag})

    def listing(self, call: Call) -> Answer:
        """A page of one folder; contact lists count but are never returned (2.3)."""
        mailbox = self._world.mailbox(call, *READ)
        folder = self._folder(call, mailbox)
        odata.check_options(call)
        select = odata.selected(call, contact_body.SELECTABLE, _KIND)
        expand = parse_expand(call.query.get("$expand"))
        found: list[Any] = list(folder.contacts.values())
        if "$filter" in call.query:
            found = self._filtered(call.query["$filter"], found)
        texts = frozenset(contact_body.TEXTS)
        found = odata.order(found, call, texts, lambda contact, name: contact.values.get(name))
        names = None if select is None else (*select, "singleValueExtendedProperties")
        context = f"users('{call.params['user']}')/contacts"
        body = odata.page(
            call,
            found,
            lambda contact: odata.pick(self._item(call, contact, expand), names),
            context,
            folder.contact_lists,
        )
        return Answer(200, body)

    def _filtered(self, text: str, contacts: list[Contact]) -> list[Contact]:
        predicate = parse_filter(text, frozenset(contact_body.TEXTS), _COLLECTIONS)
        lag = self._world.quirks.filter_lag_s
        if lag and "extendedproperties" in text.lower():  # 6: search may lag a moment
            border = self._world.clock.now().timestamp() - lag
            contacts = [each for each in contacts if _timestamp(each.created) <= border]
        return [each for each in contacts if predicate(lambda name, it=each: _value(it, name))]  # type: ignore[misc]

    def get(self, call: Call) -> Answer:
        """One contact."""
        contact = self._contact(call, self._world.mailbox(call, *READ))
        odata.check_options(call, frozenset({"$select", "$expand"}))
        return self._answer(call, 200, contact, parse_expand(call.query.get("$expand")))

    def create(self, call: Call) -> Answer:
        """201; extended properties are stored but not echoed (6)."""
        mailbox = self._world.mailbox(call, *WRITE)
        folder = self._folder(call, mailbox)
        sent, extended = contact_body.accept(call.json(), bad_email=self._world.quirks.bad_email)
        kept = {name: value for name, value in extended.items() if value is not None}
        contact = mailbox.create(folder, contact_body.merged({}, sent), kept, self._world.now())
        answer = self._answer(call, 201, contact)
        answer.headers["Location"] = f"{call.base}/users/{call.params['user']}/contacts/{(answer.body or {})['id']}"
        return answer

    def patch(self, call: Call) -> Answer:
        """Only what is sent changes; stale If-Match = 412, nothing written (5.1)."""
        mailbox = self._world.mailbox(call, *WRITE)
        contact = self._contact(call, mailbox)
        expected = call.headers.get("if-match")
        if expected is not None and expected != "*" and expected != contact.etag:
            raise conflict()
        sent, extended = contact_body.accept(call.json(), bad_email=self._world.quirks.bad_email)
        held = {name: value for name, value in {**contact.extended, **extended}.items() if value is not None}
        mailbox.change(contact, contact_body.merged(contact.values, sent), held, self._world.now())
        return self._answer(call, 200, contact)

    def delete(self, call: Call) -> Answer:
        """204 whatever If-Match says (5.1); a move to Deleted Items, from where it cannot be deleted again."""
        mailbox = self._world.mailbox(call, *WRITE)
        contact = self._contact(call, mailbox)
        if mailbox.is_trashed(contact):
            raise GraphError(403, "ErrorCannotDeleteObject", "Object cannot be deleted.")
        mailbox.move(contact, mailbox.deleted_items, self._world.now())
        return Answer(204)

    def delta(self, call: Call) -> Answer:
        """Whole objects or @removed, per folder, without extended properties (2.1, 2.3)."""
        mailbox = self._world.mailbox(call, *READ)
        try:
            folder = self._folder(call, mailbox)
        except GraphError as error:
            raise sync_folder_not_found() if error.status == 404 else error from error
        select = odata.selected(call, contact_body.SELECTABLE, _KIND)

        def everything() -> list[Entry]:
            live = [Entry(0, each, each.default_id) for each in folder.contacts.values()]
            if not self._world.quirks.delta_initial_removals:
                return live
            gone = [each for each in mailbox.changed_since(folder, 0) if each.contact.folder is not folder]
            return gone[-3:] + live

        def render(entry: Entry) -> list[Json]:
            contact = entry.contact
            if contact.number not in folder.contacts:
                removed = contact.immutable_id if call.immutable else entry.default_id
                return [{"@removed": {"reason": "deleted"}, "id": removed}]
            if entry.default_id == contact.default_id:
                return [self._item(call, contact)]
            # it left and came back: another entry speaks of its present id
            return [] if call.immutable else [{"@removed": {"reason": "deleted"}, "id": entry.default_id}]

        def changes(seq: int) -> list[Entry]:
            return mailbox.changed_since(folder, seq)

        source = Source(mailbox, f"contacts:{folder.id}", _KIND, everything, changes, render)
        return self._deltas.answer(call, source, select)


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _value(contact: Contact, name: str) -> Any:
    """What a filter compares: a text, the e-mail addresses, or an extended property."""
    if name.startswith("extended:"):
        return contact.extended.get(name[9:])
    if name == "emailAddresses/address":
        return [each["address"] for each in contact.values.get("emailAddresses", [])]
    return contact.values.get(name)

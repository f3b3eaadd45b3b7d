"""The routes of contact folders (BEHAVIOUR 2.3). The default folder is hidden from the list, reachable as `contacts`."""

from __future__ import annotations

from emulators.graph import odata
from emulators.graph.delta import DeltaService, Source
from emulators.graph.errors import GraphError, invalid_property, item_not_found, malformed_id
from emulators.graph.filters import parse_filter
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import FOLDER_ID, Folder, Mailbox
from emulators.graph.world import World

READ = ("Contacts.Read", "Contacts.ReadWrite")
WRITE = ("Contacts.ReadWrite",)
SELECTABLE = frozenset({"id", "displayName", "parentFolderId"})
_KIND = "microsoft.graph.contactFolder"


def routes(router: Router, world: World, deltas: DeltaService) -> None:
    """Add the routes of contact folders."""
    folders = _Folders(world, deltas)
    base = "users/{user}/contactFolders"
    router.add("GET", f"{base}/delta", folders.delta)
    router.add("GET", base, folders.listing)
    router.add("POST", base, folders.create)
    router.add("GET", f"{base}/{{folder}}", folders.get)
    router.add("PATCH", f"{base}/{{folder}}", folders.patch)
    router.add("DELETE", f"{base}/{{folder}}", folders.delete)
    router.add("GET", f"{base}/{{folder}}/childFolders", folders.listing)
    router.add("POST", f"{base}/{{folder}}/childFolders", folders.create)


def find_folder(mailbox: Mailbox, ref: str) -> Folder:
    """A live contact folder by id or as `contacts`; 404 also for Deleted Items, which holds no contact folder."""
    if ref.lower() == "contacts":
        return mailbox.default
    if not FOLDER_ID.fullmatch(ref):
        raise malformed_id()
    folder = mailbox.folders.get(ref)
    if folder is None or folder.deleted or folder is mailbox.deleted_items:
        raise item_not_found()
    return folder


class _Folders:
    def __init__(self, world: World, deltas: DeltaService) -> None:
        self._world = world
        self._deltas = deltas

    def _item(self, folder: Folder) -> Json:
        parent = folder.parent.id if folder.parent else None
        return {"id": folder.id, "displayName": folder.name, "parentFolderId": parent}

    def _answer(self, call: Call, status: int, folder: Folder) -> Answer:
        select = odata.selected(call, SELECTABLE, _KIND)
        context = f"{call.base}/$metadata#users('{call.params['user']}')/contactFolders/$entity"
        return Answer(status, {"@odata.context": context, **odata.pick(self._item(folder), select)})

    def _name(self, call: Call, mailbox: Mailbox, parent: Folder | None, own: Folder | None) -> str:
        """displayName of the body; 409 when a sibling has it (memory)."""
        body = call.json()
        unknown = [key for key in body if key not in SELECTABLE and "@" not in key]
        if unknown:
            raise invalid_property(f"The property '{unknown[0]}' does not exist on type '{_KIND}'.")
        name = body.get("displayName")
        if not isinstance(name, str) or not name.strip():
            raise invalid_property("The property 'displayName' is required in the request.")
        siblings = mailbox.children(parent) if parent else []
        if any(each.name.casefold() == name.casefold() and each is not own for each in siblings):
            raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        return name

    def listing(self, call: Call) -> Answer:
        """The folders right below the default one, or below {folder}."""
        mailbox = self._world.mailbox(call, *READ)
        odata.check_options(call, odata.LISTING - {"$expand"})
        parent = find_folder(mailbox, call.params.get("folder", "contacts"))
        select = odata.selected(call, SELECTABLE, _KIND)
        found = mailbox.children(parent)
        if "$filter" in call.query:
            predicate = parse_filter(call.query["$filter"], frozenset({"displayName"}))
            found = [each for each in found if predicate(lambda name, it=each: it.name)]  # type: ignore[misc]
        found = odata.order(found, call, frozenset({"displayName"}), lambda each, name: each.name)
        context = f"users('{call.params['user']}')/contactFolders"
        body = odata.page(call, found, lambda each: odata.pick(self._item(each), select), context)
        return Answer(200, body)

    def get(self, call: Call) -> Answer:
        """One folder."""
        folder = find_folder(self._world.mailbox(call, *READ), call.params["folder"])
        return self._answer(call, 200, folder)

    def create(self, call: Call) -> Answer:
        """201; a folder made at the top lies under the default folder."""
        mailbox = self._world.mailbox(call, *WRITE)
        parent = find_folder(mailbox, call.params.get("folder", "contacts"))
        folder = mailbox.add_folder(self._name(call, mailbox, parent, None), parent)
        return self._answer(call, 201, folder)

    def patch(self, call: Call) -> Answer:
        """A new name; the id stays."""
        mailbox = self._world.mailbox(call, *WRITE)
        folder = find_folder(mailbox, call.params["folder"])
        mailbox.rename_folder(folder, self._name(call, mailbox, folder.parent, folder))
        return self._answer(call, 200, folder)

    def delete(self, call: Call) -> Answer:
        """204; the default folder stays (memory)."""
        mailbox = self._world.mailbox(call, *WRITE)
        folder = find_folder(mailbox, call.params["folder"])
        if folder is mailbox.default:
            message = "Distinguished folders cannot be deleted."
            raise GraphError(403, "ErrorDeleteDistinguishedFolder", message)
        mailbox.delete_folder(folder)
        return Answer(204)

    def delta(self, call: Call) -> Answer:
        """Folders of the mailbox, the default one hidden here too."""
        mailbox = self._world.mailbox(call, *READ)
        select = odata.selected(call, SELECTABLE, _KIND)

        def everything() -> list[Folder]:
            return [each for each in mailbox.contact_folders() if each is not mailbox.default]

        def render(folder: Folder) -> list[Json]:
            if folder.deleted:
                return [{"@removed": {"reason": "deleted"}, "id": folder.id}]
            return [self._item(folder)]

        def changes(seq: int) -> list[Folder]:
            return list(mailbox.folders_since(seq))

        source = Source(mailbox, "contactFolders", _KIND, everything, changes, render)
        return self._deltas.answer(call, source, select)

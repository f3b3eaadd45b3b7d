"""What must be true of tasks when a story has settled: the properties of STYLE 2, rule 12, for tasks and those of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mapping.tasks import DATES, STATUS, is_completed
from sync.joining import read_stamp
from sync.model import Family, Flag, Item, Kind, Link, Role, Side
from sync.sides.memory import Record
from sync.store.ledger import MailboxLedger
from sync.store.memory import MemoryRows
from tests.sim.properties import Books
from tests.sim.task_story import MINE, PAIRED, TaskStory, serial_of
from tests.sim.world import World


async def task_violations(story: TaskStory, last_writes: int) -> list[str]:
    """Everything that is wrong now; empty when all is well."""
    world = story.world
    books: dict[str, Books] = {}
    for mailbox in world.todos:
        ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.TASKS)
        books[mailbox] = Books([x async for x in ledger.links()], await ledger.pending(), await ledger.tombstones())
        books[mailbox].stones |= dict.fromkeys(await ledger.baseline())
    found = [f"second run wrote {last_writes}"] if last_writes else []
    found += _equal(world, books)
    found += _complete(story, books)
    found += _doubled(story)
    found += _lost(story)
    found += _deleted(story)
    found += _members(story)
    found += _dropped(story)
    found += _edits(story, books)
    found += _strays(story, books)
    found += _exported(story, books)
    found += _clear_text(world)
    return found


def _present(world: World, mailbox: str, link: Link) -> tuple[Record | None, Item | None]:
    record = world.crm.records.get(link.crm_id)
    present = world.todos[mailbox]._present(link.item_id)
    return (record if record and not record.deleted else None), (present if isinstance(present, Item) else None)


def _homes(world: World, record: Record) -> set[str]:
    members = world.groups[record.owner].members if record.owner in world.groups else (record.owner,)
    return {world.users[member] for member in members if member in world.users}


def _equal(world: World, books: Mapping[str, Books]) -> list[str]:
    """(2) both sides say the same, in the image of the poorer one; of a member's copy what only the member says stays there."""
    found: list[str] = []
    translator = world.translators[Kind.TASK]
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, item = _present(world, mailbox, link)
            if (Side.CRM, link.crm_id) in book.pending:
                continue
            if record is None or item is None:
                found.append(f"{mailbox}: link {link.crm_id}-{link.item_id} has lost a side")
                continue
            if mailbox not in _homes(world, record):
                found.append(f"{mailbox}: {link.crm_id} does not live here")
            shown = translator.mailbox_values(item.fields)
            for pair, value in translator.crm_values(record.fields).items():
                if pair in {each.id for each in DATES} and (not shown[pair] or item.fields["recurring"]):
                    continue  # a stand-in
                if pair != STATUS.id and link.role is Role.MEMBER and Flag.COPY_EDITED in link.flags:
                    continue
                if translator.image(pair, value) != translator.image(pair, shown[pair]):
                    found.append(f"{mailbox}: {link.crm_id}-{link.item_id} {pair} differs: {value!r} {shown[pair]!r}")
    return found


def _complete(story: TaskStory, books: Mapping[str, Books]) -> list[str]:
    """Everything is linked wherever it lives, or there is a reason why not."""
    world, found = story.world, []
    for record in story.records():
        for mailbox in _homes(world, record):
            book = books[mailbox]
            known = record.id in book.by_crm or record.id in book.stones or (Side.CRM, record.id) in book.pending
            if not known and not is_completed(record.fields):
                found.append(f"{mailbox}: record {record.id} {record.fields['subject'][:6]} is not there")
    for mailbox, todo in world.todos.items():
        book = books[mailbox]
        for item in todo.shown():
            if (
                item.id not in book.by_item
                and item.id not in book.stones
                and (Side.MAILBOX, item.id) not in book.pending
            ):
                found.append(f"{mailbox}: {item.id} {str(item.fields['title'])[:6]} is neither linked nor explained")
    return found


def _doubled(story: TaskStory) -> list[str]:
    """(4) what one person made is there once per side."""
    world = story.world
    records = Counter(serial_of(record.fields["subject"]) for record in story.records())
    found = [f"doubled in the CRM: {s}" for s, n in records.items() if n > 1 and s not in story.copies]
    for mailbox, todo in world.todos.items():
        shown = Counter(serial_of(str(item.fields["title"])) for item in todo.shown())
        found += [f"doubled in {mailbox}: {s}" for s, n in shown.items() if n > 1 and s not in story.copies]
    return found


def _lost(story: TaskStory) -> list[str]:
    """(3) no task vanished that nobody removed."""
    there = {serial_of(record.fields["subject"]) for record in story.records()}
    for todo in story.world.todos.values():
        there |= {serial_of(str(item.fields["title"])) for item in todo.shown()}
    every = {f"t{number}" for number in range(1, story.serial + 1)}
    return [f"lost: {serial}" for serial in sorted(every - there - story.removed)]


def _deleted(story: TaskStory) -> list[str]:
    """(3) no record went that nobody removed, not even for another one of the same title: colleagues' notes hang on it."""
    gone = (r for r in story.world.crm.records.values() if r.kind is Kind.TASK and r.deleted)
    return [f"deleted for nothing: {r.id}" for r in gone if serial_of(r.fields["subject"]) not in story.removed]


def _members(story: TaskStory) -> list[str]:
    """(7) what a member edits in the copy of a group's task, its status aside, does not reach the CRM."""
    teams = (r for r in story.records() if r.owner == story.team and serial_of(r.fields["subject"]) not in story.copies)
    return [f"a member's edit is in the CRM: {r.id}" for r in teams if r.fields["description"] == MINE]


def _edits(story: TaskStory, books: Mapping[str, Books]) -> list[str]:
    """(3) the last edit of a field is on both sides, unless somebody wrote it on the other side too."""
    world, found = story.world, []
    translator = world.translators[Kind.TASK]
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, item = _present(world, mailbox, link)
            if record is None or item is None or (Side.CRM, link.crm_id) in book.pending:
                continue
            if {serial_of(record.fields["subject"])} & (story.copies | story.removed):
                continue
            for crm_name, name in PAIRED.items():
                found += _edit(story, link, mailbox, (crm_name, name), translator, record)
    return found


def _edit(story, link, mailbox, names, translator, record):  # type: ignore[no-untyped-def]
    """One field of one link: what was written on one side only must stand in the CRM now."""
    crm_name, name = names
    pair = f"{crm_name}~{name}"
    mine = story.written.get(("crm", link.crm_id, crm_name))
    theirs = {m: v for (m, i, n), v in story.written.items() if n == name and m != "crm" and _of(story, m, i, link)}
    if "?" in theirs.values() or len(theirs) + (mine is not None) != 1 or (mine is None and mailbox not in theirs):
        return []
    if link.role is Role.MEMBER and mine is None and pair != STATUS.id:
        return []  # stays in the copy
    if mine is None and name in {"due", "start"} and not theirs[mailbox]:
        return []  # a clear leaves the stand-in
    wanted = (
        translator.crm_values({crm_name: mine})[pair]
        if mine is not None
        else translator.mailbox_values({name: theirs[mailbox], "bodyType": "text"})[pair]
    )
    now = translator.crm_values(record.fields)[pair]
    same = translator.image(pair, wanted) == translator.image(pair, now)
    return [] if same else [f"edit lost: {mailbox} {link.crm_id} {pair}: {wanted!r} is {now!r}"]


def _of(story: TaskStory, mailbox: str, item_id: str, link: Link) -> bool:
    """Is it a copy of the link's record, whoever's?"""
    task = story.world.todos[mailbox].tasks.get(item_id)
    return task is not None and serial_of(task.fields["title"]) == serial_of(
        story.world.crm.records[link.crm_id].fields["subject"]
    )


def _dropped(story: TaskStory) -> list[str]:
    """SPEC 2.8: a member who deleted the own copy of the group's task is not given it again."""
    there = {
        (t.id, serial_of(task.fields["title"]))
        for t in story.world.todos.values()
        for task in t.tasks.values()
        if not task.deleted
    }
    again = sorted(each for each in there & story.dropped if each[1] not in story.copies)
    return [f"given back: {serial} in {mailbox}" for mailbox, serial in again]


def _strays(story: TaskStory, books: Mapping[str, Books]) -> list[str]:
    """Copies that we made do not stay where their record does not live any more, nor when it is gone."""
    found = []
    for mailbox, todo in story.world.todos.items():
        book = books[mailbox]
        for item in todo.shown():
            crm_id = read_stamp(item.stamp)[0]
            record = story.world.crm.records.get(crm_id)
            if record is None or item.id in book.by_item or item.id in book.stones or item.fields["completed"]:
                continue
            if mailbox not in _homes(story.world, record) and (Side.CRM, crm_id) not in book.pending:
                found.append(f"{mailbox}: {item.id} is a copy of {crm_id}, which lives elsewhere")
    return found


def _exported(story: TaskStory, books: Mapping[str, Books]) -> list[str]:
    """What was in the CRM before the connection, and that nobody touched, is in no mailbox because of us."""
    links = (link for book in books.values() for link in book.by_crm.values())
    return [f"exported although old: {x.crm_id}" for x in links if x.crm_id in story.old and x.origin is Side.CRM]


def _clear_text(world: World) -> list[str]:
    """(10) no text of people stands in the store."""
    if not isinstance(world.rows, MemoryRows):
        return []
    stored = "\n".join(str(dict(row.data)) + row.key for row in world.rows.everything())
    return [
        f"clear text in the store: {text}" for text in ("Chiamare", "Offerta", "Ordine", "cliente") if text in stored
    ]

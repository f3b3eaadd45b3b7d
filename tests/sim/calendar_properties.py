"""What must be true of calendars when a story has settled: the properties of STYLE 2, rule 12, for events and series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from mapping.calendar import MASKED, is_private
from mapping.html_text import to_text
from sync.event_names import is_occurrence
from sync.model import Family, Flag, Item, Kind, Link, Role, Side
from sync.sides.memory import Record
from sync.sides.memory_events import over
from sync.store.ledger import MailboxLedger
from sync.store.memory import MemoryRows
from tests.sim.calendar_story import CalendarStory, serial_of
from tests.sim.properties import Books, unfound
from tests.sim.world import ROME, World

FIELDS = {"body": "description", "importance": "taskpriority", "sensitivity": "visibility"}
SECRET = ("uno\ndue", "riga")


async def calendar_violations(story: CalendarStory, last_writes: int) -> list[str]:
    """Everything that is wrong now; empty when all is well."""
    world = story.world
    books = {}
    for mailbox in world.calendars:
        ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.CALENDAR)
        books[mailbox] = Books([x async for x in ledger.links()], await ledger.pending(), await ledger.tombstones())
        books[mailbox].stones |= dict.fromkeys(await ledger.baseline())  # left as it was when the mailbox was connected
    found = [f"second run wrote {last_writes}"] if last_writes else []
    found += _equal(world, books)
    found += _complete(world, books)
    found += _doubled(story, books)
    found += _lost(story)
    found += _edits(story, books)
    found += _private(story, books)
    found += _exported(story, books)
    found += _past(story, books)
    found += _clear_text(world)
    found += await unfound(world, Family.CALENDAR)
    return found


def _records(world: World) -> list[Record]:
    return [r for r in world.crm.records.values() if r.kind is Kind.EVENT and not r.deleted]


def is_over(world: World, when: str) -> bool:
    return bool(when) and over(when, ROME) <= world.now()


def _present(world: World, mailbox: str, link: Link) -> tuple[Record | None, Item | None]:
    record = world.crm.records.get(link.crm_id)
    present = world.calendars[mailbox]._present(link.item_id)
    return (record if record and not record.deleted else None), (present if isinstance(present, Item) else None)


def _equal(world: World, books: Mapping[str, Books]) -> list[str]:
    """(2) linked events that are not over hold the same, in the image of the poorer side."""
    found: list[str] = []
    translator = world.translators[Kind.EVENT]
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, item = _present(world, mailbox, link)
            if (Side.CRM, link.crm_id) in book.pending or link.role is Role.GUEST:
                continue
            if link.ends and datetime.fromisoformat(link.ends) <= world.now():
                continue
            if record is None or item is None:
                found.append(f"{mailbox}: link {link.crm_id}-{link.item_id} has lost a side")
                continue
            if is_over(world, record.fields["when"]) and is_over(world, str(item.fields["when"])):
                continue
            hidden = is_private(item.fields) and Flag.CRM_PRIVATE not in link.flags
            fields = {**item.fields, **({MASKED: "1"} if hidden else {})}
            shown = translator.mailbox_values(fields)
            for pair, value in translator.crm_values(world.crm._item(record).fields).items():
                image = translator.image
                if image(pair, value) != image(pair, shown.get(pair, "")) and pair not in translator.inbound(fields):
                    found.append(
                        f"{mailbox}: {link.crm_id}-{link.item_id} {pair} differs: {value!r} {shown.get(pair)!r}"
                    )
    return found


def _complete(world: World, books: Mapping[str, Books]) -> list[str]:
    """Every event that is to come is linked, or there is a reason why not."""
    found: list[str] = []
    for record in _records(world):
        book = books[world.users[record.owner]]
        known = record.id in book.by_crm or record.id in book.stones or (Side.CRM, record.id) in book.pending
        if not known and not is_over(world, record.fields["when"]):
            found.append(f"record {record.id} {record.fields['subject'][:6]} is neither linked nor explained")
    soon = world.now() + timedelta(days=89)  # the last day of the horizon comes with the next night
    for mailbox, calendar in world.calendars.items():
        book = books[mailbox]
        for item in calendar.shown():
            if item.id in book.by_item or item.id in book.stones or (Side.MAILBOX, item.id) in book.pending:
                continue
            if is_over(world, str(item.fields["when"])) or (
                item.series and over(str(item.fields["when"]), ROME) > soon
            ):
                continue
            found.append(f"{mailbox}: {item.id} {str(item.fields['subject'])[:6]} is neither linked nor explained")
    return found


def _doubled(story: CalendarStory, books: Mapping[str, Books]) -> list[str]:
    """(4) what one person made is there once per side."""
    world = story.world
    records = _records(world)
    found = []
    known = {crm_id for book in books.values() for crm_id in (*book.by_crm, *book.stones)}
    same = Counter((serial_of(r.fields["subject"]), r.fields["uid"], r.fields["when"]) for r in records)
    for record in records:
        key = (serial_of(record.fields["subject"]), record.fields["uid"], record.fields["when"])
        coming = not is_over(world, record.fields["when"])
        if same[key] > 1 and record.id not in known and coming and key[0] not in story.copies:
            found.append(f"doubled in the CRM: {record.id} {key}")
    uids: dict[str, set[str]] = {}
    for record in records:
        uids.setdefault(serial_of(record.fields["subject"]), set()).add(record.fields["uid"])
    found += [
        f"made twice in the CRM: {s} {sorted(u)}"
        for s, u in uids.items()
        if len(u) > 1 and s.startswith("e") and s not in story.copies | story.private | story.removed
    ]
    for mailbox, calendar in world.calendars.items():
        items = list(calendar.shown())
        shown = Counter((serial_of(str(i.fields["subject"])), i.fields["when"]) for i in items)
        for item in items:
            key = (serial_of(str(item.fields["subject"])), item.fields["when"])
            if shown[key] > 1 and item.id not in books[mailbox].by_item and key[0] not in story.removed:
                found.append(f"doubled in {mailbox}: {item.id} {key}")
    return found


def _lost(story: CalendarStory) -> list[str]:
    """(3) no event vanished that nobody removed."""
    world = story.world
    there = {serial_of(r.fields["subject"]) for r in _records(world)}
    for calendar in world.calendars.values():
        there |= {serial_of(e.fields["subject"]) for e in calendar.events.values() if not e.deleted}
    every = {f"e{number}" for number in range(1, story.serial + 1)}
    return [f"lost: {serial}" for serial in sorted(every - there - story.removed)]


def _edits(story: CalendarStory, books: Mapping[str, Books]) -> list[str]:
    """(3) the last edit of a field is on both sides, unless somebody wrote it on the other side too."""
    world, found = story.world, []
    translator = world.translators[Kind.EVENT]
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, item = _present(world, mailbox, link)
            if record is None or item is None or (Side.CRM, link.crm_id) in book.pending:
                continue
            serials = {serial_of(str(item.fields["subject"])), serial_of(story._title_of(record))}
            if serials & (story.gone | story.copies | story.private):
                continue
            if link.ends and datetime.fromisoformat(link.ends) <= world.now():
                continue
            shown = translator.mailbox_values(item.fields)
            for pair in translator.pairs:
                mine = story.written.get(("crm", link.crm_id, pair.crm))
                theirs = story.written.get((mailbox, link.item_id, pair.mailbox))
                if (mine is None) == (theirs is None) or pair.mailbox == "sensitivity":
                    continue
                if is_occurrence(link.item_id) and any(
                    key[1] == link.item_id.partition("|")[0] for key in story.written
                ):
                    continue
                wanted = (
                    translator.crm_values({pair.crm: mine})
                    if theirs is None
                    else translator.mailbox_values({pair.mailbox: str(theirs), "bodyType": "text"})
                )
                value = wanted.get(pair.id)
                if value is not None and translator.image(pair.id, value) != translator.image(
                    pair.id, shown.get(pair.id, "")
                ):
                    found.append(
                        f"edit lost: {link.crm_id}-{link.item_id} {pair.id}: {value!r} is {shown.get(pair.id)!r}"
                    )
    return found


def _exported(story: CalendarStory, books: Mapping[str, Books]) -> list[str]:
    """What was in the CRM before the connection, and that nobody touched, is in no mailbox because of us."""
    links = (link for book in books.values() for link in book.by_crm.values())
    return [f"exported although old: {x.crm_id}" for x in links if x.crm_id in story.old and x.origin is Side.CRM]


def _past(story: CalendarStory, books: Mapping[str, Books]) -> list[str]:
    """What is over is not written to a mailbox; a series' past is not written to the CRM either, but to hide what turned private."""
    world = story.world
    found = [f"written to {c.id} although over: {id_}" for c in world.calendars.values() for id_ in c.past]
    links = (link for book in books.values() for link in book.by_crm.values())
    occurrences = {link.crm_id for link in links if is_occurrence(link.item_id)}
    for record in (world.crm.records[crm_id] for crm_id in world.crm.past):
        if record.id in occurrences and not record.fields["subject"].startswith("(occupato)"):
            found.append(f"the past was written in the CRM: {record.id}")
    return found


def _private(story: CalendarStory, books: Mapping[str, Books]) -> list[str]:
    """(10) the text of what was made private in a mailbox is not in the CRM, unless somebody wrote the same there."""
    found = []
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, item = _present(story.world, mailbox, link)
            if record is None or item is None or not is_private(item.fields) or Flag.CRM_PRIVATE in link.flags:
                continue
            if (Side.CRM, link.crm_id) in book.pending or (
                link.ends and datetime.fromisoformat(link.ends) <= story.world.now()
            ):
                continue
            if ("crm", link.crm_id, "location") in story.written or (
                "crm",
                link.crm_id,
                "description",
            ) in story.written:
                continue  # written there by hand since
            text = story.world.translators[Kind.EVENT].crm_values(record.fields)
            if text["subject~subject"] and serial_of(text["subject~subject"]).startswith("e"):
                found.append(f"{mailbox}: the title of private {link.crm_id}-{link.item_id} is in the CRM")
            for name, column in (("location", "location"), ("body", "description")):
                hidden = to_text(str(item.fields[name]))
                if hidden and hidden in record.fields[column] and (link.crm_id, column) not in story.by_hand:
                    found.append(f"{mailbox}: the {name} of private {link.crm_id}-{link.item_id} is in the CRM")
    return found


def _clear_text(world: World) -> list[str]:
    """(10) no text of people stands in the store."""
    if not isinstance(world.rows, MemoryRows):
        return []
    stored = "\n".join(str(dict(row.data)) + row.key for row in world.rows.everything())
    return [f"clear text in the store: {text}" for text in ("Riunione", "Milano", "Pranzo", "Reggio") if text in stored]

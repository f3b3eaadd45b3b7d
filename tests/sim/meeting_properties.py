"""What must be true of meetings when a story has settled: STYLE 2, rule 12, (1), (3), (4), (6), (7), (10); and both sides name the same people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from mapping.attendees import Answer, attendees_of
from mapping.calendar import is_private
from mapping.html_text import to_text
from sync.meetings import LEADERS
from sync.model import Family, Flag, Item, Kind, Link, Role
from sync.sides.memory import Event, Record
from sync.sides.memory_events import over, times_of
from sync.store.ledger import MailboxLedger
from sync.store.memory import MemoryRows
from tests.sim.meeting_story import CAR, CAR_TAG, CUSTOMER, ROOM_BOX, USERS, MeetingStory, serial_of
from tests.sim.world import ROME, World, address_of

Links = Mapping[str, list[Link]]


async def meeting_violations(story: MeetingStory, last_writes: int) -> list[str]:
    """Everything that is wrong now; empty when all is well."""
    world = story.world
    found = [f"second run wrote {last_writes}"] if last_writes else []
    found += [f"a copy was written: {each}" for each in world.office.violations]
    records = [r for r in world.crm.records.values() if r.kind is Kind.EVENT and not r.deleted]
    links: dict[str, list[Link]] = {}
    for mailbox in world.calendars:
        ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.CALENDAR)
        links[mailbox] = [link async for link in ledger.links()]
    found += await mails_uncharged(story)
    found += _doubled(story, records)
    found += _complete(story, records, links)
    found += _lost(story)
    found += _leaders(story, records, links)
    found += _exported(story, records, links)
    found += _people(story, records, links)
    found += _private(story, records, links)
    found += _begun(story)
    found += _clear_text(world)
    found += _car(story, records, links)
    found += _room(world)
    return found


async def mails_uncharged(story: MeetingStory) -> list[str]:
    """(6) the engine's mails, Exchange's and the CRM's together, were all charged, and no day's were more than the limit. To be asked
    before days pass: the ledger forgets what was charged yesterday."""
    world, found = story.world, []
    for mailbox in world.calendars:
        hours = await MailboxLedger(world.rows, mailbox, 0, "", Family.CALENDAR).mails()
        story.charged |= {(mailbox, hour): number for hour, number in hours.items()}
        days = {hour[:10] for hour in hours}
        total = {day: sum(n for hour, n in hours.items() if hour.startswith(day)) for day in days}
        found += [f"{n} mails of {mailbox} on {day}" for day, n in total.items() if n > world.mails.day]
    sent, charged = mails_of_engine(world), sum(story.charged.values())
    return [*found, f"{sent} mails sent, {charged} charged"] if sent > charged else found


def mails_of_engine(world: World) -> int:
    exchange = sum(1 for mail in world.office.mails if mail.by == "engine")
    return exchange + sum(1 for by, _ in world.crm.mails if by == "engine")


def _doubled(story: MeetingStory, records: list[Record]) -> list[str]:
    """(4) one CRM event per meeting and occurrence, one event per meeting and calendar."""
    names = Counter(
        (story.name_of(r), r.fields["when"] if story.name_of(r) in story.series else r.fields["slot"]) for r in records
    )
    found = [f"doubled in the CRM: {name} x{n}" for name, n in names.items() if n > 1]
    for calendar in story.world.calendars.values():
        live = [e for e in calendar.events.values() if not e.deleted and not e.called_off]
        series = Counter(serial_of(e.fields["subject"]) for e in live if e.rule)
        single = Counter((serial_of(e.fields["subject"]), e.only_slot, _which(story, e)) for e in live if not e.rule)
        found += [f"doubled in {calendar.id}: {name} x{n}" for name, n in (*series.items(), *single.items()) if n > 1]
    return found


def _which(story: MeetingStory, event: Event) -> str:
    """The records of a series of the CRM may be single events, when they fit no rule any more: they are told apart by their uids."""
    return event.uid if serial_of(event.fields["subject"]) in story.series else ""


def _complete(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """(3) every meeting that nobody ended and that a connected mailbox holds is in the CRM, and is linked there."""
    there = {story.name_of(r) for r in records}
    found = []
    for mailbox in story.world.users.values():
        linked = {link.item_id.partition("|")[0] for link in links[mailbox]}
        calendar = story.world.calendars[mailbox]
        for event in calendar.events.values():
            name = serial_of(event.fields["subject"])
            if event.deleted or event.called_off or name in story.gone or not calendar.times(event):
                continue
            if name not in there:
                found.append(f"not in the CRM: {name} of {mailbox}")
            elif event.id not in linked:
                found.append(f"not linked: {event.id} {name}")
    return found


def _lost(story: MeetingStory) -> list[str]:
    """(3) nobody's own meeting was taken away that nobody ended or gave to somebody else."""
    found = []
    for calendar in story.world.calendars.values():
        for event in calendar.events.values():
            name = serial_of(event.fields["subject"])
            if event.deleted and not event.organizer and name not in story.gone | story.reassigned:
                found.append(f"taken away: {event.id} {name}")
    return found


def _leaders(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """SPEC 2.4: one copy leads a record, the organizer's or the one that keeps it; and one does where the organizer is not connected."""
    roles: dict[str, list[Role]] = {}
    led: set[str] = set()
    for _, link, record, item in _linked(story.world, records, links):
        roles.setdefault(record.id, []).append(link.role)
        led |= {record.id} if story.user_of(str(item.fields["organizer_address"])) in story.world.users else set()
    found = [f"led twice: {i}" for i, each in roles.items() if sum(role in LEADERS for role in each) > 1]
    orphans = (i for i, each in roles.items() if set(each) == {Role.ATTENDEE} and i not in led)
    return found + [f"kept by nobody: {crm_id}" for crm_id in orphans]


def _exported(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """What a connected user made in the CRM is in that user's calendar, unless it was reassigned or ended."""
    found = []
    for record in records:
        name = story.name_of(record)
        user = story.exported.get(name)
        if user is None or user in story.late or name in story.gone | story.reassigned or _past(story.world, record):
            continue
        if record.id not in {link.crm_id for link in links[story.world.users[user]]}:
            found.append(f"not exported: {record.id} {name} of {user}")
    return found


def _past(world: World, record: Record) -> bool:
    return over(record.fields["when"], ROME) <= world.now()


def _linked(world: World, records: list[Record], links: Links) -> Iterator[tuple[str, Link, Record, Item]]:
    """Every link of a connected user with both its ends, of what is still to come."""
    by_id = {r.id: r for r in records if not _past(world, r)}
    for user, mailbox in world.users.items():
        for link in links[mailbox]:
            record, item = by_id.get(link.crm_id), world.calendars[mailbox]._present(link.item_id)
            if record is not None and isinstance(item, Item) and not item.fields.get("cancelled"):
                yield user, link, record, item


def _people(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """Who is invited is the same on both sides where the organizer was connected all the time, and so is what our users answered."""
    world, found = story.world, []
    for user, link, record, item in _linked(world, records, links):
        what = f"{item.fields['subject']} {link.item_id}"
        silent = _silent(link, item)
        if link.role in {Role.ORGANIZER, Role.HOME} and user not in story.late and not silent:
            found += [f"{what}: {each}" for each in _lists(world, record, item, user)]
        if link.role in {Role.ATTENDEE, Role.KEEPER} and user in record.invitees:
            said = _image(str(item.fields["response"]))
            if record.invitees[user] != said:
                found.append(f"{what}: answer of {user} {said}, in the CRM {record.invitees[user]}")
    return found


def _hidden(link: Link, item: Item) -> bool:
    """Does the CRM see no more of it than when it is? What was made private in the CRM stays readable there."""
    return is_private(item.fields) and Flag.CRM_PRIVATE not in link.flags


def _silent(link: Link, item: Item) -> bool:
    """Are its guests not compared? It went out without them (SPEC 2.9), or the CRM may not see them."""
    return _hidden(link, item) or Flag.ATTENDEES_WITHHELD in link.flags


def _private(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """(10) of what its leader's mailbox says is private the CRM has no title, text, place, organizer or list of guests."""
    found = []
    for user, link, record, item in _linked(story.world, records, links):
        if link.role is Role.ATTENDEE or not _hidden(link, item):
            continue
        texts = {name: to_text(str(item.fields[name])) for name in ("subject", "location", "body")}
        said = "\n".join(record.fields.values())
        shown = [name for name, text in texts.items() if text and text in said]
        book = {address: each for each, address in story.world.crm.people.items()}
        guests = {book[a.address] for a in attendees_of(item.fields["attendees"]) if a.address in book}
        shown += sorted(guests & record.invitees.keys() - {CUSTOMER})
        shown += ["organizer"] if record.fields["organizer_address"] else []
        found += [f"private, but in the CRM: {each} of {record.id}-{link.item_id} of {user}" for each in shown]
    return found


def _begun(story: MeetingStory) -> list[str]:
    """(6) whom the CRM invited to what had begun when its user was connected, Exchange did not invite for us: an admin may."""
    world = story.world
    if story.approved:
        return []  # everything was approved
    uids = {
        e.uid
        for c in world.calendars.values()
        for e in c.events.values()
        if serial_of(e.fields["subject"]) in story.begun and e.stamp
    }
    mails = [
        mail for mail in world.office.mails if mail.by == "engine" and mail.kind == "invitation" and mail.uid in uids
    ]
    return [f"invited although it had begun: {mail.to} to {mail.uid}" for mail in mails]


def _clear_text(world: World) -> list[str]:
    """(10) no text, name or address of people stands in the store."""
    if not isinstance(world.rows, MemoryRows):
        return []
    stored = "\n".join(str(dict(row.data)) + row.key for row in world.rows.everything())
    words = ("Riunione", "Visita", "Revisione", "iservat", "sala ", "via ", "da me", ".example")
    return [f"clear text in the store: {text}" for text in words if text in stored]


def _lists(world: World, record: Record, item: Item, user: str) -> Iterator[str]:
    """The organizer's list against the CRM's; answers of those who have no calendar of their own here come from the organizer's."""
    book = {address: u for u, address in world.crm.people.items() if u.startswith("19x") and u != CAR}
    mine = {book[a.address]: a.response for a in attendees_of(item.fields["attendees"]) if a.address in book}
    theirs = {u: answer for u, answer in record.invitees.items() if u in book.values()}
    mine.pop(user, None), theirs.pop(user, None)
    if mine.keys() != theirs.keys():
        yield f"guests {sorted(mine)}, in the CRM {sorted(theirs)}"
    for other in mine.keys() & theirs.keys() - USERS.keys():
        if _image(mine[other]) != theirs[other]:
            yield f"{other} said {mine[other]}, in the CRM {theirs[other]}"


def _image(response: str) -> str:
    return "none" if response in {"", Answer.TENTATIVE} else response


def _car(story: MeetingStory, records: list[Record], links: Links) -> list[str]:
    """A thing without a mailbox answers in the CRM, is promised once at a time, and shows in every calendar that holds the meeting."""
    world, found = story.world, []
    coming = [r for r in records if not _past(world, r)]
    taken = [(r, times_of(r.fields["when"])) for r in coming if r.invitees.get(CAR) == "accepted"]
    for index, (one, mine) in enumerate(taken):
        for other, theirs in taken[:index]:
            if mine and theirs and mine[0] < theirs[1] and theirs[0] < mine[1]:
                found.append(f"the car is promised twice: {one.id} {other.id}")
    for user, link, record, item in _linked(world, records, links):
        answer = record.invitees.get(CAR)
        wanted = {CAR_TAG: "accepted", f"{CAR_TAG} ✗": "declined"}
        shown = [wanted[name] for name in item.fields["categories"] if name in wanted]
        late = user in story.late  # a first synchronisation writes no categories either
        if not late and answer != "none" and shown != ([answer] if answer else []):
            found.append(f"{link.item_id} {item.fields['subject']} shows the car as {shown}, in the CRM {answer}")
    return found


def _room(world: World) -> list[str]:
    """The memory's own: a room that is taken twice would prove nothing."""
    room = world.office.calendars[address_of(ROOM_BOX)]
    live = [e for e in room.events.values() if e.response == "accepted" and not e.deleted and not e.called_off]
    spans = sorted(span for each in live for span in room.times(each))
    return [f"the room is taken twice: {b}" for a, b in pairwise(spans) if b[0] < a[1]]

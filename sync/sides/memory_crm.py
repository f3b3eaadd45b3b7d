"""A CRM in memory, for the simulator of the engine: all users' records, with vtenext's losses and no protocol. See `sync.sides.memory`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mapping.attendees import Invitee, invitees_of
from sync.errors import Cause, Failure, RetryLater
from sync.model import Gone, Item, Kind, Present, Proof, Side, Unread, Value
from sync.sides.base import Done, NaturalKey, New, Page, Refused, Remove, Result, Revise, Write
from sync.sides.memory_events import check, first_day, held_reminder, held_span, last_day, over, taken_apart
from sync.sides.memory_wire import Wire, apply_all, quiet

ROME = ZoneInfo("Europe/Rome")
FIXED = ("uid", "slot")
"""What identifies an event: set on creation, never after."""
LENGTHS = {
    Kind.CONTACT: {
        "firstname": 40,
        "lastname": 80,
        "email": 100,
        "phone": 50,
        "mobile": 50,
        "title": 50,
        "mailingcity": 40,
        "mailingstreet": 250,
        "department": 30,
    },
    Kind.COMPANY: {"accountname": 100, "email1": 100, "phone": 30, "bill_city": 30},
    Kind.EVENT: {"subject": 100, "location": 150, "visibility": 50, "taskpriority": 200, "uid": 127},
    Kind.TASK: {"subject": 100, "taskstatus": 200, "taskpriority": 200, "uid": 127},
}
COLUMNS = {
    Kind.CONTACT: (
        *LENGTHS[Kind.CONTACT],
        *("account_id", "homephone", "description", "salutationtype", "otherphone", "fax", "assistant", "birthday"),
        *("mailingstate", "mailingzip", "mailingcountry"),
        *("otherstreet", "othercity", "otherstate", "otherzip", "othercountry"),
    ),
    Kind.COMPANY: (
        *LENGTHS[Kind.COMPANY],
        *("email2", "otherphone", "website", "description", "fax"),
        *("bill_street", "bill_state", "bill_code", "bill_country"),
        *("ship_street", "ship_city", "ship_state", "ship_code", "ship_country"),
    ),
    Kind.EVENT: (
        *LENGTHS[Kind.EVENT],
        "description",
        "when",
        "reminder_time",
        "slot",
        "recurring",
        "organizer_address",
        "contact_id",
    ),
    Kind.TASK: (*LENGTHS[Kind.TASK], "description", "date_start", "due_date"),
}
"""What every record shows, '' where nothing was ever written."""
MODULE = {Kind.CONTACT: "4", Kind.COMPANY: "3", Kind.EVENT: "18", Kind.TASK: "1"}


def stored(kind: Kind, name: str, value: Value) -> str:
    """What a vtenext database makes of a text (API.md 3.7)."""
    text = "".join("????" if ord(c) > 0xFFFF else c for c in str(value))
    return text[: LENGTHS[kind].get(name, 70_000)]


@dataclass(slots=True)
class Record:
    id: str
    kind: Kind
    owner: str
    fields: dict[str, str]
    created: str
    modified: str
    by_us: bool
    deleted: bool = False
    invitees: dict[str, str] = field(default_factory=dict)  # user or contact -> none | accepted | declined


@dataclass(slots=True)
class MemoryCrm:
    """All records of all users. `owners`: ids that may own records, None = any."""

    now: Callable[[], datetime]
    wire: Wire = quiet
    owners: frozenset[str] | None = None
    zone: ZoneInfo = ROME
    records: dict[str, Record] = field(default_factory=dict)
    number: int = 100
    writes: int = 0
    workflow: Callable[[Record], None] | None = None
    past: list[str] = field(default_factory=list)  # events that were written although they were over
    people: dict[str, str] = field(default_factory=dict)  # user or contact -> address
    doubtful: set[str] = field(default_factory=set)  # addresses that vtenext would find somebody else by, too
    # who made vtenext send it ('engine' | 'user'), to which contact
    mails: list[tuple[str, str]] = field(default_factory=list)

    def second(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # what users do

    def add(self, kind: Kind, owner: str, fields: Mapping[str, Value], *, by_us: bool = False) -> Record:
        """A new record; events and tasks get a uid of their own, and events the slot 0, unless they are given."""
        self.number += 1
        at = self.second()
        kept = dict.fromkeys(COLUMNS[kind], "")
        if kind is Kind.EVENT:
            kept |= {"uid": f"uid-{self.number}", "slot": "0"}
        if kind is Kind.TASK:
            kept |= {"uid": f"uid-{self.number}"}
        record = Record(f"{MODULE[kind]}x{self.number}", kind, owner, kept, at, at, by_us)
        kept |= {name: self._column(record, name, value) for name, value in fields.items() if name != "account_name"}
        self.records[record.id] = record
        if self.workflow:
            self.workflow(record)
        return record

    def add_series(self, owner: str, fields: Mapping[str, Value], spans: Sequence[str]) -> list[Record]:
        """A series made in the user interface: one record per occurrence, one uid, numbered from 0 (API.md 7.6)."""
        uid = f"series-{self.number + 1}"
        return [
            self.add(
                Kind.EVENT,
                owner,
                {**fields, "when": span, "uid": uid, "slot": str(index), "recurring": "" if index else "1"},
            )
            for index, span in enumerate(spans)
        ]

    def edit(self, crm_id: str, **fields: str) -> None:
        """A user saves. What identifies an event never changes; a reminder can be taken off here, but not by `Revise`."""
        record = self.records[crm_id]
        by, owner = fields.pop("by", "user"), fields.pop("owner", None) or fields.pop("assigned_user_id", None)
        if "when" in fields and self._column(record, "when", fields["when"]) != record.fields.get("when"):
            record.invitees = dict.fromkeys(record.invitees, "none")
            self._tell(by, record.invitees)
        record.owner = owner or record.owner
        record.fields.update({n: self._column(record, n, v) for n, v in fields.items() if n not in FIXED})
        record.modified = self.second()

    def _column(self, record: Record, name: str, value: Value) -> str:
        text = stored(record.kind, name, value)
        if record.kind is Kind.EVENT and name == "when":
            return held_span(text, self.zone)
        return held_reminder(text) if record.kind is Kind.EVENT and name == "reminder_time" else text

    def delete(self, crm_id: str) -> None:
        self.records[crm_id].deleted = True
        self.records[crm_id].modified = self.second()

    def invite(self, crm_id: str, **answers: str) -> None:
        """A user saves another list of invitees: id -> answer."""
        record = self.records[crm_id]
        self._tell("user", set(answers) - set(record.invitees))
        record.invitees = dict(answers)
        record.modified = self.second()

    def answer(self, crm_id: str, invitee: str, answer: str) -> None:
        """An invitee answers in vtenext, which does not count as a change of the event (API.md 5)."""
        self.records[crm_id].invitees[invitee] = answer

    def _tell(self, by: str, invitees: Iterable[str]) -> None:
        """vtenext mails contacts itself (API.md 3.8)."""
        self.mails += [(by, each) for each in sorted(invitees) if each.startswith("4x")]

    # the protocol

    def _item(self, record: Record) -> Item:
        fields: dict[str, Value] = dict(record.fields)
        if record.kind in {Kind.EVENT, Kind.TASK}:
            fields["created"] = record.created
        if record.kind is Kind.EVENT:
            fields["invitees"] = tuple(sorted(f"{i}|{a}|{self.people.get(i, '')}" for i, a in record.invitees.items()))
        account = self.records.get(record.fields.get("account_id", ""))
        if record.kind is Kind.CONTACT:
            fields["account_name"] = account.fields["accountname"] if account and not account.deleted else ""
        stamp = f"{record.fields['uid']}|{record.fields['slot']}" if record.kind is Kind.EVENT else ""
        stamp = record.fields["uid"] if record.kind is Kind.TASK else stamp
        return Item(Side.CRM, record.kind, record.id, record.modified, fields, record.owner, stamp, record.modified)

    async def _before(self, operation: str) -> None:
        if await self.wire("before", f"crm {operation}"):
            raise RetryLater(Cause.CRM_UNREACHABLE, 30.0)

    async def beginning(self) -> str:
        await self._before("beginning")
        return self.second()

    async def changes(self, kind: Kind, cursor: str) -> AsyncIterator[Page]:
        await self._before("changes")
        since = cursor and (datetime.fromisoformat(cursor) - timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%SZ")
        mine = sorted(
            (r for r in self.records.values() if r.kind is kind and r.modified >= since),
            key=lambda r: (r.modified, r.id),
        )
        for start in range(0, max(len(mine), 1), 3):
            part = mine[start : start + 3]
            live = [self._item(r) for r in part if not r.deleted]
            last = start + 3 >= len(mine)
            yield Page(live, [r.id for r in part if r.deleted], self.second() if last else "", last)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        await self._before("get")
        result: dict[str, Present] = {}
        for crm_id in ids:
            record = self.records.get(crm_id)
            if record is None or record.kind is not kind:
                result[crm_id] = Unread(crm_id, "unknown")
            else:
                result[crm_id] = Gone(crm_id, Proof.NOT_FOUND) if record.deleted else self._item(record)
        return result

    async def owned(self, kind: Kind, owner: str, ending_after: datetime | None = None) -> AsyncIterator[Sequence[str]]:
        await self._before("owned")
        day = ending_after.astimezone(self.zone).date().isoformat() if ending_after else ""
        for record in list(self.records.values()):
            theirs = record.kind is kind and not record.deleted and owner in {"", record.owner}
            done = day and record.fields.get("taskstatus") == "Completed"
            if theirs and not done and (kind is Kind.TASK or last_day(record.fields.get("when", ""), self.zone) >= day):
                yield [record.id]

    async def find(self, keys: Sequence[NaturalKey]) -> list[list[Item]]:
        await self._before("find")
        live = [r for r in self.records.values() if not r.deleted]
        return [[self._item(r) for r in live if self._alike(r, key)] for key in keys]

    @staticmethod
    def _alike(record: Record, key: NaturalKey) -> bool:
        if record.kind is not key.kind:
            return False
        value = {name: text.casefold() for name, text in record.fields.items()}
        emails = {value.get("email", ""), value.get("email1", ""), value.get("email2", "")} - {""}
        if emails & {e.casefold() for e in key.emails}:
            return True
        if key.kind is Kind.COMPANY:
            return bool(key.company) and value.get("accountname") == key.company.casefold()
        same_given = value.get("firstname", "") == key.given.casefold()
        return bool(key.family) and value.get("lastname") == key.family.casefold() and same_given

    async def accounts_named(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        await self._before("accounts_named")
        live = [r for r in self.records.values() if r.kind is Kind.COMPANY and not r.deleted]
        return {
            name: tuple(r.id for r in live if r.fields["accountname"].casefold() == name.casefold()) for name in names
        }

    async def contacts_of(self, account_ids: Sequence[str]) -> list[str]:
        await self._before("contacts_of")
        return [r.id for r in self.records.values() if r.fields.get("account_id") in set(account_ids) and not r.deleted]

    async def upcoming(self, until: datetime) -> list[Item]:
        await self._before("upcoming")
        live = [r for r in self.records.values() if r.kind is Kind.EVENT and not r.deleted and r.fields["when"]]
        starts = {r.id: r.fields["when"].partition("/")[0] for r in live}
        now, last = (f"{moment:%Y-%m-%dT%H:%M}Z" for moment in (self.now(), until))
        return [self._item(r) for r in live if now <= starts[r.id] <= last]

    async def beginning_on(self, owner: str, days: Sequence[date]) -> list[Item]:
        await self._before("beginning_on")
        live = [r for r in self.records.values() if r.kind is Kind.EVENT and not r.deleted and r.owner == owner]
        found = [self._item(r) for r in live if first_day(r.fields["when"], self.zone) in set(days)]
        return [replace(item, fields={n: v for n, v in item.fields.items() if n != "invitees"}) for item in found]

    async def by_uid(self, kind: Kind, uids: Sequence[str]) -> list[Item]:
        await self._before("by_uid")
        wanted = set(uids) - {""}
        live = [r for r in self.records.values() if r.kind is kind and not r.deleted]
        return [self._item(r) for r in live if r.fields.get("uid") in wanted]

    async def server_zone(self) -> ZoneInfo:
        await self._before("server_zone")
        return self.zone

    async def created_since(self, kind: Kind, since: str) -> list[Item]:
        if kind in {Kind.EVENT, Kind.TASK}:
            raise ValueError("events and tasks do not tell who created them: look by uid")
        await self._before("created_since")
        start = datetime.fromisoformat(since).strftime("%Y-%m-%dT%H:%M:%SZ")
        mine = [r for r in self.records.values() if r.by_us and r.kind is kind and r.created >= start]
        return [self._item(r) for r in mine if not r.deleted]

    async def count(self, kind: Kind) -> int:
        await self._before("count")
        return sum(1 for r in self.records.values() if r.kind is kind and not r.deleted)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        for write in writes:
            if isinstance(write, New) and write.kind is Kind.TASK and not 0 < len(write.stamp) <= 127:
                raise ValueError("the stamp of a task has 1 to 127 characters")
            if (
                isinstance(write, New)
                and write.kind is Kind.TASK
                and not {"date_start", "due_date"} <= write.fields.keys()
            ):
                raise ValueError("a task has both dates")
            if (write.kind if isinstance(write, New) else write.expected.kind) is Kind.EVENT:
                check(write)
        return await apply_all(self.wire, "crm", writes, self._write)

    def _write(self, write: Write) -> Result:
        self.writes += 1
        if isinstance(write, New):
            return self._create(write)
        record = self.records.get(write.expected.id)
        if record is None or record.deleted:
            return Done(None) if isinstance(write, Remove) else Refused(Failure(412, "GONE"))
        held, expected = self._item(record).fields, dict(write.expected.fields)
        if "invitees" not in (write.fields if isinstance(write, Revise) else ()):
            expected["invitees"] = held.get("invitees", ())  # answers may come and go
        if held != {k: v for k, v in expected.items() if k in held} or record.owner != write.expected.owner:
            return Refused(Failure(412, "CHANGED"))
        if record.kind is Kind.EVENT and record.fields["when"]:
            after = "" if isinstance(write, Remove) else str(write.fields.get("when", ""))
            times = [over(when, self.zone) for when in (record.fields["when"], after) if when]
            self.past += [record.id] if max(times) <= self.now() else []
        if isinstance(write, Remove):
            self.delete(record.id)
            return Done(None)
        texts = {name: value for name, value in write.fields.items() if name != "invitees"}
        changed = {name: str(value) for name, value in texts.items() if self._changes(record, name, str(value))}
        kept = dict(record.invitees)
        if changed:
            self.edit(record.id, by="engine", **changed)
        if "invitees" in write.fields:
            self._list(record, invitees_of(write.fields["invitees"]))
        else:
            record.invitees = kept  # a move takes the answers away unless they are sent along (API.md 7.5)
        return Done(self._item(record))

    def _list(self, record: Record, wanted: Sequence[Invitee]) -> None:
        """The list as the server makes it of addresses: whoever has exactly this one; left alone if it would invite anybody else (SPEC 2.5)."""
        if any(each.address in self.doubtful for each in wanted):
            return
        after = {each.id: str(each.answer) for each in wanted if self.people.get(each.id) == each.address}
        self._tell("engine", set(after) - set(record.invitees))
        if after != record.invitees:
            record.invitees, record.modified = after, self.second()

    def _changes(self, record: Record, name: str, value: str) -> bool:
        """Does a program change the record by writing this? A reminder cannot be removed by one (API.md 7.4)."""
        if name == "account_name" or (name == "reminder_time" and value in {"", "0"}):
            return False
        return record.fields.get(name) != (held_span(value, self.zone) if name == "when" else value)

    def _create(self, write: New) -> Result:
        if self.owners is not None and write.owner not in self.owners:
            return Refused(Failure(400, "OWNER_UNKNOWN"))
        identity = taken_apart(write.stamp) if write.kind is Kind.EVENT else {}
        identity = {"uid": write.stamp} if write.kind is Kind.TASK else identity
        fields = {name: value for name, value in write.fields.items() if name != "invitees"}
        record = self.add(write.kind, write.owner, {**fields, **identity}, by_us=True)
        self._list(record, invitees_of(write.fields.get("invitees")))
        return Done(self._item(record))

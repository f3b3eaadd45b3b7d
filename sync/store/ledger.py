"""The ledger of a family of kinds in one mailbox: links, intents, pending rows, tombstones, checkpoint, history - one partition, one fence.

Every change goes through `commit`, an entity-group transaction that also checks the fence: a worker whose lease was taken over cannot write
a single row (`Fenced`). Keys of rows begin with what they are:

    f          the fence, raised by whoever takes the lease            c|crm id   a link (all of it)
    k          checkpoint and counters                                 m|item id  points to the link
    i|side|id  intent: a creation on the other side for this item      p|side|id  pending: seen, not settled
    t|side|id  tombstone: unlinked on purpose                          h|... j|... r|... sync.store.journal
    b|crm id   digest of an event when connected        u|uid      a CRM series that is forming: sync.store.forming
    e|crm id   an order to export it: sync.store.exports
    q          mails charged, by hour               x|... what a removal left: see sync.store.remnants

No value of an item stands here in clear: bases are digests, journal values are encrypted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sync.bases import StoredBase, text_of
from sync.errors import Fenced
from sync.model import Family, Held, Kind, Link, Reason, Role, Sent, Side
from sync.store.base import MAX_OPS, Conflict, Data, Drop, Insert, Op, Put, Replace, Row, Rows, prefix_end, transactions
from sync.store.journal import beginnings, old_rows, put_beginning, values_of_items

ROOM = MAX_OPS - 2
"""Operations of a transaction beside the fence and the row that says where the run's journal begins."""


def partition_of(mailbox: str, family: Family = Family.PEOPLE) -> str:
    return f"{mailbox}|{family.value}"


def safe(text: str) -> str:
    """An id as part of a key: itself, or its hash where the service would refuse it."""
    if len(text) <= 300 and not any(c in "/\\#?" or c < " " or "\x7f" <= c <= "\x9f" for c in text):
        return text
    return "~" + sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Intent:
    """A creation on the other side for the item `id` of `side`, written down before the call."""

    side: Side
    id: str
    kind: Kind
    stamp: str
    since: str  # ISO UTC
    replaces: str = ""  # crm id of the link that this creation takes over
    sent: str = ""  # JSON {field pair: digest of what is sent}: see sync.intents
    role: Role = Role.HOME  # of the link that will begin
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pending:
    """An item that was seen and could not be settled, or is left alone for a reason that is counted and shown.

    `shown`: what an admin was asked about. `handles`: keyed digests of an unlinked card's names and addresses, by which a new CRM
    item finds it.
    """

    side: Side
    id: str
    because: Reason
    since: str
    fails: int = 0
    hold: str = ""
    shown: str = ""
    cause: str = ""
    kind: str = ""
    handles: str = ""
    turn: int = 0  # in which it failed last, see `sync.settle.turn_of`


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A link that ended on purpose: its crm item and mailbox item are not joined or made again."""

    side: Side
    id: str
    because: Reason
    other: str  # the id on the other side


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the mailbox's next run begins with."""

    cursor: str = ""
    folder: str = ""
    run: int = 0
    full_at: str = ""  # last comparison in full, ISO UTC
    deletes: Mapping[str, int] = field(default_factory=dict)  # "kind|side|hour" -> deletions: the rolling 24 hours
    compared: str = ""  # crm id up to which a comparison in full that needs several slices has come
    connected: str = ""  # calendar: when the baseline was taken, ISO UTC
    imported: bool = False  # calendar: the first synchronisation, which only imports, has ended
    turn: int = 0
    turn_at: str = ""  # when it began, ISO UTC, see `sync.settle.turn_of`
    digest_key: str = ""  # id of the key that the last comparison in full digested with
    compared_with: str = ""  # the same of the one that `compared` speaks of
    under: int = 0  # generation of the board for which `compared` counts: settings or mapping that moved begin anew


def put_link(link: Link) -> list[Op]:
    """The two rows of a link."""
    return [renew_link(link), Put(f"m|{safe(link.item_id)}", {"crm": link.crm_id, "item": link.item_id})]


def renew_link(link: Link) -> Op:
    """The row of a link whose items stay what they are."""
    data = {
        "item": link.item_id,
        "kind": link.kind.value,
        "origin": link.origin.value,
        "role": link.role.value,
        "base": text_of(link.base),
        "crm_version": link.crm_version,
        "item_version": link.item_version,
        "matched": link.matched,
    }
    said = {"flags": " ".join(sorted(link.flags)), "ends": link.ends, "rest": link.rest}
    data |= {name: text for name, text in said.items() if text}  # mostly there is none: every property of a row is read
    if link.streaks:
        data["streaks"] = json.dumps(dict(link.streaks))
    if link.sent:
        sent = {pair: f"{each.side.value} {each.held.crm} {each.held.mailbox}" for pair, each in link.sent.items()}
        data["sent"] = json.dumps(sent, separators=(",", ":"))
    return Put(f"c|{link.crm_id}", data)


def drop_link(link: Link) -> list[Op]:
    return [Drop(f"c|{link.crm_id}"), Drop(f"m|{safe(link.item_id)}")]


def put_baseline(crm_id: str, digest: str) -> Op:
    """What a CRM event or task was when the mailbox was connected."""
    return Put(f"b|{crm_id}", {"digest": digest})


def put_intent(intent: Intent) -> Op:
    data = {
        "kind": intent.kind.value,
        "stamp": intent.stamp,
        "since": intent.since,
        "id": intent.id,
        "replaces": intent.replaces,
        "sent": intent.sent,
        "role": intent.role.value,
        "flags": " ".join(sorted(intent.flags)),
    }
    return Put(_key("i", intent.side, intent.id), data)


def drop_intent(side: Side, id_: str) -> Op:
    return Drop(_key("i", side, id_))


def put_pending(row: Pending) -> Op:
    data = {
        "id": row.id,
        "because": row.because.value,
        "since": row.since,
        "fails": row.fails,
        "hold": row.hold,
        "shown": row.shown,
        "cause": row.cause,
        "kind": row.kind,
        "handles": row.handles,
        "turn": row.turn,
    }
    return Put(_key("p", row.side, row.id), data)


def pending_of(row: Row) -> Pending:
    return Pending(
        _side(row.key),
        _text(row.data, "id"),
        Reason(_text(row.data, "because")),
        _text(row.data, "since"),
        int(row.data["fails"]),
        _text(row.data, "hold"),
        _text(row.data, "shown"),
        _text(row.data, "cause"),
        _text(row.data, "kind"),
        _text(row.data, "handles"),
        int(row.data.get("turn", 0)),
    )


def drop_pending(side: Side, id_: str) -> Op:
    return Drop(_key("p", side, id_))


def put_tombstones(link: Link, because: Reason) -> list[Op]:
    return [put_tombstone(Tombstone(side, link.id_on(side), because, link.id_on(side.other))) for side in Side]


def put_tombstone(stone: Tombstone) -> Op:
    data = {"id": stone.id, "because": stone.because.value, "other": stone.other}
    return Put(_key("t", stone.side, stone.id), data)


def drop_tombstone(side: Side, id_: str) -> Op:
    return Drop(_key("t", side, id_))


def _key(letter: str, side: Side, id_: str) -> str:
    return f"{letter}|{side.value}|{safe(id_)}"


def _text(data: Data, name: str) -> str:
    return str(data.get(name, ""))


class MailboxLedger:
    """One worker's view of a family's partition of one mailbox, under a fence."""

    def __init__(self, rows: Rows, mailbox: str, fence: int, fence_etag: str, family: Family = Family.PEOPLE) -> None:
        self.rows, self.mailbox, self.fence, self.family = rows, mailbox, fence, family
        self.partition = partition_of(mailbox, family)
        self._fence_etag = fence_etag
        self._turn = asyncio.Lock()  # transactions carry the fence's ETag: one after another
        self._begun: dict[int, str] = {}  # run -> where its journal begins, as far as it was committed here

    @classmethod
    async def open(cls, rows: Rows, mailbox: str, fence: int, family: Family = Family.PEOPLE) -> MailboxLedger:
        """Raise the fence to `fence`. Raises Fenced when a newer worker was here."""
        partition = partition_of(mailbox, family)
        row = await rows.get(partition, "f")
        if row is not None and int(row.data["fence"]) > fence:
            raise Fenced
        op: Op = Replace("f", {"fence": fence}, row.etag) if row else Insert("f", {"fence": fence})
        try:
            (etag,) = await rows.transact(partition, [op])
        except Conflict:
            raise Fenced from None
        return cls(rows, mailbox, fence, etag, family)

    async def commit(self, ops: Sequence[Op]) -> None:
        """Store all or nothing per 98 operations, in order. Raises Fenced when this worker's time is over."""
        async with self._turn:
            for start in range(0, len(ops), ROOM):
                part = list(ops[start : start + ROOM])
                fence = Replace("f", {"fence": self.fence}, self._fence_etag)
                begun = beginnings(part, self._begun)
                first = [put_beginning(run, at) for run, at in begun.items()]
                try:
                    etags = await self.rows.transact(self.partition, [fence, *part, *first])
                except Conflict as conflict:
                    if conflict.key == "f":
                        raise Fenced from None
                    raise
                self._fence_etag = etags[0]
                self._begun.update(begun)

    async def commit_groups(self, groups: Iterable[Sequence[Op]]) -> None:
        """Commit groups of operations, never splitting a group over two transactions."""
        for part in transactions(groups, ROOM):
            await self.commit(part)

    async def checkpoint(self) -> Checkpoint:
        row = await self.rows.get(self.partition, "k")
        if row is None:
            return Checkpoint()
        kept = {name: value for name, value in row.data.items() if name in Checkpoint.__dataclass_fields__}
        deletes = json.loads(_text(row.data, "deletes") or "{}")
        return Checkpoint(**{**kept, "deletes": deletes})

    async def save_checkpoint(self, point: Checkpoint) -> None:
        data: dict[str, str | int | bool] = {name: getattr(point, name) for name in Checkpoint.__dataclass_fields__}
        await self.commit([Put("k", {**data, "deletes": json.dumps(dict(point.deletes))})])

    async def link_by_crm(self, crm_id: str) -> Link | None:
        row = await self.rows.get(self.partition, f"c|{crm_id}")
        return self._link(crm_id, row.data) if row else None

    async def link_by_item(self, item_id: str) -> Link | None:
        row = await self.rows.get(self.partition, f"m|{safe(item_id)}")
        return await self.link_by_crm(_text(row.data, "crm")) if row else None

    async def links_of_series(self, series: str) -> list[Link]:
        """Links of the occurrences of a mailbox's series."""
        prefix = f"m|{series}|"
        if safe(prefix) != prefix:
            return [link async for link in self.links() if link.item_id.startswith(f"{series}|")]
        crm_ids = [_text(row.data, "crm") async for row in self.rows.query(self.partition, prefix, prefix_end(prefix))]
        found = await asyncio.gather(*(self.link_by_crm(crm_id) for crm_id in crm_ids))
        return [link for link in found if link]

    async def links(self) -> AsyncIterator[Link]:
        async for row in self.rows.query(self.partition, "c|", prefix_end("c|")):
            yield self._link(row.key[2:], row.data)

    def _link(self, crm_id: str, data: Data) -> Link:
        return Link(
            self.mailbox,
            Kind(_text(data, "kind")),
            crm_id,
            _text(data, "item"),
            Side(_text(data, "origin")),
            Role(_text(data, "role")),
            StoredBase(_text(data, "base")),
            _text(data, "crm_version"),
            _text(data, "item_version"),
            json.loads(str(data["streaks"])) if "streaks" in data else {},
            frozenset(_text(data, "flags").split()),
            _text(data, "ends"),
            _sent(str(data["sent"])) if "sent" in data else {},
            bool(data.get("matched", _text(data, "origin") == Side.MAILBOX)),  # an older version did not say
            _text(data, "rest"),
        )

    async def mails(self) -> dict[str, int]:
        """Hour (ISO) -> mails that the engine was charged with."""
        row = await self.rows.get(self.partition, "q")
        return json.loads(_text(row.data, "hours")) if row else {}

    async def mails_of_run(self, run: int) -> tuple[int, int]:
        """Meetings and mails that earlier slices (or lives) of this run were charged with."""
        row = await self.rows.get(self.partition, "q")
        same = row is not None and row.data.get("run") == run
        return (int(row.data["meetings"]), int(row.data["mails"])) if row and same else (0, 0)

    async def save_mails(self, hours: Mapping[str, int], run: int, meetings: int, mails: int) -> None:
        await self.commit(
            [Put("q", {"hours": json.dumps(dict(hours)), "run": run, "meetings": meetings, "mails": mails})]
        )

    async def take_baseline(self, digests: Mapping[str, str]) -> None:
        """Remember what these CRM events were when the mailbox was connected."""
        await self.commit([put_baseline(crm_id, digest) for crm_id, digest in digests.items()])

    async def baseline(self) -> dict[str, str]:
        rows = self.rows.query(self.partition, "b|", prefix_end("b|"))
        return {row.key[2:]: _text(row.data, "digest") async for row in rows}

    async def purge_journal(self, before: str) -> None:
        """Forget journal values and what removals left that is older than `before` (ISO UTC): restorable for 30 days (SPEC 4.6)."""
        await self.commit(await old_rows(self.rows, self.partition, before))

    async def forget_values(self, ids: Collection[str]) -> None:
        """Remove what the journal holds of items, by the id of either side."""
        await self.commit(await values_of_items(self.rows, self.partition, ids) if ids else [])

    async def intents(self) -> list[Intent]:
        rows = self.rows.query(self.partition, "i|", prefix_end("i|"))
        return [
            Intent(
                _side(row.key),
                _text(row.data, "id"),
                Kind(_text(row.data, "kind")),
                _text(row.data, "stamp"),
                _text(row.data, "since"),
                _text(row.data, "replaces"),
                _text(row.data, "sent"),
                Role(_text(row.data, "role") or Role.HOME),
                frozenset(_text(row.data, "flags").split()),
            )
            async for row in rows
        ]

    async def pending(self) -> list[Pending]:
        rows = self.rows.query(self.partition, "p|", prefix_end("p|"))
        return [pending_of(row) async for row in rows]

    async def tombstones(self) -> list[Tombstone]:
        rows = self.rows.query(self.partition, "t|", prefix_end("t|"))
        return [
            Tombstone(
                _side(row.key), _text(row.data, "id"), Reason(_text(row.data, "because")), _text(row.data, "other")
            )
            async for row in rows
        ]


def _sent(text: str) -> dict[str, Sent]:
    parts = {pair: each.split(" ") for pair, each in json.loads(text).items()}
    return {pair: Sent(Side(side), Held(crm, mailbox)) for pair, (side, crm, mailbox) in parts.items()}


def _side(key: str) -> Side:
    return Side(key.split("|")[1])

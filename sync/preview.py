"""A dry run of one mailbox (SPEC 4.7): the very run that would follow, over rows and sides on which nothing is written.

What people are called is shown to the admin who asked and kept nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mapping.calendar import is_private
from sync.commands import NotNow, configured, known_user, resolved
from sync.connector import Connector
from sync.dry import DrySides, Would
from sync.event_names import series_of
from sync.explaining import NAMES
from sync.model import Family, Item, Kind, Reason, Side
from sync.policy import Preferences
from sync.setup import Setup
from sync.store.base import Rows
from sync.store.board import Board, BoardStore
from sync.store.journal import BEGUN
from sync.store.ledger import MailboxLedger, partition_of
from sync.store.mailboxes import MailboxRow
from sync.store.overlay import OverlayRows
from sync.store.registry import Registry
from sync.worker import Worker

SHOWN = 20
LIMIT = timedelta(seconds=60)
CRM_WRITES, GRAPH_WRITES = 7.0, 8.0
"""A second: what vtenext takes from one session (API.md), and four in flight at half a second each."""
MODULES: Mapping[Kind, str] = {Kind.CONTACT: "4", Kind.COMPANY: "3", Kind.EVENT: "18", Kind.TASK: "9"}
"""Prefixes for records that are not there; nothing reads more into them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that would be done. `id`: by which its history is found, of something new that of its origin; `name` '' = private."""

    what: str
    side: Side
    kind: Kind
    id: str
    because: str
    name: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run of the mailbox would do. `counts`: (what, side, kind) -> number; `reasons`: as a run counts them; `held`: reason -> questions that
    an admin would be asked; `mails`: that would leave at most; `seconds`: how long the writes take about; `complete` False: time was up; `cause`:
    what stopped it, '' = nothing."""

    mailbox: str
    first: bool
    counts: Mapping[tuple[str, Side, Kind], int]
    reasons: Mapping[str, int]
    held: Mapping[str, int]
    mails: int
    seconds: int
    rows: tuple[Row, ...]
    complete: bool
    cause: str


async def preview(connector: Connector, worker: Worker, user_id: str, limit: timedelta = LIMIT) -> Preview:
    """Of a connected user's mailbox, or as if the user had just been connected. Raises NotFound, NotNow and what sync.errors names.

    It asks both servers: not while nobody may, and not before a server that asked for patience, or failed, is due again.
    """
    await configured(connector)
    await may_ask(connector, "")
    user = await known_user(connector, user_id)
    if not user.mailbox and not user.email:
        raise NotNow("nothing_to_show")
    mailbox = user.mailbox or (await resolved(connector, "mailbox", user.email)).id
    if not (await connector.settings.read()).allows(mailbox):  # our own limit (SPEC 5.1), also for looking
        raise NotNow("not_allowed")
    await may_ask(connector, mailbox)
    seen = await dry_run(worker, mailbox, user.id, limit, user.preferences, user.folder or None)
    await may_ask(connector, "")  # killed meanwhile: what was seen until then is no preview
    return seen


async def may_ask(connector: Connector, mailbox: str) -> None:
    """Raises NotNow. An attempt at a server that failed is the sweep's, which is made by one for all (`sync.tick`)."""
    board, now = await connector.board.read(), connector.now().isoformat()
    state = await connector.state(board)
    if state not in {"running", "paused"}:
        raise NotNow("no_preview", state=state)
    if board.due_at > now or (board.attempts and state == "running"):
        raise NotNow("preview_pause", until=board.due_at)
    row = await connector.registry.mailbox(mailbox) if mailbox else None
    if row and row.due_at > now:
        raise NotNow("preview_pause", until=row.due_at)


async def dry_run(
    worker: Worker,
    mailbox: str,
    user: str,
    limit: timedelta = LIMIT,
    preferences: Preferences | None = None,
    folder: str | None = None,
) -> Preview:
    """What this worker would do to this mailbox of that user now. Nothing is written anywhere. A kill, or settings that change, end it early.

    `preferences` and `folder`: the user's own, which nothing knows before the user is connected; None = as the setup says.
    """
    overlay, real = OverlayRows(worker.registry.rows), worker.registry
    registry = Registry(overlay)
    board = _OverBoard(overlay, worker.board, (await worker.board.read()).generation)
    before = await real.mailbox(mailbox)
    await _make_ready(registry, board, before, mailbox, user, worker.now())

    async def setup() -> Setup:
        now = await worker.setup()
        own = {} if preferences is None else {mailbox: preferences}
        homes, known = {**now.homes, user: mailbox}, {**now.preferences, **own}
        return replace(now, homes=homes, preferences=known, parted=now.parted - {mailbox})

    sides = DrySides(worker.sides, MODULES, folder)
    limits = replace(worker.limits, slice=limit / 2)
    dry = replace(worker, registry=registry, board=board, sides=sides, setup=setup, limits=limits)
    reasons: Counter[str] = Counter()
    deadline, complete = worker.now() + limit, False
    while not complete and worker.now() < deadline:
        outcome = await dry.run(mailbox)
        if outcome is None:
            break
        reasons.update(outcome.counts)
        complete = not outcome.unfinished
    ended = await registry.mailbox(mailbox)
    known = {hold.id for hold in await real.holds()}
    asked = [hold for hold in await registry.holds() if hold.id not in known and hold.mailbox == mailbox]
    return Preview(
        mailbox,
        first=before is None or not before.last_run,
        counts=Counter((would.what, would.side, would.item.kind) for would in sides.log),
        reasons=reasons,
        held=Counter(hold.because.value for hold in asked),
        mails=_more(await _charged(real, mailbox), await _charged(registry, mailbox)),
        seconds=_seconds(sides.log),
        rows=_rows(sides.log[:SHOWN], overlay, mailbox),
        complete=complete,
        cause=ended.cause if ended else "",
    )


async def _make_ready(
    registry: Registry, board: BoardStore, before: MailboxRow | None, mailbox: str, user: str, now: datetime
) -> None:
    """Rows of the preview's own: whatever stands in the way of a run does not stand in the way of a look."""
    await board.change(stop=True, state="running", cause="", attempts=0, due_at="", servers="")
    connected = before.connected_at if before and before.enabled else now.isoformat(timespec="seconds")
    full = before is None or before.full or not before.enabled
    going = {"state": "ok", "cause": "", "holder": "", "expires": "", "due_at": "", "starts": 0, "clearing": ""}
    await registry.change_mailbox(mailbox, user=user, enabled=True, connected_at=connected, full=full, **going)


class _OverBoard(BoardStore):
    """The preview's own board, which moves when the real one does: a run that works with it stops as a real one would."""

    def __init__(self, rows: Rows, real: BoardStore, generation: int) -> None:
        super().__init__(rows)
        self._real, self._generation = real, generation

    async def read(self) -> Board:
        moved = (await self._real.read()).generation - self._generation
        board = await super().read()
        return replace(board, generation=board.generation + moved)


@dataclass(slots=True)
class _Told:
    """What the preview's own history says of one item: why things would be done to it, in their order, and what its partner is."""

    partner: str
    because: list[str] = field(default_factory=list)


def _rows(log: Sequence[Would], overlay: OverlayRows, mailbox: str) -> tuple[Row, ...]:
    told = _told(overlay, mailbox)
    return tuple(_row(would, told) for would in log)


def _row(would: Would, told: Mapping[tuple[Side, str], _Told]) -> Row:
    item = would.item
    known = told.get((item.side, item.id))
    because = "" if known is None else known.because[0]
    if known is not None and len(known.because) > 1:  # written more than once: the next line speaks of the next write
        known.because.pop(0)
    id_ = item.id if would.what != "create" else known.partner if known else ""
    return Row(would.what, would.side, item.kind, id_, because, _name(item))


def _told(overlay: OverlayRows, mailbox: str) -> dict[tuple[Side, str], _Told]:
    """By side and id. A series stands for the occurrences that became its partners, which nobody can show before it is made."""
    told: dict[tuple[Side, str], _Told] = {}

    def tell(crm_id: str, item_id: str, because: str) -> None:
        for side, id_, partner in ((Side.CRM, crm_id, item_id), (Side.MAILBOX, item_id, crm_id)):
            told.setdefault((side, id_), _Told(partner)).because.append(because)

    for family in Family:
        for row in overlay.written(partition_of(mailbox, family)):
            letter, _, rest = row.key.partition("|")
            if letter == "h" and row.data["what"] not in {"unlink", BEGUN}:
                tell(rest.split("|")[0], str(row.data["item"]), str(row.data["because"]))
            elif letter == "t" and row.data["because"] == Reason.CRM_SERIES.value:
                tell(str(row.data["id"]), series_of(str(row.data["other"])), Reason.CRM_SERIES.value)
    return told


async def _charged(registry: Registry, mailbox: str) -> dict[str, int]:
    return await MailboxLedger(registry.rows, mailbox, 0, "", Family.CALENDAR).mails()  # no fence: for reading only


def _more(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Mails charged since, hour by hour: a run forgets the hours that are older than a day."""
    return sum(number - before.get(hour, 0) for hour, number in after.items())


def _seconds(log: list[Would]) -> int:
    crm = sum(1 for would in log if would.side is Side.CRM)
    return round(crm / CRM_WRITES + (len(log) - crm) / GRAPH_WRITES)


def _name(item: Item) -> str:
    if item.side is Side.MAILBOX and item.kind is Kind.EVENT and is_private(item.fields):
        return ""
    return " ".join(filter(None, (str(item.fields.get(name, "")).strip() for name in NAMES[item.side, item.kind])))

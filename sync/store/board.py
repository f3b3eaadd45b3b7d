"""The connector's own state: one row that everybody reads before doing anything (SPEC 4).

running   works            killed   an admin pressed Kill; until Restore state
error     waits for a person (cause says why)         stopped  five spaced attempts used up; until Restore attempts
`paused` (not configured, not active) is no row: it follows from the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sync.store.base import Conflict, Data, Insert, Op, Replace, Row, Rows

ATTEMPTS = 5
SPACING = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))


def spacing(attempts: int) -> timedelta:
    """How long to wait after that many consecutive failed attempts (SPEC 4.3)."""
    return SPACING[min(max(attempts, 1), len(SPACING)) - 1]


@dataclass(frozen=True, slots=True)
class Board:
    """`generation` rises with every kill, restore and change of settings: a run that sees it move stops at the next batch."""

    state: str = "running"
    cause: str = ""
    since: str = ""
    by: str = ""
    attempts: int = 0
    due_at: str = ""
    generation: int = 0
    last_sweep: str = ""


class BoardStore:
    """Reads and changes the row under its ETag."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def read(self) -> Board:
        row = await self._rows.get("control", "board")
        return _board(row) if row else Board()

    async def change(self, *, stop: bool = False, **changes: object) -> Board:
        """Change columns, whatever others change meanwhile. `stop`: runs under way end at their next batch."""
        for _ in range(20):
            row = await self._rows.get("control", "board")
            before = _board(row) if row else Board()
            after = replace(before, **changes)  # type: ignore[arg-type]
            if stop:
                after = replace(after, generation=before.generation + 1)
            if row and after == before:
                return after
            op: Op = Replace("board", _data(after), row.etag) if row else Insert("board", _data(after))
            try:
                await self._rows.transact("control", [op])
            except Conflict:
                continue
            return after
        raise Conflict(0, "board")

    async def enter(self, state: str, now: datetime, cause: str = "", by: str = "") -> Board:
        """Enter a state. Every change of state stops the runs under way at their next batch."""
        before = await self.read()
        if (before.state, before.cause) == (state, cause):
            return before
        at = now.isoformat(timespec="seconds")
        return await self.change(stop=True, state=state, cause=cause, since=at, by=by, attempts=0, due_at="")

    async def failed(self, cause: str, now: datetime) -> Board:
        """A server for everybody could not be reached. Failures inside one back-off window count once."""
        board = await self.read()
        if board.state != "running" or board.due_at > now.isoformat():
            return board
        attempts = board.attempts + 1
        if attempts >= ATTEMPTS:
            return await self.enter("stopped", now, cause)
        due = (now + spacing(attempts)).isoformat()
        return await self.change(attempts=attempts, due_at=due, cause=cause)

    async def reached(self) -> None:
        """The server answered: the count begins anew."""
        board = await self.read()
        if board.state == "running" and (board.attempts or board.cause):
            await self.change(attempts=0, due_at="", cause="")

    async def touch(self) -> Board:
        """Settings moved: runs under way stop at their next batch and begin anew."""
        return await self.change(stop=True)


def _board(row: Row) -> Board:
    names = Board.__dataclass_fields__
    return Board(**{k: v for k, v in row.data.items() if k in names})  # type: ignore[arg-type]


def _data(board: Board) -> Data:
    return {name: getattr(board, name) for name in Board.__dataclass_fields__}

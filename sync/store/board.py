"""The connector's own state: one row that everybody reads before doing anything (SPEC 4).

running   works            killed   an admin pressed Kill; until Restore state
error     waits for a person (cause says why)         stopped  five spaced attempts used up; until Restore attempts
`paused` (not configured, not active) is no row: it follows from the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sync.store import servers as counts
from sync.store.base import Conflict, Data, Insert, Op, Replace, Row, Rows
from sync.store.servers import Server


@dataclass(frozen=True, slots=True)
class Board:
    """`generation` rises with every kill, restore and change of settings: a run that sees it move stops at the next batch.

    `attempts`, `due_at` and `cause` are those of the worst server in `servers`; `restored_*`: who last restored state or attempts, and when.
    """

    state: str = "running"
    cause: str = ""
    since: str = ""
    by: str = ""
    attempts: int = 0
    due_at: str = ""
    generation: int = 0
    last_sweep: str = ""  # when it ended
    sweep_began: str = ""
    servers: str = ""
    restored_by: str = ""
    restored_at: str = ""

    @property
    def trouble(self) -> tuple[Server, ...]:
        """Servers that failed or asked for patience, and have not been reached since."""
        return counts.parse(self.servers)


class BoardStore:
    """Reads and changes the row under its ETag."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def read(self) -> Board:
        row = await self._rows.get("control", "board")
        return _board(row) if row else Board()

    async def change(self, *, stop: bool = False, **changes: object) -> Board:
        """Change columns, whatever others change meanwhile. `stop`: runs under way end at their next batch."""

        def changed(before: Board) -> Board:
            after = replace(before, **changes)  # type: ignore[arg-type]
            return replace(after, generation=before.generation + 1) if stop else after

        return await self._update(changed)

    async def _update(self, changed: Callable[[Board], Board]) -> Board:
        for _ in range(20):
            row = await self._rows.get("control", "board")
            before = _board(row) if row else Board()
            after = changed(before)
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
        """Enter a state. Every change of state stops the runs under way at their next batch; a Kill that is pressed again is one too."""

        def changed(board: Board) -> Board:
            if (board.state, board.cause) != (state, cause):
                return _entered(board, state, now, cause, by)
            return replace(board, generation=board.generation + 1) if state == "killed" else board

        return await self._update(changed)

    async def enter_error(self, cause: str, now: datetime, seen: int, by: str = "") -> Board:
        """What failed waits for a person, unless the board moved since the generation `seen`. A Kill and a stop last: nothing fails them."""

        def changed(board: Board) -> Board:
            known = (board.state, board.cause) == ("error", cause)
            if board.generation != seen or board.state not in ("running", "error") or known:
                return board
            return _entered(board, "error", now, cause, by)

        return await self._update(changed)

    async def restored(self, over: Board, now: datetime, by: str) -> Board:
        """Restore state: run again, counts begin anew; who and when are kept. A Kill since `over` was read wins: the board stays as it is."""
        at = now.isoformat(timespec="seconds")

        def changed(board: Board) -> Board:
            if board.state == "killed" and board.generation != over.generation:
                return board
            after = _shows(board, ()) if board.state == "running" else _entered(board, "running", now, "", by)
            return replace(after, restored_by=by, restored_at=at)

        return await self._update(changed)

    async def failed(self, cause: str, now: datetime) -> Board:
        """A server for everybody could not be reached: nobody sends until its pause is over. Failures inside one pause count once."""

        def changed(board: Board) -> Board:
            if board.state != "running":
                return board
            after = counts.failed(board.trouble, cause, now)
            if after == board.trouble:
                return board
            worn = counts.used_up(after)
            if worn:
                at = now.isoformat(timespec="seconds")
                board = replace(board, state="stopped", since=at, by="")
            after = () if worn else after
            board = replace(_shows(board, after), generation=board.generation + 1)
            return replace(board, cause=worn.cause) if worn else board

        return await self._update(changed)

    async def pause(self, cause: str, due_at: str) -> Board:
        """A server for everybody asked for patience: no attempt."""

        def changed(board: Board) -> Board:
            if board.state != "running":
                return board
            return _shows(board, counts.asked_for_patience(board.trouble, cause, due_at))

        return await self._update(changed)

    async def reached(self, names: Sequence[str], now: datetime) -> Board:
        """These servers answered: their counts begin anew, those of others stay."""

        def changed(board: Board) -> Board:
            after = counts.reached(board.trouble, names, now)
            return board if board.state != "running" or after == board.trouble else _shows(board, after)

        return await self._update(changed)

    async def forget_attempts(self, by: str, now: datetime) -> Board:
        """Restore attempts: every count begins anew; who and when are kept. What had stopped for its attempts runs again."""
        at = now.isoformat(timespec="seconds")

        def changed(board: Board) -> Board:
            board = replace(board, restored_by=by, restored_at=at)
            if board.state == "stopped":
                board = replace(board, state="running", since=at, by=by, generation=board.generation + 1)
                return _shows(board, ())
            return _shows(board, ()) if board.state == "running" else board

        return await self._update(changed)

    async def touch(self) -> Board:
        """Settings moved: runs under way stop at their next batch and begin anew."""
        return await self.change(stop=True)


def _entered(board: Board, state: str, now: datetime, cause: str, by: str) -> Board:
    """The board in another state, with no server in trouble."""
    at = now.isoformat(timespec="seconds")
    return replace(_shows(board, ()), state=state, cause=cause, since=at, by=by, generation=board.generation + 1)


def _shows(board: Board, servers: Sequence[Server]) -> Board:
    """The board with these servers in trouble; its own columns show the worst."""
    worst = max(servers, key=lambda each: (each.attempts, each.due_at), default=Server("", 0, "", ""))
    due = max((each.due_at for each in servers), default="")
    return replace(board, servers=counts.dump(servers), attempts=worst.attempts, due_at=due, cause=worst.cause)


def _board(row: Row) -> Board:
    names = Board.__dataclass_fields__
    return Board(**{k: v for k, v in row.data.items() if k in names})  # type: ignore[arg-type]


def _data(board: Board) -> Data:
    return {name: getattr(board, name) for name in Board.__dataclass_fields__}

"""What an admin can order: run, kill, restore, answer holds, pair users, change settings. No HTTP, no sentences.

A command that lets a mailbox do something marks it dirty and queues it. What cannot be done raises `NotFound`, `NotNow` or ConfigMistake,
which carry data; answers are plain data too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sync import poison
from sync.connector import Connector
from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector, StopMailbox
from sync.following import follow, set_right
from sync.model import Family, Reason
from sync.restore import Check, check_both, clear_attempts, clear_errors
from sync.sides.base import MailboxUser
from sync.store.asking import HoldRow
from sync.store.base import Stale
from sync.store.board import Board
from sync.store.ledger import MailboxLedger
from sync.sweep import ask_for_answers, mark_approved
from sync.tick import ADMIN, is_due
from sync.users import Taken, User, UserChange, preferred, user_change

PERMIT = timedelta(hours=24)
NEW = "new"
SHOW_DIRECTORY_AFTER = timedelta(minutes=10)


class NotFound(Exception):
    """There is no such user, group or hold."""


class NotNow(Exception):
    """It cannot be done in the present state. `code`: key of the sentence; `data`: ids or names that go with it."""

    def __init__(self, code: str, **data: str) -> None:
        super().__init__(code)
        self.code, self.data = code, data


@dataclass(frozen=True, slots=True)
class Restored:
    """What Restore state did. `ok` False: a check failed and nothing was changed."""

    ok: bool
    state: str
    checks: tuple[Check, ...]
    mailboxes: int = 0
    items: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """The users as they were at `read_at`. `cause`: why the CRM could not be asked just now, '' = it was, or need not be."""

    users: tuple[User, ...]
    read_at: str
    cause: str


async def run(connector: Connector) -> int:
    """Sweep now, then run every mailbox that may run, with or without work; how many. Raises NotNow when nothing may run, or a pause is not over."""
    board = await connector.board.read()
    state = await connector.state(board)
    if state != "running":
        raise NotNow("not_running", state=state)
    now = connector.now().isoformat()
    if board.due_at > now:
        raise NotNow("pause", until=board.due_at)
    await ask_for_answers(connector.registry.rows)
    await connector.queue.send("", ADMIN)
    return sum(1 for row in await connector.registry.mailboxes() if is_due(row, now))


async def kill(connector: Connector, by: str) -> str:
    """Stop at once: runs under way stop at their next batch, those that no longer answer lose their lease. Returns the state."""
    board = await connector.board.enter("killed", connector.now(), by=by)
    for row in await connector.registry.mailboxes():
        if row.holder:
            await connector.registry.change_mailbox(row.id, holder="", expires="", dirty=True, starts=0)
    return board.state


async def restore_state(connector: Connector, by: str) -> Restored:
    """Check both connections, clear every error state, go on. When a check fails the state stays and `checks` say why."""
    await configured(connector)
    board = await connector.board.read()
    await connector.outside.forget_refusals()
    checks = await check_both(connector.outside)
    _not_killed_since(board, await connector.board.read())  # pressed while both servers were asked
    if any(check.cause for check in checks):
        if board.state == "error":
            cause = next(check.cause for check in checks if check.cause)
            board = await connector.board.enter_error(cause, connector.now(), board.generation, by)
        return Restored(False, await connector.state(board), checks)
    cleared = await clear_errors(connector)
    await poison.forget(connector.registry.rows)
    restored = await connector.board.restored(board, connector.now(), by)
    _not_killed_since(board, restored)
    queued = await connector.wake(await connector.registry.mailboxes(), "restored")
    state = await connector.state(restored)
    return Restored(True, state, checks, cleared.mailboxes, cleared.items, queued)


def _not_killed_since(before: Board, now: Board) -> None:
    """Raises NotNow: who pressed Kill did not want what was ordered earlier."""
    if now.state == "killed" and now.generation != before.generation:
        raise NotNow("killed_meanwhile")


async def restore_attempts(connector: Connector, by: str) -> str:
    """Set the counters of attempts to zero and go on where they had stopped us. Returns the state."""
    board = await connector.board.forget_attempts(by, connector.now())
    await clear_attempts(connector)
    state = await connector.state(board)
    if state == "running":
        await connector.wake(await connector.registry.mailboxes(), "attempts")
    return state


# holds


async def hold(connector: Connector, id_: str) -> HoldRow:
    found = await connector.registry.hold(id_)
    if found is None:
        raise NotFound
    return found


async def approve(connector: Connector, id_: str, choice: str = "", by: str = "", over: int | None = None) -> HoldRow:
    """Permit for 24 hours what the hold shows. `choice`: which candidate, or `new`, when there are several; `by`: who says so.

    `over`: the version that was looked at, None = whichever is there. Raises Stale when it asks about something else by now.
    """
    asked = await _open_hold(connector, id_, over)
    if asked.because is Reason.SEVERAL_CANDIDATES:
        if choice not in (*asked.candidates, NEW):
            raise ConfigMistake("choice", "candidate", {"new": NEW})
    elif choice:
        raise ConfigMistake("choice", "nothing_to_choose")
    until = (connector.now() + PERMIT).isoformat(timespec="seconds")
    at = connector.now().isoformat(timespec="seconds")
    answered = replace(asked, state="approved", until=until, choice=choice, by=by, at=at)
    gone: set[str] = set()
    sweeps = not asked.mailbox and asked.kind is not None
    tools = await connector.outside.sweep_tools() if sweeps else None  # first: the CRM may not answer
    if asked.because is Reason.USERS_VANISHED:
        active = {user.id for user in await connector.outside.crm_users() if user.active}
        gone = await connector.registry.shown_in(asked) - active  # but for those whom the directory shows again by now
    await _answer(connector, asked, answered)
    if asked.because is Reason.USERS_VANISHED:  # killed before this, they are asked about again
        await _let_vanish(connector, gone)
    if tools:
        await mark_approved(answered, tools)
    await _wake_for(connector, answered)
    return answered


async def _let_vanish(connector: Connector, gone: Collection[str]) -> None:
    for user in sorted(gone):
        await connector.users.vanish(user)
    await connector.board.touch()
    await connector.leave_gone()


async def reject(connector: Connector, id_: str, by: str = "", over: int | None = None) -> HoldRow:
    """Leave both sides as they are, for good. `over` and Stale as for `approve`."""
    at = connector.now().isoformat(timespec="seconds")
    asked = await _open_hold(connector, id_, over)
    answered = replace(asked, state="rejected", by=by, at=at)
    await _answer(connector, asked, answered)
    if answered.mailbox:
        await _wake_for(connector, answered)
    return answered


async def _answer(connector: Connector, asked: HoldRow, answered: HoldRow) -> None:
    """Raises NotNow when it was answered, or grew, since it was read."""
    if not await connector.registry.change_hold(asked, answered):
        raise NotNow("hold_changed")


async def _open_hold(connector: Connector, id_: str, over: int | None) -> HoldRow:
    found = await hold(connector, id_)
    if found.state != "open":
        raise NotNow("hold_answered", state=found.state)
    if over not in (None, found.version):
        raise Stale
    return found


async def _wake_for(connector: Connector, answered: HoldRow) -> None:
    rows = await connector.registry.mailboxes()
    if await connector.state() == "running":
        await connector.wake((row for row in rows if answered.mailbox in ("", row.id)), "hold")


# users


async def users(connector: Connector, after: str = "", limit: int = 0, search: str = "") -> Directory:
    """The directory by id, those behind `after` and at most `limit` (0 = all) of them; read anew from the CRM when what we have is old, and as it
    was when the CRM cannot answer, or may not be asked. `search`: those whose name or address contains it."""
    state = await connector.users.state()
    cause = ""
    if not connector.crm_missing and state.stale(connector.now(), SHOW_DIRECTORY_AFTER) and await connector.may_look():
        try:
            await connector.refresh_directory()
        except (RetryLater, StopConnector) as error:
            cause = error.cause.value
    people = connector.users
    found = await (people.matching(search, after, limit) if search else people.page(after, limit))
    return Directory(tuple(found), (await people.state()).read_at, cause)


async def change_user(connector: Connector, id_: str, body: Mapping[str, Any]) -> User:
    """Pair a user with a mailbox (by address or object id; else by the CRM's e-mail), enable or disable, say what resource it is."""
    change = user_change(body)
    before = await known_user(connector, id_)
    enabled = before.enabled if change.enabled is None else change.enabled
    paired = MailboxUser(before.mailbox, before.addresses)
    address = before.address
    if change.mailbox is not None:
        address = change.mailbox.strip()
        paired = await resolved(connector, "mailbox", address) if address else MailboxUser("")
    elif enabled and not paired.id:
        if not before.email:
            raise ConfigMistake("mailbox", "mailbox_without_email")
        address = before.email
        paired = await resolved(connector, "mailbox", address)
    if enabled and not paired.id:
        raise ConfigMistake("mailbox", "mailbox_or_disabled")
    if enabled and not before.active:
        raise NotNow("user_inactive")
    resource = before.resource if change.resource is None else change.resource
    if paired.id and (enabled or resource):
        await not_taken(connector, id_, paired.id)
    if before.mailbox not in ("", paired.id):
        await _nothing_left(connector, before)
    anew = enabled and (not before.connected or paired.id != before.mailbox)
    if anew and not (await connector.settings.read()).allows(paired.id):
        raise NotNow("not_allowed")
    wanted: dict[str, object] = {
        "mailbox": paired.id,
        "addresses": paired.addresses,
        "address": address,
        "enabled": enabled,
        "barred": before.barred if change.enabled is None else not change.enabled,
        "resource": resource,
        "colour": before.colour if change.colour is None else change.colour,
    }
    changes = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    decide = await _decision(connector, before, change, changes)
    foreseen = decide(before)
    if foreseen == before:
        await set_right(connector)  # what a command like this, broken off, did not get to
        return before
    if foreseen.private_events != before.private_events and before.connected:
        # first: once the user says so, nobody would see that it is left to do
        await connector.registry.change_mailbox(before.mailbox, past_too=True, full=True, dirty=True)
    try:
        before, after = await connector.users.revise(id_, decide)
    except Taken as taken:
        raise NotNow("mailbox_taken", user=taken.user) from None
    await follow(connector, before, after)
    if after.connected and after.private_events != before.private_events:
        row = await connector.registry.change_mailbox(after.mailbox, past_too=True)
        await connector.compare([row] if row else [], "preferences")
    if _as_resource(after) != _as_resource(before):
        await connector.compare_all("resource")
    return after


async def _nothing_left(connector: Connector, user: User) -> None:
    """Raises NotNow while the user's mailbox holds linked items: they would stay there for ever, perhaps in somebody else's hands."""
    row = await connector.registry.mailbox(user.mailbox)
    if row is None or row.user != user.id:
        return
    for family in Family:
        ledger = MailboxLedger(connector.registry.rows, user.mailbox, 0, "", family)  # no fence: for reading only
        if await anext(ledger.links(), None) is not None:
            raise NotNow("remove_first")


async def _decision(
    connector: Connector, before: User, change: UserChange, changes: Mapping[str, object]
) -> Callable[[User], User]:
    """What becomes of the user as it is when it is written: `changes`, and what the user wants otherwise than the settings say (SPEC 5.2).

    What it returns raises NotNow for what is frozen by then (another admin may have enabled the user meanwhile), Stale for a user who was paired
    otherwise since.
    """
    default, folder = (await connector.settings.read()).sync_start, await has_folder(connector, before.mailbox)

    def decided(user: User) -> User:
        if (user.mailbox, user.active) != (
            before.mailbox,
            before.active,
        ):  # all that was looked at spoke of another mailbox
            raise Stale
        changed = replace(user, **changes)  # type: ignore[arg-type]
        chosen, refused = preferred(user, change, changed.enabled, default, folder)
        if refused:
            raise NotNow(refused)
        return replace(
            changed, sync_start=chosen.sync_start, folder=chosen.folder, private_events=chosen.private_events
        )

    return decided


async def has_folder(connector: Connector, mailbox: str) -> bool:
    """Does this mailbox ('' = none) have its contact folder? It keeps that one: the linked cards lie there."""
    ledger = MailboxLedger(connector.registry.rows, mailbox, 0, "") if mailbox else None  # no fence: for reading only
    return ledger is not None and bool((await ledger.checkpoint()).folder)


def _as_resource(user: User) -> tuple[object, ...]:
    """What events in everybody's calendar show of a resource. Colours are made when a mailbox first shows one, and stay."""
    return (user.is_thing, user.is_room, user.mailbox) if user.resource else ()


async def part(connector: Connector, id_: str, **changes: object) -> User:
    """Disable a user: the synchronisation of the mailbox ends, nothing is deleted. `changes`: what else changes of the user."""
    before, after = await connector.users.revise(id_, lambda user: replace(user, enabled=False, **changes))  # type: ignore[arg-type]
    if before.enabled:
        await follow(connector, before, after)
    else:
        await set_right(connector)
    return after


async def known_user(connector: Connector, id_: str) -> User:
    """The user, also one whom only the CRM knows so far (a minute after the last reading). Raises NotFound."""
    found = await connector.users.get(id_)
    if found is None and not connector.crm_missing:
        await connector.look_again()
        found = await connector.users.get(id_)
    if found is None:
        raise NotFound
    return found


async def not_taken(connector: Connector, id_: str, mailbox: str) -> None:
    """Raises NotNow when the mailbox is another connected user's."""
    for other in await connector.users.all():
        if other.id != id_ and other.mailbox == mailbox and other.connected:
            raise NotNow("mailbox_taken", user=other.id)


async def resolved(connector: Connector, field: str, address: str) -> MailboxUser:
    """Whose mailbox it is that a setting or preference names. Raises ConfigMistake, NotNow."""
    await configured(connector)
    return await looked_up(connector, field, address)


async def looked_up(connector: Connector, field: str, address: str) -> MailboxUser:
    """The same, of who looked already whether settings are missing. Raises ConfigMistake."""
    try:
        return await connector.outside.resolve_mailbox(address)
    except StopMailbox as stop:
        if stop.cause is not Cause.MAILBOX_UNKNOWN:
            raise
        raise ConfigMistake(field, "mailbox_of_tenant") from None


async def configured(connector: Connector) -> None:
    """Raises NotNow while settings are missing."""
    missing = await connector.missing()
    if missing:
        raise NotNow("not_configured", missing=", ".join(missing))

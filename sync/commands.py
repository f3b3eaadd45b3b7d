"""What an admin can order: run, kill, restore, answer holds, pair users, change settings. No HTTP, no sentences.

A command that lets a mailbox do something marks it dirty and queues it. What cannot be done raises `NotFound`, `NotNow` or ConfigMistake,
which carry data; answers are plain data too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sync.connector import Connector
from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector, StopMailbox
from sync.model import Reason
from sync.restore import Check, check_both, clear_attempts, clear_errors
from sync.settings import Settings, Target, changed
from sync.sides.base import MailboxUser
from sync.store.registry import HoldRow
from sync.sweep import ask_for_answers, mark_approved
from sync.tick import is_due
from sync.users import User, user_change

PERMIT = timedelta(hours=24)
NEW = "new"
SHOW_DIRECTORY_AFTER = timedelta(minutes=10)

COMPARED = {
    "kinds",
    "contact_target",
    "admin_mailbox",
    "folder_name",
    "use_default_folder",
    "private_events",
    "horizon_days",
    "mail_limits",
    "reassign_groups",
    "double_booking",
    "crm_contact_invitees",
    "create_strangers",
}
"""Settings whose change concerns items that nobody touches: every mailbox is compared in full."""


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
    """Sweep now, then run every mailbox that is due; how many. Raises NotNow when nothing may run, or a pause is not over."""
    board = await connector.board.read()
    state = await connector.state(board)
    if state != "running":
        raise NotNow("not_running", state=state)
    now = connector.now().isoformat()
    if board.due_at > now:
        raise NotNow("pause", until=board.due_at)
    await ask_for_answers(connector.registry.rows)
    await connector.queue.send("", "admin")
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
    await _configured(connector)
    board = await connector.board.read()
    await connector.outside.forget_refusals()
    checks = await check_both(connector.outside)
    if any(check.cause for check in checks):
        if board.state == "error":
            cause = next(check.cause for check in checks if check.cause)
            board = await connector.board.enter("error", connector.now(), cause, by)
        return Restored(False, await connector.state(board), checks)
    cleared = await clear_errors(connector)
    if board.state == "running":
        board = await connector.board.change(attempts=0, due_at="", cause="", servers="")
    else:
        board = await connector.board.enter("running", connector.now(), by=by)
    at = connector.now().isoformat(timespec="seconds")
    board = await connector.board.change(restored_by=by, restored_at=at)
    queued = await connector.wake(await connector.registry.mailboxes(), "restored")
    state = await connector.state(board)
    return Restored(True, state, checks, cleared.mailboxes, cleared.items, queued)


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


async def approve(connector: Connector, id_: str, choice: str = "") -> HoldRow:
    """Permit for 24 hours what the hold shows. `choice`: which candidate, or `new`, when there are several."""
    asked = await _open_hold(connector, id_)
    if asked.because is Reason.SEVERAL_CANDIDATES:
        if choice not in (*asked.candidates, NEW):
            raise ConfigMistake("choice", f"one of the candidates, or '{NEW}'")
    elif choice:
        raise ConfigMistake("choice", "left out: there is nothing to choose here")
    until = (connector.now() + PERMIT).isoformat(timespec="seconds")
    answered = replace(asked, state="approved", until=until, choice=choice)
    await connector.registry.put_hold(answered)
    if not asked.mailbox:
        await mark_approved(answered, await connector.outside.sweep_tools())
    await _wake_for(connector, answered)
    return answered


async def reject(connector: Connector, id_: str) -> HoldRow:
    """Leave both sides as they are, for good."""
    answered = replace(await _open_hold(connector, id_), state="rejected")
    await connector.registry.put_hold(answered)
    if answered.mailbox:
        await _wake_for(connector, answered)
    return answered


async def _open_hold(connector: Connector, id_: str) -> HoldRow:
    found = await hold(connector, id_)
    if found.state != "open":
        raise NotNow("hold_answered", state=found.state)
    return found


async def _wake_for(connector: Connector, answered: HoldRow) -> None:
    rows = await connector.registry.mailboxes()
    if await connector.state() == "running":
        await connector.wake((row for row in rows if answered.mailbox in ("", row.id)), "hold")


# users


async def users(connector: Connector) -> Directory:
    """Everybody in the directory; read anew from the CRM when what we have is old, and as it was when the CRM cannot answer."""
    state = await connector.users.state()
    cause = ""
    if not connector.crm_missing and state.stale(connector.now(), SHOW_DIRECTORY_AFTER):
        try:
            await connector.refresh_directory()
        except (RetryLater, StopConnector) as error:
            cause = error.cause.value
    return Directory(tuple(await connector.users.all()), (await connector.users.state()).read_at, cause)


async def change_user(connector: Connector, id_: str, body: Mapping[str, Any]) -> User:
    """Pair a user with a mailbox (by address or object id; else by the CRM's e-mail), enable or disable, say what resource it is."""
    change = user_change(body)
    before = await _user(connector, id_)
    enabled = before.enabled if change.enabled is None else change.enabled
    paired = MailboxUser(before.mailbox, before.addresses)
    address = before.address
    if change.mailbox is not None:
        address = change.mailbox.strip()
        paired = await _resolved(connector, "mailbox", address) if address else MailboxUser("")
    elif enabled and not paired.id:
        if not before.email:
            raise ConfigMistake("mailbox", "given: the CRM has no e-mail address for this user")
        address = before.email
        paired = await _resolved(connector, "mailbox", address)
    if enabled and not paired.id:
        raise ConfigMistake("mailbox", "given, or the user disabled")
    if enabled and not before.active:
        raise NotNow("user_inactive")
    resource = before.resource if change.resource is None else change.resource
    if paired.id and (enabled or resource):
        await _not_taken(connector, id_, paired.id)
    wanted: dict[str, object] = {
        "mailbox": paired.id,
        "addresses": paired.addresses,
        "address": address,
        "enabled": enabled,
        "resource": resource,
        "colour": before.colour if change.colour is None else change.colour,
    }
    changes = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    if not changes:
        return before
    after = await connector.users.change(id_, **changes)
    await _connect(connector, before, after)
    if _as_resource(after) != _as_resource(before) and await connector.state() == "running":
        await connector.wake(await connector.registry.mailboxes(), "resource", full=True)
    return after


def _as_resource(user: User) -> tuple[object, ...]:
    """What events in everybody's calendar show of a resource. Colours are made when a mailbox first shows one, and stay."""
    return (user.is_thing, user.is_room, user.mailbox) if user.resource else ()


async def _connect(connector: Connector, before: User, after: User) -> None:
    """Let the mailboxes' rows follow; runs under way begin anew, because homes moved."""
    admin_mailbox = (await connector.settings.read()).admin_mailbox
    if before.connected and (before.mailbox, True) != (after.mailbox, after.connected):
        await connector.registry.change_mailbox(before.mailbox, enabled=before.mailbox == admin_mailbox)
    await connector.board.touch()
    if after.connected and (before.mailbox, before.connected) != (after.mailbox, True):
        at = connector.now().isoformat(timespec="seconds")
        fresh = {"state": "ok", "cause": "", "attempts": 0, "starts": 0, "due_at": "", "full": True, "dirty": True}
        await connector.registry.change_mailbox(after.mailbox, user=after.id, enabled=True, connected_at=at, **fresh)
        if await connector.state() == "running":
            await connector.enqueue([after.mailbox], "connected")


async def _user(connector: Connector, id_: str) -> User:
    found = await connector.users.get(id_)
    if found is None and not connector.crm_missing:
        await connector.refresh_directory()
        found = await connector.users.get(id_)
    if found is None:
        raise NotFound
    return found


async def _not_taken(connector: Connector, id_: str, mailbox: str) -> None:
    for other in await connector.users.all():
        if other.id != id_ and other.mailbox == mailbox and other.connected:
            raise NotNow("mailbox_taken", user=other.id)


async def _resolved(connector: Connector, field: str, address: str) -> MailboxUser:
    await _configured(connector)
    try:
        return await connector.outside.resolve_mailbox(address)
    except StopMailbox as stop:
        if stop.cause is not Cause.MAILBOX_UNKNOWN:
            raise
        raise ConfigMistake(field, "the address or object id of a mailbox in this tenant") from None


async def _configured(connector: Connector) -> None:
    missing = await connector.missing()
    if missing:
        raise NotNow("not_configured", missing=", ".join(missing))


# settings


async def change_settings(connector: Connector, body: Mapping[str, Any]) -> Settings:
    """Check and save. Runs under way begin anew; every mailbox is compared in full when what decides about items moved."""
    before = await connector.settings.read()
    after, secret = changed(before, body)
    if after.contact_target is Target.ADMIN and (after.admin_mailbox, after.admin_user) != (
        before.admin_mailbox,
        before.admin_user,
    ):
        after = await _with_admin(connector, after)
    if after == before and secret is None:
        return before
    await connector.settings.save(after, secret)
    await connector.board.touch()
    if after.contact_target is Target.ADMIN:
        row = await connector.registry.mailbox(after.admin_mailbox)
        user = row.user if row else after.admin_user
        await connector.registry.change_mailbox(after.admin_mailbox, user=user, enabled=True)
    if await connector.state() == "running":
        moved = _decides(after) != _decides(before)
        await connector.wake(await connector.registry.mailboxes(), "settings", full=moved)
    return after


async def _with_admin(connector: Connector, settings: Settings) -> Settings:
    """The admin's mailbox as its object id, the admin's user as one that exists."""
    try:
        await _user(connector, settings.admin_user)
    except NotFound:
        raise ConfigMistake("admin_user", "the id of a user of the CRM") from None
    mailbox = await _resolved(connector, "admin_mailbox", settings.admin_mailbox)
    return settings.model_copy(update={"admin_mailbox": mailbox.id})


def _decides(settings: Settings) -> dict[str, Any]:
    """The settings that change what is planned for an item."""
    return settings.model_dump(include=COMPARED)

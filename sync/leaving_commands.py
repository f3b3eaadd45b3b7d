"""What an admin can order about the end of a user (SPEC 5.4): see what a removal would do, order it, take it back. No HTTP, no sentences.

A removal is for good where disabling is a pause: disabling keeps links and cards, so that the mailbox goes on where it was.
"""

from __future__ import annotations

from sync.clearing_tools import LEAVE, UNDO
from sync.commands import NotFound, NotNow
from sync.connector import Connector
from sync.leaving import KEPT, Leaving, cards_to_delete, leaving_of, was_ordered
from sync.store.mailboxes import MailboxRow
from sync.users import User


async def leaving_preview(connector: Connector, id_: str) -> Leaving:
    """What `remove_user` would do now. Raises NotFound, NotNow when there is nothing to remove."""
    return await leaving_of(connector, await _row(connector, await _known(connector, id_)))


async def remove_user(connector: Connector, id_: str, confirm: int) -> User:
    """End the synchronisation of a user for good. `confirm`: the number of cards to delete that the preview showed.

    That number, and what the settings say now of the cards, are written down with the order: the settings of later do not count. Repeated after
    it was cut off between the user and the mailbox, it does the rest.
    """
    user = await _known(connector, id_)
    row = await _row(connector, user)
    ordered, scope = was_ordered(row), (await connector.settings.read()).removal
    planned = await cards_to_delete(connector, row, scope)
    if confirm != planned and not (ordered and confirm == row.permitted):
        raise NotNow("count_changed", count=str(planned))
    after = await connector.users.change(id_, enabled=False, barred=True)  # or Connect would undo it
    if not ordered:
        # broken off before this, the order can be repeated
        await connector.leave(row.id, scope, confirm, lambda now: now.user == user.id and not was_ordered(now))
    await connector.board.touch()
    return after


async def undo_removal(connector: Connector, id_: str) -> User:
    """Bring the cards back that a removal of the last 30 days deleted, and link them as before. It connects nobody."""
    user = await _known(connector, id_)
    row = await connector.registry.mailbox(user.mailbox) if user.mailbox else None
    before = (connector.now() - KEPT).isoformat(timespec="seconds")
    mine = row is not None and row.user == user.id
    if row is None or not mine or row.left_at < before or not _undoable(row):
        raise NotNow("nothing_to_undo")
    await connector.clear(row.id, UNDO)
    return user


def _undoable(row: MailboxRow) -> bool:
    """A removal that ended, is under way or waits for the mailbox; or one before the user was connected again."""
    return row.state == "removed" or row.clearing in {LEAVE, UNDO} or (bool(row.left_at) and not row.has_left)


async def _known(connector: Connector, id_: str) -> User:
    found = await connector.users.get(id_)
    if found is None:
        raise NotFound
    return found


async def _row(connector: Connector, user: User) -> MailboxRow:
    """The mailbox's row, if this user can be removed from it."""
    row = await connector.registry.mailbox(user.mailbox) if user.mailbox else None
    if row is not None and row.id == (await connector.settings.read()).shared_mailbox:
        raise NotNow("shared_mailbox")
    if row is None or row.user != user.id or (was_ordered(row) and not user.connected):
        raise NotNow("nothing_to_remove")
    return row

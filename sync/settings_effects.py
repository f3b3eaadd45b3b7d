"""What follows from a change of the settings: mailboxes off the allow-list, a shared mailbox, comparisons in full. Carried out once, and again
from the beginning when a crash came in the middle: a command that is repeated, and every sweep, look whether something is left. I/O.
"""

from __future__ import annotations

from typing import Any

from sync.commands import part
from sync.connector import Connector
from sync.errors import SIGN_IN
from sync.settings import PARTITION, Settings, Target
from sync.store.base import Put

KEY = "settings-carried-out"
COMPARED = {
    "kinds",
    "contact_target",
    "admin_mailbox",
    "folder_name",
    "use_default_folder",
    "private_events",
    "horizon_days",
    "mail_limits",
    "delete_brake",
    "reassign_groups",
    "double_booking",
    "crm_contact_invitees",
    "create_strangers",
}
"""Settings whose change concerns items that nobody touches: every mailbox is compared in full."""


async def carry_out(connector: Connector) -> bool:
    """What was saved and not carried out yet. Was there anything?"""
    rows = connector.registry.rows
    saved, row = await connector.settings.saved(), await rows.get(PARTITION, KEY)
    done = int(row.data["version"]) if row else 0
    if done >= saved.version:
        return False
    await _follow(connector, await connector.settings.of_version(done), saved.settings)
    await rows.transact(PARTITION, [Put(KEY, {"version": saved.version})])
    return True


async def _follow(connector: Connector, before: Settings, after: Settings) -> None:
    """Every step may be done twice. The waking comes last: what runs finds all of it done."""
    connected = [each for each in await connector.users.all() if each.connected]
    left_out = after.left_out(each.mailbox for each in connected)
    for each in connected:
        if each.mailbox in left_out:
            await part(connector, each.id)
    await connector.board.touch()
    if before.shared_mailbox not in ("", after.shared_mailbox):
        await _no_longer_shared(connector, before.shared_mailbox)
    if after.sign_in_mode != before.sign_in_mode:
        await _forget_sign_ins(connector)
    if after.contact_target is Target.ADMIN:
        row = await connector.registry.mailbox(after.admin_mailbox)
        user = row.user if row else after.admin_user
        anew = {"state": "ok", "cause": ""} if before.shared_mailbox != after.shared_mailbox else {}
        await connector.registry.change_mailbox(after.admin_mailbox, user=user, enabled=True, **anew)
    if after.private_events is not before.private_events:
        await connector.change_all(await connector.registry.mailboxes(), past_too=True)
    if _decides(after) != _decides(before):
        await connector.compare_all("settings")
    elif await connector.state() == "running":
        await connector.wake(await connector.registry.mailboxes(), "settings")


def _decides(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(include=COMPARED)


async def _no_longer_shared(connector: Connector, mailbox: str) -> None:
    """What was everybody's is nobody's, unless it is a connected user's own."""
    if not any(user.connected and user.mailbox == mailbox for user in await connector.users.all()):
        await connector.registry.change_mailbox(mailbox, enabled=False)


async def _forget_sign_ins(connector: Connector) -> None:
    """Who only lacked a sign-in is tried in the new mode; a run tells what is missing there."""
    waiting = [row for row in await connector.registry.mailboxes() if row.state == "error" and row.cause in SIGN_IN]
    await connector.change_all(waiting, state="ok", cause="")

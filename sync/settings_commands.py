"""What an admin can order about the settings: change them over the version that was seen, try a sign-in before it is saved. No HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sync.commands import NotFound, configured, known_user, looked_up, resolved
from sync.connector import Connector
from sync.errors import ConfigMistake
from sync.restore import Check, checked
from sync.settings import Settings, Target, changed
from sync.settings_effects import carry_out
from sync.settings_store import Saved
from sync.store.base import Stale

TRIES = 5
"""How often a change over whichever version is there is made over a newer one."""
NEW_AT_ONCE, ABREAST = 1000, 10
"""Mailboxes that one command may put on the allow-list, each of which is asked for, and how many are asked for at once: Azure gives an answer four
minutes."""


async def change_settings(
    connector: Connector, body: Mapping[str, Any], by: str = "", over: int | None = None
) -> Saved:
    """Check and save. Runs under way begin anew; every mailbox is compared in full when what decides about items moved.

    `over`: the version that is changed, None = whichever is there. Raises Stale when it is not the present one, ConfigMistake.
    """
    for _ in range(TRIES - 1):
        try:
            return await _change(connector, body, over, by)
        except Stale:
            if over is not None:
                raise  # whoever names a version looked at that one
    return await _change(connector, body, over, by)


async def _change(connector: Connector, body: Mapping[str, Any], over: int | None, by: str) -> Saved:
    saved = await connector.settings.saved()
    before = saved.settings
    after, secret = changed(before, body)
    if (after.admin_mailbox, after.admin_user) != (before.admin_mailbox, before.admin_user) or (
        after.shared_mailbox and not before.shared_mailbox
    ):
        after = await _with_admin(connector, after)
    if after.allow_list != before.allow_list:
        after = await _with_ids(connector, before, after)
    if after.contact_target is Target.ADMIN and not after.allows(after.admin_mailbox):
        raise ConfigMistake("allow_list", "with_admin_mailbox")
    if over not in (None, saved.version):
        raise Stale
    if after != before or secret is not None:
        at = connector.now().isoformat(timespec="seconds")
        saved = await connector.settings.save(after, secret, over=saved.version, by=by, at=at)
    await carry_out(connector)
    return saved


async def try_settings(connector: Connector, body: Mapping[str, Any]) -> tuple[Check, ...]:
    """One cheap look at each side as if these settings had been saved; nothing is. Raises ConfigMistake."""
    after, secret = changed(await connector.settings.read(), body)
    sign_in = await connector.settings.sign_in(after, secret)
    if sign_in.missing:
        raise ConfigMistake(sign_in.missing[0].lower(), "needed_to_sign_in")
    return (
        await checked("crm", connector.outside.check_crm),
        await checked("mailboxes", lambda: connector.outside.try_sign_in(sign_in, after.server_name)),
    )


async def _with_admin(connector: Connector, settings: Settings) -> Settings:
    """The admin's mailbox as its object id (an address is kept nowhere in clear), the admin's user as one that exists."""
    if settings.admin_user:
        try:
            await known_user(connector, settings.admin_user)
        except NotFound:
            raise ConfigMistake("admin_user", "crm_user") from None
    if not settings.admin_mailbox:
        return settings
    mailbox = await resolved(connector, "admin_mailbox", settings.admin_mailbox)
    return settings.model_copy(update={"admin_mailbox": mailbox.id})


async def _with_ids(connector: Connector, before: Settings, after: Settings) -> Settings:
    """The allow-list as object ids: no address is kept in clear. What is new is asked for, as much as one command has time for."""
    known = set(before.allow_list)
    asked = [text for text in dict.fromkeys(after.allow_list) if text not in known]
    if len(asked) > NEW_AT_ONCE:
        raise ConfigMistake("allow_list", "new_at_once", {"max_length": str(NEW_AT_ONCE)})
    if asked:
        await configured(connector)
    ids: dict[str, str] = {}
    for start in range(0, len(asked), ABREAST):
        part = asked[start : start + ABREAST]
        answers = await asyncio.gather(
            *(looked_up(connector, "allow_list", text.strip()) for text in part), return_exceptions=True
        )
        for text, answer in zip(part, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            ids[text] = answer.id
    return after.model_copy(
        update={"allow_list": tuple(dict.fromkeys(ids.get(text, text) for text in after.allow_list))}
    )

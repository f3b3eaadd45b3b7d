"""Preferences and removals through the control API."""

from __future__ import annotations

from sync.model import Kind, Link, Side
from sync.store.ledger import MailboxLedger, put_link
from tests.contract.api_world import Api
from tests.unit.control.world import ANNA, ANNAS, World


async def test_from_preferences_to_the_end_and_back() -> None:
    api = Api(World())
    wanted = {"enabled": True, "sync_start": "2025-01-01", "folder": "CRM", "private_events": "none"}
    await api.ask("users")
    status, anna = await api.ask("user_put", wanted, id=ANNA)
    assert status == 200
    assert {name: anna[name] for name in wanted} == wanted
    status, refused = await api.ask("user_put", {"sync_start": ""}, id=ANNA)
    assert (status, refused["code"]) == (409, "start_frozen")
    status, refused = await api.ask("user_put", {"private_events": "some"}, id=ANNA)
    assert (status, refused["field"]) == (400, "private_events")
    row = await api.world.mailbox()
    ledger = await MailboxLedger.open(api.world.rows, ANNAS, row.fence)
    await ledger.commit(put_link(Link(ANNAS, Kind.CONTACT, "4x1", "c1", Side.CRM)))
    saved = await api.world.settings.saved()
    await api.world.settings.save(saved.settings.model_copy(update={"delete_contacts": True}), None)
    status, removal = await api.ask("user_removal", id=ANNA)
    assert (status, removal["contacts"], removal["ours"], removal["to_delete"]) == (200, 1, 1, 1)
    status, refused = await api.ask("user_remove", {"confirm": 0}, id=ANNA)
    assert (status, refused["code"], refused["count"]) == (409, "count_changed", "1")
    status, anna = await api.ask("user_remove", {"confirm": 1}, id=ANNA)
    assert (status, anna["enabled"], anna["state"], anna["active"]) == (202, False, "leaving", True)
    assert anna["left_at"]
    await api.world.registry.change_mailbox(ANNAS, state="error", cause="clean_up_pending")
    status, anna = await api.ask("user", id=ANNA)
    assert (anna["state"], anna["cause"]) == ("error", "clean_up_pending")
    await api.world.registry.change_mailbox(ANNAS, state="removed", cause="", clearing="")
    assert (await api.ask("user", id=ANNA))[1]["state"] == "removed"
    status, mailboxes = await api.ask("mailboxes")
    assert [each["state"] for each in mailboxes["mailboxes"]] == ["removed"]
    assert (await api.ask("status"))[1]["mailboxes"]["removed"] == 1
    status, anna = await api.ask("user_undo_removal", {}, id=ANNA)
    assert (status, anna["state"]) == (202, "leaving")
    status, refused = await api.ask("user_removal", id="19x4711")
    assert (status, refused["code"]) == (404, "not_found")

"""The preview of a mailbox through the control API: counts and first rows for the admin's eyes, and nothing of it kept."""

from __future__ import annotations

from sync.model import Kind
from tests.contract.api_world import Api
from tests.unit.control.world import ANNA, ANNAS, World


async def test_a_mailbox_is_shown_before_it_is_connected() -> None:
    api = Api(World())
    await api.ask("users")
    api.world.crm.add(Kind.CONTACT, ANNA, {"firstname": "Ginevra", "lastname": "Bianchi", "title": "x"})
    writes = api.world.crm.writes
    before = [row for row in api.world.rows.everything() if row.partition != "audit"]
    status, seen = await api.ask("user_preview", {}, id=ANNA)
    assert (status, seen["mailbox"], seen["first"], seen["complete"]) == (200, ANNAS, True, True)
    assert seen["counts"] == [{"what": "create", "side": "mailbox", "kind": "contact", "count": 1}]
    assert seen["rows"] == [{"what": "create", "side": "mailbox", "kind": "contact", "name": "Ginevra Bianchi"}]
    assert (seen["crm_created"], seen["mails"], seen["held"]) == (0, 0, {})
    assert api.world.crm.writes == writes
    assert [row for row in api.world.rows.everything() if row.partition != "audit"] == before
    assert [each["what"] for each in (await api.ask("audit"))[1]["audit"]] == ["user_preview"]
    assert (await api.ask("user_preview", {}, id="19x99"))[0] == 404

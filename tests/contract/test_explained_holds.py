"""A hold explained by names: read live, shown, kept nowhere, noted in the audit (SPEC 4.6)."""

from __future__ import annotations

from sync.model import Item, Kind, Link, Reason, Side
from sync.store.asking import HoldRow
from sync.store.ledger import MailboxLedger, put_link
from tests.contract.api_world import Api
from tests.unit.control.world import ANNAS, World


async def test_a_hold_is_explained_by_names_that_nothing_keeps() -> None:
    api = Api(World())
    ledger = await MailboxLedger.open(api.world.rows, ANNAS, 0)
    await ledger.commit(put_link(Link(ANNAS, Kind.CONTACT, "4x1", "c1", Side.CRM)))
    card = {"givenName": "Ginevra", "surname": "Bianchi", "mobilePhone": "9"}
    api.world.servers.items = {
        "c1": Item(Side.MAILBOX, Kind.CONTACT, "c1", "1", card),
        "4x9": Item(Side.CRM, Kind.CONTACT, "4x9", "1", {"firstname": "Ginevra", "lastname": "B."}),
        "e1": Item(Side.MAILBOX, Kind.EVENT, "e1", "1", {"subject": "Visita", "when": "w", "sensitivity": "private"}),
    }
    asked = (Side.MAILBOX, Reason.DELETE_BRAKE, "2026")
    await api.world.registry.put_hold(HoldRow("h1", ANNAS, Kind.CONTACT, *asked, items=("4x1", "4x8")))
    several = (Side.MAILBOX, Reason.SEVERAL_CANDIDATES, "2026")
    await api.world.registry.put_hold(HoldRow("h2", ANNAS, Kind.CONTACT, *several, items=("c1",), candidates=("4x9",)))
    mails = (Side.MAILBOX, Reason.MAIL_LIMIT, "2026")
    await api.world.registry.put_hold(HoldRow("h3", ANNAS, Kind.EVENT, *mails, items=("e1",)))

    async def named(id_: str) -> list[tuple[str, str, bool]]:
        status, found = await api.ask("hold_explain", id=id_)
        assert status == 200
        return [(each["id"], each["name"], each["candidate"]) for each in found["items"]]

    assert await named("h1") == [
        ("4x1", "Ginevra Bianchi", False),
        ("4x8", "", False),
    ]  # gone from the CRM: the card says
    assert await named("h2") == [("c1", "Ginevra Bianchi", False), ("4x9", "Ginevra B.", True)]
    assert await named("h3") == [("e1", "", False)]  # what is private stays so
    assert "Ginevra" not in repr(api.world.rows.everything())
    assert [each["what"] for each in (await api.ask("audit"))[1]["audit"]] == ["hold_explain"] * 3
    assert (await api.ask("hold_explain", id="h4"))[0] == 404

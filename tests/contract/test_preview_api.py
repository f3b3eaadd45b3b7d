"""The preview of a mailbox through the control API: counts and first rows for the admin's eyes, and nothing of it kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from sync.events import event_translator
from sync.model import Kind
from sync.policy import CalendarPolicy
from sync.preview import preview
from sync.setup import Setup
from sync.sides.base import Mailbox
from tests.contract.api_world import Api, Sides, worker_of
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


class Opened(Sides):
    """Remembers with which sync start a calendar was opened."""

    since: date | None = None

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        self.since = policy.since
        return await super().calendar(mailbox, policy)


async def test_who_is_not_connected_yet_is_shown_with_the_own_preferences() -> None:
    """A run's setup knows those of connected users only."""
    api = Api(World())
    await api.ask("users")
    assert (await api.ask("user_put", {"sync_start": "2025-11-01"}, id=ANNA))[0] == 200
    sides = Opened(api.world)
    worker = worker_of(api.world)
    real = worker.setup

    async def with_calendars() -> Setup:
        setup = await real()
        return replace(setup, translators={**setup.translators, Kind.EVENT: event_translator(ZoneInfo("Europe/Rome"))})

    await preview(api.world.connector, replace(worker, sides=sides, setup=with_calendars), ANNA)
    assert sides.since == date(2025, 11, 1)

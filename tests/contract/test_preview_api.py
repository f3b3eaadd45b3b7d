"""The preview of a mailbox through the control API: counts and first rows for the admin's eyes, and nothing of it kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.commands import NotNow
from sync.events import event_translator
from sync.model import Kind
from sync.policy import CalendarPolicy
from sync.preview import dry_run, preview
from sync.setup import Setup
from sync.sides.base import Mailbox
from tests.contract.api_world import Api, Sides, worker_of
from tests.unit.control.world import ANNA, ANNAS, World


async def test_a_mailbox_is_shown_before_it_is_connected() -> None:
    api = Api(World())
    await api.ask("users")
    record = api.world.crm.add(Kind.CONTACT, ANNA, {"firstname": "Ginevra", "lastname": "Bianchi", "title": "x"})
    writes = api.world.crm.writes
    before = [row for row in api.world.rows.everything() if row.partition != "audit"]
    status, seen = await api.ask("user_preview", {}, id=ANNA)
    assert (status, seen["mailbox"], seen["first"], seen["complete"]) == (200, ANNAS, True, True)
    assert seen["counts"] == [{"what": "create", "side": "mailbox", "kind": "contact", "count": 1}]
    (row,) = seen["rows"]
    assert (row["what"], row["side"], row["kind"]) == ("create", "mailbox", "contact")
    assert (row["name"], row["id"], row["because"]) == ("Ginevra Bianchi", record.id, "crm_new")
    assert row["sentence"].startswith("New in the CRM")
    assert (seen["crm_created"], seen["mails"], seen["held"]) == (0, 0, {})
    assert api.world.crm.writes == writes
    assert [row for row in api.world.rows.everything() if row.partition != "audit"] == before
    assert [each["what"] for each in (await api.ask("audit"))[1]["audit"]] == ["user_preview"]
    assert (await api.ask("user_preview", {}, id="19x99"))[0] == 404


async def test_before_the_connector_is_active_a_preview_shows_what_it_would_do() -> None:
    api = Api(World())
    await api.ask("users")
    assert (await api.ask("settings_put", {"active": False}))[0] == 200
    assert (await api.ask("user_preview", {}, id=ANNA))[0] == 200


@pytest.mark.parametrize("state", ["killed", "error", "stopped"])
async def test_nobody_is_asked_while_nothing_may_run(state: str) -> None:
    api = Api(World())
    await api.ask("users")
    await api.world.board.enter(state, api.world.now())
    api.world.servers.asked.clear()
    status, problem = await api.ask("user_preview", {}, id=ANNA)
    assert (status, problem["code"], problem["state"]) == (409, "no_preview", state)
    assert api.world.servers.asked == []


async def test_a_server_or_a_mailbox_that_waits_is_not_asked_before_it_is_due() -> None:
    api = Api(World())
    await api.ask("users")
    assert (await api.ask("user_put", {"enabled": True}, id=ANNA))[0] == 200
    due = (api.world.now() + timedelta(minutes=5)).isoformat()
    await api.world.registry.change_mailbox(ANNAS, due_at=due)
    api.world.servers.asked.clear()
    status, problem = await api.ask("user_preview", {}, id=ANNA)
    assert (status, problem["code"], problem["until"]) == (409, "preview_pause", due)
    await api.world.registry.change_mailbox(ANNAS, due_at="")
    await api.world.board.failed("crm_unreachable", api.world.now())
    assert (await api.ask("user_preview", {}, id=ANNA))[1]["code"] == "preview_pause"
    api.world.time += timedelta(hours=2)  # due, but whether it answers the next sweep finds out, for all
    assert (await api.ask("user_preview", {}, id=ANNA))[1]["code"] == "preview_pause"
    assert api.world.servers.asked == []
    await api.world.board.reached(["crm"], api.world.now())
    assert (await api.ask("user_preview", {}, id=ANNA))[0] == 200


class Killing(Sides):
    """Somebody presses Kill while the mailbox is opened."""

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        await self._world.board.enter("killed", self._world.now())
        return await super().mailbox(mailbox, folder)


async def test_a_kill_ends_a_preview_under_way() -> None:
    api = Api(World())
    await api.ask("users")
    api.world.crm.add(Kind.CONTACT, ANNA, {"firstname": "Ginevra", "lastname": "Bianchi", "title": "x"})
    worker = replace(worker_of(api.world), sides=Killing(api.world))
    seen = await dry_run(worker, ANNAS, ANNA)
    assert (seen.complete, seen.counts) == (False, {})
    await api.world.board.enter("running", api.world.now())
    with pytest.raises(NotNow) as refused:
        await preview(api.world.connector, worker, ANNA)
    assert refused.value.code == "no_preview"


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

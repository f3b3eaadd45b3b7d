"""What an admin's commands do to the store and whom they wake; what timer and queue messages may do in which state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync import commands, settings_commands
from sync.commands import NotFound, NotNow
from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector
from sync.events import event_translator
from sync.model import Family, Kind, Link, Reason, Role, Side
from sync.policy import Winner
from sync.progress import Progress, write
from sync.run import Outcome
from sync.settings_store import Defaults
from sync.sides.base import CrmUser
from sync.sides.memory import MemoryCrm
from sync.status import mailboxes, next_run, status
from sync.store.asking import HoldRow
from sync.store.board import Board, BoardStore
from sync.store.ledger import Checkpoint, MailboxLedger, Pending, put_link, put_pending
from sync.store.secrets import Keyring
from sync.tick import run_one, tick, tick_asked
from sync.users import homes_of
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, CLIENT, CONFIGURED, STAFF, TENANT, World


@pytest.fixture
async def world() -> World:
    """Anna and Bruno are connected; nothing is queued."""
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    world.queue.take()
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.change_mailbox(mailbox, dirty=False, full=False)
    return world


class Runner:
    """A worker whose run does as told."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self.does, self.runs = does, 0

    async def run(self, mailbox: str, *, polls: bool = True) -> Outcome | None:
        self.runs += 1
        result = self.does()
        return await result if hasattr(result, "__await__") else result


# users


async def test_enabling_pairs_by_the_address_of_the_directory() -> None:
    world = World()
    user = await commands.change_user(world.connector, ANNA, {"enabled": True})
    assert (user.mailbox, user.address, user.enabled) == (ANNAS, "anna@acme.example", True)
    row = await world.mailbox()
    assert (row.user, row.enabled, row.full, row.dirty) == (ANNA, True, True, True)
    assert row.connected_at == world.connector.now().isoformat(timespec="seconds")
    assert world.queue.take() == [ANNAS]
    assert homes_of(await world.users.all()) == {ANNA: ANNAS}


async def test_no_name_or_address_is_stored_in_clear(world: World) -> None:
    await settings_commands.change_settings(world.connector, {"client_secret": "top~secret"})
    stored = repr(world.rows.everything())
    for personal in ("Rossi", "Anna", "acme.example", "top~secret"):
        assert personal not in stored


@pytest.mark.parametrize(
    ("user", "body", "field"),
    [
        (ANNA, {"mailbox": "nobody@acme.example"}, "mailbox"),
        ("19x7", {"enabled": True}, "mailbox"),
        (ANNA, {"mailbox": "", "enabled": True}, "mailbox"),
        (ANNA, {"enabled": "yes"}, "enabled"),
        (ANNA, {"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_a_pairing_is_refused(user: str, body: dict[str, Any], field: str) -> None:
    world = World()
    with pytest.raises(ConfigMistake) as wrong:
        await commands.change_user(world.connector, user, body)
    assert wrong.value.field == field
    assert not await world.registry.mailboxes()


async def test_unknown_inactive_and_taken(world: World) -> None:
    with pytest.raises(NotFound):
        await commands.change_user(world.connector, "19x99", {"enabled": True})
    with pytest.raises(NotNow, match="user_inactive"):
        await commands.change_user(world.connector, "19x8", {"mailbox": BRUNOS, "enabled": True})
    with pytest.raises(NotNow, match="mailbox_taken") as taken:
        await commands.change_user(world.connector, "19x7", {"mailbox": ANNAS, "enabled": True})
    assert taken.value.data == {"user": ANNA}


async def test_disabling_and_pairing_anew_end_the_old_mailbox(world: World) -> None:
    before = (await world.board.read()).generation
    await commands.change_user(world.connector, BRUNO, {"enabled": False})
    assert not (await world.mailbox(BRUNOS)).enabled
    assert (await world.board.read()).generation > before, "runs under way must see that homes moved"
    await commands.change_user(world.connector, ANNA, {"mailbox": BRUNOS})
    assert not (await world.mailbox(ANNAS)).enabled
    assert (await world.mailbox(BRUNOS)).user == ANNA
    assert world.queue.take() == [BRUNOS]


async def test_a_user_who_is_gone_twice_is_disconnected(world: World) -> None:
    world.servers.staff = STAFF[1:]
    await world.connector.refresh_directory()
    assert (await world.mailbox()).enabled, "one reading is no proof"
    world.pass_time(60)
    await world.connector.refresh_directory()
    assert not (await world.mailbox()).enabled
    assert homes_of(await world.users.all()) == {BRUNO: BRUNOS}


async def test_when_too_many_vanish_nobody_is_disconnected(world: World) -> None:
    world.servers.staff = ()
    for _ in range(3):
        world.pass_time(60)
        await world.connector.refresh_directory()
    assert (await world.users.state()).braked == 3
    assert len(homes_of(await world.users.all())) == 2


async def test_the_directory_is_shown_as_it_was_when_the_crm_does_not_answer(world: World) -> None:
    world.pass_time(20)
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE)
    directory = await commands.users(world.connector)
    assert directory.cause == "crm_unreachable"
    assert [user.name for user in directory.users] == [user.name for user in STAFF]
    world.servers.crm_fails = None
    world.servers.staff = (*STAFF, CrmUser("19x9", "Elsa", "e@acme.example", True))
    assert len((await commands.users(world.connector)).users) == 5


# settings


async def test_settings_change_only_what_is_named_and_compare_everything_again(world: World) -> None:
    await settings_commands.change_settings(world.connector, {"kinds": {"contact": {"winner": "latest"}}})
    settings = (
        await settings_commands.change_settings(world.connector, {"kinds": {"contact": {"delete_in_crm": True}}})
    ).settings
    policy = settings.policies()[Kind.CONTACT]
    assert (policy.winner, policy.delete_in_crm, policy.to_crm) == (Winner.LATEST, True, True)
    assert (await world.mailbox()).full
    assert sorted(world.queue.take()) == sorted([ANNAS, BRUNOS] * 2)


async def test_saved_sign_in_wins_and_the_secret_can_only_be_replaced(world: World) -> None:
    other = TENANT.replace("1", "9")
    await settings_commands.change_settings(world.connector, {"tenant_id": other, "client_secret": "new~one"})
    sign_in = await world.settings.sign_in()
    assert (sign_in.tenant_id, sign_in.client_id, sign_in.client_secret) == (other, CLIENT, "new~one")
    await settings_commands.change_settings(world.connector, {"client_secret": ""})
    assert (await world.settings.sign_in()).client_secret == CONFIGURED.client_secret


async def test_a_secret_that_no_key_opens_any_more_is_missing(world: World) -> None:
    await settings_commands.change_settings(world.connector, {"client_secret": "new~one"})
    other = Keyring(b"i" * 32, [("a", b"d" * 32)], [("b", b"f" * 32)])
    store = type(world.settings)(world.rows, other, CONFIGURED)
    assert (await store.sign_in()).missing == ("CLIENT_SECRET",)


async def test_the_default_folder_takes_nothing_to_the_crm_unless_asked(world: World) -> None:
    settings = (await settings_commands.change_settings(world.connector, {"use_default_folder": True})).settings
    assert (settings.folder, settings.policies()[Kind.CONTACT].to_crm) == ("", False)
    settings = (
        await settings_commands.change_settings(world.connector, {"kinds": {"contact": {"to_crm": True}}})
    ).settings
    assert settings.policies()[Kind.CONTACT].to_crm
    assert not settings.policies()[Kind.COMPANY].to_crm


async def test_one_mailbox_for_all(world: World) -> None:
    with pytest.raises(ConfigMistake, match="contact_target"):
        await settings_commands.change_settings(world.connector, {"contact_target": "admin"})
    target = {"contact_target": "admin", "admin_user": "19x99", "admin_mailbox": "office@acme.example"}
    with pytest.raises(ConfigMistake, match="admin_user"):
        await settings_commands.change_settings(world.connector, target)
    with pytest.raises(ConfigMistake, match="admin_mailbox"):
        await settings_commands.change_settings(world.connector, target | {"admin_user": "19x7"})
    world.servers.mailboxes["office@acme.example"] = "office-id"
    settings = (await settings_commands.change_settings(world.connector, target | {"admin_user": "19x7"})).settings
    assert settings.admin_mailbox == "office-id"
    assert (await world.mailbox("office-id")).user == "19x7"
    assert "office-id" in world.queue.take()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"active": "yes"}, "active"),
        ({"kinds": {"contact": {"winner": "nobody"}}}, "kinds.contact.winner"),
        ({"kinds": {"journal": {}}}, "kinds.journal"),
        ({"client_secret": CLIENT}, "client_secret"),
        ({"tenant_id": "my tenant"}, "tenant_id"),
        ({"folder_name": " "}, "folder_name"),
        ({"brand": "x"}, "brand"),
    ],
)
async def test_bad_settings_are_refused_by_name_and_nothing_moves(
    world: World, body: dict[str, Any], field: str
) -> None:
    before = await world.board.read()
    with pytest.raises(ConfigMistake) as wrong:
        await settings_commands.change_settings(world.connector, {"verbose_log": True, **body})
    assert wrong.value.field == field
    assert await world.board.read() == before
    assert not (await world.settings.read()).verbose_log


# states


async def test_not_configured_or_not_active_is_paused() -> None:
    world = World(Defaults(), crm_missing=("VTENEXT_URL",))
    assert await world.connector.state() == "paused"
    assert await world.connector.missing() == ("VTENEXT_URL", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
    assert (await tick(world.connector, "timer")).state == "paused"
    assert world.servers.asked == []
    with pytest.raises(NotNow, match="not_configured"):
        await commands.restore_state(world.connector, "me")
    active = World()
    await settings_commands.change_settings(active.connector, {"active": False})
    assert await active.connector.state() == "paused"


async def test_kill_breaks_leases_and_nothing_runs_until_restored(world: World) -> None:
    lease = await world.registry.take_lease(ANNAS, "worker", world.now())
    assert lease is not None
    assert await commands.kill(world.connector, "boss") == "killed"
    board = await world.board.read()
    assert (board.state, board.by) == ("killed", "boss")
    assert await world.registry.renew(lease, world.now()) is None
    runner = Runner(lambda: Outcome())
    assert await run_one(world.connector, runner, ANNAS) is None  # type: ignore[arg-type]
    assert (await tick(world.connector, "timer")).state == "killed"
    with pytest.raises(NotNow, match="not_running"):
        await commands.run(world.connector)
    assert (runner.runs, world.queue.take()) == (0, [])
    restored = await commands.restore_state(world.connector, "boss")
    assert (restored.ok, restored.state, restored.queued) == (True, "running", 2)
    assert (await world.mailbox()).starts == 0


async def test_restore_keeps_the_state_when_a_check_fails(world: World) -> None:
    await world.board.enter("killed", world.now())
    world.servers.graph_fails = StopConnector(Cause.SECRET_EXPIRED)
    restored = await commands.restore_state(world.connector, "me")
    assert [(c.what, c.cause) for c in restored.checks] == [("crm", ""), ("mailboxes", "secret_expired")]
    assert (restored.ok, restored.state, world.queue.take()) == (False, "killed", [])


async def test_restore_in_error_names_the_present_cause(world: World) -> None:
    await world.board.enter("error", world.now(), "secret_expired")
    world.servers.crm_fails = StopConnector(Cause.CRM_LOGIN_REFUSED)
    assert not (await commands.restore_state(world.connector, "me")).ok
    assert (await world.board.read()).cause == "crm_login_refused"
    assert world.servers.asked.index("forget refusals") < world.servers.asked.index("check crm")


async def test_restore_puts_quarantined_items_back_and_forgets_a_deleted_folder(world: World) -> None:
    await world.registry.change_mailbox(ANNAS, state="error", cause=Cause.FOLDER_DELETED.value)
    ledger = await MailboxLedger.open(world.rows, ANNAS, 0)
    link = Link(ANNAS, Kind.CONTACT, "4x1", "card", Side.CRM, Role.HOME)
    rows = [
        Pending(Side.CRM, "4x1", Reason.QUARANTINED, "t", fails=3, cause="400 X", kind="contact"),
        Pending(Side.CRM, "4x2", Reason.OSCILLATES, "t", kind="contact"),
        Pending(Side.CRM, "4x3", Reason.SEVERAL_CANDIDATES, "t", hold="h", kind="contact"),
    ]
    await ledger.commit([*put_link(link), *(put_pending(row) for row in rows)])
    await ledger.save_checkpoint(Checkpoint("cursor", "folder", 7, "2026-03-01T00:00:00+00:00", {"x": 1}))
    restored = await commands.restore_state(world.connector, "me")
    assert (restored.mailboxes, restored.items) == (1, 2)
    row = await world.mailbox()
    assert (row.state, row.cause, row.full, row.dirty, row.holder) == ("ok", "", True, True, "")
    late = MailboxLedger(world.rows, ANNAS, 0, "")
    assert await late.checkpoint() == Checkpoint(run=8, turn=2, deletes={"x": 1})
    pending = {each.id: (each.because, each.fails) for each in await late.pending()}
    assert pending == {
        "4x1": (Reason.REFUSED, 0),
        "4x2": (Reason.REFUSED, 0),
        "4x3": (Reason.SEVERAL_CANDIDATES, 0),
    }


async def test_restore_attempts_goes_on_only_where_attempts_had_stopped_us(world: World) -> None:
    await world.board.enter("stopped", world.now(), "crm_unreachable")
    await world.registry.change_mailbox(ANNAS, state="error", cause="graph_unreachable", attempts=5)
    await world.registry.change_mailbox(BRUNOS, state="error", cause="mailbox_full", attempts=2)
    assert await commands.restore_attempts(world.connector, "me") == "running"
    assert (await world.mailbox(ANNAS)).state == "ok"
    assert ((await world.mailbox(BRUNOS)).state, (await world.mailbox(BRUNOS)).attempts) == ("error", 0)
    assert world.queue.take() == [ANNAS]
    await world.board.enter("error", world.now(), "secret_expired")
    assert await commands.restore_attempts(world.connector, "me") == "error"


# holds


def a_hold(**changes: Any) -> HoldRow:
    asked = HoldRow("h1", ANNAS, Kind.CONTACT, Side.MAILBOX, Reason.SEVERAL_CANDIDATES, "2026-03-02T08:00:00+00:00")
    return replace(asked, items=("card",), candidates=("4x1", "4x2"), **changes)


async def test_an_approval_names_its_choice_lasts_a_day_and_wakes_its_mailbox(world: World) -> None:
    await world.registry.put_hold(a_hold())
    for wrong in ("", "4x9"):
        with pytest.raises(ConfigMistake, match="choice"):
            await commands.approve(world.connector, "h1", wrong)
    answered = await commands.approve(world.connector, "h1", "4x2")
    assert (answered.state, answered.choice, answered.until) == ("approved", "4x2", "2026-03-03T08:00:00+00:00")
    assert await world.registry.hold("h1") == answered
    assert (world.queue.take(), (await world.mailbox()).dirty) == ([ANNAS], True)
    with pytest.raises(NotNow, match="hold_answered"):
        await commands.reject(world.connector, "h1")
    with pytest.raises(NotFound):
        await commands.approve(world.connector, "h2")


async def test_a_rejection_wakes_the_mailbox_too(world: World) -> None:
    await world.registry.put_hold(a_hold(because=Reason.DELETE_BRAKE))
    with pytest.raises(ConfigMistake, match="choice"):
        await commands.approve(world.connector, "h1", "4x1")
    assert (await commands.reject(world.connector, "h1")).state == "rejected"
    assert world.queue.take() == [ANNAS]


async def test_approving_a_sweeps_deletions_marks_whoever_holds_the_records(world: World) -> None:
    from sync.store.base import Put
    from sync.store.registry import held_partition

    await world.registry.put_hold(a_hold(mailbox="", because=Reason.DELETE_BRAKE))
    await world.rows.transact(held_partition("h1"), [Put("4x1", {"kind": "contact"})])
    await world.registry.hold_records(ANNAS, {"4x1": Role.HOME})
    await commands.approve(world.connector, "h1")
    assert [mark.crm_id for mark in await world.registry.inbox(ANNAS)] == ["4x1"]
    assert sorted(world.queue.take()) == sorted([ANNAS, BRUNOS])


# timer and messages


async def test_a_tick_sweeps_and_queues_whoever_is_due(world: World) -> None:
    await tick(world.connector, "timer")
    world.queue.take()
    world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Rossi"})
    world.crm.add(Kind.CONTACT, "22x3", {"lastname": "Gruppo"})
    world.pass_time(15)  # nobody took the first messages: they are taken for lost
    due = world.time.replace(hour=9).isoformat()
    await world.registry.change_mailbox(BRUNOS, due_at=due)
    ticked = await tick(world.connector, "timer")
    assert (ticked.state, ticked.marked, world.queue.take()) == ("swept", 1, [ANNAS])
    shown = await status(world.connector, "0 */5 * * * *")
    assert (shown.sweep["changed"], shown.sweep["without_mailbox"]) == (2, 1)
    assert (shown.last_run, shown.next_run) == ("2026-03-02T08:15:00+00:00", "2026-03-02T08:20:00+00:00")
    await world.registry.change_mailbox(ANNAS, state="error", cause="mailbox_full")
    await tick(world.connector, "timer")
    assert world.queue.take() == []


async def test_one_sweep_at_a_time_and_an_asked_one_comes_again(world: World) -> None:
    inner: list[str] = []

    async def meanwhile(operation: str) -> None:
        inner.append((await tick_asked(world.connector, "admin")).state)

    tools = world.servers.sweep_tools

    async def slow_tools() -> Any:
        await meanwhile("sweep")
        return await tools()

    world.servers.sweep_tools = slow_tools  # type: ignore[method-assign]
    assert (await tick(world.connector, "timer")).state == "swept"
    assert inner == ["busy"]
    assert world.queue.messages[0] == ("", "admin", 5)
    world.servers.sweep_tools = tools  # type: ignore[method-assign]
    assert (await tick(world.connector, "timer")).state == "swept", "the lease was given back"


async def test_the_lease_of_a_dead_sweep_ends(world: World) -> None:
    from sync.store.base import Put

    until = world.time.replace(minute=2).isoformat()
    await world.rows.transact("control", [Put("sweep-lease", {"expires": until})])
    assert (await tick(world.connector, "timer")).state == "busy"
    world.pass_time(2)
    assert (await tick(world.connector, "timer")).state == "swept"


async def test_five_spaced_attempts_then_stopped(world: World) -> None:
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE)
    tried = 0
    for _ in range(40):
        state = (await tick(world.connector, "timer")).state
        tried += state == "failed"
        world.pass_time(5)
    board = await world.board.read()
    assert (board.state, board.cause, tried) == ("stopped", "crm_unreachable", 5)
    spaced = [("", "retry", 60 * minutes + 1) for minutes in (1, 5, 15, 60)]
    assert world.queue.messages == spaced  # the timer comes less often than the first of them


async def test_a_success_of_the_crm_does_not_hide_that_entra_fails(world: World) -> None:
    await world.board.failed("entra_unreachable", world.now())
    world.servers.graph_fails = RetryLater(Cause.ENTRA_UNREACHABLE)
    world.pass_time(2)
    await world.board.failed("crm_unreachable", world.now())
    world.pass_time(2)
    assert (await tick(world.connector, "timer")).state == "failed"
    trouble = (await status(world.connector, "")).servers
    assert [(each.server, each.attempts) for each in trouble] == [("entra", 2)]
    world.servers.graph_fails = None
    world.pass_time(6)
    await tick(world.connector, "timer")
    board = await world.board.read()
    assert (board.trouble, board.attempts, board.due_at, board.cause) == ((), 0, "", "")


async def test_one_cheap_call_comes_before_everything_else_and_five_stop_us(world: World) -> None:
    """Entra fails for everybody while the CRM is fine: it is asked once per pause, nothing is swept, no mailbox runs."""
    world.servers.graph_fails = RetryLater(Cause.ENTRA_UNREACHABLE)
    await world.board.failed("entra_unreachable", world.now())
    runner = Runner(lambda: Outcome({}, False))
    world.servers.asked.clear()
    for _ in range(120):
        world.pass_time(1)
        await tick(world.connector, "timer")
        for mailbox in (ANNAS, BRUNOS):
            await run_one(world.connector, runner, mailbox)  # type: ignore[arg-type]
    board = await world.board.read()
    assert (board.state, board.cause, runner.runs) == ("stopped", "entra_unreachable", 0)
    assert world.servers.asked == ["check mailboxes"] * 4
    world.servers.graph_fails = None
    world.queue.take()
    assert await commands.restore_attempts(world.connector, "me") == "running"
    assert ((await world.board.read()).by, world.queue.take()) == ("me", [ANNAS, BRUNOS])


async def test_when_the_pause_is_over_no_mailbox_runs_before_somebody_looked(world: World) -> None:
    """The messages of all mailboxes may be seen before the tick comes: an outage would be met by every one of them."""
    await world.board.failed("entra_unreachable", world.now())
    runner = Runner(lambda: Outcome({}, False))
    world.pass_time(2)
    board = await world.board.read()
    assert (board.state, board.attempts, board.due_at <= world.now().isoformat()) == ("running", 1, True)
    await run_one(world.connector, runner, ANNAS)  # type: ignore[arg-type]
    assert runner.runs == 0
    await tick(world.connector, "timer")
    await run_one(world.connector, runner, ANNAS)  # type: ignore[arg-type]
    assert runner.runs == 1


async def test_a_tick_that_began_before_the_failure_of_another_does_not_ask_again(world: World) -> None:
    """It had read the board already, and gets the lease when the other gives it back."""
    world.servers.graph_fails = RetryLater(Cause.ENTRA_UNREACHABLE)
    world.servers.asked.clear()
    await world.registry.spent(ANNAS)  # somebody is due
    others: list[str] = []

    class Late(BoardStore):
        async def read(self) -> Board:
            board = await super().read()
            if not others:
                others.append((await tick(world.connector, "timer")).state)
            return board

    late = replace(world.connector, board=Late(world.rows))
    assert ((await tick(late, "retry")).state, others) == ("waiting", ["failed"])
    assert world.servers.asked.count("check mailboxes") == 1
    assert (await world.board.read()).attempts == 1


async def test_throttling_stops_nothing_and_counts_nothing(world: World) -> None:
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE, 60.0, counts=False)
    for _ in range(60):
        await tick(world.connector, "timer")
        world.pass_time(1)
        board = await world.board.read()
        assert (board.state, board.attempts) == ("running", 0)
    world.servers.crm_fails = None
    world.pass_time(2)
    assert (await tick(world.connector, "timer")).state == "swept"
    assert (await world.board.read()).trouble == ()


async def test_a_failure_of_the_store_does_not_block_for_good(world: World) -> None:
    await world.board.failed("storage_unreachable", world.now())
    world.pass_time(2)
    assert (await tick(world.connector, "timer")).state == "swept"
    assert (await world.board.read()).trouble == ()


async def test_who_restored_is_kept_whatever_the_state(world: World) -> None:
    await commands.restore_attempts(world.connector, "me")
    board = await world.board.read()
    assert (board.restored_by, board.restored_at) == ("me", world.now().isoformat(timespec="seconds"))
    await commands.restore_state(world.connector, "you")
    assert (await world.board.read()).restored_by == "you"


async def test_a_refused_login_is_an_error_that_waits(world: World) -> None:
    world.servers.crm_fails = StopConnector(Cause.CRM_LOGIN_REFUSED)
    assert (await tick(world.connector, "timer")).state == "failed"
    asked = len(world.servers.asked)
    assert (await tick(world.connector, "timer")).state == "error"
    assert len(world.servers.asked) == asked


async def test_run_asks_for_a_sweep_unless_a_pause_is_not_over(world: World) -> None:
    assert await commands.run(world.connector) == 2
    assert world.queue.take() == [""]
    await world.connector.note(RetryLater(Cause.CRM_UNREACHABLE, 90, counts=False), 0)
    with pytest.raises(NotNow, match="pause"):
        await commands.run(world.connector)
    runner = Runner(lambda: Outcome())
    assert await run_one(world.connector, runner, ANNAS) is None  # type: ignore[arg-type]
    assert runner.runs == 0


async def test_run_asks_for_answers_too_a_timer_only_now_and_then(world: World) -> None:
    """Answers given in the CRM touch no modification time (API.md 5): who asks for everything now must not wait for them."""
    read: list[str] = []

    async def noted(moment: str, operation: str) -> str:
        read.extend([operation] if (moment, operation) == ("before", "crm upcoming") else [])
        return ""

    world.crm = MemoryCrm(world.now, noted)
    world.translators = {Kind.EVENT: event_translator(ZoneInfo("Europe/Rome"))}
    await tick(world.connector, "timer")
    world.pass_time(5)
    await tick(world.connector, "timer")
    assert len(read) == 1
    await commands.run(world.connector)
    await tick(world.connector, "admin")
    await tick(world.connector, "timer")
    assert len(read) == 2


@pytest.mark.parametrize(
    ("after", "continued"),
    [
        ({"dirty": True}, True),
        ({"hints": "people"}, True),
        ({"dirty": False}, False),
        ({"dirty": True, "due_at": "2026-03-02T09:00:00+00:00"}, False),
        ({"dirty": True, "state": "error"}, False),
        ({"dirty": True, "enabled": False}, False),
        ({"dirty": True, "holder": "other", "expires": "2026-03-02T08:01:00+00:00"}, False),
    ],
)
async def test_a_run_is_continued_only_when_it_can_go_on(world: World, after: dict[str, Any], continued: bool) -> None:
    await world.registry.change_mailbox(ANNAS, dirty=False, queued_until="")

    async def does() -> Outcome:
        await world.registry.change_mailbox(ANNAS, **after)
        return Outcome()

    runner = Runner(does)
    await run_one(world.connector, runner, ANNAS)  # type: ignore[arg-type]
    assert world.queue.take() == ([ANNAS] if continued else [])


async def test_a_run_that_cannot_read_its_mapping_is_an_attempt(world: World) -> None:
    def fails() -> None:
        raise RetryLater(Cause.CRM_UNREACHABLE)

    await world.registry.queued(ANNAS, world.now())
    assert await run_one(world.connector, Runner(fails), ANNAS) is None  # type: ignore[arg-type]
    assert (await world.board.read()).attempts == 1
    assert (await world.mailbox()).queued_until == "", "its message is spent"


async def test_a_pause_is_obeyed_whatever_message_comes(world: World) -> None:
    later = (world.now() + timedelta(minutes=10)).isoformat()
    await world.registry.change_mailbox(ANNAS, due_at=later, dirty=True, queued_until=later)
    runner = Runner(lambda: Outcome())
    assert await run_one(world.connector, runner, ANNAS, "restored") is None  # type: ignore[arg-type]
    assert (runner.runs, world.queue.take()) == (0, [])
    row = await world.mailbox()
    assert (row.due_at, row.dirty, row.queued_until) == (later, True, "")


async def test_a_nudge_queues_what_the_sweep_marked_and_nobody_else(world: World) -> None:
    await tick(world.connector, "timer")
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.spent(mailbox)
    world.queue.take()
    world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Rossi"})
    world.pass_time(1)
    assert (await tick(world.connector, "nudge")).state == "swept"
    assert world.queue.take() == [ANNAS]
    assert (await tick(world.connector, "timer")).queued == 1, "the other one"


# status


async def test_status_shows_ids_states_and_counts_only(world: World) -> None:
    await world.registry.put_hold(a_hold())
    await world.registry.change_mailbox(ANNAS, counts="crm_new=3 same=1", cause="graph_unreachable", attempts=1)
    families = {Family.PEOPLE: Progress("", 3000, 1240, {"throttled": 1}), Family.TASKS: Progress("2026-03-02")}
    await world.registry.change_mailbox(ANNAS, progress=write(families))
    shown = await status(world.connector, "0 */5 * * * *")
    assert (shown.mailboxes.states["retrying"], shown.mailboxes.states["ok"], shown.mailboxes.holds) == (1, 1, 1)
    anna, _ = found = await mailboxes(world.connector, "", 100)
    assert (anna.user, anna.state, anna.cause, anna.holds) == (ANNA, "retrying", "graph_unreachable", 1)
    assert (anna.last_counts, anna.pending) == ({"crm_new": 3, "same": 1}, {"throttled": 1})
    assert (anna.comparing, anna.first, anna.items, anna.items_done, anna.compared_at) == (True, True, 3000, 1240, "")
    for personal in ("Rossi", "acme.example"):
        assert personal not in repr((shown, found))


def test_the_next_run_of_schedules() -> None:
    world = World()
    world.pass_time(7)
    assert next_run("0 */5 * * * *", world.time) == "2026-03-02T08:10:00+00:00"
    assert next_run("0 */1 * * * *", world.time) == "2026-03-02T08:08:00+00:00"
    assert next_run("0 0 3 * * *", world.time) == ""

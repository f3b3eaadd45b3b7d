"""Faults that an engineer found who read all this for the first time: what a crash leaves of a change of settings, keys that were taken away, the
journal's thirty days where nothing runs, run numbers after a removal, texts that are no names of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from control.problems import problem_of
from sync import history_commands
from sync.clearing_tools import LEAVE
from sync.commands import NotFound, change_user
from sync.errors import Cause, ConfigMistake, Fenced, ReconnectNeeded, SkipItem
from sync.model import Family, Kind
from sync.settings_commands import change_settings
from sync.settings_effects import carry_out
from sync.store.base import LimitExceeded
from sync.store.journal import Change, Kept, put_kept
from sync.store.ledger import Checkpoint, MailboxLedger
from sync.store.secrets import Keyring
from sync.upkeep import A_TICK, forget_values
from tests.contract.api_world import worker_of
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World

OLD, NEW = "j|2026-01-15T08:00:00+00:00|n1", "j|2026-03-01T08:00:00+00:00|n2"


class Crash(Exception):
    """The process ended here."""


@pytest.fixture
async def world() -> World:
    world = World()
    for user in (ANNA, BRUNO):
        await change_user(world.connector, user, {"enabled": True})
    return world


async def keep(world: World, *keys: str, mailbox: str = ANNAS, run: int = 7) -> None:
    ledger = await MailboxLedger.open(world.rows, mailbox, 0, Family.PEOPLE)
    for key in keys:
        kept = Kept(key, "12x1", "card", Kind.CONTACT, "update", "crm_edited", run)
        await ledger.commit([put_kept(kept, Change({"crm:a~b": "Rossi"}, {"crm:a~b": "Verdi"}), world.keys)])


def crashing(world: World, at: int) -> Callable[[], None]:
    """From the given write on nothing is stored any more; call what comes back to go on."""
    written = 0

    def after(operation: str) -> None:
        nonlocal written
        written += operation == "transact"
        if written >= at:
            raise Crash

    world.rows.after = after

    def restart() -> None:
        world.rows.after = None

    return restart


async def test_what_follows_from_the_settings_is_carried_out_whenever_the_process_ends(world: World) -> None:
    """A privacy scrub that is lost leaves texts in the CRM for ever."""
    for at in range(1, 40):
        await change_settings(world.connector, {"private_events": "full", "allow_list": []})
        for mailbox in (ANNAS, BRUNOS):
            await world.registry.change_mailbox(mailbox, past_too=False, full=False)
        await change_user(world.connector, BRUNO, {"enabled": True})
        restart = crashing(world, at)
        try:
            await change_settings(world.connector, {"private_events": "none", "allow_list": [ANNAS]})
            over = True
        except Crash:
            over = False
        restart()
        if (await world.settings.read()).private_events == "none":
            await carry_out(world.connector)
            row, bruno = await world.mailbox(ANNAS), await world.users.get(BRUNO)
            assert (row.past_too, row.full) == (True, True), at
            assert bruno is not None
            assert not bruno.enabled, at
        if over:
            return
    raise AssertionError("the loop never got to the end of the command")


async def test_a_repeated_command_finishes_what_a_crash_left(world: World) -> None:
    await change_settings(world.connector, {"private_events": "full"})
    await world.registry.change_mailbox(ANNAS, past_too=False)
    restart = crashing(world, 2)
    with pytest.raises(Crash):
        await change_settings(world.connector, {"private_events": "none"})
    restart()
    await change_settings(world.connector, {"private_events": "none"})
    assert (await world.mailbox(ANNAS)).past_too
    assert not await carry_out(world.connector), "and then there is nothing left"


async def test_values_whose_key_was_taken_away_are_gone_and_stop_nothing(world: World) -> None:
    await keep(world, NEW)
    other = Keyring(b"i" * 32, [("9", b"d" * 32)], [("9", b"e" * 32)])
    with pytest.raises(NotFound):
        await history_commands.reveal(world.connector, other, ANNAS, Family.PEOPLE, NEW)
    await history_commands.restore(world.connector, world.keys, "a", ANNAS, Family.PEOPLE, NEW)
    outcome = await replace(worker_of(world), keys=other).run(ANNAS)
    assert outcome is not None
    (order,) = await history_commands.ordered(world.connector, ANNAS, (Family.PEOPLE,))
    assert order.outcome == "gone"
    assert (await world.mailbox(ANNAS)).state == "ok"


async def test_only_values_that_were_kept_can_be_named(world: World) -> None:
    """An order is kept in clear: nobody's name belongs in it."""
    await keep(world, NEW)
    for names in (["crm:Mario Rossi"], ["crm:a~b", "crm:x~y"]):
        with pytest.raises(ConfigMistake, match="names"):
            await history_commands.restore(world.connector, world.keys, "a", ANNAS, Family.PEOPLE, NEW, names)
    done = await history_commands.restore(world.connector, world.keys, "a", ANNAS, Family.PEOPLE, NEW, ["crm:a~b"])
    assert done.orders == 1


async def test_values_are_forgotten_after_thirty_days_where_nothing_runs_too(world: World) -> None:
    await keep(world, OLD, NEW)
    await world.registry.change_mailbox(ANNAS, enabled=False)
    with pytest.raises(NotFound):
        await history_commands.reveal(world.connector, world.keys, ANNAS, Family.PEOPLE, OLD)
    for number in range(2 * A_TICK):
        await world.registry.change_mailbox(f"m{number:02}", user="u", enabled=False)
    await keep(world, OLD, mailbox="m19")
    for _ in range(3):
        await forget_values(world.registry, world.now())
    for mailbox, left in ((ANNAS, [NEW]), ("m19", [])):
        ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.PEOPLE)
        assert [row.key async for row in world.rows.query(ledger.partition, "j|", "k")] == left


async def test_after_a_removal_runs_are_counted_on(world: World) -> None:
    """Restoring run 9 must not restore what another run of that number did."""
    ledger = await MailboxLedger.open(world.rows, ANNAS, 0, Family.PEOPLE)
    await ledger.save_checkpoint(Checkpoint(run=9, cursor="c", full_at="2026-03-01"))
    await world.connector.clear(ANNAS, LEAVE, enabled=False, left_at=world.now().isoformat(timespec="seconds"))
    worker = worker_of(world)
    for _ in range(5):
        await worker.run(ANNAS)
    assert (await world.mailbox(ANNAS)).state == "removed"
    assert await ledger.checkpoint() == Checkpoint(run=9)


@pytest.mark.parametrize(
    ("error", "status", "code", "cause"),
    [
        (ReconnectNeeded("u"), 503, "unreachable", "reconnect"),
        (SkipItem("x"), 503, "unreachable", Cause.GRAPH_REFUSED.value),
        (Fenced(), 412, "changed_meanwhile", None),
        (LimitExceeded("too long"), 400, "bad_value", None),
    ],
)
def test_every_known_failure_has_an_answer_of_its_own(
    error: Exception, status: int, code: str, cause: str | None
) -> None:
    found = problem_of(error, "x", "en", lambda: "id")
    assert (found.status, found.code, getattr(found, "cause", None)) == (status, code, cause)
    assert "too long" not in found.model_dump_json()


async def test_a_change_of_thousands_of_mailboxes_is_made_some_at_a_time(world: World) -> None:
    rows = await world.registry.mailboxes()
    await world.connector.change_all(rows, due_at=(world.now() + timedelta(hours=1)).isoformat())
    assert all(row.due_at for row in await world.registry.mailboxes())

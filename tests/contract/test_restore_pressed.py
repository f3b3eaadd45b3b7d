"""Restore state, pressed again and again by whoever is impatient, over the emulators: the work of one press, and answers that say what goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sync import commands
from sync.commands import Restored
from sync.restore import Check
from tests.contract.test_attempts import PEOPLE, Place, all_at_once, cards

FINE = (Check("crm", ""), Check("mailboxes", ""))
PRESSES = 5
EXPECTED = [f"Rossi {n}" for n in range(len(PEOPLE))]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def stopped(stack: ExitStack) -> Place:
    """Every mailbox is in error and the connector too; there is a new contact for everybody."""
    place = Place(stack)
    await place.connect()
    connector = place.processes[0].connector
    for row in await connector.registry.mailboxes():
        await connector.registry.change_mailbox(row.id, state="error", cause="access_denied")
    board = await connector.board.read()
    await connector.board.enter_error("secret_expired", place.time.at, board.generation)
    contacts = [{"lastname": f"Rossi {n}", "assigned_user_id": user} for n, user in enumerate(place.users)]
    place.vtenext.backdoor.add_records("Contacts", contacts)
    place.queue.due()
    return place


async def settled(place: Place) -> None:
    """Nothing is there twice, and nobody is in error, once the queue is empty."""
    await place.pass_minutes(20)
    assert cards(place) == EXPECTED
    assert len(place.vtenext.backdoor.dump()["Contacts"]) == len(PEOPLE)
    registry = place.processes[0].connector.registry
    assert {(row.state, row.attempts, row.starts) for row in await registry.mailboxes()} == {("ok", 0, 0)}
    assert await place.attempts() == ("running", "")
    assert await registry.holds() == []


async def test_five_presses_in_a_row_clear_once_and_then_say_that_it_runs(stack: ExitStack) -> None:
    place = await stopped(stack)
    logins = place.vtenext.logins()
    answers = [await commands.restore_state(place.processes[n % 4].connector, "admin") for n in range(PRESSES)]
    everybody = len(PEOPLE)
    assert answers[0] == Restored(True, "running", FINE, mailboxes=everybody, items=0, queued=everybody)
    assert answers[1:] == [Restored(True, "running", FINE, mailboxes=0, items=0, queued=everybody)] * (PRESSES - 1)
    assert place.vtenext.logins()["logins_refused"] == logins["logins_refused"]
    await settled(place)
    await place.close()


async def test_five_presses_at_once_and_five_more_in_the_middle_of_the_runs_double_nothing(stack: ExitStack) -> None:
    place = await stopped(stack)
    connectors = [place.processes[n % 4].connector for n in range(PRESSES)]
    answers = await asyncio.gather(*(commands.restore_state(connector, "admin") for connector in connectors))
    assert {(answer.ok, answer.state) for answer in answers} == {(True, "running")}
    later = asyncio.gather(*(commands.restore_state(connector, "admin") for connector in connectors))
    await all_at_once(place, place.queue.due())
    assert {(answer.ok, answer.state, answer.items) for answer in await later} == {(True, "running", 0)}
    await settled(place)
    await place.close()

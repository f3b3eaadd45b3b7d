"""Nudges: vtenext says that something changed, and a sweep begins at once, one for many. Only who has the key is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from control.notifications import APART, MAX_NUDGE, signature
from sync import commands
from sync.nudges import LOST
from sync.store.base import StoreUnreachable
from sync.tick import AGAIN
from tests.contract.notified_world import NUDGE, NUDGE_KEY, Place


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def place(stack: AsyncExitStack) -> Place:
    place = Place(stack)
    await place.connect()
    return place


def signed(place: Place, body: bytes = b"{}", *, ago: int = 0, key: str = NUDGE_KEY) -> dict[str, str]:
    """The headers that vtenext sends."""
    moment = str(int(place.clock.now().timestamp()) - ago)
    return {"X-Vtesync-Timestamp": moment, "X-Vtesync-Signature": f"sha256={signature(key, moment, body)}"}


async def nudge(place: Place, body: bytes = b"{}", headers: dict[str, str] | None = None, **options: int) -> int:
    sent = signed(place, body, **options) if headers is None else headers
    return (await place.http.post(NUDGE, content=body, headers=sent)).status_code


def add(place: Place, lastname: str) -> str:
    row = {"lastname": lastname, "assigned_user_id": place.users[0]}
    (crm_id,) = place.vtenext.backdoor.add_records("Contacts", [row])
    return str(crm_id)


async def test_a_nudge_brings_an_edit_of_the_crm_to_outlook_without_any_tick(place: Place) -> None:
    crm_id = add(place, "Rossi")
    assert await nudge(place) == 202
    await place.work()
    assert place.sweeps()[0] == "nudge"
    assert "Rossi" in place.cards()
    place.vtenext.backdoor.edit(crm_id, {"title": "CTO"})
    assert await nudge(place) == 202
    await place.work()
    assert place.cards()["Rossi"]["jobTitle"] == "CTO"


async def test_many_nudges_are_one_sweep(place: Place) -> None:
    assert [await nudge(place) for _ in range(9)] == [202] * 9
    assert await asyncio.gather(*(nudge(place) for _ in range(9))) == [202] * 9
    assert place.sweeps() == ["nudge"]
    await place.work()
    assert await nudge(place) == 202
    assert place.sweeps() == ["nudge"]


async def test_nudges_during_a_sweep_are_one_more_sweep_that_sees_what_they_were_about(place: Place) -> None:
    real, swept = place.outside.sweep_tools, []

    async def slow() -> object:
        tools = await real()
        if not swept:
            swept.append("while it was under way")
            add(place, "Verdi")
            assert [await nudge(place) for _ in range(3)] == [202] * 3
            message = place.queue.take()
            assert message == ("", "nudge")
            await place.run(message)  # another process takes it: a sweep is under way
            assert [await nudge(place) for _ in range(3)] == [202] * 3
        return tools

    place.outside.sweep_tools = slow  # type: ignore[method-assign,assignment]
    add(place, "Rossi")
    assert await nudge(place) == 202
    await place.work()
    assert swept
    assert place.sweeps().count("nudge") == 3  # the first, the one meanwhile, and that one tried again
    place.clock.advance(AGAIN + 1)
    await place.work()
    assert place.cards().keys() == {"Rossi", "Verdi"}
    assert place.queue.waiting == []


async def test_a_nudge_sent_again_within_five_minutes_brings_a_sweep_at_most(place: Place) -> None:
    headers = signed(place)
    await nudge(place, headers=headers)
    await place.work()
    written = place.writes
    assert await nudge(place, headers=headers) == 202
    assert await nudge(place, headers=headers) == 202
    await place.work()
    assert place.sweeps() == ["nudge", "nudge"]
    assert place.writes == written
    place.clock.advance(APART + 1)
    assert await nudge(place, headers=headers) == 403


@pytest.mark.parametrize(("ago", "status"), [(APART, 202), (APART + 1, 403), (-APART, 202), (-APART - 1, 403)])
async def test_clocks_may_be_five_minutes_apart(place: Place, ago: int, status: int) -> None:
    assert await nudge(place, ago=ago) == status
    assert len(place.sweeps()) == (status == 202)


async def test_a_signature_is_of_this_moment_and_this_body_by_this_key(place: Place) -> None:
    right = signed(place, b"body")
    later = str(int(right["X-Vtesync-Timestamp"]) + 1)
    shown = right["X-Vtesync-Signature"]
    wrong = [
        (b"other", right),
        (b"", right),
        (b"body", {}),
        (b"body", {**right, "X-Vtesync-Timestamp": later}),
        (b"body", {**right, "X-Vtesync-Timestamp": ""}),
        (b"body", {**right, "X-Vtesync-Signature": ""}),
        (b"body", {**right, "X-Vtesync-Signature": "sha256="}),
        (b"body", {**right, "X-Vtesync-Signature": shown[:-1]}),
        (b"body", {**right, "X-Vtesync-Signature": shown.replace("sha256", "md5")}),
        (b"body", {**right, "X-Vtesync-Signature": "sha256=\u00e8"}),
        (b"body", signed(place, b"body", key="another-key-that-is-long-enough-too-x")),
    ]
    for body, headers in wrong:
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = await place.http.post(NUDGE, content=body, headers=encoded)
        assert answer.status_code == 403, (body, headers)
    assert place.sweeps() == []
    assert await nudge(place, b"body", right) == 202
    assert await nudge(place, b"body", {**right, "X-Vtesync-Signature": shown.removeprefix("sha256=")}) == 202


@pytest.mark.parametrize("moment", ["", "x", "-5", "1e9", "17.5", " ", "9" * 400, "\u0663" * 10, "+1700000000", "0x10"])
async def test_a_moment_that_is_none_is_refused_whoever_signs_it(place: Place, moment: str) -> None:
    headers = {"X-Vtesync-Timestamp": moment, "X-Vtesync-Signature": signature(NUDGE_KEY, moment, b"{}")}
    answer = await place.http.post(NUDGE, content=b"{}", headers={k: v.encode() for k, v in headers.items()})
    assert answer.status_code == 403
    assert place.sweeps() == []


async def test_what_it_says_is_not_looked_at_but_may_not_be_long(place: Place) -> None:
    assert await nudge(place, b"x" * MAX_NUDGE) == 202
    assert await nudge(place, b"x" * (MAX_NUDGE + 1)) == 403
    assert await nudge(place, b"") == 202
    assert await nudge(place, b"\xff{not json") == 202
    assert place.sweeps() == ["nudge"]


async def test_without_a_key_there_are_no_nudges(stack: AsyncExitStack) -> None:
    place = Place(stack, NUDGE_KEY="")
    for headers in ({}, signed(place), signed(place, key="")):
        answer = await place.http.post(NUDGE, content=b"{}", headers=headers)
        assert (answer.status_code, answer.content) == (404, b"")
    assert place.queue.swept == []


async def test_killed_a_nudge_is_taken_and_nothing_is_swept(place: Place) -> None:
    await commands.kill(place.connector, "admin")
    add(place, "Rossi")
    asked = place.vtenext.corner.total
    assert await nudge(place) == 202
    await place.work()
    assert (place.vtenext.corner.total, place.cards()) == (asked, {})
    assert (await commands.restore_state(place.connector, "admin")).ok
    await place.pass_minutes(5)
    assert "Rossi" in place.cards()
    assert await nudge(place) == 202
    assert place.sweeps()[-1] == "nudge"


async def test_a_message_that_is_lost_holds_later_nudges_up_for_two_minutes_only(place: Place) -> None:
    await nudge(place)
    assert place.queue.take() is not None
    await nudge(place)
    assert place.sweeps() == ["nudge"]
    place.clock.advance(LOST.total_seconds())
    await nudge(place)
    assert place.sweeps() == ["nudge"]


async def test_a_queue_that_cannot_be_reached_is_said_and_the_next_nudge_is_sent(place: Place) -> None:
    place.queue.down = True
    assert await nudge(place) == 503
    place.queue.down = False
    assert await nudge(place) == 202
    assert place.sweeps() == ["nudge"]


async def test_a_store_that_cannot_be_reached_is_said(place: Place) -> None:
    def unreachable(operation: str) -> None:
        raise StoreUnreachable("down")

    place.rows.before = unreachable
    assert await nudge(place) == 503

"""Change notifications, the whole way: from an edit in Outlook to the CRM, and whatever may go wrong between (SPEC 6.2, BEHAVIOUR 3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import pytest

from control.queue import RunMessage
from emulators.corner import Fault
from sync import commands
from sync.commands import part
from sync.connector import NUDGE
from sync.leaving_commands import remove_user
from sync.model import Family
from sync.settings_commands import change_settings
from sync.store.base import INT32, Put, StoreUnreachable
from sync.store.mailboxes import MESSAGE_LOST
from sync.store.strangers import EVERY, strangers
from sync.watches import LIFE, secret, told_by
from tests.contract.notified_world import NOTIFICATIONS, Place
from tests.interrupting import Died, dies_at

PEOPLE, CALENDAR = Family.PEOPLE, Family.CALENDAR
HALF = int(LIFE[PEOPLE].total_seconds() / 120)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def place(stack: AsyncExitStack) -> Place:
    place = Place(stack)
    await place.connect()
    return place


async def picture(place: Place) -> dict[tuple[str, str], object]:
    """Every row but the count of strangers."""
    rows = {(row.partition, row.key): row.data for row in place.rows.everything()}
    rows.pop(("control", "strangers"), None)
    return rows


# what happens reaches the CRM


async def test_an_edit_in_outlook_reaches_the_crm_without_any_tick(place: Place) -> None:
    assert await place.watched() == {PEOPLE, CALENDAR}
    contact = place.create("Rossi")
    await place.work()
    assert place.records()["Rossi"]["firstname"] == "Zoe"
    place.edit(contact, jobTitle="CTO")
    await place.work()
    assert place.records()["Rossi"]["title"] == "CTO"
    event = place.graph.outlook.create_event(
        place.mailboxes[0],
        {
            "subject": "Kick-off",
            "start": {"dateTime": "2026-11-25T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-11-25T10:00:00", "timeZone": "UTC"},
        },
    )
    await place.work()
    assert [row["subject"] for row in place.vtenext.backdoor.dump()["Events"]] == ["Kick-off"]
    assert event
    assert set(place.receiving.answers) == {202}


async def test_a_create_is_told_several_times_and_brings_one_run_and_one_more_that_writes_nothing(place: Place) -> None:
    place.graph.quirks.edit_notifications = 3
    place.graph.quirks.notifications_per_post = 1
    place.graph.notifications.disturb(duplicate=2)
    place.create("Rossi")
    await place.graph.notifications.quiet()
    assert len(place.receiving.answers) > 3
    assert place.messages() == ["hint"]
    message = place.queue.take()
    assert message is not None
    place.graph.notifications.disturb(duplicate=0)
    await place.run(message)
    assert "Rossi" in place.records()
    written = place.writes
    assert await place.work() <= 1  # our own write was told, too
    assert place.messages() in ([], ["hint"])
    assert place.writes == written
    assert await place.work() == 0


async def test_a_notification_during_a_run_is_followed_by_exactly_one_run(place: Place) -> None:
    contact = place.create("Rossi")
    await place.work()
    place.messages()

    async def meanwhile() -> None:
        place.edit(contact, jobTitle="CFO")
        await place.graph.notifications.quiet()
        assert "people" in (await place.row()).hints
        assert place.queue.waiting == []

    place.outside.meanwhile = meanwhile
    place.edit(contact, department="Vendite")
    await place.work()
    assert place.outside.meanwhile is None
    assert place.messages() == ["hint", "hint"]
    assert (place.records()["Rossi"]["title"], place.records()["Rossi"]["department"]) == ("CFO", "Vendite")
    assert (await place.row()).hints == ""
    assert not (await place.row()).dirty


async def test_notifications_that_are_late_doubled_or_out_of_order_change_nothing(place: Place) -> None:
    place.graph.quirks.notifications_per_post = 1
    place.graph.quirks.notification_jitter_s = 240
    contact = place.create("Rossi")
    place.graph.notifications.disturb(duplicate=1)
    for n in range(5):
        place.edit(contact, jobTitle=f"t{n}")
    place.graph.outlook.delete(place.mailboxes[0], contact)
    other = place.create("Verdi")
    place.edit(other, jobTitle="CTO")
    await place.pass_minutes(8, ticks=False)
    assert {name: row["title"] for name, row in place.records().items()} == {"Verdi": "CTO"}


async def test_a_run_looks_only_at_what_was_told_of_and_at_what_tells_nothing(place: Place) -> None:
    place.graph.corner.counts.clear()
    place.create("Rossi")
    await place.work()
    deltas = _deltas(place)
    assert (deltas["calendarView"], deltas["contacts"] > 0) == (0, True)


# what was not sent by Microsoft


FORGED = {
    "empty object": b"{}",
    "no list": b'{"value": 7}',
    "nothing": b"",
    "no JSON": b'{"value": [{"subscriptionId": 7, <not json>',
    "half a letter": b'{"value": [{"clientState": "\\ud800"}]}',
    "deep": b'{"value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deeper": b'{"value": [{"clientState": "x", "more": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}]}",
    "too many": json.dumps({"value": [{}] * 5001}).encode(),
    "2 MB": b'{"value": [], "x": "' + b"x" * 2_000_000 + b'"}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", FORGED)
async def test_what_is_no_delivery_is_refused_and_changes_nothing(place: Place, kind: str) -> None:
    before = await picture(place)
    answer = await place.http.post(NOTIFICATIONS, content=FORGED[kind])
    assert answer.status_code == (413 if kind == "2 MB" else 400)
    assert answer.content == b""
    assert (await picture(place), place.messages()) == (before, [])


async def test_what_is_forged_is_taken_for_a_stranger_s_and_counted(place: Place) -> None:
    keys, anna = place.app.worker.keys, place.mailboxes[0]
    mine = place.state_of()
    mailbox, family, nonce, proof = mine.split(".")
    forged = [
        "",
        "s3cret",
        f"0000000f-0000-4000-8000-000000000000.{family}.{nonce}.{proof}",
        f"{mailbox}.calendar.{nonce}.{proof}",
        f"{mailbox}.{family}.{nonce}.{proof[:-1]}",
        f"{mailbox}.{family}.{nonce[:-1]}x.{proof}",
        f"{mine}.",
    ]
    before = await picture(place)
    assert await place.tell(*forged) == 202
    assert (await picture(place), place.messages()) == (before, [])
    assert (await strangers(place.rows)).count == len(forged)
    assert told_by(mine, keys) == (anna, PEOPLE)


@pytest.mark.parametrize("odd", [None, 7, ["x"], {"a": 1}, "x" * 129, "x" * 100_000, True])
async def test_an_odd_one_among_them_takes_nothing_from_the_others(place: Place, odd: object) -> None:
    """Drop what does not match, answer 202 anyway (BEHAVIOUR 3.3)."""
    body = {"value": [{"clientState": odd, "lifecycleEvent": odd}, {"clientState": place.state_of()}, {}]}
    assert (await place.http.post(NOTIFICATIONS, json=body)).status_code == 202
    assert (await place.row()).hints == "people"
    assert (await strangers(place.rows)).count == 2


async def test_the_emulator_s_forgeries_start_nothing(place: Place) -> None:
    known = place.subscriptions()[0]["id"]
    before = await picture(place)
    place.graph.notifications.forge("wrong_client_state", known)
    place.graph.notifications.forge("garbage", known)
    place.graph.notifications.forge("unknown_subscription", url=NOTIFICATIONS)
    await place.graph.notifications.quiet()
    forged = place.graph.notifications.statistics()["forged"]
    answers = {"wrong_client_state": 202, "garbage": 400, "unknown_subscription": 202}
    assert {each["kind"]: each["status"] for each in forged} == answers
    assert await picture(place) == before
    assert (await strangers(place.rows)).count >= 1


async def test_a_mailbox_that_is_not_there_is_not_made(place: Place) -> None:
    """The proof is right: its row was forgotten 30 days after its user had left."""
    gone = secret("0000000f-0000-4000-8000-000000000000", PEOPLE, "0" * 16, place.app.worker.keys)
    before = await picture(place)
    assert await place.tell(gone) == 202
    assert (await picture(place), place.messages()) == (before, [])


async def test_whoever_forges_costs_a_write_every_few_seconds_and_the_count_stays_a_number(place: Place) -> None:
    writes: list[str] = []
    place.rows.after = writes.append
    for _ in range(20):
        await place.tell(*["x"] * 50)
    assert len(writes) == 1
    place.clock.advance(EVERY.total_seconds())
    await place.tell("x")
    assert (await strangers(place.rows)).count == 1001
    await place.rows.transact("control", [Put("strangers", {"count": INT32 - 2, "last_at": ""})])
    for _ in range(3):
        place.clock.advance(EVERY.total_seconds())
        assert await place.tell("x", "y", "z") == 202
    assert (await strangers(place.rows)).count == INT32 - 1


@pytest.mark.parametrize(
    "token", ["plain", "Validation: <script>alert(1)</script>", "a+b %2B & = é \U0001f680", "", "x" * 4096]
)
async def test_the_handshake_answers_the_token_and_no_browser_takes_it_for_a_page(place: Place, token: str) -> None:
    before = await picture(place)
    answer = await place.http.post(NOTIFICATIONS, params={"validationToken": token})
    assert (answer.status_code, answer.text) == (200, token)
    assert answer.headers["content-type"].partition(";")[0] == "text/plain"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await place.http.post(NOTIFICATIONS, params={"validationToken": "x" * 4097})).status_code == 400
    assert await picture(place) == before


async def test_nothing_else_is_there(place: Place) -> None:
    assert (await place.http.get(NOTIFICATIONS, params={"validationToken": "x"})).status_code == 405


# lifecycle


async def test_a_challenge_is_answered_by_a_renewal(place: Place) -> None:
    before = {each["id"]: each["expirationDateTime"] for each in place.subscriptions()}
    place.clock.advance(600)
    place.graph.notifications.lifecycle("reauthorizationRequired")
    await place.work()
    assert place.messages() == ["hint"]
    after = place.subscriptions()
    assert {each["id"] for each in after} == before.keys()
    assert all(each["expirationDateTime"] > before[each["id"]] and each["challenged"] is None for each in after)
    assert not (await place.row()).rewatch
    place.clock.advance(7200)
    place.create("Rossi")
    await place.work()
    assert "Rossi" in place.records()


async def test_a_challenge_during_a_run_is_answered_by_the_next_one(place: Place) -> None:
    async def meanwhile() -> None:
        place.graph.notifications.lifecycle("reauthorizationRequired")
        await place.graph.notifications.quiet()

    place.outside.meanwhile = meanwhile
    place.create("Rossi")
    await place.work()
    assert [each["challenged"] for each in place.subscriptions()] == [None, None]
    assert not (await place.row()).rewatch


async def test_a_renewal_that_fails_is_tried_again_within_the_hour(place: Place) -> None:
    place.graph.corner.add_fault(Fault("status", 500), match="PATCH", times=2)
    place.graph.notifications.lifecycle("reauthorizationRequired")
    await place.work()
    assert len([each for each in place.subscriptions() if each["challenged"]]) == 2
    await place.pass_minutes(95)
    assert [each["challenged"] for each in place.subscriptions()] == [None, None]


async def test_one_that_was_removed_is_made_anew_and_what_it_missed_is_found(place: Place) -> None:
    old = {each["id"] for each in place.subscriptions()}
    contact = place.create("Rossi")
    await place.work()
    place.graph.notifications.disturb(lose=9)
    place.edit(contact, jobTitle="CTO")
    place.graph.notifications.lifecycle("subscriptionRemoved")
    await place.graph.notifications.quiet()
    place.graph.notifications.disturb(lose=0)
    await place.work()
    assert place.records()["Rossi"]["title"] == "CTO"
    assert old.isdisjoint(each["id"] for each in place.subscriptions())
    assert await place.watched() == {PEOPLE, CALENDAR}
    place.edit(contact, jobTitle="CFO")
    await place.work()
    assert place.records()["Rossi"]["title"] == "CFO"


async def test_missed_is_looked_at_by_delta_and_renews_nothing(place: Place) -> None:
    contact = place.create("Rossi")
    await place.work()
    place.graph.notifications.disturb(lose=9)
    place.edit(contact, jobTitle="CTO")
    await place.work()
    assert place.records()["Rossi"]["title"] == ""
    place.graph.notifications.disturb(lose=0)
    place.graph.corner.counts.clear()
    place.graph.notifications.lifecycle("missed")
    await place.work()
    assert place.records()["Rossi"]["title"] == "CTO"
    assert not [label for label in place.graph.corner.counts if "subscriptions" in label]


async def test_one_that_ends_without_a_word_costs_an_hour_and_is_made_anew(place: Place) -> None:
    contact = place.create("Rossi")
    await place.work()
    place.graph.notifications.drop()
    place.edit(contact, jobTitle="CTO")
    await place.work()
    assert place.records()["Rossi"]["title"] == ""
    await place.pass_minutes(91)
    assert place.records()["Rossi"]["title"] == "CTO"
    await place.pass_minutes(61)
    assert len(place.subscriptions()) == 2
    place.edit(contact, jobTitle="CFO")
    await place.work()
    assert place.records()["Rossi"]["title"] == "CFO"


async def test_they_live_on_by_the_hourly_looks_alone(place: Place) -> None:
    ids = {each["id"] for each in place.subscriptions()}
    for _ in range(9):
        place.clock.advance(24 * 3600)
        await place.tick()
    assert {each["id"] for each in place.subscriptions()} == ids
    place.create("Rossi")
    await place.work()
    assert "Rossi" in place.records()


async def test_a_quiet_mailbox_is_looked_at_once_an_hour_and_its_tasks_by_every_tick(place: Place) -> None:
    place.graph.corner.counts.clear()
    await place.pass_minutes(180)
    deltas = _deltas(place)
    assert 2 <= deltas["contacts"] <= 4
    assert 2 <= deltas["calendarView"] <= 4
    assert deltas["todo"] >= 30
    place.clock.advance(24 * 3600)
    await place.tick()  # the night's comparison
    place.graph.corner.counts.clear()
    await place.pass_minutes(180)
    assert _deltas(place)["todo"] <= 4  # they rested for a day


def _deltas(place: Place) -> dict[str, int]:
    counts = place.graph.corner.counts
    return {
        "contacts": sum(n for label, n in counts.items() if "contacts/delta" in label),
        "calendarView": sum(n for label, n in counts.items() if "calendarView/delta" in label),
        "todo": sum(n for label, n in counts.items() if "todo/lists/delta" in label),
    }


# users who leave, the address, Kill


async def test_a_mailbox_whose_user_left_has_no_subscriptions(stack: AsyncExitStack) -> None:
    place = Place(stack, ("anna", "bruno"))
    await place.connect()
    await remove_user(place.connector, place.users[0], 0)
    await place.work()
    assert {each["mailbox"] for each in place.subscriptions()} == {place.mailboxes[1]}
    assert (await place.row()).watches == ""
    assert (await place.row()).state == "removed"


async def test_one_that_a_run_makes_while_its_user_leaves_goes_too(stack: AsyncExitStack) -> None:
    place = Place(stack)

    async def meanwhile() -> None:
        await remove_user(place.connector, place.users[0], 0)

    place.outside.meanwhile = meanwhile
    await commands.change_user(place.connector, place.users[0], {"enabled": True})
    await place.work()
    await place.pass_minutes(10)
    assert (await place.row()).state == "removed"
    assert place.subscriptions() == []
    assert len(place.subscriptions("deleted")) == 2


async def test_a_mailbox_off_the_allow_list_is_told_of_in_vain(stack: AsyncExitStack) -> None:
    place = Place(stack, ("anna", "bruno"))
    await place.connect()
    await change_settings(place.connector, {"allow_list": [place.mailboxes[1]]}, "admin")
    await place.work()
    place.messages()
    place.create("Rossi")
    place.create("Verdi", 1)
    await place.work()
    assert set(place.receiving.answers) == {202}
    assert place.records().keys() == {"Verdi"}
    await place.pass_minutes(61)
    assert place.records().keys() == {"Verdi"}


async def test_a_disabled_user_s_mailbox_is_told_of_in_vain_until_its_subscriptions_end(place: Place) -> None:
    """They are no strangers' and nothing is written or queued for them. Nobody renews them, and who is enabled again has new ones."""
    await part(place.connector, place.users[0], barred=True)
    await place.work()
    before = await picture(place)
    place.graph.corner.counts.clear()
    place.receiving.answers.clear()
    state = place.state_of()
    place.create("Rossi")
    await place.graph.notifications.quiet()
    assert await place.tell(state, lifecycleEvent="reauthorizationRequired") == 202
    assert set(place.receiving.answers) == {202}
    assert (place.messages(), await picture(place), place.graph.corner.total) == ([], before, 0)
    assert (await strangers(place.rows)).count == 0
    for _ in range(8):
        place.clock.advance(24 * 3600)
        await place.tick()
    place.edit(place.create("Verdi"), jobTitle="CTO")
    await place.graph.notifications.quiet()
    assert place.subscriptions() == []
    await commands.change_user(place.connector, place.users[0], {"enabled": True})
    await place.work()
    assert await place.watched() == {PEOPLE, CALENDAR}
    assert place.records().keys() == {"Rossi", "Verdi"}
    assert len(place.subscriptions()) == 2


async def test_another_address_replaces_all_within_the_hour(stack: AsyncExitStack) -> None:
    place = Place(stack)
    await place.connect()
    place.move("https://new.example")
    await place.pass_minutes(95)
    assert {each["notificationUrl"] for each in place.subscriptions()} == {"https://new.example/api/notifications"}
    place.move("")
    await place.pass_minutes(95)
    assert await place.watched() == set()
    place.create("Rossi")
    await place.pass_minutes(5)
    assert "Rossi" in place.records()


async def test_killed_what_is_told_is_marked_and_nothing_runs_until_the_state_is_restored(place: Place) -> None:
    await commands.kill(place.connector, "admin")
    place.graph.corner.counts.clear()
    for n in range(3):
        place.create(f"Rossi {n}")
        await place.pass_minutes(10)
    assert place.records() == {}
    assert set(place.receiving.answers) == {202}
    assert (await place.row()).hints == "people"
    assert not [label for label in place.graph.corner.counts if "delta" in label]
    assert (await commands.restore_state(place.connector, "admin")).ok
    await place.work()
    assert len(place.records()) == 3


async def test_a_pause_that_microsoft_asked_for_is_kept_whatever_is_told(place: Place) -> None:
    contact = place.create("Rossi")
    await place.work()
    place.graph.corner.add_fault(Fault("status", 429, {"Retry-After": "600"}), times=3)
    place.edit(contact, jobTitle="CTO")
    await place.work()
    place.graph.corner.clear_faults()
    assert (await place.row()).due_at > place.clock.now().isoformat()
    place.graph.corner.counts.clear()
    for n in range(8):
        place.edit(contact, department=f"d{n}")
        await place.pass_minutes(1)
    assert place.graph.corner.total == 0
    await place.pass_minutes(6)
    assert (place.records()["Rossi"]["title"], place.records()["Rossi"]["department"]) == ("CTO", "d7")
    assert (await place.row()).attempts == 0


# what breaks on the way


async def test_a_store_that_cannot_be_reached_makes_microsoft_tell_again(place: Place) -> None:
    def unreachable(operation: str) -> None:
        raise StoreUnreachable("down")

    place.rows.before = unreachable
    place.create("Rossi")
    await place.graph.notifications.quiet()
    assert set(place.receiving.answers) == {503}
    place.rows.before = None
    place.receiving.answers.clear()
    await place.pass_minutes(2, ticks=False)
    assert 202 in place.receiving.answers
    assert "Rossi" in place.records()


async def test_a_queue_that_cannot_be_reached_makes_microsoft_tell_again(place: Place) -> None:
    place.queue.down = True
    place.create("Rossi")
    await place.graph.notifications.quiet()
    assert set(place.receiving.answers) == {503}
    place.queue.down = False
    await place.pass_minutes(2, ticks=False)
    assert "Rossi" in place.records()


async def test_what_was_noted_and_not_sent_is_queued_by_the_next_tick_though_nobody_tells_again(place: Place) -> None:
    """In an office of many mailboxes, in the middle of a delivery about several."""
    place.queue.down = True
    assert await place.tell(place.state_of(), place.state_of(kind="event")) == 503
    place.queue.down = False
    place.messages()
    row = await place.row()
    assert (row.hints, row.queued_until, place.queue.waiting) == ("calendar people", "", [])
    place.clock.advance(60)
    await place.app.swept("timer")
    assert place.messages() == ["timer"]
    await place.work()
    assert (await place.row()).hints == ""


async def test_a_nudge_s_sweep_sees_it_too(place: Place) -> None:
    place.queue.down = True
    await place.tell(place.state_of())
    place.queue.down = False
    await place.app.ran(RunMessage("", NUDGE))
    assert [(mailbox, why) for _, mailbox, why in place.queue.waiting] == [(place.mailboxes[0], NUDGE)]


async def test_a_tick_that_cannot_send_leaves_all_of_them_to_the_next_one(stack: AsyncExitStack) -> None:
    place = Place(stack, ("anna", "bruno", "carla"))
    await place.connect()
    place.queue.down = True
    for user in range(3):
        assert await place.tell(place.state_of(user)) == 503
    place.clock.advance(60)
    with suppress(StoreUnreachable):
        await place.app.swept("timer")
        pytest.fail("the host would take it for done")
    place.queue.down = False
    place.clock.advance(60)
    await place.app.swept("timer")
    assert {mailbox for _, mailbox, _ in place.queue.waiting} == set(place.mailboxes)


async def test_an_app_that_is_down_for_an_hour_hears_of_it_afterwards(place: Place) -> None:
    place.receiving.down = True
    place.create("Rossi")
    await place.pass_minutes(60, ticks=False)
    assert place.records() == {}
    place.receiving.down = False
    await place.pass_minutes(11, ticks=False)
    assert "Rossi" in place.records()


async def test_a_crash_between_the_mark_and_the_message_costs_a_quarter_of_an_hour(place: Place) -> None:
    async def dies(mailbox: str, why: str, delay: int = 0) -> None:
        raise Died

    real, place.queue.send = place.queue.send, dies  # type: ignore[method-assign]
    place.create("Rossi")
    await place.graph.notifications.quiet()
    place.queue.send = real  # type: ignore[method-assign]
    assert place.receiving.answers[0] == 500
    await place.pass_minutes(int(MESSAGE_LOST / timedelta(minutes=1)) + 5)
    assert "Rossi" in place.records()


async def test_a_message_that_is_lost_costs_a_quarter_of_an_hour(place: Place) -> None:
    place.create("Rossi")
    await place.graph.notifications.quiet()
    assert place.queue.take() is not None
    await place.pass_minutes(int(MESSAGE_LOST / timedelta(minutes=1)) + 5)
    assert "Rossi" in place.records()


@pytest.mark.parametrize("at", range(1, 16, 2))
async def test_a_run_that_dies_anywhere_only_makes_it_late(place: Place, at: int) -> None:
    """Its message is lost with it."""
    place.create("Rossi")
    await place.graph.notifications.quiet()
    message = place.queue.take()
    assert message is not None
    real = place.rows.transact
    dies_at(place.rows, at)
    with suppress(Died):
        await place.run(message)
    place.rows.transact = real  # type: ignore[method-assign]
    place.another_process()
    await place.pass_minutes(int(MESSAGE_LOST / timedelta(minutes=1)) + 5)
    assert "Rossi" in place.records()
    assert len(place.cards()) == 1
    row = await place.row()
    assert (row.state, row.holder, row.starts, row.hints, row.rewatch) == ("ok", "", 0, "", False)
    assert await place.watched() == {PEOPLE, CALENDAR}


@pytest.mark.parametrize("at", range(1, 12, 2))
async def test_a_first_run_that_dies_anywhere_leaves_one_subscription_each(stack: AsyncExitStack, at: int) -> None:
    place = Place(stack)
    await commands.change_user(place.connector, place.users[0], {"enabled": True})
    message = place.queue.take()
    assert message is not None
    real = place.rows.transact
    dies_at(place.rows, at)
    with suppress(Died):
        await place.run(message)
    place.rows.transact = real  # type: ignore[method-assign]
    place.another_process()
    await place.pass_minutes(30)
    assert await place.watched() == {PEOPLE, CALENDAR}
    assert {each.id for each in (await place.watches()).kept} == {each["id"] for each in place.subscriptions()}

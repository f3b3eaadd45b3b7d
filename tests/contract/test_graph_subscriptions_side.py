"""Our subscriptions at the emulated Graph: how they are made, renewed, replaced and dropped, and what a refusal looks like (BEHAVIOUR 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken

from emulators.corner import Fault
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from sync.errors import Cause, Failure
from sync.model import Family
from sync.sides.graph.subscriptions import GraphSubscriptions
from sync.sides.graph.todo_lists import Lists
from sync.store.secrets import Keyring
from sync.watches import LIFE, Place, Watch, Watches, told_by
from sync.watching import Watching, places_of
from tests.contract.graph_subscriptions import MAIL, NOW, OwnKeys, Receiver, emulator, token
from tests.contract.graph_world import Badge, plug

OURS = "https://app.example/api/notifications"
PEOPLE, CALENDAR = Place(Family.PEOPLE), Place(Family.CALENDAR)
KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
ROLES = ["Contacts.ReadWrite", "Calendars.ReadWrite", "Tasks.ReadWrite.All"]
SCOPES = "Contacts.ReadWrite Calendars.ReadWrite Tasks.ReadWrite"


class Pass(Badge):
    """A sign-in with these claims."""

    def __init__(self, **claims: Any) -> None:
        super().__init__()
        self._token = token(**claims)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, 4_000_000_000)


class Office:
    """A tenant, its receiver, and our side of it."""

    def __init__(self, stack: AsyncExitStack, **options: Any) -> None:
        self.receiver = Receiver()
        self.graph: GraphEmulator = emulator(self.receiver, **options)
        self.anna = self.graph.outlook._world.owner(MAIL)
        self._stack = stack
        stack.push_async_callback(self.graph.notifications.close)

    def side(self, url: str = OURS, *, lists: bool = False, **claims: Any) -> GraphSubscriptions:
        connection = plug(InProcessTransport(self.graph.app), tokens=Pass(**claims) if claims else None)
        self._stack.push_async_callback(connection.close)
        return GraphSubscriptions(connection, self.anna, url, f"for {url}", lists=lists)

    async def keep(
        self, side: GraphSubscriptions, kept: Watches | None = None, *, asked: bool = False, cursor: str = ""
    ) -> Watches:
        """A run's work on them."""
        ids = iter(range(10**6))
        watching = Watching(self.anna, KEYS, self.graph.clock.now, lambda: f"{next(ids):032d}")
        families = list(Family) if side.lists else [Family.PEOPLE, Family.CALENDAR]
        return await watching.keep(side, kept or Watches(), places_of(families, side, cursor), asked=asked)

    def there(self, state: str = "live") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.graph.notifications.subscriptions()
        return [each for each in found if each["state"] == state]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def office(stack: AsyncExitStack) -> Office:
    return Office(stack)


@pytest.fixture
def guarded(stack: AsyncExitStack) -> Office:
    """One that looks at permissions."""
    return Office(stack, auth=True, keys=OwnKeys())


def told(state: object) -> object:
    return told_by(str(state), KEYS)


async def test_they_are_made_with_both_addresses_immutable_ids_and_nearly_the_longest_life(office: Office) -> None:
    kept = await office.keep(office.side())
    people, calendar = office.there()
    assert [people["resource"], calendar["resource"]] == [
        f"/users/{office.anna}/{what}" for what in ("contacts", "events")
    ]
    for each, family in ((people, Family.PEOPLE), (calendar, Family.CALENDAR)):
        assert (each["notificationUrl"], each["lifecycleNotificationUrl"], each["immutable"]) == (OURS, OURS, True)
        assert each["changeType"] == "created,updated,deleted"
        assert told(each["clientState"]) == (office.anna, family)
        assert datetime.fromisoformat(each["expirationDateTime"]) == NOW + LIFE[family]
    noted = {(watch.place, watch.id, watch.until) for watch in kept.kept}
    assert noted == {(PEOPLE, people["id"], kept.kept[1].until), (CALENDAR, calendar["id"], kept.kept[0].until)}
    assert {watch.until for watch in kept.kept} == {(NOW + LIFE[Family.PEOPLE]).isoformat(timespec="seconds")}
    assert kept.families(NOW) == {Family.PEOPLE, Family.CALENDAR}


async def test_a_service_that_grants_a_little_less_grants_ours(office: Office) -> None:
    """It was seen to say "can only be 10070 minutes in the future"."""
    office.graph.quirks.subscription_minutes = 10_070
    assert (await office.keep(office.side())).cause == ""


async def test_a_service_that_grants_much_less_says_so(office: Office) -> None:
    office.graph.quirks.subscription_minutes = 4_230
    kept = await office.keep(office.side())
    assert (kept.kept, kept.cause) == ((), Cause.NOTIFICATIONS_REFUSED)


async def test_notifications_speak_of_the_mailbox_and_the_family(office: Office) -> None:
    await office.keep(office.side())
    office.graph.outlook.create(MAIL, {"givenName": "Zoe"})
    await office.graph.notifications.quiet()
    assert {told(each["clientState"]) for each in office.receiver.items} == {(office.anna, Family.PEOPLE)}
    assert [each["changeType"] for each in office.receiver.items].count("created") == 1


async def test_after_a_crash_between_making_and_noting_they_are_replaced(office: Office) -> None:
    side = office.side()
    await office.keep(side)
    office.graph.quirks.subscription_page = 1
    kept = await office.keep(office.side())
    assert [each.id for each in kept.kept] == [each["id"] for each in office.there()][::-1]
    assert (len(office.there("deleted")), kept.cause) == (2, "")


async def test_a_lost_answer_is_one_subscription_in_the_end(office: Office) -> None:
    office.graph.corner.add_fault(Fault("lost_response"), match="POST /v1.0/subscriptions", times=1)
    kept = await office.keep(office.side())
    assert (kept.cause, [each.place for each in kept.kept]) == (Cause.NOTIFICATIONS_REFUSED, [CALENDAR])
    office.graph.clock.advance(3600)
    kept = await office.keep(office.side(), kept)
    assert (kept.cause, len(kept.kept), len(office.there())) == ("", 2, 2)
    assert {each.id for each in kept.kept} == {each["id"] for each in office.there()}


async def test_replacing_touches_no_other_mailbox_nor_another_family(office: Office) -> None:
    bruno = office.graph.add_user("bruno@example.com", "Bruno")
    side = office.side()
    await office.keep(side)
    others = GraphSubscriptions(side._connection, bruno, OURS, "x", lists=False)
    await others.create(PEOPLE, NOW + timedelta(hours=9), "s")
    made = await side.create(PEOPLE, NOW + timedelta(hours=9), "s")
    assert isinstance(made, Watch)
    (deleted,) = office.there("deleted")
    assert (deleted["mailbox"], deleted["kind"]) == (office.anna, "contact")
    assert len(office.there()) == 3


async def test_they_are_renewed_and_keep_their_ids_and_secrets(office: Office) -> None:
    side = office.side()
    first = await office.keep(side)
    before = {each["id"]: each["clientState"] for each in office.there()}
    for _ in range(4):
        office.graph.clock.advance(5_100 * 60)
        first = await office.keep(side, first)
        assert first.families(office.graph.clock.now()) == {Family.PEOPLE, Family.CALENDAR}
    assert {each["id"]: each["clientState"] for each in office.there()} == before
    assert len(office.receiver.handshakes) == 2  # the address is not asked again


async def test_a_renewal_answers_microsoft_s_challenge(office: Office) -> None:
    side = office.side()
    kept = await office.keep(side)
    office.graph.notifications.lifecycle("reauthorizationRequired")
    office.graph.clock.advance(3600)
    assert len(office.there("paused")) == 2
    await office.keep(side, kept, asked=True)
    assert (len(office.there()), [each["both_within_10_min"] for each in office.there()]) == (2, [0, 0])


@pytest.mark.parametrize("end", ["expire", "drop"])
async def test_what_is_gone_is_made_anew(office: Office, end: str) -> None:
    side = office.side()
    kept = await office.keep(side)
    getattr(office.graph.notifications, end)()
    kept = await office.keep(side, kept, asked=True)
    assert {each.id for each in kept.kept} == {each["id"] for each in office.there()}
    assert len(office.there()) == 2


async def test_what_is_dropped_is_gone_and_dropping_it_twice_is_well(office: Office) -> None:
    side = office.side()
    kept = await office.keep(side)
    for each in (*kept.kept, *kept.kept):
        await side.drop(each)
    assert office.there() == []
    assert len(office.there("deleted")) == 2


async def test_another_address_replaces_them(office: Office) -> None:
    kept = await office.keep(office.side())
    kept = await office.keep(office.side("https://new.example/api/notifications"), kept)
    assert {each["notificationUrl"] for each in office.there()} == {"https://new.example/api/notifications"}
    assert {each.id for each in kept.kept} == {each["id"] for each in office.there()}
    assert len(office.there("deleted")) == 2


@pytest.mark.parametrize("answer", ["404", "html", "other", "slow", "broken"])
async def test_a_handshake_that_fails_leaves_nothing_and_says_that_we_cannot_be_reached(
    office: Office, answer: str
) -> None:
    answers: dict[str, Callable[[], httpx.Response]] = {
        "404": lambda: httpx.Response(404),
        "html": lambda: httpx.Response(200, html="<p>Sign in</p>"),
        "other": lambda: httpx.Response(200, text="ok"),
        "broken": lambda: httpx.Response(502),
    }
    if answer == "slow":
        office.graph.quirks.handshake_limit_s, office.receiver.slow_s = 0.01, 1
    else:
        office.receiver.token_answer = answers[answer]()
    kept = await office.keep(office.side())
    assert (kept.kept, kept.cause) == ((), Cause.NOTIFICATIONS_UNREACHABLE)
    assert office.there() == []
    assert len(office.receiver.handshakes) <= 1  # the second one is not tried


async def test_an_address_without_https_is_refused(office: Office) -> None:
    kept = await office.keep(office.side("http://app.example/api/notifications"))
    assert kept.cause == Cause.NOTIFICATIONS_UNREACHABLE


async def test_a_mailbox_that_is_full_of_subscriptions_is_refused_and_nothing_else_is_wrong(office: Office) -> None:
    office.graph.quirks.subscriptions_per_mailbox = 1
    kept = await office.keep(office.side())
    assert (kept.cause, kept.families(NOW)) == (Cause.NOTIFICATIONS_REFUSED, {Family.PEOPLE})


# permissions


async def test_a_permission_that_is_missing_is_a_refusal_of_that_family_alone(guarded: Office) -> None:
    kept = await guarded.keep(guarded.side(roles=["Contacts.ReadWrite"]))
    assert (kept.cause, kept.families(NOW)) == (Cause.NOTIFICATIONS_REFUSED, {Family.PEOPLE})


async def test_an_application_never_asks_for_lists_of_tasks(guarded: Office) -> None:
    side = guarded.side(roles=ROLES)
    kept = await guarded.keep(side, cursor=Lists(tasks={"x": ""}).text())
    assert kept.families(NOW) == {Family.PEOPLE, Family.CALENDAR}
    refused = await side.create(Place(Family.TASKS, "x"), NOW + timedelta(hours=9), "s")
    assert isinstance(refused, Failure)


async def test_a_user_s_own_sign_in_subscribes_to_each_list_of_tasks(guarded: Office) -> None:
    lists = [guarded.graph.outlook.create_task_list(MAIL, name) for name in ("Casa", "Ufficio")]
    side = guarded.side(lists=True, scp=SCOPES, oid=guarded.anna)
    cursor = Lists(tasks=dict.fromkeys(lists, "")).text()
    kept = await guarded.keep(side, cursor=cursor)
    assert kept.families(NOW) == set(Family)
    tasks = [each for each in guarded.there() if each["kind"] == "task"]
    assert {each["resource"].split("/")[4] for each in tasks} == set(lists)
    for each in tasks:
        assert (told(each["clientState"]), each["immutable"]) == ((guarded.anna, Family.TASKS), False)
        assert datetime.fromisoformat(each["expirationDateTime"]) == NOW + LIFE[Family.TASKS]
    guarded.graph.outlook.create_task(MAIL, {"title": "t"}, lists[0])
    await guarded.graph.notifications.quiet()
    assert {told(each["clientState"]) for each in guarded.receiver.items} == {(guarded.anna, Family.TASKS)}


async def test_a_list_that_went_is_no_reason_to_think_that_we_cannot_be_reached(guarded: Office) -> None:
    (alive,) = [guarded.graph.outlook.create_task_list(MAIL, "Casa")]
    side = guarded.side(lists=True, scp=SCOPES, oid=guarded.anna, exp=int(NOW.timestamp()) + 9 * 3600)
    kept = await guarded.keep(side, cursor=Lists(tasks={"AQMkADgone": "", alive: ""}).text())
    assert kept.cause == Cause.NOTIFICATIONS_REFUSED
    assert kept.families(NOW) == {Family.PEOPLE, Family.CALENDAR}
    guarded.graph.clock.advance(3600)
    kept = await guarded.keep(side, kept, cursor=Lists(tasks={alive: ""}).text())
    assert (kept.cause, kept.families(guarded.graph.clock.now())) == ("", set(Family))


async def test_a_cursor_that_is_none_of_ours_names_no_lists(office: Office) -> None:
    side = office.side(lists=True)
    assert [*side.lists_of(""), *side.lists_of("{}"), *side.lists_of("x")] == []

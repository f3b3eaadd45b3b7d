"""The Graph side over the emulator, in process: the mailbox contract, then what only Graph does, then what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from emulators.corner import Fault
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from sync.errors import Cause, RetryLater, StopMailbox
from sync.model import Gone, Item, Kind, Left, Proof, Unread
from sync.sides.base import CursorLost, Done, MailboxUser, New, Refused, Remove, Result, Revise, Unclear
from sync.sides.graph import GraphConnection, GraphMailbox, open_mailbox, resolve_user
from sync.sides.graph.folders import mailbox_user
from sync.sides.graph.stamps import STAMP
from tests.contract.graph_world import Time, plug
from tests.contract.mailbox_contract import ANNA, MailboxContract, listed, made, person, read, walk

MAIL, NAME = "anna@example.com", "vtenext"


class GraphWorld:
    """The emulator's mailbox behind the product's adapter, and Outlook in the user's hand."""

    def __init__(self, emulator: GraphEmulator, user: str, connection: GraphConnection, mailbox: GraphMailbox) -> None:
        self.emulator, self.user, self.connection, self.mailbox = emulator, user, connection, mailbox
        self.outlook = emulator.outlook

    def add(self, fields: Mapping[str, str]) -> str:
        return self.outlook.create(MAIL, dict(fields), self.mailbox.folder_id)

    def keep(self, fields: Mapping[str, str], *addresses: str) -> None:
        self.outlook.create(MAIL, {**fields, "emailAddresses": [{"address": each} for each in addresses]})

    def edit(self, item_id: str, fields: Mapping[str, str]) -> None:
        self.outlook.edit(MAIL, item_id, dict(fields))

    def delete(self, item_id: str) -> None:
        self.outlook.delete(MAIL, item_id)

    def purge(self, item_id: str) -> None:
        self.outlook.delete(MAIL, item_id)
        self.outlook.empty_deleted_items(MAIL)

    def move_away(self, item_id: str) -> None:
        self.outlook.move(MAIL, item_id, "contacts")

    def copy(self, item_id: str) -> str:
        return self.outlook.copy(MAIL, item_id)

    def forget_cursors(self) -> None:
        self.emulator.expire_delta(MAIL)

    def cards(self) -> list[dict[str, object]]:
        folders = {each["id"]: each["contacts"] for each in self.emulator.dump(MAIL)["folders"]}
        found: list[dict[str, object]] = folders[self.mailbox.folder_id]
        return found

    def count(self) -> int:
        return len(self.cards())

    def requests(self) -> int:
        return self.emulator.corner.total


@pytest.fixture
def emulator() -> GraphEmulator:
    return GraphEmulator(auth=False)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def connection(emulator: GraphEmulator, time: Time) -> AsyncIterator[GraphConnection]:
    connection = plug(InProcessTransport(emulator.app), time=time)
    yield connection
    await connection.close()


@pytest.fixture
async def world(emulator: GraphEmulator, connection: GraphConnection) -> GraphWorld:
    user = emulator.add_user(MAIL, "Anna Neri")
    world = GraphWorld(emulator, user, connection, await open_mailbox(connection, user, None, NAME))
    emulator.corner.counts.clear()
    return world


class TestGraphMailbox(MailboxContract):
    """Outlook's deletions are moves and the card still answers (BEHAVIOUR 5.1)."""


class TestGraphMailboxOfAnotherKind(MailboxContract):
    """Cards in Deleted Items answer 404, and the service shows no repeats or empty pages."""

    @pytest.fixture
    def emulator(self) -> GraphEmulator:
        emulator = GraphEmulator(auth=False)
        emulator.quirks.update({"deleted_items": "gone", "delta_repeats": False, "delta_empty_pages": False})
        return emulator


def news(count: int) -> list[New]:
    return [New(Kind.CONTACT, {"givenName": "N", "surname": f"S{n}"}, f"stamp-{n}") for n in range(count)]


def kinds(results: list[Result]) -> list[type]:
    return [type(each) for each in results]


class TestFolder:
    async def test_it_is_made_once_and_known_by_id(self, world: GraphWorld) -> None:
        again = await open_mailbox(world.connection, world.user, None, NAME.upper())
        assert again.folder_id == world.mailbox.folder_id
        world.outlook.rename_folder(MAIL, world.mailbox.folder_id, "Clienti")
        world.emulator.corner.counts.clear()
        known = await open_mailbox(world.connection, world.user, world.mailbox.folder_id, NAME)
        assert known.folder_id == world.mailbox.folder_id
        assert world.requests() == 1

    async def test_a_deleted_folder_stops_the_mailbox_and_is_not_made_again(self, world: GraphWorld) -> None:
        world.add(ANNA)
        _, _, cursor = await walk(world.mailbox, None)
        world.outlook.delete_folder(MAIL, world.mailbox.folder_id)
        for cursor_or_none in (cursor, None):
            with pytest.raises(StopMailbox) as stopped:
                await walk(world.mailbox, cursor_or_none)
            assert stopped.value.cause is Cause.FOLDER_DELETED
        with pytest.raises(StopMailbox) as stopped:
            await open_mailbox(world.connection, world.user, world.mailbox.folder_id, NAME)
        assert stopped.value.cause is Cause.FOLDER_DELETED
        assert [each["displayName"] for each in world.emulator.dump(MAIL)["folders"]] == ["Contacts"]

    async def test_a_folder_seen_missing_once_is_not_gone(self, world: GraphWorld) -> None:
        world.emulator.parts.add(Fault("status", 404), match="GET .*contactFolders/{id}$")
        again = await open_mailbox(world.connection, world.user, world.mailbox.folder_id, NAME)
        assert again.folder_id == world.mailbox.folder_id

    async def test_the_default_folder_on_demand(self, world: GraphWorld) -> None:
        mailbox = await open_mailbox(world.connection, world.user, None, "")
        item_id = world.outlook.create(MAIL, {"surname": "Bianchi"})
        assert set((await walk(mailbox, None))[0]) == {item_id}
        assert isinstance((await mailbox.get([item_id]))[item_id], Item)

    async def test_a_creation_whose_answer_is_lost_is_found(
        self, emulator: GraphEmulator, connection: GraphConnection
    ) -> None:
        user = emulator.add_user(MAIL, "Anna Neri")
        emulator.corner.add_fault(Fault("lost_response"), match="POST .*contactFolders")
        mailbox = await open_mailbox(connection, user, None, NAME)
        assert [each["id"] for each in emulator.dump(MAIL)["folders"]][1:] == [mailbox.folder_id]

    async def test_users_are_resolved_to_object_ids(self, world: GraphWorld) -> None:
        assert await resolve_user(world.connection, MAIL) == MailboxUser(world.user, (MAIL,))
        with pytest.raises(StopMailbox) as stopped:
            await resolve_user(world.connection, "nobody@example.com")
        assert stopped.value.cause is Cause.MAILBOX_UNKNOWN

    async def test_all_addresses_of_a_mailbox_the_primary_one_first(
        self, emulator: GraphEmulator, connection: GraphConnection
    ) -> None:
        user = emulator.add_user(MAIL, "Anna Neri", aliases=["A.Neri@example.com", "neri@example.com"])
        expected = MailboxUser(user, (MAIL, "A.Neri@example.com", "neri@example.com"))
        assert await resolve_user(connection, user) == expected
        body = emulator.world.users[user].rendered()
        odd = ["smtp:old@example.com", "X500:/o=Org/cn=anna", f"SMTP: {MAIL}", "SIP:anna@example.com"]
        found = mailbox_user(
            {**body, "proxyAddresses": odd, "mail": MAIL.upper(), "userPrincipalName": "anna@local.example"}
        )
        assert found.addresses == (MAIL, "old@example.com", "anna@local.example")
        assert mailbox_user({"id": "x", "mail": None, "proxyAddresses": []}) == MailboxUser("x")

    async def test_a_mailbox_without_licence(self, world: GraphWorld) -> None:
        item = await made(world.mailbox)
        world.emulator.set_user(MAIL, licensed=False)
        for attempt in (
            open_mailbox(world.connection, world.user, world.mailbox.folder_id, NAME),
            open_mailbox(world.connection, world.user, None, NAME),
            walk(world.mailbox, None),
            world.mailbox.get([item.id]),
            world.mailbox.apply([Remove(item)]),
        ):
            with pytest.raises(StopMailbox) as stopped:
                await attempt
            assert stopped.value.cause is Cause.MAILBOX_WITHOUT_LICENCE
        results = await world.mailbox.apply([Revise(item, {"surname": "X"})])
        assert kinds(results) == [Refused]


class TestProofs:
    async def test_deleted_moved_and_alive_are_told_apart(self, world: GraphWorld) -> None:
        ids = [world.add({"surname": f"S{n}"}) for n in range(45)]
        other = world.outlook.create_folder(MAIL, "Amici")
        for n in range(3, 10):
            world.purge(ids[n])
        world.outlook.delete(MAIL, ids[0])
        world.outlook.move(MAIL, ids[1], other)
        world.outlook.move(MAIL, ids[2], "contacts")
        world.outlook.delete(MAIL, ids[30])
        found = await world.mailbox.get(ids)
        assert list(found) == ids
        assert found[ids[0]] == Gone(ids[0], Proof.IN_DELETED_ITEMS)
        assert found[ids[30]] == Gone(ids[30], Proof.IN_DELETED_ITEMS)
        assert isinstance(found[ids[1]], Left)
        assert isinstance(found[ids[2]], Left)
        assert all(found[ids[n]] == Gone(ids[n], Proof.NOT_FOUND) for n in range(3, 10))
        assert all(isinstance(found[ids[n]], Item) for n in range(10, 45) if n != 30)

    async def test_a_lone_404_proves_nothing(self, world: GraphWorld) -> None:
        ids = [world.add({"surname": f"S{n}"}) for n in range(3)]
        body = '{"error":{"code":"ErrorItemNotFound","message":""}}'
        world.emulator.parts.add(Fault("status", 404, body=body), match="GET .*contacts/{id}", nth=2)
        found = await world.mailbox.get(ids)
        assert all(isinstance(each, Item) for each in found.values())

    async def test_trouble_with_one_card_says_nothing_about_it(self, world: GraphWorld) -> None:
        ids = [world.add({"surname": f"S{n}"}) for n in range(5)]
        world.emulator.parts.add(Fault("status", 500), match="GET .*contacts/{id}", nth=3)
        found = await world.mailbox.get(ids)
        assert [type(each) for each in found.values()] == [Item, Item, Unread, Item, Item]

    async def test_an_unreachable_parent_folder_leaves_the_card_unread(self, world: GraphWorld) -> None:
        item_id = world.add(ANNA)
        world.delete(item_id)
        world.emulator.parts.add(Fault("status", 500), match="GET .*contactFolders/{id}$", nth=2)
        assert isinstance((await world.mailbox.get([item_id]))[item_id], Unread)

    async def test_a_card_deleted_with_its_other_folder_is_gone(self, world: GraphWorld) -> None:
        item_id = world.add(ANNA)
        other = world.outlook.create_folder(MAIL, "Amici")
        world.outlook.move(MAIL, item_id, other)
        world.outlook.delete_folder(MAIL, other)
        assert await world.mailbox.get([item_id]) == {item_id: Gone(item_id, Proof.IN_DELETED_ITEMS)}

    async def test_removing_what_outlook_deleted_meanwhile_is_done(self, world: GraphWorld) -> None:
        item = await made(world.mailbox)
        world.delete(item.id)
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]

    async def test_removing_what_was_moved_away_is_refused(self, world: GraphWorld) -> None:
        item = await made(world.mailbox)
        world.move_away(item.id)
        (result,) = await world.mailbox.apply([Remove(item)])
        assert isinstance(result, Refused)
        assert result.failure.status == 412


class TestChanges:
    async def test_every_page_repeats_the_wishes_and_repeats_are_told_in_order(self, world: GraphWorld) -> None:
        ids = {world.add({"surname": f"S{n}"}) for n in range(450)}
        items, _, cursor = await walk(world.mailbox, None)
        assert set(items) == ids
        assert 4 <= world.requests() <= 6  # 200 a page, an empty one, perhaps one with nothing but the link
        for key in list(ids)[:30]:
            world.edit(key, {"jobTitle": "J"})
        later, _, _ = await walk(world.mailbox, cursor)
        assert {item.fields["jobTitle"] for item in later.values()} == {"J"}

    async def test_distribution_lists_are_no_contacts(self, world: GraphWorld) -> None:
        world.outlook.create_contact_list(MAIL, world.mailbox.folder_id)
        assert await listed(world.mailbox) == {}
        assert (await walk(world.mailbox, None))[0] == {}

    @pytest.mark.parametrize("status", [404, 412, 500, 502, 504])
    async def test_what_comes_and_goes_is_asked_again(self, world: GraphWorld, status: int) -> None:
        item_id = world.add(ANNA)
        world.emulator.corner.add_fault(Fault("status", status), match="/delta")
        assert set((await walk(world.mailbox, None))[0]) == {item_id}

    @pytest.mark.parametrize("status", [412, 500])
    async def test_listings_and_folders_are_asked_again_too(self, world: GraphWorld, status: int) -> None:
        item = await made(world.mailbox)
        world.emulator.corner.add_fault(Fault("status", status), match="GET .*contacts$")
        assert set(await listed(world.mailbox)) == {item.id}
        world.emulator.corner.add_fault(Fault("status", status), match="GET .*contactFolders$")
        again = await open_mailbox(world.connection, world.user, None, NAME)
        assert again.folder_id == world.mailbox.folder_id

    async def test_a_lost_answer_is_asked_again(self, world: GraphWorld) -> None:
        item_id = world.add(ANNA)
        world.emulator.corner.add_fault(Fault("lost_response"), match="/delta")
        assert set((await walk(world.mailbox, None))[0]) == {item_id}

    async def test_a_server_that_stays_away(self, world: GraphWorld) -> None:
        world.emulator.corner.add_fault(Fault("drop"), match="/delta", times=9)
        with pytest.raises(RetryLater) as later:
            await walk(world.mailbox, None)
        assert (later.value.cause, later.value.counts) == (Cause.GRAPH_UNREACHABLE, True)

    async def test_the_link_dies_in_the_middle_of_a_round(self, world: GraphWorld) -> None:
        for n in range(250):
            world.add({"surname": f"S{n}"})
        body = '{"error":{"code":"SyncStateNotFound","message":""}}'
        world.emulator.corner.add_fault(Fault("status", 410, body=body), match="/delta", nth=2)
        with pytest.raises(CursorLost):
            await walk(world.mailbox, None)

    async def test_links_of_somebody_else_are_not_followed(self, world: GraphWorld) -> None:
        with pytest.raises(CursorLost):
            await walk(world.mailbox, "https://evil.example/v1.0/users/x/contacts/delta?$deltatoken=1")
        assert world.requests() == 0

    async def test_a_tampered_link_begins_again(self, world: GraphWorld) -> None:
        _, _, cursor = await walk(world.mailbox, None)
        with pytest.raises(CursorLost):
            await walk(world.mailbox, cursor[:-6] + "AAAAAA")

    async def test_only_the_newest_links_live(self, world: GraphWorld) -> None:
        _, _, first = await walk(world.mailbox, None)
        cursor = first
        for _ in range(6):
            _, _, cursor = await walk(world.mailbox, cursor)
        with pytest.raises(CursorLost):
            await walk(world.mailbox, first)

    async def test_ids_survive_a_move_there_and_back(self, world: GraphWorld) -> None:
        item_id = world.add(ANNA)
        _, _, cursor = await walk(world.mailbox, None)
        world.move_away(item_id)
        world.outlook.move(MAIL, item_id, world.mailbox.folder_id)
        items, gone, _ = await walk(world.mailbox, cursor)
        assert (set(items), gone) == ({item_id}, set())


class TestWrites:
    async def test_everything_a_card_holds_goes_there_and_back(self, world: GraphWorld) -> None:
        fields = {
            "givenName": "Zoë 🎉",
            "surname": "D'Angelò",
            "emailAddresses": ("zoe@example.com", "z.dangelo@example.org"),
            "businessPhones": ("+39 02 1", "+39 02 2"),
            "mobilePhone": "+39 333",
            "businessAddress.street": "Via Roma 1",
            "businessAddress.city": "Forlì",
            "birthday": "1980-02-29",
            "personalNotes": "uno\r\ndue",
            "ext:businessFax": "+39 02 9",
        }
        (result,) = await world.mailbox.apply([New(Kind.CONTACT, fields, "stamp-z")])
        assert isinstance(result, Done)
        assert result.item is not None
        shown = {name: result.item.fields[name] for name in fields if not name.startswith("ext:")}
        assert shown == {**{k: v for k, v in fields.items() if k in shown}, "birthday": "1980-02-29T11:59:00Z"}
        (card,) = world.cards()
        assert card["extended"] == {STAMP: "stamp-z", "String 0x3A24": "+39 02 9"}

    async def test_changing_one_part_keeps_the_rest_of_the_address_and_the_shown_names(self, world: GraphWorld) -> None:
        item_id = world.outlook.create(
            MAIL,
            {
                "surname": "Neri",
                "businessAddress": {"street": "Via Roma 1", "city": "Forlì"},
                "emailAddresses": [{"name": "Anna (lavoro)", "address": "anna@example.com"}],
            },
            world.mailbox.folder_id,
        )
        item = await read(world.mailbox, item_id)
        changed = {"businessAddress.city": "Cesena", "emailAddresses": ("new@example.com", "Anna@example.com")}
        (result,) = await world.mailbox.apply([Revise(item, changed)])
        assert isinstance(result, Done)
        (card,) = world.cards()
        assert card["businessAddress"] == {"street": "Via Roma 1", "city": "Cesena"}
        assert card["emailAddresses"] == [
            {"name": "new@example.com", "address": "new@example.com"},
            {"name": "Anna (lavoro)", "address": "Anna@example.com"},
        ]

    async def test_lists_and_dates_can_be_cleared(self, world: GraphWorld) -> None:
        fields = {"surname": "A", "businessPhones": ("1",), "birthday": "1980-01-01", "homeAddress.city": "Forlì"}
        (result,) = await world.mailbox.apply([New(Kind.CONTACT, fields, "s")])
        assert isinstance(result, Done)
        assert result.item is not None
        cleared = {"businessPhones": (), "birthday": "", "homeAddress.city": ""}
        (result,) = await world.mailbox.apply([Revise(result.item, cleared)])
        assert isinstance(result, Done)
        assert result.item is not None
        assert {name: result.item.fields[name] for name in cleared} == cleared

    async def test_too_much_for_exchange_is_refused_alone(self, world: GraphWorld) -> None:
        bad = New(Kind.CONTACT, {"surname": "Z", "businessPhones": ("1", "2", "3")}, "z")
        results = await world.mailbox.apply([*news(5), bad, *news(5)])
        assert kinds(results) == [*[Done] * 5, Refused, *[Done] * 5]
        refused = results[5]
        assert isinstance(refused, Refused)
        assert refused.failure.status == 400
        assert world.count() == 10

    async def test_many_failures_still_end(self, world: GraphWorld) -> None:
        items = [each.item for each in await world.mailbox.apply(news(20)) if isinstance(each, Done)]
        for item in items:
            assert item is not None
            world.edit(item.id, {"department": "D"})
        world.emulator.corner.counts.clear()
        results = await world.mailbox.apply([Revise(item, {"surname": "X"}) for item in items if item])
        assert [each.failure.status for each in results if isinstance(each, Refused)] == [412] * 20
        assert world.requests() <= 3 + 5

    async def test_a_lost_answer_is_unclear_for_all_and_nothing_is_sent_twice(self, world: GraphWorld) -> None:
        world.emulator.corner.add_fault(Fault("lost_response"), match="batch")
        results = await world.mailbox.apply(news(20))
        assert kinds(results) == [Unclear] * 20
        assert world.count() == 20
        assert {item.stamp for item in (await listed(world.mailbox)).values()} == {f"stamp-{n}" for n in range(20)}

    async def test_a_dropped_request_is_unclear_too(self, world: GraphWorld) -> None:
        item = await made(world.mailbox)
        world.emulator.corner.add_fault(Fault("drop"), match="batch", nth=1)
        assert kinds(await world.mailbox.apply([Revise(item, {"surname": "X"})])) == [Unclear]
        assert (await read(world.mailbox, item.id)).version == item.version

    async def test_a_part_that_fails_inside_after_the_fact(self, world: GraphWorld) -> None:
        world.emulator.parts.add(Fault("lost_response", 504), match="POST .*contacts", nth=4)
        results = await world.mailbox.apply(news(8))
        assert kinds(results) == [Done, Done, Done, Unclear, Done, Done, Done, Done]
        assert world.count() == 8

    @pytest.mark.parametrize(("status", "expected"), [(500, Unclear), (503, Unclear), (507, Refused), (403, Refused)])
    async def test_whole_refusals(self, world: GraphWorld, status: int, expected: type) -> None:
        world.emulator.corner.add_fault(Fault("status", status), match="batch", times=9)
        assert kinds(await world.mailbox.apply(news(3))) == [expected] * 3

    async def test_no_connection_at_all_is_said_at_once(self, time: Time) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        connection = plug(httpx.MockTransport(refuse), time=time)
        with pytest.raises(RetryLater) as later:
            await open_mailbox(connection, "u", None, NAME)
        assert (later.value.cause, later.value.counts) == (Cause.GRAPH_UNREACHABLE, True)
        await connection.close()


class TestKnown:
    """Whether the user has somebody, in one batch for some people."""

    async def test_one_request_asks_about_five_people_in_both_folders(self, world: GraphWorld) -> None:
        people = [person(f"p{n}@x.example", given="P", family=f"S{n}", company="Beta") for n in range(5)]
        world.keep({"givenName": "P", "surname": "S3", "companyName": "BETA"})
        world.emulator.corner.counts.clear()
        assert await world.mailbox.knows(people) == [False, False, False, True, False]
        assert world.requests() == 1

    async def test_in_the_default_folder_itself(self, world: GraphWorld) -> None:
        mailbox = await open_mailbox(world.connection, world.user, None, "")
        world.keep({}, "a@x.example")
        assert await mailbox.knows([person("a@x.example"), person("b@x.example")]) == [True, False]

    async def test_a_refused_question_is_no_answer_and_two_are_a_yes(self, world: GraphWorld) -> None:
        people = [person("a@x.example", given="A", family="B", company="C"), person("b@x.example")]
        world.emulator.parts.add(Fault("status", 400), match="GET .*contacts", nth=2)  # the first one's name
        assert await world.mailbox.knows(people) == [False, False]
        world.emulator.parts.add(Fault("status", 400), match="GET .*contacts", times=2)
        assert await world.mailbox.knows([person("a@x.example"), person("b@x.example")]) == [True, False]

    @pytest.mark.parametrize("status", [500, 503])
    async def test_a_server_that_cannot_answer_now_is_asked_later(self, world: GraphWorld, status: int) -> None:
        world.emulator.parts.add(Fault("status", status), match="GET .*contacts", times=1000)
        with pytest.raises(RetryLater):
            await world.mailbox.knows([person("a@x.example")])


class TestPatience:
    async def test_a_whole_batch_throttled_waits_and_goes_on(self, world: GraphWorld, time: Time) -> None:
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "2.5"}), match="batch")
        assert kinds(await world.mailbox.apply(news(20))) == [Done] * 20
        assert time.slept == [2.5]
        assert world.count() == 20

    async def test_a_part_throttled_waits_and_goes_on(self, world: GraphWorld, time: Time) -> None:
        world.emulator.parts.add(Fault("status", 429, {"Retry-After": "3"}), match="POST .*contacts", nth=5)
        assert kinds(await world.mailbox.apply(news(20))) == [Done] * 20
        assert time.slept == [3.0]
        assert world.count() == 20
        assert world.requests() == 2

    async def test_a_long_pause_refuses_the_rest_and_then_the_mailbox(self, world: GraphWorld, time: Time) -> None:
        world.emulator.parts.add(Fault("status", 429, {"Retry-After": "300"}), match="POST .*contacts", nth=5)
        results = await world.mailbox.apply(news(10))
        assert kinds(results) == [*[Done] * 4, *[Refused] * 6]
        refused = results[-1]
        assert isinstance(refused, Refused)
        assert (refused.failure.status, refused.failure.retry_after) == (429, 300.0)
        with pytest.raises(RetryLater) as later:
            await world.mailbox.apply(news(1))
        assert (later.value.cause, later.value.after, later.value.counts) == (Cause.GRAPH_THROTTLED, 300.0, False)
        assert time.slept == []
        time.now += 300
        assert kinds(await world.mailbox.apply(news(1))) == [Done]

    async def test_throttling_without_end(self, world: GraphWorld) -> None:
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "1"}), match="batch", times=99)
        assert kinds(await world.mailbox.apply(news(2))) == [Refused, Refused]
        assert world.requests() == 3

    async def test_four_at_a_time_however_many_ask(self, world: GraphWorld) -> None:
        world.emulator.corner.set_latency(service_ms=0.2)
        await asyncio.gather(*(world.mailbox.apply(news(40)) for _ in range(6)))
        assert world.count() == 240
        assert world.emulator.throttle.peak == 4
        assert world.emulator.throttle.refused == 0

    async def test_failing_parts_do_not_overrun_the_mailbox(self, world: GraphWorld) -> None:
        ids = [world.add({"surname": f"S{n}"}) for n in range(60)]
        for item_id in ids[::2]:
            world.purge(item_id)
        world.emulator.corner.set_latency(service_ms=0.2)
        found = await asyncio.gather(*(world.mailbox.get(ids) for _ in range(3)))
        assert all(sum(isinstance(each, Gone) for each in round_.values()) == 30 for round_ in found)
        assert world.emulator.throttle.peak <= 4
        assert world.emulator.throttle.refused == 0

    async def test_a_first_fill_is_cheap(self, world: GraphWorld) -> None:
        results = await world.mailbox.apply(news(400))
        assert kinds(results) == [Done] * 400
        assert world.requests() == 20

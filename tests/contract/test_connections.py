"""The composition's view of the servers, over emulators on loopback: what a probe teaches, what a wrong key costs, when Graph is joined anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from control.connections import Connections, of_the_tenant
from control.environment import read_environment
from emulators.graph import GraphEmulator
from emulators.vtenext import VtenextEmulator, access_key
from mapping.contacts import CONTACTS
from mapping.model import FieldPair
from mapping.rules import FieldMapping
from sync.dry import NO_FOLDER, DrySides
from sync.errors import Cause, Failure, RetryLater, StopConnector, StopMailbox
from sync.groups import Groups
from sync.mappings import Mappings, Version
from sync.model import Item, Kind
from sync.settings import Settings
from sync.settings_store import Defaults, SettingsStore
from sync.sides.base import Done, MailboxUser, NaturalKey, New
from sync.store.base import Row
from sync.store.memory import MemoryRows
from sync.users import Users
from tests.contract.graph_world import served
from tests.unit.control.test_environment import NEEDED
from tests.unit.control.world import CLIENT, TENANT

USER = "svc.sync"


class Office:
    """Connections of one process. `rows`: the shared store."""

    def __init__(
        self, crm: str, graph: str = "http://127.0.0.1:9", key: str = "", rows: MemoryRows | None = None
    ) -> None:
        values = {"VTENEXT_URL": crm, "VTENEXT_USERNAME": USER, "VTENEXT_ACCESS_KEY": key or access_key(USER)}
        environment = read_environment({**NEEDED, **values, "GRAPH_BASE_URL": f"{graph}/v1.0"})
        self.rows = rows or MemoryRows()
        keys = environment.keyring()
        self.settings = SettingsStore(self.rows, keys, Defaults(TENANT, CLIENT, "s~1"))
        self.users, self.groups = Users(self.rows, keys), Groups(self.rows, keys)
        ids = count(1)
        self.connections = Connections(
            environment,
            self.rows,
            keys,
            self.settings,
            self.users,
            self.groups,
            lambda: datetime.now(UTC),
            lambda: f"00000000-0000-4000-8000-{next(ids):012d}",
        )


@pytest.fixture(scope="module")
def crm() -> Iterator[tuple[VtenextEmulator, str]]:
    emulator = VtenextEmulator()
    with served(emulator.app) as url:
        yield emulator, url


async def test_a_probe_gives_mapping_and_columns(crm: tuple[VtenextEmulator, str]) -> None:
    office = Office(crm[1])
    setup = await office.connections.setup()
    assert setup.active
    assert setup.translators[Kind.CONTACT].pairs == CONTACTS.pairs
    assert await (await office.connections.crm()).count(Kind.COMPANY) == 0
    assert USER in {user.extra["user_name"] for user in await office.connections.crm_users()}
    await office.connections.aclose()


async def test_a_mapping_that_was_saved_is_used_at_once_and_records_carry_our_mark(
    crm: tuple[VtenextEmulator, str],
) -> None:
    emulator, url = crm
    office = Office(url)
    plain = await office.connections.setup()
    assert plain.remaps[Kind.CONTACT].from_crm == frozenset()
    moved = tuple(pair for pair in CONTACTS.pairs if pair.crm != "mobile")
    gone = FieldPair("cf_gone", "initials")
    saved = FieldMapping("contact", (*moved, gone), "cf_m365_id")
    await Mappings(office.rows).save(Kind.CONTACT, Version(1, saved, "2026-01-01T00:00:00+00:00", "me"))
    setup = await office.connections.setup()
    assert tuple(setup.translators[Kind.CONTACT].pairs) == moved, "and what this CRM has not is left out"
    assert setup.remaps[Kind.CONTACT].from_crm == {"mobile~mobilePhone"}
    side = await office.connections.crm()
    owner = next(user.id for user in await office.connections.crm_users() if user.active)
    fields = {"lastname": "Rossi", "mobile": "+39 1"}
    (made,) = await side.apply([New(Kind.CONTACT, fields, "our-mark", owner)])
    assert isinstance(made, Done)
    assert made.item is not None
    (row,) = emulator.backdoor.dump()["Contacts"]
    assert row["cf_m365_id"] == "our-mark"
    found = (await side.get(Kind.CONTACT, [made.item.id]))[made.item.id]
    assert isinstance(found, Item)
    assert (found.stamp, found.fields["mobile"]) == ("our-mark", "+39 1"), "a removed pair's field is still read"
    (lost,) = await side.created_since(Kind.CONTACT, "2020-01-01T00:00:00+00:00")
    assert lost.stamp == "our-mark"
    shown = await office.connections.crm_showing({Kind.CONTACT: ["leadsource"]})
    found = (await shown.get(Kind.CONTACT, [made.item.id]))[made.item.id]
    assert isinstance(found, Item)
    assert "leadsource" in found.fields
    await office.connections.aclose()


async def test_a_wrong_key_is_tried_once_by_all_processes_and_once_more_when_an_admin_says_so(
    crm: tuple[VtenextEmulator, str],
) -> None:
    emulator, url = crm
    before = emulator.logins()["logins_refused"]
    rows = MemoryRows()
    offices = [Office(url, key="wrong", rows=rows) for _ in range(3)]
    for _ in range(2):
        for office in offices:
            with pytest.raises(StopConnector) as refused:
                await office.connections.setup()
            assert refused.value.cause is Cause.CRM_LOGIN_REFUSED
    assert emulator.logins()["logins_refused"] == before + 1
    await offices[0].connections.forget_refusals()
    with pytest.raises(StopConnector):
        await offices[1].connections.check_crm()
    assert emulator.logins()["logins_refused"] == before + 2
    for _ in range(5):
        await offices[0].connections.forget_refusals()
        with pytest.raises(StopConnector) as refused:
            await offices[1].connections.check_crm()
    assert refused.value.cause is Cause.CRM_LOGIN_SPARED
    assert emulator.logins()["logins_refused"] == before + 3, "the fifth would lock the account"
    for office in offices:
        await office.connections.aclose()


async def test_not_active_asks_nobody() -> None:
    office = Office("http://127.0.0.1:9")
    await office.settings.save(Settings(active=False), None)
    assert not (await office.connections.setup()).active
    await office.connections.aclose()


async def test_a_preview_may_ask_before_the_connector_is_active(crm: tuple[VtenextEmulator, str]) -> None:
    office = Office(crm[1])
    await office.settings.save(Settings(active=False), None)
    setup = await office.connections.setup_if_active()
    assert setup.active
    assert set(setup.translators) == set(Kind)
    await office.connections.aclose()


async def test_a_preview_finds_the_folder_that_its_user_wants_and_asks_the_usual_one_whom_it_knows() -> None:
    graph = GraphEmulator(auth=False)
    anna = graph.add_user("anna@acme.example", "Anna")
    graph.outlook.create(anna, {"givenName": "Carla", "emailAddresses": [{"address": "carla@z.example"}]})
    own = graph.outlook.create_folder(anna, "Clienti")
    people = [NaturalKey(Kind.CONTACT, ("carla@z.example",)), NaturalKey(Kind.CONTACT, ("nobody@z.example",))]
    with served(graph.app) as url:
        office = Office("http://127.0.0.1:9", url)
        office.connections._joined = _without_entra(office, url)  # type: ignore[method-assign]
        before = graph.dump(anna)
        known = await DrySides(office.connections, {}, "Clienti").mailbox(anna, "")
        assert known.folder_id == own
        for folder in ("", NO_FOLDER):
            none = await DrySides(office.connections, {}).mailbox(anna, folder)
            assert none.folder_id == NO_FOLDER
            assert await none.knows(people) == [True, False]
        assert graph.dump(anna) == before
        await office.connections.aclose()


async def test_graph_is_joined_anew_when_the_sign_in_changes() -> None:
    office = Office("http://127.0.0.1:9")
    first = await office.connections.graph()
    assert await office.connections.graph() is first
    await office.settings.save(Settings(active=False, verbose_log=True), None)
    await office.connections.setup()
    assert await office.connections.graph() is first
    await office.settings.save(Settings(active=False), "s~2")
    assert await office.connections.graph() is first, "of a run that begun before"
    await office.connections.setup()
    assert await office.connections.graph() is not first
    await office.connections.aclose()


async def test_a_run_reads_the_settings_once_and_who_asks_outside_of_one_sees_what_is_saved(
    crm: tuple[VtenextEmulator, str],
) -> None:
    graph = GraphEmulator(auth=False)
    anna = graph.add_user("anna@acme.example", "Anna")
    with served(graph.app) as url:
        rows = MemoryRows()
        office = Office(crm[1], url, rows=rows)
        office.connections._joined = _without_entra(office, url)  # type: ignore[method-assign]
        reads = 0
        get = rows.get

        async def counted(partition: str, key: str) -> Row | None:
            nonlocal reads
            reads += key == "settings"
            return await get(partition, key)

        rows.get = counted  # type: ignore[method-assign]
        setup = await office.connections.setup()
        await office.connections.crm()
        await office.connections.watcher(anna)
        await office.connections.mailbox(anna, "")
        await office.connections.calendar(anna, setup.calendar)
        await office.connections.todo(anna, setup.calendar)
        assert reads == 1
        await office.connections.resolve_mailbox("anna@acme.example")
        await office.connections.check_mailboxes()
        await office.connections.contact_folder(anna, "")
        assert reads == 4
        await office.connections.aclose()


async def test_mailboxes_are_checked_and_resolved() -> None:
    graph = GraphEmulator(auth=False)
    anna = graph.add_user("anna@acme.example", "Anna")
    with served(graph.app) as url:
        office = Office("http://127.0.0.1:9", url)
        office.connections._joined = _without_entra(office, url)  # type: ignore[method-assign]
        await office.connections.check_mailboxes()
        assert await office.connections.resolve_mailbox("anna@acme.example") == MailboxUser(
            anna, ("anna@acme.example",)
        )
        with pytest.raises(StopMailbox):
            await office.connections.resolve_mailbox("nobody@acme.example")
        mailbox = await office.connections.mailbox(anna, "")
        assert (await office.connections.mailbox(anna, mailbox.folder_id)).folder_id == mailbox.folder_id
        await office.settings.save(Settings(active=False, use_default_folder=True), None)
        await office.connections.setup()
        assert (await office.connections.mailbox(anna, mailbox.folder_id)).folder_id != mailbox.folder_id
        await office.connections.aclose()


@pytest.mark.parametrize(
    ("status", "code", "kind", "cause"),
    [
        (403, "Authorization_RequestDenied", StopConnector, Cause.CONSENT_MISSING),
        (401, "InvalidAuthenticationToken", StopConnector, Cause.CONSENT_MISSING),
        (404, "ResourceNotFound", RetryLater, Cause.GRAPH_UNREACHABLE),  # a wrong GRAPH_BASE_URL, for instance
        (400, "BadRequest", RetryLater, Cause.GRAPH_UNREACHABLE),
        (429, "", RetryLater, Cause.GRAPH_THROTTLED),
        (0, "ReadTimeout", RetryLater, Cause.GRAPH_UNREACHABLE),
    ],
)
def test_a_failed_look_at_the_tenant_never_speaks_of_a_mailbox(
    status: int, code: str, kind: type[RetryLater | StopConnector], cause: Cause
) -> None:
    error = of_the_tenant(Failure(status, code))
    assert isinstance(error, kind)
    assert error.cause is cause


def _without_entra(office: Office, url: str):  # type: ignore[no-untyped-def]
    from sync.sides.graph import Throttle, connect
    from tests.contract.graph_world import Badge, Time

    time = Time()
    throttle = Throttle(clock=time.clock, sleep=time.sleep)
    new_id = office.connections._new_id
    return lambda sign_in, server: connect(Badge(), throttle, new_id=new_id, sleep=time.sleep, base_url=f"{url}/v1.0")

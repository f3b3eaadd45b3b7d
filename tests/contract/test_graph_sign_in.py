"""The application's sign-in, with azure-identity, at the Entra emulator over loopback; tokens that Graph then refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from emulators.corner import Fault
from emulators.entra import EntraEmulator
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from sync.errors import Cause, ConfigMistake, Failure, RetryLater, StopConnector
from sync.sides.graph import GraphConnection, Tokens, application_tokens, resolve_user
from sync.sides.graph.credentials import authority_of, refusal
from sync.sides.graph.entra import MsalEntra
from tests.contract.graph_world import plug, served

APP, SECRET, MAIL = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret~value", "anna@example.com"
SCOPE = "https://graph.microsoft.com/.default"
ROLES = ("Contacts.ReadWrite", "User.Read.All")


@pytest.fixture(scope="module")
def entra() -> EntraEmulator:
    return EntraEmulator()


@pytest.fixture(scope="module")
def address(entra: EntraEmulator) -> Iterator[str]:
    with served(entra.app) as url:
        yield url


@pytest.fixture(autouse=True)
def registered(entra: EntraEmulator) -> Iterator[None]:
    entra.corner.reset()
    entra.clock.set(None)
    entra.add_app(APP, SECRET, roles=ROLES)
    yield
    entra.clock.set(None)


def tokens(entra: EntraEmulator, address: str, **changed: str) -> Tokens:
    given = {"tenant_id": entra.tenant, "client_id": APP, "client_secret": SECRET, "authority_host": address}
    return application_tokens(**{**given, **changed})


@pytest.fixture
async def signed_in(entra: EntraEmulator, address: str) -> AsyncIterator[tuple[GraphConnection, GraphEmulator]]:
    graph = GraphEmulator(keys=entra.keys, clock=entra.clock)
    graph.add_user(MAIL, "Anna Neri")
    connection = plug(InProcessTransport(graph.app), tokens=tokens(entra, address))
    yield connection, graph
    await connection.close()


async def test_a_token_is_fetched_once_and_kept(
    signed_in: tuple[GraphConnection, GraphEmulator], entra: EntraEmulator
) -> None:
    connection, _ = signed_in
    user = await resolve_user(connection, MAIL)
    assert await resolve_user(connection, user.id) == user
    assert entra.corner.total == 1


async def test_an_entra_that_is_out_of_order_is_asked_once_by_all_who_wait_for_the_token(
    signed_in: tuple[GraphConnection, GraphEmulator], entra: EntraEmulator
) -> None:
    connection, graph = signed_in
    entra.corner.add_fault(Fault("status", 500), times=99)
    asking = (connection.read(f"/users?$top={n}", where="users") for n in range(1, 5))
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(each) for each in ended] == [Cause.ENTRA_UNREACHABLE.value] * 4
    assert (entra.corner.total, graph.corner.total) == (1, 0)
    entra.corner.clear_faults()
    assert (await resolve_user(connection, MAIL)).addresses == (MAIL,), "who comes later asks again"


async def test_a_token_that_graph_refuses_is_renewed_once(
    signed_in: tuple[GraphConnection, GraphEmulator], entra: EntraEmulator
) -> None:
    """Four hours pass for the servers only: the library still believes in its token."""
    connection, graph = signed_in
    user = await resolve_user(connection, MAIL)
    entra.clock.advance(4 * 3600)
    assert await resolve_user(connection, MAIL) == user
    assert entra.corner.total == 2
    assert graph.corner.total == 3


async def test_a_token_refused_for_ever_is_renewed_only_once(
    signed_in: tuple[GraphConnection, GraphEmulator], entra: EntraEmulator
) -> None:
    connection, graph = signed_in
    graph.corner.add_fault(Fault("status", 401), times=99)
    answer = await connection.read("/users", where="users")
    assert isinstance(answer, Failure)
    assert answer.status == 401
    assert (graph.corner.total, entra.corner.total) == (2, 2)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"client_secret": "wrong"}, Cause.SECRET_WRONG),
        ({"client_id": "11111111-aaaa-4bbb-8ccc-dddddddddddd"}, Cause.APP_UNKNOWN),
        ({"tenant_id": "22222222-aaaa-4bbb-8ccc-dddddddddddd"}, Cause.APP_UNKNOWN),
    ],
)
async def test_what_an_admin_must_mend(
    entra: EntraEmulator, address: str, changed: dict[str, str], cause: Cause
) -> None:
    sign = tokens(entra, address, **changed)
    with pytest.raises(StopConnector) as stopped:
        await sign.get_token(SCOPE)
    assert stopped.value.cause is cause
    await sign.close()


async def test_an_expired_secret_stops_the_connector_through_the_connection(entra: EntraEmulator, address: str) -> None:
    entra.corner.reset()
    entra.add_app(APP, SECRET, roles=ROLES, expires_in_s=-1)
    graph = GraphEmulator(keys=entra.keys)
    connection = plug(InProcessTransport(graph.app), tokens=tokens(entra, address))
    with pytest.raises(StopConnector) as stopped:
        await resolve_user(connection, MAIL)
    assert stopped.value.cause is Cause.SECRET_EXPIRED
    assert graph.corner.total == 0
    await connection.close()


async def test_nobody_there(entra: EntraEmulator) -> None:
    sign = tokens(entra, "http://127.0.0.1:9")
    with pytest.raises(RetryLater) as later:
        await sign.get_token(SCOPE)
    assert later.value.cause is Cause.ENTRA_UNREACHABLE
    await sign.close()


async def test_entra_out_of_order_is_tried_again_later_and_once(entra: EntraEmulator, address: str) -> None:
    entra.corner.add_fault(Fault("status", 503, body="<html>"), times=9)
    sign = tokens(entra, address)
    with pytest.raises(RetryLater):
        await sign.get_token(SCOPE)
    assert entra.corner.total == 1
    await sign.close()


def test_refusals_are_read_by_number() -> None:
    error = refusal("(invalid_client) AADSTS7000222: The provided client secret keys are expired.")
    assert isinstance(error, StopConnector)
    assert isinstance(refusal("AADSTS50196: loop detected"), RetryLater)


def test_http_authorities_are_for_loopback_only() -> None:
    assert authority_of("") == ("https://login.microsoftonline.com", "")
    assert authority_of("https://login.microsoftonline.us/") == ("https://login.microsoftonline.us", "")
    assert authority_of("http://localhost:8080") == ("https://login.microsoftonline.com", "http://localhost:8080")
    for bad in ("http://login.example.com", "login.example.com", "http://127.0.0.1.example.com"):
        with pytest.raises(ConfigMistake):
            authority_of(bad)


@pytest.mark.parametrize("missing", ["tenant_id", "client_id", "client_secret"])
def test_settings_that_entra_need_not_be_asked_about(missing: str) -> None:
    given = {"tenant_id": "contoso.example", "client_id": APP, "client_secret": SECRET, missing: ""}
    with pytest.raises(ConfigMistake) as mistake:
        application_tokens(**given)
    assert mistake.value.field == missing.upper()


async def test_a_managed_identity_needs_no_secret(
    entra: EntraEmulator, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token (from the identity endpoint of the host, here a loopback one) is the assertion (FACTS, msal)."""

    async def identity(scope, receive, send):  # type: ignore[no-untyped-def]
        assertion = entra.keys.sign({"exp": 4_000_000_000, "sub": "identity"})
        body = (
            f'{{"access_token":"{assertion}","expires_on":"4000000000","token_type":"Bearer","resource":"r"}}'.encode()
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    entra.directory.app(APP).accept_assertions = True
    with served(identity) as endpoint:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        sign = tokens(entra, address, client_secret="", managed_identity="33333333-aaaa-4bbb-8ccc-dddddddddddd")
        assert (await sign.get_token(SCOPE)).token
        await sign.close()


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize(
    ("status", "headers", "counts"), [(500, {}, True), (400, {}, True), (429, {"retry-after": "7"}, False)]
)
async def test_an_identity_that_cannot_be_had_is_tried_again(
    status: int,
    headers: dict[str, str],
    counts: bool,
    delegated: bool,
    entra: EntraEmulator,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of Azure's errors comes out, neither of the application's sign-in nor of the users'."""

    async def identity(scope, receive, send):  # type: ignore[no-untyped-def]
        shown = [(b"content-type", b"application/json"), *((k.encode(), v.encode()) for k, v in headers.items())]
        await send({"type": "http.response.start", "status": status, "headers": shown})
        await send({"type": "http.response.body", "body": b"{}"})

    who = "33333333-aaaa-4bbb-8ccc-dddddddddddd"
    with served(identity) as endpoint:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        sign = MsalEntra(tenant_id=entra.tenant, client_id=APP, managed_identity=who, authority_host=address)
        application = application_tokens(
            tenant_id=entra.tenant, client_id=APP, managed_identity=who, authority_host=address
        )
        with pytest.raises(RetryLater) as later:
            await (sign.check() if delegated else application.get_token(SCOPE))
        await sign.close()
        await application.close()
    assert (later.value.cause, later.value.counts) == (Cause.ENTRA_UNREACHABLE, counts)

"""The sign-in of one mailbox: one renewal for many askers, successors stored first, refusals noted; what AADSTS numbers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sync.errors import Cause, ReconnectNeeded, RetryLater, StopConnector, StopMailbox
from sync.sides.graph.delegated import MARGIN, MailboxTokens
from sync.sides.graph.entra import declined, numbers, of_the_mailbox
from sync.signing import Declined, Granted
from sync.store.memory import MemoryRows
from sync.store.secrets import Keyring
from sync.store.tokens import TokenStore

BOX = "box-1"
SCOPES = ("Contacts.ReadWrite", "User.Read")


class StrictEntra:
    """A refresh token counts once; the newest one only. `does`: called before it answers."""

    def __init__(self) -> None:
        self.valid, self.count = "r0", 0
        self.fails: Exception | None = None
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def refresh(self, mailbox: str, refresh_token: str, scopes: Sequence[str]) -> Granted:
        await asyncio.sleep(0)
        self.asked.append((refresh_token, tuple(scopes)))
        if self.fails is not None:
            raise self.fails
        if refresh_token != self.valid:
            raise ReconnectNeeded(mailbox)
        self.count += 1
        self.valid = f"r{self.count}"
        return Granted(f"a{self.count}", self.valid, 3600, SCOPES)


class Desk:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        self.store = TokenStore(MemoryRows(), Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)]))
        self.entra = StrictEntra()

    def sign(self) -> MailboxTokens:
        return MailboxTokens(BOX, self.store, self.entra, lambda: self.time)  # type: ignore[arg-type]

    async def state(self) -> tuple[str, str, str]:
        token = await self.store.read(BOX)
        assert token is not None
        return token.state, token.refresh_token, token.spending


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.store.save(BOX, "tenant-1", SCOPES, "r0", desk.time)
    return desk


async def test_one_renewal_serves_all_until_it_runs_out(desk: Desk) -> None:
    sign = desk.sign()
    tokens = await asyncio.gather(*(sign.get_token("x") for _ in range(5)))
    assert {each.token for each in tokens} == {"a1"}
    assert await desk.state() == ("ok", "r1", "")
    desk.time += timedelta(seconds=3600) - MARGIN
    assert (await sign.get_token("x")).token == "a2"
    assert desk.entra.asked == [("r0", SCOPES), ("r1", SCOPES)]


async def test_an_entra_that_is_out_of_order_is_asked_once_by_all_who_wait(desk: Desk) -> None:
    sign = desk.sign()
    desk.entra.fails = RetryLater(Cause.ENTRA_UNREACHABLE)
    ended = await asyncio.gather(*(sign.get_token("x") for _ in range(5)), return_exceptions=True)
    assert [(type(each), str(each)) for each in ended] == [(RetryLater, "entra_unreachable")] * 5
    assert len(desk.entra.asked) == 1
    desk.entra.fails = None
    assert (await sign.get_token("x")).token == "a1", "who comes later asks again"


async def test_a_token_that_graph_refused_is_renewed_once(desk: Desk) -> None:
    sign = desk.sign()
    await sign.get_token("x")
    await sign.renew(0)
    await sign.renew(0)
    assert ((await sign.get_token("x")).token, sign.generation) == ("a2", 1)


async def test_two_workers_never_spend_the_same_token(desk: Desk) -> None:
    results = await asyncio.gather(desk.sign().get_token("x"), desk.sign().get_token("x"), return_exceptions=True)
    (later,) = [each for each in results if isinstance(each, RetryLater)]
    assert (later.cause, later.counts, later.after) == (Cause.ENTRA_UNREACHABLE, False, 10.0)
    assert len(desk.entra.asked) == 1
    assert (await desk.sign().get_token("x")).token == "a2"


async def test_a_worker_that_died_on_the_way_is_waited_for_and_then_replaced(desk: Desk) -> None:
    token = await desk.store.read(BOX)
    assert token is not None
    assert await desk.store.claim(token, desk.time) is not None
    with pytest.raises(RetryLater):
        await desk.sign().get_token("x")
    desk.time += timedelta(minutes=2)
    assert (await desk.sign().get_token("x")).token == "a1"


async def test_a_refused_token_is_noted_at_once_and_not_tried_again(desk: Desk) -> None:
    desk.entra.valid = "other"
    for _ in range(3):
        with pytest.raises(ReconnectNeeded):
            await desk.sign().get_token("x")
    assert len(desk.entra.asked) == 1
    assert await desk.state() == ("reconnect", "r0", "")


async def test_a_sign_in_during_the_refusal_is_what_counts(desk: Desk) -> None:
    refresh = desk.entra.refresh

    async def meanwhile(mailbox: str, refresh_token: str, scopes: Sequence[str]) -> Granted:
        if refresh_token == "old":
            await desk.store.save(BOX, "tenant-1", SCOPES, "r0", desk.time + timedelta(seconds=1))
        return await refresh(mailbox, refresh_token, scopes)

    await desk.store.save(BOX, "tenant-1", SCOPES, "old", desk.time)
    desk.entra.refresh = meanwhile  # type: ignore[method-assign]
    assert (await desk.sign().get_token("x")).token == "a1"
    assert await desk.state() == ("ok", "r1", "")


@pytest.mark.parametrize("error", [RetryLater(Cause.ENTRA_UNREACHABLE), StopConnector(Cause.SECRET_EXPIRED)])
async def test_what_does_not_concern_the_token_leaves_it(desk: Desk, error: Exception) -> None:
    desk.entra.fails = error
    with pytest.raises(type(error)):
        await desk.sign().get_token("x")
    assert await desk.state() == ("ok", "r0", "")


async def test_never_signed_in() -> None:
    with pytest.raises(StopMailbox) as stop:
        await Desk().sign().get_token("x")
    assert stop.value.cause is Cause.NOT_CONNECTED


@pytest.mark.parametrize(
    ("error", "codes", "kind", "cause"),
    [
        ("invalid_grant", [70000], ReconnectNeeded, None),
        ("invalid_grant", [50173], ReconnectNeeded, None),
        ("invalid_grant", [700082], ReconnectNeeded, None),
        ("invalid_grant", [], ReconnectNeeded, None),
        ("interaction_required", [50076], ReconnectNeeded, None),
        ("invalid_grant", [53003], ReconnectNeeded, None),
        ("invalid_grant", [65001], StopMailbox, Cause.CONSENT_MISSING),
        ("invalid_grant", [50057], StopMailbox, Cause.ACCOUNT_DISABLED),
        ("invalid_grant", [50034], StopMailbox, Cause.ACCOUNT_DISABLED),
        ("invalid_client", [7000222], StopConnector, Cause.SECRET_EXPIRED),
        ("unauthorized_client", [700016], StopConnector, Cause.APP_UNKNOWN),
        ("temporarily_unavailable", [90033], RetryLater, Cause.ENTRA_UNREACHABLE),
    ],
)
def test_what_a_refused_refresh_token_means(error: str, codes: list[int], kind: type, cause: Cause | None) -> None:
    found = of_the_mailbox(BOX, error, codes)
    assert isinstance(found, kind)
    assert cause is None or getattr(found, "cause", None) is cause


@pytest.mark.parametrize(
    ("error", "codes", "code"),
    [
        ("access_denied", [65004], "declined"),
        ("access_denied", [], "declined"),
        ("access_denied", [90095], "consent_needed"),
        ("invalid_grant", [65001], "consent_needed"),
        ("invalid_grant", [54005], "code_refused"),
        ("invalid_grant", [50148], "code_refused"),
        ("interaction_required", [50105], "not_assigned"),
    ],
)
def test_what_a_refusal_in_the_popup_means(error: str, codes: list[int], code: str) -> None:
    found = declined(error, codes)
    assert isinstance(found, Declined)
    assert found.code == code


def test_a_refusal_in_the_popup_that_concerns_everybody() -> None:
    found = declined("invalid_client", [7000215])
    assert isinstance(found, StopConnector)
    assert isinstance(declined("server_error", []), RetryLater)


def test_numbers_come_from_both_places() -> None:
    text = "AADSTS700082: The refresh token has expired. AADSTS50173: x"
    assert numbers({"error_codes": [700082], "error_description": text}) == (700082, 50173)
    assert numbers({"error_description": None}) == ()

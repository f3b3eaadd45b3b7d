"""Keys, digests, encryption, and the places of secrets."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.keyvault.secrets.aio import SecretClient
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ConfigMistake
from sync.store.base import StoreUnreachable, check_key
from sync.store.secrets import Keyring, KeyVaultSecrets, Undecipherable

INDEX, OLD, NEW, OTHER = (bytes(range(start, start + 32)) for start in (0, 40, 80, 120))


def text(key: bytes) -> str:
    return urlsafe_b64encode(key).decode().rstrip("=")


def ring(digests: str = "k1", ciphers: str = "k1") -> Keyring:
    held = {"k1": OLD, "k2": NEW}
    return Keyring(INDEX, [(id_, held[id_]) for id_ in digests.split()], [(id_, held[id_]) for id_ in ciphers.split()])


RING = ring()
LINK, PAIR, VERSION, VALUE = "mailbox|4x123", "lastname=surname", "c1", "Però 🚀"


# names for table keys


def test_an_index_is_stable_and_fit_for_a_table_key() -> None:
    name = RING.index("anna.bianchi@example.com")
    assert name == ring("k2 k1", "k2").index("anna.bianchi@example.com"), "other keys must not move it"
    assert re.fullmatch("[A-Za-z0-9_-]{43}", name)
    check_key(name)
    assert name != RING.index("anna.bianchi@example.org")
    assert name != Keyring(OTHER, [("k1", OLD)], [("k1", OLD)]).index("anna.bianchi@example.com")


def test_an_index_is_pinned() -> None:
    """INDEX_KEY is never rotated, so neither may the function: rows of older versions are found by it."""
    assert RING.index("anna@example.com") == "5w7AtrW5qsitOfPHvvJ06BcfCh7qbzI6Qr9UAucQGQc"


# digests


def test_a_digest_says_its_key_and_version() -> None:
    assert re.fullmatch(r"k1\.c1\.[A-Za-z0-9_-]{22}", RING.digest(LINK, PAIR, VERSION, VALUE))


def test_a_digest_is_pinned() -> None:
    """A change here would make every stored base unknown: raise the normaliser's version instead."""
    assert RING.digest(LINK, PAIR, VERSION, VALUE) == "k1.c1.00AWyANhl7d9j5q6v9r8AA"


def test_a_digest_matches_what_it_was_made_of_and_nothing_else() -> None:
    digest = RING.digest(LINK, PAIR, VERSION, VALUE)
    assert RING.matches(digest, LINK, PAIR, VERSION, VALUE) is True
    assert RING.matches(digest, LINK, PAIR, VERSION, VALUE + " ") is False
    assert RING.matches(digest, LINK, "firstname=givenName", VERSION, VALUE) is False
    assert RING.matches(digest, "mailbox|4x124", PAIR, VERSION, VALUE) is False


def test_of_nothing_there_is_no_digest_and_that_of_an_earlier_version_still_counts() -> None:
    nothing = RING.digest(LINK, PAIR, VERSION, "")
    assert nothing == "k1.c1."
    assert RING.matches(nothing, LINK, PAIR, VERSION, "") is True
    assert RING.matches(nothing, LINK, PAIR, VERSION, " ") is False
    assert RING.matches("k9.c1.", LINK, PAIR, VERSION, "") is None
    assert RING.matches("k1.c2.", LINK, PAIR, VERSION, "") is None
    earlier = "k1.c1.uZng5BPUEovAo9_-XSlKkw"
    assert RING.matches(earlier, LINK, PAIR, VERSION, "") is True
    assert RING.matches(earlier, LINK, PAIR, VERSION, VALUE) is False
    assert RING.matches(earlier, "mailbox|4x124", PAIR, VERSION, "") is False


TEXTS = st.text(max_size=4)
PARTS = st.tuples(TEXTS, TEXTS, st.text(min_size=1, max_size=4))


@given(PARTS, PARTS)
def test_parts_never_run_into_each_other(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    (link, pair, value), (link2, pair2, value2) = one, two
    digest = RING.digest(link, pair, "c1", value)
    assert RING.matches(digest, link2, pair2, "c1", value2) is (one == two)
    moved = (link + pair[:1], pair[1:], value)
    assert RING.matches(digest, moved[0], moved[1], "c1", value) is (moved == one)


@pytest.mark.parametrize(
    "digest", ["", "k1", "k1.", "nonsense", "k9.c1.AAAAAAAAAAAAAAAAAAAAAA", "k1.c2.AAAAAAAAAAAAAAAAAAAAAA"]
)
def test_a_digest_of_another_key_or_version_is_unknown(digest: str) -> None:
    assert RING.matches(digest, LINK, PAIR, VERSION, VALUE) is None


@pytest.mark.parametrize("digest", ["k1.c1.", "k1.c1.AAAAAAAAAAAAAAAAAAAAAA", "k1.c1.è\ud800"])
def test_a_digest_that_is_ours_in_name_only_does_not_match(digest: str) -> None:
    assert RING.matches(digest, LINK, PAIR, VERSION, VALUE) is False


def test_rotation_of_digest_keys() -> None:
    old = RING.digest(LINK, PAIR, VERSION, VALUE)
    both, new = ring("k2 k1"), ring("k2")
    assert both.digest(LINK, PAIR, VERSION, VALUE).startswith("k2."), "the newest key writes"
    assert both.matches(old, LINK, PAIR, VERSION, VALUE) is True
    assert both.matches(old, LINK, PAIR, VERSION, "other") is False
    assert new.matches(old, LINK, PAIR, VERSION, VALUE) is None


def test_a_digest_does_not_depend_on_the_name_of_its_key_alone() -> None:
    same_name = Keyring(INDEX, [("k1", NEW)], [("k1", OLD)])
    assert same_name.matches(RING.digest(LINK, PAIR, VERSION, VALUE), LINK, PAIR, VERSION, VALUE) is False


@pytest.mark.parametrize("version", ["", "a.b", "a b", "è", "x" * 33])
def test_a_version_that_would_break_the_tag_is_a_bug(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        RING.digest(LINK, PAIR, version, VALUE)


def test_half_a_surrogate_pair_is_digested_and_encrypted() -> None:
    assert RING.matches(RING.digest(LINK, PAIR, VERSION, "a\ud83d"), LINK, PAIR, VERSION, "a\ud83d") is True
    assert RING.decrypt(RING.encrypt("a\ud83d", "x"), "x") == "a\ud83d"


# encryption


@given(st.text(), st.text())
def test_what_is_encrypted_is_read_again(plain: str, aad: str) -> None:
    token = RING.encrypt(plain, aad)
    assert re.fullmatch(r"k1\.[A-Za-z0-9_=-]+", token)
    assert RING.decrypt(token, aad) == plain


def test_no_two_tokens_are_alike_and_none_shows_the_text() -> None:
    tokens = {RING.encrypt("Bianchi", "journal|1") for _ in range(50)}
    assert len(tokens) == 50
    assert not any("Bianchi" in token for token in tokens)


def test_a_token_is_read_in_its_own_place_only() -> None:
    token = RING.encrypt("Bianchi", "journal|1")
    with pytest.raises(Undecipherable) as caught:
        RING.decrypt(token, "journal|2")
    assert (caught.value.key_id, caught.value.held) == ("k1", True)


def test_every_altered_character_is_noticed() -> None:
    token = RING.encrypt("Bianchi", "x")
    body = token.index(".") + 1
    for at in range(body, len(token.rstrip("=")) - 1):  # the last one may hold bits that decode to nothing
        altered = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(Undecipherable):
            RING.decrypt(altered, "x")


@pytest.mark.parametrize("token", ["", "k1", "k1.", "k1.A", "k1.AAAA", "k1.è", "k1." + "A" * 40])
def test_nonsense_is_undecipherable(token: str) -> None:
    with pytest.raises(Undecipherable):
        RING.decrypt(token, "x")


def test_rotation_of_encryption_keys() -> None:
    old = RING.encrypt("Bianchi", "x")
    both, new = ring(ciphers="k2 k1"), ring(ciphers="k2")
    assert both.decrypt(old, "x") == "Bianchi"
    assert both.encrypt("Bianchi", "x").startswith("k2.")
    with pytest.raises(Undecipherable) as caught:
        new.decrypt(old, "x")
    assert (caught.value.key_id, caught.value.held) == ("k1", False)


def test_the_key_id_of_a_token_is_bound() -> None:
    """Relabelling a token does not help even where two ids hold one key."""
    twice = Keyring(INDEX, [("k1", OLD)], [("k1", OLD), ("k2", OLD)])
    with pytest.raises(Undecipherable):
        twice.decrypt("k2." + twice.encrypt("Bianchi", "x").partition(".")[2], "x")


# settings


def test_a_keyring_from_settings_is_the_same_keyring() -> None:
    made = Keyring.from_settings(f" {text(INDEX)}=\n", f"k2:{text(NEW)}, k1:{text(OLD)}", f"k1:{text(OLD)}=")
    assert made.index("x") == RING.index("x")
    assert made.digest(LINK, PAIR, VERSION, VALUE) == ring("k2").digest(LINK, PAIR, VERSION, VALUE)
    assert made.matches(RING.digest(LINK, PAIR, VERSION, VALUE), LINK, PAIR, VERSION, VALUE) is True
    assert made.decrypt(RING.encrypt("x", "y"), "y") == "x"


BAD_KEYS = {
    "empty": "",
    "31 bytes": text(OLD[:31]),
    "33 bytes": text(OLD + b"x"),
    "not base64url": text(OLD)[:-2] + "+/",
    "a blank inside": text(OLD)[:20] + " " + text(OLD)[20:],
    "all the same byte": text(b"\0" * 32),
}
BAD_LISTS = {
    "no id": text(OLD),
    "an empty id": f":{text(OLD)}",
    "a dot in the id": f"k.1:{text(OLD)}",
    "an id of 17 characters": f"{'k' * 17}:{text(OLD)}",
    "an id twice": f"k1:{text(OLD)},k1:{text(NEW)}",
    "a comma at the end": f"k1:{text(OLD)},",
    **{f"key {name}": f"k1:{key}" for name, key in BAD_KEYS.items()},
}


@pytest.mark.parametrize("value", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_index_key_is_named_and_not_shown(value: str) -> None:
    mistake(lambda: Keyring.from_settings(value, f"k1:{text(OLD)}", f"k1:{text(OLD)}"), "INDEX_KEY", value)


@pytest.mark.parametrize("value", BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_bad_list_of_keys_is_named_and_not_shown(value: str) -> None:
    mistake(lambda: Keyring.from_settings(text(INDEX), value, f"k1:{text(OLD)}"), "DIGEST_KEYS", value)
    mistake(lambda: Keyring.from_settings(text(INDEX), f"k1:{text(OLD)}", value), "ENCRYPTION_KEYS", value)


def mistake(make: Callable[[], Any], field: str, value: str) -> None:
    with pytest.raises(ConfigMistake) as caught:
        make()
    assert caught.value.field == field
    assert "32 random bytes" in caught.value.expected
    assert not value or value not in str(caught.value)
    assert text(OLD)[:20] not in str(caught.value)


def test_a_keyring_does_not_show_its_keys() -> None:
    shown = repr(ring("k2 k1", "k2"))
    assert shown == "Keyring(digest keys ['k2', 'k1'], encryption keys ['k2'])"


# the places of secrets


async def test_a_key_vault_keeps_what_is_written() -> None:
    async with key_vault() as (secrets, vault):
        assert await secrets.read_secret("client-secret") is None
        await secrets.write_secret("client-secret", "s3cret è")
        assert await secrets.read_secret("client-secret") == "s3cret è"
        assert vault == {"client-secret": "s3cret è"}
        for _ in range(2):  # the second time it is gone already
            await secrets.delete_secret("client-secret")
            assert vault == {}
        assert await secrets.read_secret("client-secret") is None


async def test_a_key_vault_that_refuses_is_unreachable_and_tells_no_secret() -> None:
    async with key_vault(refuses=True) as (secrets, _):
        with pytest.raises(StoreUnreachable, match="403"):
            await secrets.read_secret("client-secret")
        with pytest.raises(StoreUnreachable) as caught:
            await secrets.write_secret("client-secret", "s3cret")
        with pytest.raises(StoreUnreachable, match="403"):
            await secrets.delete_secret("client-secret")
        assert "s3cret" not in str(caught.value)
        assert caught.value.__suppress_context__


def test_a_vault_without_https_is_a_config_mistake() -> None:
    with pytest.raises(ConfigMistake) as caught:
        KeyVaultSecrets.connect("http://vault", Identity())
    assert caught.value.field == "KEY_VAULT_URL"


class Identity:
    """A credential as azure-identity's are."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken("token", 4_000_000_000)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Loopback(AioHttpTransport):
    """Takes requests for the vault to a server on this machine: the library itself insists on https."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def send(self, request: Any, **options: Any) -> Any:
        meant = request.url
        request.url = meant.replace("https://sync-test.vault.azure.net", f"http://127.0.0.1:{self._port}")
        try:
            return await super().send(request, **options)
        finally:
            request.url = meant  # the challenge is answered with the same request, and that must be https again


@asynccontextmanager
async def key_vault(refuses: bool = False) -> AsyncIterator[tuple[KeyVaultSecrets, dict[str, str]]]:
    """A vault that challenges, answers 404 for what it does not hold, and can refuse; and what it holds."""
    held: dict[str, str] = {}

    async def answer(request: web.Request) -> web.Response:
        if "Authorization" not in request.headers:
            tenant = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001"
            challenge = f'Bearer authorization="{tenant}", resource="https://vault.azure.net"'
            return web.json_response({}, status=401, headers={"WWW-Authenticate": challenge})
        name = request.match_info["name"]
        if refuses:
            return web.json_response({"error": {"code": "Forbidden", "message": "no"}}, status=403)
        if request.method == "PUT":
            held[name] = (await request.json())["value"]
        if request.method == "DELETE" and name in held:
            deleted = f"https://sync-test.vault.azure.net/deletedsecrets/{name}"
            body = {"id": f"https://sync-test.vault.azure.net/secrets/{name}", "recoveryId": deleted, "attributes": {}}
            del held[name]
            return web.Response(text=json.dumps(body), content_type="application/json")
        if name not in held:
            return web.json_response({"error": {"code": "SecretNotFound", "message": "none"}}, status=404)
        body = {"value": held[name], "id": f"https://sync-test.vault.azure.net/secrets/{name}/1", "attributes": {}}
        return web.Response(text=json.dumps(body), content_type="application/json")

    app = web.Application()

    async def deleted(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = {"id": f"https://sync-test.vault.azure.net/secrets/{name}", "attributes": {}}
        return web.Response(text=json.dumps(body), content_type="application/json")

    app.router.add_route("*", "/secrets/{name}{version:/?.*}", answer)
    app.router.add_get("/deletedsecrets/{name}", deleted)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    secrets = KeyVaultSecrets(
        SecretClient("https://sync-test.vault.azure.net", Identity(), transport=Loopback(port), retry_total=0)
    )
    try:
        yield secrets, held
    finally:
        await secrets.aclose()
        await runner.cleanup()

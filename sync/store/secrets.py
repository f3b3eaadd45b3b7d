"""Keys and secrets: names for table keys, digests for bases, encryption of what must be readable again, the client secret's place.

Three kinds of keys, from the settings: INDEX_KEY (one, never changed: rows are found by what it makes), DIGEST_KEYS and
ENCRYPTION_KEYS (the first one writes, all of them read). Nothing here writes a key, a secret or a plain text to a
disk, a log or an exception. Azure's packages are imported by `KeyVaultSecrets.connect`, not by this module.
"""

from __future__ import annotations

import asyncio
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error, b2a_base64
from collections.abc import Sequence
from hmac import compare_digest
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from sync.errors import ConfigMistake
from sync.store.base import StoreUnreachable

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.keyvault.secrets.aio import SecretClient

Keys: TypeAlias = Sequence[tuple[str, bytes]]
KEY_BYTES = 32
NONCE_BYTES = 12
PATIENCE = 20.0
"""Seconds until a key vault has deleted a secret; a few are usual."""
DIGEST_BYTES = 16  # 128 bits, 22 characters: a link holds some eighty of them in one property
ONE = "32 random bytes in base64url (43 characters)"
LIST = f"id:key pairs with commas between them, the first one writes; an id is 1 to 16 letters or digits, a key {ONE}"
_ID = re.compile("[A-Za-z0-9]{1,16}")
_TAG = re.compile("[A-Za-z0-9_-]{1,32}")
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_BASE64URL = re.compile("[A-Za-z0-9_-]{43}=?")


class Undecipherable(Exception):
    """A token that cannot be decrypted. `held`: is its key still there? If so it was altered, or belongs to another place (aad)."""

    def __init__(self, key_id: str, *, held: bool) -> None:
        super().__init__(
            "altered, or not of this place" if held else f"encrypted with key {key_id!r}, which is not held"
        )
        self.key_id, self.held = key_id, held


class Sealing(Protocol):
    """What is needed of the keyring."""

    def encrypt(self, text: str, aad: str) -> str: ...

    def decrypt(self, token: str, aad: str) -> str: ...


class Keyring:
    """All keys of the engine. Implements `sync.merge.Digests`. Safe to share between tasks and threads."""

    def __init__(self, index_key: bytes, digest_keys: Keys, encryption_keys: Keys) -> None:
        # The label keeps the purposes apart even if somebody used one key for several.
        self._index = _keyed(index_key, b"index\0")
        self._digests = {id_: _keyed(key, b"digest\0") for id_, key in digest_keys}
        self._ciphers = {id_: AESGCM(key) for id_, key in encryption_keys}
        self.digest_key, self._cipher_id = digest_keys[0][0], encryption_keys[0][0]

    @classmethod
    def from_settings(cls, index_key: str, digest_keys: str, encryption_keys: str) -> Keyring:
        """From the texts of INDEX_KEY, DIGEST_KEYS, ENCRYPTION_KEYS. Raises ConfigMistake, which never carries a value."""
        return cls(
            _key("INDEX_KEY", index_key.strip(), ONE),
            _keys("DIGEST_KEYS", digest_keys),
            _keys("ENCRYPTION_KEYS", encryption_keys),
        )

    def __repr__(self) -> str:
        return f"Keyring(digest keys {list(self._digests)}, encryption keys {list(self._ciphers)})"

    def index(self, text: str) -> str:
        """The name of `text` in a table key: the same for ever, and nobody reads the text from it. Callers fold the case."""
        return _short(_fed(self._index, text))

    def digest(self, link: str, pair: str, version: str, value: str) -> str:
        """`<key id>.<version>.<22 characters>` of a value that a side of a link held in a field pair; of '' without characters: most fields of most
        items are empty, and that a field is empty tells nobody what was in one."""
        if not _TAG.fullmatch(version):
            raise ValueError("a version is 1 to 32 letters, digits, dashes or underscores")
        body = self._body(self.digest_key, link, pair, version, value) if value else ""
        return f"{self.digest_key}.{version}.{body}"

    def matches(self, digest: str, link: str, pair: str, version: str, value: str) -> bool | None:
        """Is `digest` the one of this value? None: it was made with a key or a version that is not ours any more."""
        key_id, _, rest = digest.partition(".")
        made, _, body = rest.rpartition(".")
        if key_id not in self._digests or made != version:
            return None
        if not body:
            return not value
        mine = self._body(key_id, link, pair, version, value)  # also of '': earlier versions digested it, too
        return body.isascii() and compare_digest(mine, body)

    def is_current(self, digest: str) -> bool:
        """Was it made with the key that is written with now? After a rotation what is settled is digested anew."""
        return digest.partition(".")[0] == self.digest_key

    def encrypt(self, text: str, aad: str) -> str:
        """`<key id>.<base64url>`, readable with the same `aad` only: name the place where the token will stand."""
        nonce = os.urandom(NONCE_BYTES)
        plain = text.encode(errors="surrogatepass")
        sealed = self._ciphers[self._cipher_id].encrypt(nonce, plain, _bound(self._cipher_id, aad))
        return f"{self._cipher_id}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, token: str, aad: str) -> str:
        """The text of a token, under any key that is held. Raises Undecipherable."""
        key_id, _, body = token.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Undecipherable(key_id[:16], held=False)
        try:
            raw = urlsafe_b64decode(body)
            plain = cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key_id, aad))
        except (InvalidTag, ValueError):  # ValueError: not base64, or too short for a nonce
            raise Undecipherable(key_id, held=True) from None
        return plain.decode(errors="surrogatepass")

    def _body(self, key_id: str, link: str, pair: str, version: str, value: str) -> str:
        # Lengths first: else ("ab", "c") and ("a", "bc") would be one text.
        framed = f"{len(link)}.{len(pair)}.{len(version)}.{link}{pair}{version}{value}"
        return _short(_fed(self._digests[key_id], framed)[:DIGEST_BYTES])


def _keyed(key: bytes, purpose: bytes) -> HMAC:
    keyed = HMAC(key, SHA256())
    keyed.update(purpose)
    return keyed


def _fed(keyed: HMAC, text: str) -> bytes:
    """By a copy of a keyed context (quicker than keying anew). Half surrogate pairs from a server's JSON are no reason to fail."""
    fresh = keyed.copy()
    fresh.update(text.encode(errors="surrogatepass"))
    return fresh.finalize()


def _short(raw: bytes) -> str:
    # as urlsafe_b64encode, in half the time
    return b2a_base64(raw, newline=False).translate(_URLSAFE).decode().rstrip("=")


def _bound(key_id: str, aad: str) -> bytes:
    return f"{key_id}\0{aad}".encode(errors="surrogatepass")


def _key(field: str, text: str, expected: str) -> bytes:
    if not _BASE64URL.fullmatch(text):
        raise ConfigMistake(field, expected)
    try:
        key = urlsafe_b64decode(text.rstrip("=") + "=")
    except Error:
        raise ConfigMistake(field, expected) from None
    if len(key) != KEY_BYTES or len(set(key)) == 1:
        raise ConfigMistake(field, expected)
    return key


def _keys(field: str, text: str) -> list[tuple[str, bytes]]:
    keys: list[tuple[str, bytes]] = []
    for part in text.split(","):
        id_, _, key = part.strip().partition(":")
        if not _ID.fullmatch(id_) or id_ in dict(keys):
            raise ConfigMistake(field, LIST)
        keys.append((id_, _key(field, key, LIST)))
    return keys


class KeyVaultSecrets:
    """Named secrets in a key vault; names are letters, digits and dashes. Fills `sync.settings_store.Vault`. `aclose` at the end."""

    def __init__(self, client: SecretClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, vault_url: str, credential: AsyncTokenCredential) -> KeyVaultSecrets:
        """The vault at `vault_url`; the credential stays the caller's to close. Raises ConfigMistake."""
        from azure.keyvault.secrets.aio import SecretClient

        if not vault_url.startswith("https://"):
            raise ConfigMistake("KEY_VAULT_URL", "the address of a key vault, https://NAME.vault.azure.net")
        return cls(SecretClient(vault_url, credential, retry_total=3, connection_timeout=10, read_timeout=30))

    async def read_secret(self, name: str) -> str | None:
        """The present value, None when there is none. Raises StoreUnreachable."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            return (await self._client.get_secret(name)).value
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise _unreachable(error) from None

    async def write_secret(self, name: str, value: str) -> None:
        """Set a new value. Raises StoreUnreachable, and then it is unknown which value holds."""
        from azure.core.exceptions import AzureError

        try:
            await self._client.set_secret(name, value)
        except AzureError as error:
            raise _unreachable(error) from None

    async def delete_secret(self, name: str) -> None:
        """Gone already is well. The vault keeps it for its days of soft deletion; the name cannot be written again meanwhile.

        Raises StoreUnreachable.
        """
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            async with asyncio.timeout(PATIENCE):  # the library waits until the vault shows it among the deleted ones
                await self._client.delete_secret(name)
        except ResourceNotFoundError:
            return
        except TimeoutError:
            raise StoreUnreachable("key vault: a deletion that does not end") from None
        except AzureError as error:
            raise _unreachable(error) from None

    async def aclose(self) -> None:
        await self._client.close()


def _unreachable(error: Exception) -> StoreUnreachable:
    """Without the cause: a request's traceback would hold the secret among its frames' values for any tracer that shows them."""
    status = getattr(error, "status_code", None)
    return StoreUnreachable(f"key vault: {status or type(error).__name__}")

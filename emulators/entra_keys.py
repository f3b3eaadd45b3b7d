"""The signing keys of the Entra emulator: RS256, published as a JWKS. Private keys never leave the process."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key


@lru_cache(maxsize=4)
def _generated(number: int) -> RSAPrivateKey:
    """Key `number` of this process; making one costs a tenth of a second, so emulators of one process share them."""
    return generate_private_key(public_exponent=65537, key_size=2048)


class SigningKeys:
    """The present key, and older ones that still verify after `rotate`."""

    def __init__(self) -> None:
        self._private: dict[str, RSAPrivateKey] = {}
        self._current = ""
        self.rotate()

    def rotate(self) -> None:
        """Sign with another key from now on; the old ones stay published."""
        key = _generated(len(self._private))
        self._current = _key_id(key.public_key())
        self._private[self._current] = key

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT signed with the present key."""
        headers = {"kid": self._current, "x5t": self._current}
        return jwt.encode(claims, self._private[self._current], algorithm="RS256", headers=headers)

    async def find(self, kid: str) -> RSAPublicKey | None:
        """The public key of that id, None when unknown (in-process use by the Graph emulator)."""
        key = self._private.get(kid)
        return key.public_key() if key else None

    def jwks(self) -> dict[str, Any]:
        """The document behind jwks_uri."""
        return {"keys": [_jwk(kid, key.public_key()) for kid, key in self._private.items()]}


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _key_id(key: RSAPublicKey) -> str:
    digest = hashlib.sha256(_number(key.public_numbers().n).encode()).digest()
    return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")


def _jwk(kid: str, key: RSAPublicKey) -> dict[str, Any]:
    numbers = key.public_numbers()
    public = {"n": _number(numbers.n), "e": _number(numbers.e)}
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "x5t": kid, **public}

"""Bearer tokens: RS256 signature, audience, life, and what they permit (BEHAVIOUR 1, 9).

The keys come from the Entra emulator, in process or over HTTP; this module never issues a token.
"""

from __future__ import annotations

from typing import Any, Protocol

import httpx
import jwt
from jwt import PyJWKSet

from emulators.corner import Clock
from emulators.graph.errors import unauthorized
from emulators.graph.http import Caller

AUDIENCES = frozenset(
    {"https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"}
)


class KeySource(Protocol):
    """Who knows the public keys."""

    async def find(self, kid: str) -> Any | None:
        """The public key of that id, None when unknown."""


class RemoteKeys:
    """The keys of an Entra emulator at `url`, fetched when an unknown one turns up."""

    def __init__(self, url: str, tenant: str = "common") -> None:
        self._url = f"{url.rstrip('/')}/{tenant}/discovery/v2.0/keys"
        self._keys: dict[str, Any] = {}

    async def find(self, kid: str) -> Any | None:
        """The public key, None when the emulator does not publish it."""
        if kid not in self._keys:
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                answer = (await client.get(self._url)).raise_for_status()
            self._keys = {key.key_id: key.key for key in PyJWKSet.from_dict(answer.json()).keys if key.key_id}
        return self._keys.get(kid)


class TokenCheck:
    """Turns an Authorization header into a `Caller`, or into a 401."""

    def __init__(self, keys: KeySource, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._seen: dict[str, tuple[int, int, Caller]] = {}  # verified tokens: not before, expiry, caller

    def reset(self) -> None:
        """Forget verified tokens."""
        self._seen.clear()

    async def caller(self, header: str | None) -> Caller:
        """The caller of a valid token; 401 InvalidAuthenticationToken otherwise."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("Access token is empty.")
        known = self._seen.get(token) or await self._verify(token)
        now = self._clock.now().timestamp()
        if now >= known[1]:
            raise unauthorized("Lifetime validation failed, the token is expired.")
        if now < known[0] - 300:
            raise unauthorized("Lifetime validation failed, the token is not yet valid.")
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[token] = known
        return known[2]

    async def _verify(self, token: str) -> tuple[int, int, Caller]:
        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
            key = await self._keys.find(kid)
            if key is None:
                raise unauthorized("Signature validation failed: the key is not known.")
            unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            claims = jwt.decode(token, key, algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]
        except jwt.InvalidSignatureError as error:
            raise unauthorized("Signature validation failed.") from error
        except jwt.PyJWTError as error:
            raise unauthorized("CompactToken parsing failed: JWT is not well formed.") from error
        if claims.get("aud") not in AUDIENCES:
            raise unauthorized("Access token validation failure. Invalid audience.")
        if not isinstance(claims.get("exp"), int):
            raise unauthorized("Lifetime validation failed, the token has no expiry.")
        delegated = "scp" in claims
        granted = claims["scp"].split() if delegated else claims.get("roles", [])
        caller = Caller(str(claims.get("appid", "")), frozenset(granted), claims.get("oid") if delegated else None)
        return int(claims.get("nbf", 0)), claims["exp"], caller

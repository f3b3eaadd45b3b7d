"""Entra ID as the platform's sign-in asks it: the authorization code flow with a client secret, and the id token checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from emulators.functions_host.sign_in_config import SignInConfig

SCOPE = "openid profile email"
# Emulators' clocks are moved by tests, and then the token is of another day.
_UNTIMED = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


class SignInFailed(Exception):
    """The provider, or the check of what it said, did not let the person in. The text says why, without personal data."""


@dataclass(slots=True)
class Provider:
    """The one identity provider."""

    config: SignInConfig
    _found: dict[str, Any] = field(default_factory=dict)

    async def login_url(self, redirect_uri: str, state: str, nonce: str) -> str:
        """Where the browser goes to sign in."""
        query = {"response_type": "code", "response_mode": "query", "client_id": self.config.client_id}
        query |= {"redirect_uri": redirect_uri, "scope": SCOPE, "state": state, "nonce": nonce}
        return f"{await self._address('authorization_endpoint')}?{urlencode(query)}"

    async def logout_url(self, back: str) -> str:
        """Where the browser goes to sign out."""
        return f"{await self._address('end_session_endpoint')}?{urlencode({'post_logout_redirect_uri': back})}"

    async def redeem(self, code: str, redirect_uri: str, nonce: str) -> dict[str, Any]:
        """The claims of whoever signed in. Raises SignInFailed."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "scope": SCOPE}
        form |= {"client_id": self.config.client_id, "client_secret": self.config.secret}
        token_endpoint, keys_at = await self._address("token_endpoint"), await self._address("jwks_uri")
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            answer = (await client.post(token_endpoint, data=form)).json()
            if "id_token" not in answer:
                raise SignInFailed(f"the code was refused: {answer.get('error_codes')}")
            keys = jwt.PyJWKSet.from_dict((await client.get(keys_at)).raise_for_status().json())
        return self._checked(str(answer["id_token"]), keys, nonce)

    def _checked(self, token: str, keys: jwt.PyJWKSet, nonce: str) -> dict[str, Any]:
        try:
            key = keys[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self.config.client_id,
                issuer=self.config.issuer,
                options=_UNTIMED,  # type: ignore[arg-type]
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise SignInFailed(f"the id token was refused: {type(error).__name__}") from error
        if claims.get("nonce") != nonce:
            raise SignInFailed("the id token is of another sign-in")
        return claims

    async def _address(self, name: str) -> str:
        """One of the provider's addresses, at the stand-in when there is one."""
        if not self._found:
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                url = self._local(f"{self.config.issuer}/.well-known/openid-configuration")
                self._found = (await client.get(url)).raise_for_status().json()
        return self._local(str(self._found[name]))

    def _local(self, url: str) -> str:
        authority = f"https://{urlsplit(self.config.issuer).netloc}"
        return url.replace(authority, self.config.entra, 1) if self.config.entra else url

"""The session of whoever entered ADMIN_TOKEN in the panel's own sign-in: on a developer's machine, never on Azure (SPEC 7.3).

A browser cannot send a bearer token along with a link, so the page that asks for it leaves a cookie that proves it. A new token ends all
sessions. Pure.
"""

from __future__ import annotations

import hmac

from control.cookies import cookies_of

COOKIE = "vtesync-session"


def session_of(token: str) -> str:
    """The cookie's value: whoever reads it learns nothing about the token."""
    return hmac.new(token.encode(), b"the panel's session", "sha256").hexdigest()


def has_session(cookie_header: str, token: str) -> bool:
    """Does the browser bring back what the sign-in left?"""
    brought = cookies_of(cookie_header).get(COOKIE, "")
    return hmac.compare_digest(brought.encode(errors="surrogatepass"), session_of(token).encode())

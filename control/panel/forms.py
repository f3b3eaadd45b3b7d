"""Forms: their fields, and the token that proves that a page of ours sent them (SPEC 7.3). Pure.

The token is made from a cookie of this browser, the person and a key of ours (signed double submit): a foreign page can neither read nor make it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

COOKIE = "vtesync-form"
FIELD = "form_token"
MEDIA_TYPE = "application/x-www-form-urlencoded"
AGAIN = "secret_again"
"""Says of a form that a secret stood in it, which is to be entered once more."""
OURS = ("same-origin", "none")
MAX_BODY = 512 * 1024
MAX_FIELDS = 2000


class Names(Protocol):
    """What is needed of the keyring."""

    def index(self, text: str) -> str: ...


def token(keys: Names, browser: str, oid: str) -> str:
    """What a form carries. `browser`: the value of the cookie."""
    return keys.index(f"panel|form|{browser}|{oid}")


def read_form(content_type: str, body: bytes) -> dict[str, list[str]] | None:
    """The fields; None = not a form of ours."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE or len(body) > MAX_BODY:
        return None
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None


def began_here(headers: Mapping[str, str], *addresses: str) -> bool:
    """Does the browser say that a page of ours, or the person alone, began this request? `addresses`: other ones of ours.

    `headers` by lower-case name. Older browsers say it by Origin (forms) or Referer (links). Who says nothing is not believed.
    """
    site = headers.get("sec-fetch-site", "")
    if site:
        return site in OURS
    hosts = {headers.get("host", ""), *(_host(each) for each in addresses)} - {""}
    return _host(headers.get("origin") or headers.get("referer", "")) in hosts


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def kept(form: Mapping[str, Sequence[str]], secret: str) -> list[tuple[str, str]]:
    """What was entered, to be sent once more: without its token, and of a secret only that there was one."""
    pairs = [(name, value) for name, values in form.items() if name not in (FIELD, secret) for value in values]
    return [*pairs, (AGAIN, "1")] if any(form.get(secret, ())) and AGAIN not in form else pairs


def from_our_page(headers: Mapping[str, str], form: Mapping[str, list[str]], expected: str) -> bool:
    """Does the form carry its token, and does the browser not say that another site sent it? `headers` by lower-case name."""
    if headers.get("sec-fetch-site", "same-origin") not in OURS:
        return False
    brought = next(iter(form.get(FIELD, ())), "")
    return hmac.compare_digest(brought.encode(errors="surrogatepass"), expected.encode())

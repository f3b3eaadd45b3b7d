"""Cookies as we read and set them. Pure."""

from __future__ import annotations

LANG = "vtesync-lang"
"""The language that was chosen on a page."""


def cookies_of(header: str) -> dict[str, str]:
    """Leniently: a foreign cookie that breaks the rules must not hide ours."""
    parts = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in parts if name}


def cookie(name: str, value: str, path: str, *, secure: bool, seconds: int | None = None) -> str:
    """A Set-Cookie header that scripts cannot read and foreign pages cannot post with. `seconds` None: until the browser closes."""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path={path}{age}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"

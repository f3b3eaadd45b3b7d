"""The page that the popup of a sign-in ends on: one sentence, no data. Pure but for reading its own template."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from control.texts import sentence

if TYPE_CHECKING:
    from jinja2 import Template

STYLE = "body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:34rem;padding:0 1rem;color:#222;background:#fff}h1{font-size:1.25rem}"
SCRIPT = (
    "const good=document.getElementById('outcome').dataset.good==='yes';"
    "new BroadcastChannel('vtesync-connect').postMessage(good?'good':'bad');"
    "if(good)setTimeout(()=>window.close(),4000);"
)
"""Tells the panel, which has the same origin, that it is over; closes the popup when all is well."""


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("outcome.html")


def outcome_page(section: str, code: str, lang: str, *, good: bool) -> str:
    """The page for a word of the table of sentences."""
    return _template().render(
        lang=lang,
        title=sentence("page", "good" if good else "bad", lang),
        text=sentence(section, code, lang),
        code=code,
        good=good,
        style=STYLE,
        script=SCRIPT,
    )

"""Templates to HTML: escaped, with the texts of the one table. Pure but for reading its own templates.

What a template may call: `t(key, name=value)` a text, key being `topic.name`; `tk(key, word)` the text `topic.name.word`; `word("state", key)` a
sentence of the API's sections; `form()` the token of a form; `label(field)` what the page calls a field; `url`, `at`,
`asset`, `here(param=value)`; filters `when` (a moment), `day`, `span`, `number`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control.auth import Person
from control.panel import assets
from control.panel.labels import label
from control.panel.page import HOME, OWN, Refused, at, url
from control.texts import LANGUAGES, sentence, table, text
from control.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Look:
    """What every page knows beside its data: language, own path and query, the menu's entry, who looks (None = nobody yet), the form's token.

    `sign_out`: where one does, '' = nobody is signed in, or nobody can; `told`: what was done just now (`Goto.told`); `live`: the page's script asks.
    """

    lang: str
    path: str
    params: Mapping[str, str]
    topic: str = ""
    person: Person | None = None
    token: str = ""
    sign_out: str = ""
    told: str = ""
    refused: Refused | None = None
    live: bool = False

    def of(self, refused: Refused) -> Look:
        return replace(self, refused=refused)

    @property
    def home(self) -> str:
        """Where whoever looks begins."""
        return HOME if self.person is None or self.person.admin else OWN

    def here(self, **changes: str) -> str:
        """This page again, with other parameters; '' takes one away."""
        kept = {name: value for name, value in self.params.items() if name != "lang"}
        return url(self.path, **{**kept, **changes})

    def said(self) -> str:
        """The sentence about what was done just now, '' = nothing, or none that we know."""
        said, _, number = self.told.partition("~")
        topic, _, key = said.partition(".")
        entry = table().get(f"panel.{topic}", {}).get(f"said_{key}")
        if entry is None:
            return ""
        return entry[self.lang].format(number=number if number.isdecimal() and len(number) < 10 else "0")


def rendered(template: str, data: Mapping[str, object], look: Look) -> str:
    """A page; for its script only what updates by itself: the blocks `live_*` of its template, which then extends `layout`."""
    found = _environment().get_template(template)
    live = [name for name in found.blocks if name.startswith("live_")]
    return found.render(**data, **_helpers(look), layout="live.html" if look.live else "base.html", live=live)


def _helpers(look: Look) -> dict[str, Any]:
    from markupsafe import Markup, escape

    def t(key: str, **values: object) -> str:
        return text(key, look.lang, **values)

    def tk(key: str, word: str, **values: object) -> str:
        return text(f"{key}.{word}", look.lang, **values)

    def word(section: str, key: str) -> str:
        return sentence(section, key, look.lang)

    def called(field: str) -> str:
        return label(field, look.topic, look.lang)

    def form() -> Markup:
        return Markup('<input type="hidden" name="form_token" value="{}">').format(escape(look.token))

    return {
        "t": t, "tk": tk, "word": word, "form": form, "label": called, "look": look, "lang": look.lang, "url": url, "at": at,
        "asset": assets.address, "here": look.here, "languages": LANGUAGES, "product_version": VERSION,
    }  # fmt: skip


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )

    @pass_context
    def when(context: Any, moment: str) -> Markup | str:
        return _when(moment, context["lang"])

    @pass_context
    def day(context: Any, text_: str) -> str:
        return _day(text_, context["lang"])

    @pass_context
    def number(context: Any, count: int) -> str:
        return f"{count:,}".replace(",", "." if context["lang"] == "it" else ",")

    @pass_context
    def span(context: Any, text_: str) -> Markup | str:
        return _span(text_, context["lang"])

    made.filters.update(when=when, day=day, number=number, span=span)
    return made


def _when(moment: str, lang: str) -> Markup | str:
    """A moment in UTC; the script shows it in the browser's own zone. '' = never."""
    from markupsafe import Markup

    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return moment or text("common.never", lang)
    written = found.strftime("%d/%m/%Y %H:%M UTC" if lang == "it" else "%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(found.isoformat(timespec="seconds"), written)


def _span(text_: str, lang: str) -> Markup | str:
    """From when to when something is: two moments, or days, the last one included; of a single day itself."""
    from markupsafe import Markup

    first, _, last = text_.partition("/")
    show = _when if "T" in first else _day
    return (
        Markup("{} - {}").format(show(first, lang), show(last, lang)) if last not in ("", first) else show(first, lang)
    )


def _day(text_: str, lang: str) -> str:
    try:
        found = date.fromisoformat(text_)
    except ValueError:
        return text_
    return found.strftime("%d/%m/%Y") if lang == "it" else found.isoformat()

"""The one table of sentences for people: every cause, reason, flag, state, command and refusal, in Italian and English.

What happened - why - what to do. Code carries only the keys; the Italian labels are the predecessor's. Pure but for reading its own file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

LANGUAGES = ("it", "en")
_FILE = Path(__file__).with_name("texts.json")
_PAGES = Path(__file__).parent / "panel" / "texts"

_WEIGHT = re.compile(r"q=([01](?:\.\d{0,3})?)", re.ASCII)

Table = Mapping[str, Mapping[str, Mapping[str, str]]]


@lru_cache(maxsize=1)
def table() -> Table:
    """Section -> key -> language (and `mend`: the command that helps). The pages' texts have a file for each topic: section `panel.<topic>`."""
    loaded: dict[str, Mapping[str, Mapping[str, str]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    for path in sorted(_PAGES.glob("*.json")):
        loaded[f"panel.{path.stem}"] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def language(asked: str, accepted: str = "", kept: str = "") -> str:
    """The language to answer in: as asked, else as `kept` from before, else the one that the browser likes best and we speak, else English."""
    wanted = [asked, kept, *sorted(filter(_weight, accepted.split(",")), key=_weight, reverse=True)]
    codes = [text.strip().lower()[:2] for text in wanted]
    return next((code for code in codes if code in LANGUAGES), "en")


def _weight(part: str) -> float:
    """How much a browser likes a language (`en;q=0.8`), 0 = not at all."""
    _, _, weight = part.partition(";")
    found = _WEIGHT.fullmatch(weight.replace(" ", ""))
    return float(found[1]) if found else 1.0


def sentence(section: str, key: str, lang: str) -> str:
    """The sentence; a key that the table lacks (an id of an older version in the store) is shown as it is."""
    return table()[section].get(key, {}).get(lang, key)


def expectation(expected: str, lang: str, values: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a value should be: the sentence of a key; what is no key is the sentence itself."""
    if expected not in table()["expected"]:
        return expected
    words = {name: value.replace(" or ", ", ") for name, value in values.items()}  # pydantic joins a list in English
    return sentence("expected", expected, lang).format(**words)


def text(key: str, lang: str, **values: object) -> str:
    """A text of the pages, by `topic.key`. Raises KeyError for one that the table lacks: a test sees to it that none does."""
    topic, _, name = key.partition(".")
    found = table()[f"panel.{topic}"][name][lang]
    return found.format(**values) if values else found


def mending(section: str, key: str) -> str:
    """The one command that mends it: a key of `command`."""
    return table()[section].get(key, {}).get("mend", "none")

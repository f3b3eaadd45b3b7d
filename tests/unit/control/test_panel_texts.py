"""The pages' texts: none is missing, none is left over, each has its Italian and its English."""

from __future__ import annotations

import re
from pathlib import Path

from control.texts import table

PANEL = Path(__file__).resolve().parents[3] / "control" / "panel"
SOURCES = [*PANEL.rglob("*.html"), *PANEL.glob("*.py")]
WHOLE = re.compile(r"""(?<![.\w])(?:t|text)\(\s*"([\w.-]+)\"""")
PART = re.compile(r"""\btk\(\s*"([\w.-]+)\"""")
OF_A_FORM = {"settings.choice"}
"""Beginnings that `fields.html` builds: a form's topic and `choice`."""
SAID = re.compile(r"""said=(?:[^"\n]*)"([\w.-]+)\"""")


def used() -> tuple[set[str], set[str]]:
    """Keys that are named whole, and the beginnings of those that end in a word that is known at run time only."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    said = {re.sub(r"\.([^.]+)$", r".said_\1", key) for key in SAID.findall(source)}
    return set(WHOLE.findall(source)) | said, set(PART.findall(source)) | OF_A_FORM


def known() -> set[str]:
    return {
        f"{section.removeprefix('panel.')}.{key}"
        for section, keys in table().items()
        if section.startswith("panel.")
        for key in keys
    }


def test_no_text_is_missing() -> None:
    whole, parts = used()
    assert len(whole) > 10, "the search itself must work"
    assert whole <= known()
    assert all(any(key.startswith(f"{part}.") for key in known()) for part in parts)


def test_no_text_is_left_over() -> None:
    whole, parts = used()
    assert {key for key in known() - whole if not key.startswith(tuple(f"{part}." for part in parts))} == set()


NAMES = {
    "ADMIN",
    "TOKEN",
    "vtenext",
    "Exchange",
    "doctype",
    "html",
    "Microsoft",
    "UTC",
    "Cron",
    "Jobs",
    "Last",
    "Run",
    "ExchangeControlCron",
}
"""Proper names, and the predecessor's words that are English in its Italian page too."""


def test_templates_say_nothing_by_themselves() -> None:
    for path in PANEL.rglob("*.html"):
        source = re.sub(r"{% set \w+ %}.*?{% endset %}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        source = re.sub(r"{[{%#].*?[}%#]}", "", source, flags=re.DOTALL)
        shown = re.sub(r"<[^>]*>", " ", source)
        assert set(re.findall(r"[A-Za-z]{3,}", shown)) - NAMES == set(), path.name

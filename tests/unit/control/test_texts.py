"""Every word that code can say has a sentence in both languages, and every mending command is one that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from control.api import ENDPOINTS
from control.texts import LANGUAGES, language, mending, sentence, table
from mapping.advice import Advice
from mapping.rules import Wrong
from sync import connecting
from sync.connecting import CONNECT, CONSENT
from sync.consent import ADMIN, POPUP
from sync.errors import Cause
from sync.model import Flag, Reason
from sync.sides.graph.entra import DECLINED
from sync.store.journal import BEGUN

ROOT = Path(__file__).resolve().parents[3]
ALIKE = {
    "kill",
    "no",
    "language.it",
    "language.en",
    "label.client_id",
    "label.client_secret",
    "label.tenant_id",
    "label.sync_start",
    "label.to_crm",
    "label.to_mailbox",
}
"""What both languages call by one word, and the predecessor's labels that are English in Italian too."""
STATES = ("running", "killed", "error", "stopped", "paused", "ok", "retrying", "disabled", "leaving", "removed")


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("cause", [*(cause.value for cause in Cause), "reconnect"]),
        ("reason", [reason.value for reason in Reason]),
        ("flag", [flag.value for flag in Flag]),
        ("state", STATES),
        ("audit", [*(each.name for each in ENDPOINTS if each.changes or each.noted), CONNECT, CONSENT]),
        ("mapping", [*(wrong.value for wrong in Wrong), *(each.value for each in Advice)]),
    ],
)
def test_exactly_the_words_that_exist_have_sentences(section: str, keys: list[str]) -> None:
    assert set(table()[section]) == set(keys)


def test_exactly_what_a_history_can_say_was_done_has_a_word() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sync").rglob("*.py"))
    said = set(re.findall(r'\bhistory\(\s*\w+,\s*[\w.]+,\s*f?"(\w+)', source)) | {BEGUN}
    assert len(said) > 4, "the search itself must work"
    assert said == set(table()["did"])


def test_exactly_the_outcomes_of_connecting_have_sentences() -> None:
    names = ("sync/connecting.py", "sync/store/states.py", "sync/sides/graph/entra.py")
    source = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    said = set(re.findall(r'(?:Outcome|StateRefused|Declined)\("(\w+)"', source)) | set(DECLINED.values())
    said |= {value for name, value in vars(connecting).items() if name.isupper() and isinstance(value, str)}
    assert len(said) > 15, "the search itself must work"
    assert said - {connecting.CONNECT, connecting.CONSENT, ADMIN, POPUP} == set(table()["outcome"])


def test_both_languages_say_something_of_their_own() -> None:
    for section, entries in table().items():
        for key, texts in entries.items():
            assert all(len(texts[lang]) > 1 for lang in LANGUAGES), (section, key)
            assert texts["it"] != texts["en"] or key in ALIKE, (section, key)


def test_mending_commands_exist() -> None:
    for section in ("cause", "state"):
        for key, texts in table()[section].items():
            assert texts["mend"] in table()["command"], (section, key)
    assert mending("cause", "folder_deleted") == "restore-state"


def test_refusals_have_sentences() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for folder in ("sync", "control") for path in (ROOT / folder).rglob("*.py")
    )
    said = set(re.findall(r'(?<![\w.])(?:NotNow|problem|Denied)\((?:\d+, )?"(\w+)"', sources))
    assert len(said) > 8, "the search itself must work"
    assert {code for code in said if code.islower()} <= set(table()["error"])  # others are servers' codes


def test_the_labels_of_the_predecessor() -> None:
    labels = [sentence("command", key, "it").upper() for key in ("kill", "restore-state", "restore-attempts")]
    assert labels == ["KILL", "RIPRISTINA STATO", "RIPRISTINA TENTATIVI"]


@pytest.mark.parametrize(
    ("asked", "accepted", "answer"),
    [
        ("it", "en", "it"),
        ("", "it-IT,it;q=0.9,en;q=0.8", "it"),
        ("de", "fr,de", "en"),
        ("", "", "en"),
        ("EN", "it", "en"),
        ("", "de;q=0.9,it;q=0.1,en;q=0.8", "en"),
        ("", "en;q=0, it;q=0.2", "it"),
        ("", "it;q=x, en ; q=0.5", "it"),
    ],
)
def test_language(asked: str, accepted: str, answer: str) -> None:
    assert language(asked, accepted) == answer


def test_a_language_that_was_chosen_before_is_kept() -> None:
    found = [language(asked, accepted, "it") for asked, accepted in (("", "en"), ("en", "it"), ("xx", "en"))]
    assert found == ["it", "en", "it"]


def test_an_unknown_word_is_shown_as_it_is() -> None:
    assert sentence("cause", "of_an_older_version", "it") == "of_an_older_version"
    assert mending("cause", "of_an_older_version") == "none"

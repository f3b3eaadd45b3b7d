"""What a refused value should be is said in both languages: of every error that our models can raise, and of every one that commands do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from control.api import ENDPOINTS
from control.panel.labels import LABELS, label
from control.panel.settings_form import ENTRIES
from control.texts import LANGUAGES, expectation, table
from sync import settings
from sync.groups import GroupChange
from sync.settings import Settings, mistake_of
from sync.users import UserChange

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [*(ROOT / "sync").glob("*.py"), *(ROOT / "control").rglob("*.py")]
OF_A_NODE: Mapping[str, tuple[str, ...]] = {
    "str": ("string_type", "string_unicode"),
    "int": ("int_type", "int_from_float", "int_parsing", "int_parsing_size"),
    "bool": ("bool_type",),
    "date": ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
    "enum": ("enum",),
    "literal": ("literal_error",),
    "list": ("list_type",),
    "tuple": ("tuple_type",),
    "model": ("model_type", "model_attributes_type"),
    "model-fields": ("missing", "extra_forbidden"),
    "model-field": (),
    "default": (),
    "nullable": (),
    "function-after": (),  # ours: `wrong(...)`
    "definitions": (),
    "definition-ref": (),
}
"""Kind of a part of a model -> the errors that pydantic raises for it. A kind that is not here fails the test: look its errors up."""
OF_A_LIMIT: Mapping[tuple[str, str], str] = {
    ("str", "min_length"): "string_too_short",
    ("str", "max_length"): "string_too_long",
    ("str", "pattern"): "string_pattern_mismatch",
    ("int", "ge"): "greater_than_equal",
    ("int", "le"): "less_than_equal",
    ("list", "max_length"): "too_long",
    ("tuple", "max_length"): "too_long",
}
LIMITS = {"min_length", "max_length", "pattern", "ge", "le", "gt", "lt", "multiple_of", "fail_fast"}
ELSEWHERE = {"json_invalid", "too_much"}
"""Raised for the settings as a whole, and by the store."""


def models() -> set[type[BaseModel]]:
    """Everything that comes from people."""
    asked = {each for endpoint in ENDPOINTS for each in (endpoint.body, endpoint.query) if each is not None}
    return {*asked, Settings, settings._Secret, UserChange, GroupChange}


def nodes(schema: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("type"), str):
            yield schema
        for key, inner in schema.items():
            if key not in ("metadata", "serialization", "default", "cls", "config", "function"):
                yield from nodes(inner)
    elif isinstance(schema, (list, tuple)):
        for inner in schema:
            yield from nodes(inner)


def errors_of_models() -> set[str]:
    found: set[str] = set()
    for model in models():
        for node in nodes(model.__pydantic_core_schema__):
            kind = str(node["type"])
            found |= set(OF_A_NODE[kind])
            found |= {OF_A_LIMIT[kind, limit] for limit in LIMITS & node.keys()}
    return found


def said_by_us() -> set[str]:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    named = re.findall(r'ConfigMistake\(\s*[^,()]+(?:\([^()]*\)|\[[^\]]*\]|\.\w+)*[^,()]*,\s*"(\w+)"', source)
    return {*named, *re.findall(r'\bwrong\("(\w+)"', source), *re.findall(r'\bexpectation\("(\w+)"', source)}


def test_each_error_has_its_sentence_and_there_is_none_besides() -> None:
    assert len(errors_of_models()) > 15, "the walk itself must work"
    assert len(said_by_us()) > 20, "the search itself must work"
    assert errors_of_models() | said_by_us() | ELSEWHERE == set(table()["expected"])


def test_no_sentence_for_people_is_left_in_what_they_can_get_wrong() -> None:
    paths = [ROOT / "sync" / "settings.py", ROOT / "sync" / "users.py", ROOT / "sync" / "groups.py"]
    paths += [*(ROOT / "sync").glob("*commands.py"), *(ROOT / "control" / "endpoints").glob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    assert re.findall(r'ConfigMistake\([^)\n]*, f?"[^"\n]* [^"\n]*"', source) == []
    assert re.findall(r'ValueError\(\s*"', source) == []


WRONG: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (Settings, {"horizon_days": 3}),
    (Settings, {"horizon_days": 3000}),
    (Settings, {"horizon_days": "x"}),
    (Settings, {"horizon_days": 8.5}),
    (Settings, {"sync_start": "1970"}),
    (Settings, {"private_events": "never"}),
    (Settings, {"server_name": "acme.example"}),
    (Settings, {"admin_user": "x"}),
    (Settings, {"folder_name": " x"}),
    (Settings, {"folder_name": "x" * 201}),
    (Settings, {"allow_list": ["a"] * 10_001}),
    (Settings, {"allow_list": [""]}),
    (Settings, {"contact_target": "admin"}),
    (Settings, {"crm_contact_invitees": True}),
    (Settings, {"kinds": {"contact": {"to_crm": 7}}}),
    (Settings, {"nothing": 1}),
    (UserChange, {"colour": "red"}),
    (GroupChange, {"members": "x"}),
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("model", "body"), WRONG, ids=str)
def test_a_sentence_is_filled_with_what_the_error_knows(
    model: type[BaseModel], body: dict[str, Any], lang: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(body), strict=True)
    mistake = mistake_of(caught.value)
    said = expectation(mistake.expected, lang, mistake.values)
    assert mistake.field
    assert said != mistake.expected
    assert not re.search(r"[{}]", said.replace("{3}", ""))
    assert lang == "en" or " or " not in said


def test_every_sentence_knows_no_more_than_its_error() -> None:
    known = {"min_length", "max_length", "pattern", "ge", "le", "expected", "new"}
    for key, texts in table()["expected"].items():
        asked = [set(re.findall(r"{(\w+)}", texts[lang])) for lang in LANGUAGES]
        assert asked[0] == asked[1] <= known, key


def test_fields_are_called_as_the_pages_call_them() -> None:
    assert label("horizon_days", "settings", "it") == "Serie: giorni in avanti"
    assert label("kinds.event.winner", "settings", "it") == "Sincronizzazione eventi: Modificati entrambi: chi vince"
    assert label("allow_list.3", "settings", "en") == "Only these mailboxes, row 4"
    assert label("pairs.2", "mapping", "it") == "riga 3"
    assert label("pairs.2.mode", "mapping", "it") == "riga 3, Quando"
    assert label("pairs.0.crm", "mapping", "en") == "row 1, vtenext"
    assert label("folder", "", "it") == "Rubrica (cartella contatti)"
    assert label("members.1", "groups", "it") == "Membri, riga 2"
    assert label("of_a_later_version", "users", "it") == "of_a_later_version"


def test_every_field_of_the_forms_has_a_label_in_both_languages() -> None:
    for lang in LANGUAGES:
        for topic, fields in {**LABELS, "settings": dict.fromkeys(ENTRIES, "")}.items():
            for name in fields:
                assert label(name, topic, lang), (topic, name)

"""The mapping against recorded answers of a real vtenext: what was sent says the same as what was read back.

Every successful write of a contact or account in the recordings is replayed through the translators. The list is explicit, and must be
complete: a recording that is added, emptied or renamed makes a test fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mapping.companies import COMPANIES
from mapping.contacts import CONTACTS
from mapping.fields import COMPANY_NAME, Field, crm_catalog, default_lengths
from mapping.model import FieldType, Translator
from mapping.normalise import image, kept, normalise, sendable
from mapping.rules import translator

DATA = Path(__file__).resolve().parents[1] / "data" / "vtenext"

WRITES = {
    "rest-accounts-crud.json": 2,
    "rest-contacts-crud.json": 3,
    "ws-accounts-crud.json": 4,
    "ws-contacts-crud.json": 4,
    "ws-contacts-encoding.json": 1,
    "ws-custom-fields.json": 1,
    "ws-reference-errors.json": 1,
    "ws-users-deactivate.json": 1,
    "ws-workflow-on-create.json": 1,
}
"""Recording -> number of successful writes of contacts and accounts in it."""

TEXTS = {
    FieldType.TEXT,
    FieldType.MULTILINE,
    FieldType.EMAIL,
    FieldType.PHONE,
    FieldType.URL,
    FieldType.CHOICE,
    FieldType.DATE,
}
MODULES = {"4": "Contacts", "3": "Accounts"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One write and the answer."""

    name: str
    module: str
    sent: Mapping[str, str]
    answer: Mapping[str, str]


def exchanges(path: Path) -> Iterator[Exchange]:
    recording = json.loads(path.read_text(encoding="utf-8"))
    for number, step in enumerate(recording.get("steps") or [recording]):
        body = step["response"].get("body")
        given = step["request"].get("form") or step["request"].get("json") or {}
        element = (given.get("element") or given.get("columns")) if isinstance(given, dict) else None
        if not isinstance(element, str) or not isinstance(body, dict):
            continue
        answer = body.get("result") or body.get("data")
        if not isinstance(answer, dict) or not (body.get("success") or body.get("status") == 200):
            continue
        module = MODULES.get(str(answer.get("id", "")).partition("x")[0])
        if module:
            sent = {name: value for name, value in json.loads(element).items() if isinstance(value, str)}
            yield Exchange(f"{path.name}#{number}", module, sent, answer)


@cache
def catalog(module: str) -> Mapping[str, Field]:
    describe: dict[str, Any] = json.loads((DATA / f"describe-{module}.json").read_text(encoding="utf-8"))["result"]
    return crm_catalog(describe, default_lengths(module))


@cache
def translator_of(module: str) -> Translator:
    return translator(CONTACTS if module == "Contacts" else COMPANIES, catalog(module))


ALL = [each for name in WRITES for each in exchanges(DATA / "transcripts" / name)]


@pytest.mark.parametrize(("name", "writes"), WRITES.items())
def test_every_listed_recording_holds_its_writes(name: str, writes: int) -> None:
    assert len(list(exchanges(DATA / "transcripts" / name))) == writes


def test_no_recording_is_left_out() -> None:
    found = {path.name for path in (DATA / "transcripts").glob("*.json") if any(exchanges(path))}
    assert found == set(WRITES)


@pytest.mark.parametrize("exchange", ALL, ids=lambda each: each.name)
def test_what_was_sent_says_the_same_as_what_was_read_back(exchange: Exchange) -> None:
    each = translator_of(exchange.module)
    sent, read = each.crm_values(exchange.sent), each.crm_values(exchange.answer)
    assert sent or exchange.name.startswith("ws-reference-errors")  # that one sends a reference only
    assert {pair: read[pair] for pair in sent} == sent
    assert {pair: each.image(pair, read[pair]) for pair in sent} == {
        pair: each.image(pair, sent[pair]) for pair in sent
    }


@pytest.mark.parametrize("exchange", ALL, ids=lambda each: each.name)
def test_what_we_would_send_is_held_as_we_say(exchange: Exchange) -> None:
    """Rendered from the values that were sent, the fields are those that were sent, and `held` is what was read back."""
    each = translator_of(exchange.module)
    values = {pair: value for pair, value in each.crm_values(exchange.sent).items() if value}
    rendered = each.render_crm(values, None, {})
    assert rendered.refused == frozenset()
    assert {name: exchange.sent[name] for name in rendered.fields} == rendered.fields
    read = each.crm_values(exchange.answer)
    assert {pair: read[pair] for pair in rendered.held} == rendered.held


@pytest.mark.parametrize("exchange", ALL, ids=lambda each: each.name)
def test_writing_again_what_was_read_back_changes_nothing(exchange: Exchange) -> None:
    each = translator_of(exchange.module)
    current = {**exchange.answer, COMPANY_NAME: ""}
    sent = each.crm_values(exchange.sent)
    assert each.render_crm(sent, current, {}).fields == {}
    assert each.render_crm(each.crm_values(current), current, {}).fields == {}


@pytest.mark.parametrize("exchange", ALL, ids=lambda each: each.name)
def test_every_text_field_custom_ones_too(exchange: Exchange) -> None:
    for name, value in exchange.sent.items():
        field = catalog(exchange.module).get(name)
        if field and field.type in TEXTS and field.writable:
            limit = field.max_length
            assert image(field.type, exchange.answer[name], limit) == image(field.type, value, limit), name


def test_the_losses_of_text_as_recorded() -> None:
    """Cut at 100 and an emoji as four question marks: recorded on an event, whose columns are of the same kinds."""
    recording = json.loads((DATA / "transcripts" / "ws-events-no-validation.json").read_text(encoding="utf-8"))
    sent = json.loads(recording["request"]["form"]["element"])
    answer = recording["response"]["body"]["result"]
    columns = json.loads((DATA / "field-lengths.json").read_text(encoding="utf-8"))["modules"]["Events"]
    assert len(sent["subject"]) > len(answer["subject"])
    for name in ("subject", "location"):
        limit = columns[name]["max_chars"]
        assert kept(sent[name], limit) == sendable(sent[name], limit) == answer[name]


def test_dates_as_recorded() -> None:
    empty = [each.answer["birthday"] for each in ALL if each.module == "Contacts"]
    assert "" in empty
    assert "1990-12-31" in empty
    assert {normalise(FieldType.DATE, value) for value in empty} == {"", "1990-12-31"}

"""The mapping editor over HTTP: read, check, try, save over what was read; sentences in both languages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control.texts import table
from mapping.rules import MOST_PAIRS
from sync.model import Kind
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import ANNA, World

CONTACT = {"id": "contact"}


@pytest.fixture
async def api() -> Api:
    api = Api(World())
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    return api


async def pairs(api: Api, **moved: str) -> list[dict[str, Any]]:
    """The mapping in force, with some fields moved on the card."""
    _, shown = await api.ask("mapping", **CONTACT)
    return [{**pair, "mailbox": moved.get(pair["crm"], pair["mailbox"])} for pair in shown["pairs"]]


async def test_an_admin_changes_a_mapping(api: Api) -> None:
    read = await api.raw("mapping", HEADERS, route=CONTACT)
    assert (read.status_code, read.headers["ETag"]) == (200, '"0"')
    shown = json.loads(read.get_body())
    assert {"crm": "mobile", "mailbox": "mobilePhone", "direction": "both", "mode": "always"} in shown["pairs"]
    email = next(field for field in shown["mailbox"] if field["name"] == "emailAddresses#2")
    assert (email["label_it"], email["type"]) == ("Indirizzo e-mail 2", "email")
    assert "emailAddresses#2" in shown["unmapped_mailbox"]
    moved = {"pairs": await pairs(api, mobile="homePhones#2"), "stamp_field": "cf_m365_id"}
    status, checked = await api.ask("mapping_check", moved, **CONTACT)
    assert (status, checked["problems"]) == (200, [])
    raw = await api.raw("mapping_put", {**HEADERS, "If-Match": '"0"'}, json.dumps(moved).encode(), route=CONTACT)
    assert (raw.status_code, raw.headers["ETag"]) == (200, '"1"')
    saved = json.loads(raw.get_body())
    assert (saved["saved_version"], saved["saved_by"], saved["stamp_field"]) == (1, "token", "cf_m365_id")
    late = await api.raw("mapping_put", {**HEADERS, "If-Match": '"0"'}, json.dumps(moved).encode(), route=CONTACT)
    assert (late.status_code, json.loads(late.get_body())["code"]) == (412, "changed_meanwhile")
    status, progress = await api.ask("resync")
    assert (status, progress["why"], progress["mailboxes"], progress["done"]) == (200, "mapping", 1, 0)


async def test_what_is_wrong_is_said_in_both_languages(api: Api) -> None:
    body = {"pairs": await pairs(api, email="birthday")}
    for lang, words in (("en", "fields of different type cannot be paired"), ("it", "campi di tipo differente")):
        _, checked = await api.ask("mapping_check", body, lang=lang, **CONTACT)
        problem, *_ = checked["problems"]
        assert (problem["code"], problem["pair"]) == ("different_types", "email~birthday")
        assert words in problem["sentence"]
        assert all(name in problem["sentence"] for name in ("email", "birthday", "date"))
        status, refused = await api.ask("mapping_put", body, lang=lang, **CONTACT)
        assert (status, refused["code"], refused["field"]) == (400, "bad_value", "email~birthday")
        assert words in refused["reason"]
        assert (await api.ask("mapping_preview", body, lang=lang, **CONTACT))[0] == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "pairs"),
        ({"pairs": [{"crm": "email"}]}, "pairs.0.mailbox"),
        ({"pairs": [{"crm": "email", "mailbox": "surname", "direction": "up"}]}, "pairs.0.direction"),
        ({"pairs": [{"crm": "a", "mailbox": "b"}] * (MOST_PAIRS + 1)}, "pairs"),
        ({"pairs": [], "strategy": "burn"}, "strategy"),
        ({"pairs": [], "confirm": "1"}, "confirm"),
        ({"pairs": [], "version": 1}, "version"),
    ],
)
async def test_what_is_no_mapping_is_refused_by_its_place(api: Api, body: dict[str, Any], field: str) -> None:
    status, refused = await api.ask("mapping_put", body, **CONTACT)
    assert (status, refused["field"]) == (400, field)


async def test_only_people_are_mapped_by_admins(api: Api) -> None:
    for name, body in (("mapping", None), ("mapping_check", {"pairs": []})):
        assert (await api.ask(name, body, id="event"))[0] == 404
    _, fixed = await api.ask("fixed_mappings")
    assert [row["label_it"] for row in fixed["event"]][:3] == ["Data inizio", "Data fine", "Soggetto"]


async def test_a_preview_shows_a_value_and_what_is_given_up_and_is_nowhere_afterwards(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    record = api.world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Trabalzini", "mobile": "+39 777"})
    body = {"pairs": await pairs(api), "record": record.id}
    status, shown = await api.ask("mapping_preview", body, lang="it", **CONTACT)
    assert (status, shown["record"], shown["item"]) == (200, record.id, "")
    mobile = next(pair for pair in shown["pairs"] if pair["crm"] == "mobile")
    assert (mobile["from_crm"]["begins"], mobile["from_crm"]["returns"], mobile["from_mailbox"]) == (
        "+39 777",
        "+39 777",
        None,
    )
    kept = repr(api.world.rows.everything()) + caplog.text
    assert "Trabalzini" not in kept
    assert "777" not in kept
    status, refused = await api.ask("mapping_preview", {**body, "record": "4x9"}, lang="it", **CONTACT)
    assert (status, refused["title"]) == (409, table()["error"]["nothing_to_show"]["it"])

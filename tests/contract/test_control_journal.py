"""The control API's routes about history, journal and what is not settled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.model import Family, Kind, Reason, Side
from sync.store.base import Put
from sync.store.journal import Change, Kept, history_place, put_kept
from sync.store.ledger import MailboxLedger, Pending, put_pending
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import ANNA, ANNAS, World

KEY = "j|2026-03-02T07:00:00+00:00|n1"


@pytest.fixture
async def api() -> Api:
    """Anna's mailbox with one edit in its journal and one item that was given up."""
    api = Api(World())
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    ledger = await MailboxLedger.open(api.world.rows, ANNAS, 0, Family.PEOPLE)
    kept = Kept(KEY, "12x1", "card", Kind.CONTACT, "update", "crm_edited", 7)
    line = {"what": "update", "because": "crm_edited", "pairs": "a~b", "run": 7, "journal": KEY, "item": "card"}
    await ledger.commit(
        [
            put_kept(kept, Change({"crm:a~b": "Rossi"}, {"crm:a~b": "Verdi"}), api.world.keys),
            Put(history_place("12x1", "2026-03-02T07:00:00+00:00", "n1"), line),
            put_pending(Pending(Side.CRM, "12x9", Reason.QUARANTINED, "t", fails=3, cause="400 x", kind="contact")),
        ]
    )
    return api


async def read(api: Api, name: str, **params: str) -> tuple[int, Any]:
    answer = await api.raw(name, HEADERS, params=params)
    return answer.status_code, json.loads(answer.get_body())


async def test_values_are_shown_on_request_only_and_that_is_noted(api: Api) -> None:
    status, listed = await read(api, "history", mailbox=ANNAS, family="people", id="12x1")
    (line,) = listed["lines"]
    assert (status, line["what"], line["pairs"], "Rossi" in json.dumps(listed)) == (200, "update", ["a~b"], False)
    api.world.pass_time(1)
    status, values = await api.ask("journal_values", id=line["values"])
    assert (status, values["before"], values["after"]) == (200, {"crm:a~b": "Rossi"}, {"crm:a~b": "Verdi"})
    _, audit = await api.ask("audit")
    assert (audit["audit"][0]["what"], audit["audit"][0]["target"]) == ("journal_values", line["values"])
    assert (await api.ask("journal_values", id="x|nothing|j|a|b"))[0] == 404


async def test_a_restore_is_ordered_by_value_and_by_run(api: Api) -> None:
    _, listed = await read(api, "journal_run", mailbox=ANNAS, family="people", run="7")
    (line,) = listed["lines"]
    assert (await api.ask("journal_restore", {"names": ["crm:a~b"]}, id=line["values"])) == (200, {"orders": 1})
    assert (await api.ask("run_restore", {"family": "people", "run": 7}, id=ANNAS)) == (200, {"orders": 1})
    assert (await read(api, "unsettled", mailbox=ANNAS))[1]["orders"] == 2
    _, waiting = await read(api, "orders", mailbox=ANNAS, family="people")
    assert [(order["crm"], order["names"], order["by"]) for order in waiting["orders"]] == [
        ("12x1", ["crm:a~b"], "token"),
        ("12x1", [], "token"),
    ]
    assert (await read(api, "orders", mailbox=ANNAS))[1] == waiting, "of all families"
    assert (await read(api, "orders", mailbox=ANNAS, family="calendar"))[1]["orders"] == []
    assert (await read(api, "orders", mailbox="nobody"))[0] == 404


async def test_given_up_items_are_listed_and_tried_again(api: Api) -> None:
    _, listed = await read(api, "unsettled", mailbox=ANNAS)
    assert [(item["item"], item["cause"], item["fails"]) for item in listed["items"]] == [("12x9", "400 x", 3)]
    assert await api.ask("retry", {"side": "crm", "item": "12x9"}, id=ANNAS) == (200, {"items": 1})
    assert (await read(api, "unsettled", mailbox=ANNAS))[1]["items"] == []
    assert (await api.ask("retry", {}, id=ANNAS))[0] == 404

"""When not even a refusal can be rendered there is still an answer: plain, in both languages, with an id for support."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import azure.functions as func
import pytest
from pydantic import BaseModel

from control.panel import http
from control.panel.page import Page, Refused, View, Visit
from control.panel.render import Look, rendered
from control.texts import LANGUAGES, table
from tests.contract.api_world import HEADERS, Api


class Shapeless(BaseModel):
    """No problem document: refused.html has nothing to say of it."""


class Broken(Exception):
    """Of a template."""


async def refuses(visit: Visit) -> View:
    raise Refused(Shapeless(), 409)


async def shows(visit: Visit) -> View:
    return View("there-is-no-such-template.html")


def broken(template: str, data: Mapping[str, object], look: Look) -> str:
    raise Broken("anna@acme.example")


async def answered(api: Api, page: Page, render: http.Render = rendered) -> func.HttpResponse:
    functions = func.FunctionApp()
    functions.register_functions(
        http.blueprint((page,), api.app.environment, lambda: api.app, api.world.new_id, render)
    )
    found = {each.get_function_name(): each.get_user_function() for each in functions.get_functions()}
    request = func.HttpRequest("GET", "/api/panel/x", headers=HEADERS, body=b"")
    answer: func.HttpResponse = await found[page.name](request)
    return answer


async def test_a_refusal_that_cannot_be_rendered(api: Api) -> None:
    answer = await answered(api, Page("x", "GET", "panel/x", refuses))
    assert answer.status_code == 500


async def test_no_template_can_be_rendered(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "connector"):
        answer = await answered(api, Page("x", "GET", "panel/x", shows), broken)
    text = answer.get_body().decode()
    assert (answer.status_code, answer.mimetype) == (500, "text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for lang in LANGUAGES:
        assert table()["error"]["internal"][lang] in text
    (id_,) = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    assert any(id_ in record.getMessage() and "Broken" in record.getMessage() for record in caplog.records)
    assert "anna@acme.example" not in text + caplog.text


async def test_the_sign_in_is_answered_too(api: Api) -> None:
    functions = func.FunctionApp()
    functions.register_functions(http.blueprint((), api.app.environment, lambda: api.app, api.world.new_id, broken))
    found = {each.get_function_name(): each.get_user_function() for each in functions.get_functions()}
    answer = await found["panel_sign_in_get"](func.HttpRequest("GET", "/api/panel/sign-in", body=b""))
    assert answer.status_code == 500


async def test_a_page_whose_template_fails_is_a_page_still(api: Api) -> None:
    answer = await answered(api, Page("x", "GET", "panel/x", shows))
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert table()["error"]["internal"]["en"] in answer.get_body().decode()

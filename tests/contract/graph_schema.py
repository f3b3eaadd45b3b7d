"""Judges answers of Graph (emulated or real) by the OpenAPI subset: closed schemas, found by method and path.

Not a test: tests of emulators and adapters import `check`. The subset is Microsoft's CSDL, not ours.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_FILE = Path(__file__).parent.parent / "data" / "graph" / "openapi-subset.yaml"
_URI = "urn:openapi-subset"


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(_FILE.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return document


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry()
    known: Registry[Any] = registry.with_resource(_URI, DRAFT202012.create_resource(_document()))
    return known


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Templates as patterns; more literal ones first, so that `delta()` is not taken for an id."""
    ordered = sorted(_document()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))), path) for path in ordered]


def template(path: str) -> str:
    """The path template of a request path (below the version root, without query)."""
    path = re.sub(r"^/users\('([^/]+)'\)", r"/users/\1", path)
    path = re.sub(r"/(microsoft\.graph\.)?delta(\(\))?$", "/delta()", path)
    for pattern, name in _paths():
        if pattern.fullmatch(path):
            return name
    raise AssertionError(f"{path} is not in the subset")


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=_registry())


def _validate(pointer: str, body: Any, where: str) -> None:
    problems = [
        f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in _validator(pointer).iter_errors(body)
    ]
    assert not problems, f"{where}: " + "; ".join(problems[:5])


def check_body(method: str, path: str, status: int, body: Any) -> None:
    """AssertionError unless the subset allows this status with this body for the operation."""
    name = template(path)
    responses = _document()["paths"][name].get(method.lower(), {}).get("responses")
    assert responses is not None, f"{method} {name} is not in the subset"
    where = f"{method} {path} -> {status}"
    if status >= 400:
        _validate("/components/schemas/odata.error", body, where)
        return
    assert str(status) in responses, f"{where}: not a documented status"
    content = responses[str(status)].get("content")
    if content is None:
        assert body is None, f"{where}: a body where none is documented"
        return
    escaped = name.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    pointer = f"/paths/{escaped}/{method.lower()}/responses/{status}/content/application~1json/schema"
    _validate(pointer, body, where)


def check(answer: httpx.Response, root: str = "/v1.0") -> httpx.Response:
    """Judge an HTTP answer, the parts of a batch included; returns it."""
    request = answer.request
    path = request.url.path.removeprefix(root)
    body: Any = answer.json() if answer.content else None
    check_body(request.method, path, answer.status_code, body)
    if path == "/$batch" and answer.status_code == 200:
        sent = {each["id"]: each for each in json.loads(request.content)["requests"]}
        assert sorted(sent) == sorted(each["id"] for each in body["responses"])
        for part in body["responses"]:
            asked = sent[part["id"]]
            part_path = "/" + asked["url"].partition("?")[0].strip("/")
            check_body(asked["method"], part_path, part["status"], part.get("body"))
    return answer


def check_notifications(content: bytes) -> dict[str, Any]:
    """Judge what is POSTed to a notification URL; returns it."""
    body: dict[str, Any] = json.loads(content)
    _validate("/components/schemas/microsoft.graph.changeNotificationCollection", body, "a notification")
    return body


async def judge(answer: httpx.Response) -> None:
    """`check` as a response hook: `httpx.AsyncClient(event_hooks={"response": [judge]})`."""
    await answer.aread()
    check(answer)

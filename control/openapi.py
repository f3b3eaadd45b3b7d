"""The OpenAPI document, made of the endpoints and their models: what is not in it cannot be called, and the reverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from control.endpoint import Call, Endpoint, Guard
from control.problems import MEDIA_TYPE, Problem

Json = dict[str, Any]
TITLE, VERSION = "Control API of the connector vtenext - Microsoft 365", "1"
LANG = "it or en: the language of sentences; else Accept-Language, else English"
ID_PATTERN = r"^[^/\\#?\x00-\x1f\x7f-\x9f]{1,400}$"


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(frozen=True, extra="allow")

    openapi: str


def described(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints, and the one that describes them all."""

    async def openapi(call: Call) -> Document:
        return Document.model_validate(document(everything))

    summary = "This document"
    everything = (
        *endpoints,
        Endpoint("openapi", "GET", "openapi.json", openapi, summary, Document, guard=Guard.PERSON),
    )
    return everything


def document(endpoints: Sequence[Endpoint]) -> Json:
    """OpenAPI 3.1. Times are ISO 8601 UTC; refusals are problem documents."""
    schemas, names = _schemas(endpoints)
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        paths.setdefault(f"/api/{endpoint.route}", {})[endpoint.method.lower()] = _operation(endpoint, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN; elsewhere than on Azure"},
                "entra": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "AppServiceAuthSession",
                    "description": "Sign-in with Entra ID, on Azure",
                },
            },
        },
        "security": [{"token": []}, {"entra": []}],
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[Json, Mapping[tuple[type[BaseModel], str], str]]:
    """The models' schemas, and the place of each: what goes in is described as it is read, what goes out as it is written."""
    inputs = {e.body for e in endpoints if e.body}
    outputs = {m for e in endpoints for m in (e.answer, *e.also.values())} | {Problem}
    wanted: list[Any] = [(model, "validation") for model in sorted(inputs, key=lambda m: m.__name__)]
    wanted += [(model, "serialization") for model in sorted(outputs, key=lambda m: m.__name__)]
    places, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    return definitions.get("$defs", {}), {key: place["$ref"] for key, place in places.items()}  # type: ignore[misc]


def _operation(endpoint: Endpoint, names: Mapping[tuple[type[BaseModel], str], str]) -> Json:
    answers = {endpoint.status: endpoint.answer, **endpoint.also}
    responses: Json = {
        str(status): {
            "description": (model.__doc__ or "").partition("\n")[0],
            "content": {"application/json": {"schema": {"$ref": names[(model, "serialization")]}}},
        }
        for status, model in answers.items()
    }
    for status in _refusals(endpoint):
        content = responses.setdefault(str(status), {"description": "A problem", "content": {}})["content"]
        content[MEDIA_TYPE] = {"schema": {"$ref": names[(Problem, "serialization")]}}
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": responses,
    }
    if endpoint.body:
        schema = {"$ref": names[(endpoint.body, "validation")]}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _refusals(endpoint: Endpoint) -> list[int]:
    statuses = {400, 401, 403, 500, 503}
    if "{id}" in endpoint.route or endpoint.query or endpoint.missing:  # a query may name what is not there
        statuses |= {404}
    if endpoint.changes:
        statuses |= {404, 409, 415}
    if endpoint.versioned:
        statuses |= {412, 428}
    return sorted(statuses)


def _parameters(endpoint: Endpoint) -> list[Json]:
    found: list[Json] = [{"name": "lang", "in": "query", "description": LANG, "schema": {"type": "string"}}]
    if "{id}" in endpoint.route:
        schema = {"type": "string", "pattern": ID_PATTERN}
        found.append({"name": "id", "in": "path", "required": True, "schema": schema})
    if endpoint.versioned:
        about = "the ETag of what was read, or *; for an answer to a hold no *"
        schema = {"type": "string", "pattern": r'^(\*|"?\d{1,9}"?)$'}
        found.append({"name": "If-Match", "in": "header", "required": True, "description": about, "schema": schema})
    if endpoint.query:
        properties = endpoint.query.model_json_schema()["properties"]
        found += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    return found

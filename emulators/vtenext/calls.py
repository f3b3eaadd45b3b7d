"""One request to ``webservice.php``, parsed once: for its label in the corner and for the operation itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from emulators.corner import Scope
from emulators.vtenext import schema, vtql
from emulators.vtenext.state import split_id

_KEY = "vtenext.call"


@dataclass(frozen=True, slots=True)
class Call:
    """Operation, session and the parameters that the operation's verb lets it see (API.md 1.1)."""

    method: str
    operation: str
    session: str
    parameters: dict[str, str]
    address: str

    def text(self, name: str) -> str:
        """A parameter; missing ones are empty, as with the wrong verb (ws-wrong-verb)."""
        return self.parameters.get(name, "")

    def encoded(self, name: str) -> Any:
        """A parameter that is JSON text; what does not parse counts as empty (API.md 1.1)."""
        try:
            return json.loads(self.text(name) or "null")
        except ValueError:
            return None

    def element(self, name: str = "element") -> dict[str, Any]:
        """An encoded parameter that should be an object."""
        value = self.encoded(name)
        return value if isinstance(value, dict) else {}


def call_of(scope: Scope, body: bytes) -> Call:
    """The call of a request; parsed when first asked for and kept in the scope."""
    call = scope.get(_KEY)
    if call is None:
        call = scope[_KEY] = _parse(scope, body)
    return call


def label(scope: Scope, body: bytes) -> str:
    """``METHOD operation module``, the module only where the call names one."""
    if not scope["path"].endswith("/webservice.php"):
        return f"{scope['method']} {scope['path']}"
    call = call_of(scope, body)
    return " ".join(part for part in (call.method, call.operation, _module(call)) if part)


def _parse(scope: Scope, body: bytes) -> Call:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) if body else {}
    operation = (form.get("operation") or query.get("operation", "")).lower()
    verb = schema.operations().get(operation, "GET")
    client = scope.get("client") or ("", 0)
    return Call(
        method=scope["method"],
        operation=operation,
        session=form.get("sessionName") or query.get("sessionName", ""),
        parameters=form if verb == "POST" else query,
        address=client[0],
    )


def _module(call: Call) -> str:
    if call.operation in ("create", "describe", "describe_all"):
        return call.text("elementType")
    if call.operation == "query":
        return vtql.module_in(call.text("query")) or ""
    if call.operation == "vtesync.get_changes":
        return call.text("module")
    full = str(call.element().get("id", "")) if call.operation in ("revise", "update") else call.text("id")
    module, _ = split_id(full)
    return module.name if module else ""

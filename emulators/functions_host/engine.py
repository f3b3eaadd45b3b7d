"""The door to azure-functions-runtime, the engine that Azure itself runs on Python 3.13.

Its API is private, so the version is pinned and everything that knows it is in this file. The engine expects
protobuf classes only while it indexes; plain namespaces do (tried with 1.3.0). It never talks gRPC here.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure_functions_runtime as runtime
from azure_functions_runtime import handle_event, native_invocation
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry

from emulators.functions_host.config import ConfigError
from emulators.functions_host.functions import Function, describe


class _BindingInfo(types.SimpleNamespace):
    out, inout, undefined = 1, 2, 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation gave; `error` is the exception as the engine prints it, None if it went well."""

    value: Datum | None = None
    outputs: tuple[tuple[str, Datum], ...] = ()
    error: str | None = None


def text(value: str) -> Datum:
    """A value that the engine hands on as a string."""
    return Datum(value, "string")


def as_json(value: Any) -> Datum:
    """A value that the engine hands on as JSON."""
    return Datum(json.dumps(value), "json")


def load(app: Path, environment: Mapping[str, str]) -> tuple[Function, ...]:
    """Import function_app.py through the engine and describe its functions.

    Errors of the app's own code pass through with their traceback. Once per process: the engine keeps a registry.
    """
    if not (app / "function_app.py").exists():
        raise ConfigError(f"{app}: there is no function_app.py")
    handle_event.protos = types.SimpleNamespace(
        BindingInfo=_BindingInfo,
        RpcFunctionMetadata=types.SimpleNamespace,
        RpcRetryOptions=types.SimpleNamespace,
    )
    sys.path.insert(0, str(app))
    load_binding_registry()
    runtime.start_threadpool_executor()
    handle_event.load_function_metadata(str(app), "local")
    found = handle_event._metadata_result or ()
    return tuple(describe(one.name, one.function_id, one.raw_bindings, one.retry_options, environment) for one in found)


async def call(
    function: Function,
    invocation_id: str,
    value: Datum,
    metadata: Mapping[str, Datum],
    attempt: int,
) -> Answer:
    """Run a function once. An exception inside it is an Answer with `error`; cancellation passes through."""
    ok, returned, outputs, error, _traceback = await native_invocation.invocation_request_native(
        invocation_id,
        function.id,
        [(function.trigger.parameter, value)],
        dict(metadata),
        retry_count=attempt,
        max_retry_count=function.retry.limit if function.retry else 0,
    )
    if not ok:
        return Answer(error=error or "failed without a word")
    return Answer(value=returned, outputs=tuple(outputs))

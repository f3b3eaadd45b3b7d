"""What host.json and local.settings.json say, checked and typed. No network, no engine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(\.\d+)?")
_SETTING = re.compile(r"%([^%]*)%")


class ConfigError(Exception):
    """The app or its settings cannot be run; the text names the culprit and what is expected."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """host.json extensions.queues; a name there is the camel case of the name here."""

    batch_size: int = 16
    new_batch_size: int = 8
    max_dequeue_count: int = 5
    max_polling_interval: float = 2.0  # the real host's default too, when AZURE_FUNCTIONS_ENVIRONMENT is Development
    visibility_timeout: float = 0.0
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The part of host.json that this host obeys."""

    route_prefix: str = "api"
    function_timeout: float | None = 1800.0
    lock_period: float = 15.0
    queues: QueueOptions = field(default_factory=QueueOptions)


def timespan(text: Any, where: str) -> float:
    """Seconds of a .NET TimeSpan such as 00:05:00, 1.00:00:00 or 00:00:00.5."""
    match = _TIMESPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(f"{where}: expected a duration like 00:00:30, not {text!r}")
    days, hours, minutes, seconds, fraction = match.groups()
    whole = int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + float(fraction or 0)


def _whole(section: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = section.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"host.json {name}: expected a whole number from {low} to {high}, not {value!r}")
    return value


def _span(section: Mapping[str, Any], name: str, default: float) -> float:
    return timespan(section[name], f"host.json {name}") if name in section else default


def _queue_options(section: Mapping[str, Any]) -> QueueOptions:
    batch = _whole(section, "batchSize", 16, 1, 32)
    encoding = section.get("messageEncoding", "base64")
    if encoding not in ("base64", "none"):
        raise ConfigError(f"host.json messageEncoding: expected base64 or none, not {encoding!r}")
    return QueueOptions(
        batch_size=batch,
        new_batch_size=_whole(section, "newBatchSize", batch // 2, 0, 1000),
        max_dequeue_count=_whole(section, "maxDequeueCount", 5, 1, 1000),
        max_polling_interval=_span(section, "maxPollingInterval", 2.0),
        visibility_timeout=_span(section, "visibilityTimeout", 0.0),
        base64=encoding == "base64",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path.name}: is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name}: expected a JSON object")
    return content


def read_host_json(path: Path) -> HostConfig:
    """The options of a host.json; what it does not say has the real host's default."""
    content = _read_json(path)
    if content.get("version") != "2.0":
        raise ConfigError('host.json: "version" must be "2.0"')
    extensions = content.get("extensions", {})
    limit = content.get("functionTimeout", "00:30:00")
    return HostConfig(
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
        function_timeout=None if limit in ("-1", -1) else timespan(limit, "host.json functionTimeout"),
        lock_period=_span(content.get("singleton", {}), "listenerLockPeriod", 15.0),
        queues=_queue_options(extensions.get("queues", {})),
    )


def apply_settings(path: Path, environment: MutableMapping[str, str]) -> None:
    """Put the Values of a local.settings.json into the environment; what is there already wins, as in Core Tools."""
    content = _read_json(path)
    if content.get("IsEncrypted"):
        raise ConfigError(f"{path.name}: encrypted settings are not supported; set IsEncrypted to false")
    values = content.get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigError(f"{path.name}: Values must map names to texts")
    for name, value in values.items():
        environment.setdefault(name, value)


def largest_body(environment: Mapping[str, str]) -> int:
    """Bytes of a request's body that are taken; 413 beyond."""
    name = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
    text = environment.get(name, "104857600")
    if not text.isdecimal():
        raise ConfigError(f"{name}: expected a number of bytes, not {text!r}")
    return int(text)


def resolve(text: str, where: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replace each %NAME% by the setting NAME; other binding expressions ({...}) are refused."""

    def setting(match: re.Match[str]) -> str:
        try:
            return environment[match[1]]
        except KeyError:
            raise ConfigError(f"{where}: %{match[1]}% does not resolve, there is no setting {match[1]!r}") from None

    resolved = _SETTING.sub(setting, text)
    if "{" in resolved:
        raise ConfigError(f"{where}: binding expressions like {resolved!r} are not supported by the local host")
    return resolved


def connection(name: str, where: str, environment: Mapping[str, str] = os.environ) -> str:
    """The connection string behind a binding's `connection`; AzureWebJobsStorage when it names none."""
    name = name or "AzureWebJobsStorage"
    text = environment.get(name) or environment.get(f"AzureWebJobs{name}")
    if not text:
        raise ConfigError(f"{where}: there is no setting {name!r} with the storage connection string")
    return text

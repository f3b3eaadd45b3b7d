"""What the engine says about each function, as typed triggers and outputs. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emulators.functions_host.config import ConfigError, connection, resolve
from emulators.functions_host.schedule import check_schedule


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """An HTTP function: `level` is anonymous, function or admin; no methods = all methods."""

    parameter: str
    route: str
    methods: frozenset[str]
    level: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """A function on an NCRONTAB schedule, its settings resolved."""

    parameter: str
    schedule: str
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """A function that eats messages."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class QueueOutput:
    """A queue that a function writes to; parameter is $return for the returned value."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a failed timer function runs again; limit -1 = for ever."""

    limit: int
    first: float
    longest: float
    exponential: bool

    def delay(self, attempt: int) -> float:
        """Seconds to wait before repetition number `attempt` (from 1)."""
        if not self.exponential:
            return self.first
        return float(min(self.longest, self.first * 2 ** min(attempt - 1, 32)))


Trigger = HttpTrigger | TimerTrigger | QueueTrigger


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app."""

    name: str
    id: str
    trigger: Trigger
    outputs: tuple[QueueOutput, ...]
    retry: Retry | None
    disabled: bool

    @property
    def kind(self) -> str:
        """The word for its trigger in log lines."""
        return {HttpTrigger: "http", TimerTrigger: "timer", QueueTrigger: "queue"}[type(self.trigger)]


def describe(
    name: str, identifier: str, raw_bindings: Sequence[str], retry: Any, environment: Mapping[str, str]
) -> Function:
    """Make a Function of the engine's metadata; ConfigError for a binding that this host does not have."""
    triggers: list[Trigger] = []
    outputs: list[QueueOutput] = []
    for raw in raw_bindings:
        binding = json.loads(raw)
        where = f"function {name}"
        match binding["type"], binding["direction"]:
            case "httpTrigger", "IN":
                triggers.append(_http(binding, name))
            case "timerTrigger", "IN":
                triggers.append(_timer(binding, where, environment))
            case "queueTrigger", "IN":
                triggers.append(QueueTrigger(*_queue(binding, where, environment)))
            case "queue", "OUT":
                outputs.append(QueueOutput(*_queue(binding, where, environment)))
            case "http", "OUT" if binding["name"] == "$return":
                pass  # the answer of an HTTP function, present on each of them
            case kind, direction:
                raise ConfigError(f"{where}: the local host has no {kind} binding ({direction.lower()})")
    if len(triggers) != 1:
        raise ConfigError(f"function {name}: expected exactly one trigger, found {len(triggers)}")
    flag = environment.get(f"AzureWebJobs.{name}.Disabled", "").lower()
    return Function(name, identifier, triggers[0], tuple(outputs), _retry(retry), flag in ("true", "1"))


def _http(binding: Mapping[str, Any], name: str) -> HttpTrigger:
    return HttpTrigger(
        parameter=binding["name"],
        route=str(binding.get("route") or name).strip("/"),
        methods=frozenset(method.upper() for method in binding.get("methods") or ()),
        level=str(binding.get("authLevel", "FUNCTION")).lower(),
    )


def _timer(binding: Mapping[str, Any], where: str, environment: Mapping[str, str]) -> TimerTrigger:
    schedule = resolve(binding["schedule"], where, environment)
    check_schedule(schedule, where)
    return TimerTrigger(
        parameter=binding["name"],
        schedule=schedule,
        run_on_startup=bool(binding.get("runOnStartup")),
        use_monitor=bool(binding.get("useMonitor", True)),
    )


def _queue(binding: Mapping[str, Any], where: str, environment: Mapping[str, str]) -> tuple[str, str, str]:
    queue = resolve(binding["queueName"], where, environment).lower()
    return binding["name"], queue, connection(binding.get("connection", ""), where, environment)


def _retry(options: Any) -> Retry | None:
    if options is None:
        return None
    if options.retry_strategy == "fixed_delay":
        seconds = _seconds(options.delay_interval)
        return Retry(options.max_retry_count, seconds, seconds, exponential=False)
    first, longest = _seconds(options.minimum_interval), _seconds(options.maximum_interval)
    return Retry(options.max_retry_count, first, longest, exponential=True)


def _seconds(value: timedelta) -> float:
    return value.total_seconds()

"""All endpoints of the control API, and their functions (docs/control-api.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import azure.functions as func

from control import http
from control.endpoint import Endpoint
from control.endpoints import (
    activity,
    audit,
    connecting,
    control,
    exports,
    groups,
    holds,
    journal,
    leaving,
    mailboxes,
    mappings,
    me,
    preview,
    settings,
    status,
    users,
)
from control.environment import Environment
from control.openapi import described

if TYPE_CHECKING:
    from control.app import App

_TOPICS = (
    status,
    mailboxes,
    activity,
    control,
    me,
    users,
    preview,
    exports,
    leaving,
    groups,
    settings,
    mappings,
    holds,
    journal,
    connecting,
    audit,
)
ENDPOINTS: tuple[Endpoint, ...] = described(tuple(each for topic in _TOPICS for each in topic.ENDPOINTS))


def blueprint(environment: Environment, app: Callable[[], App], new_id: Callable[[], str]) -> func.Blueprint:
    """The HTTP functions."""
    return http.blueprint(ENDPOINTS, environment, app, new_id)

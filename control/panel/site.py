"""All pages, and their functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import azure.functions as func

from control.environment import Environment
from control.panel import audit, calendar, groups, history, holds, home, http, mailboxes, mapping, own, settings, users
from control.panel.page import Page

if TYPE_CHECKING:
    from control.app import App

_TOPICS = (home, mailboxes, history, holds, users, mapping, calendar, groups, settings, audit, own)
PAGES: tuple[Page, ...] = tuple(each for topic in _TOPICS for each in topic.PAGES)


def blueprint(environment: Environment, app: Callable[[], App], new_id: Callable[[], str]) -> func.Blueprint:
    """The HTTP functions."""
    return http.blueprint(PAGES, environment, app, new_id)

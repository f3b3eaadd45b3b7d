"""What most contract tests of the API and the panel begin with; a module whose world differs has its own `api`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.unit.control.world import World


@pytest.fixture
def api() -> Api:
    return Api(World())


@pytest.fixture
async def browser(api: Api) -> AsyncIterator[Browser]:
    """An admin's, signed in, in English."""
    async with Browser(api) as opened:
        yield opened

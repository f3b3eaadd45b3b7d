"""Fixtures that several kinds of tests share. Nothing here is imported by product code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

# httpx looks for it at each request of an ASGI app, and looks through every folder of sys.path; with this it knows at once.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """The connection string of an Azurite in memory: started at first use, one per session (or xdist worker).

    Tests share it, so each uses names of its own. A missing installation is a failure, never a skip.
    """
    # Imported here: tests that need no storage (tests/sim among them) must not see the emulators.
    from emulators.azurite import AzuriteError, running

    try:
        with running() as storage:
            yield storage.connection_string
    except AzuriteError as error:
        pytest.fail(str(error), pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for Azurite, directly or through another fixture, carries its marker."""
    for item in items:
        if "azurite" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.azurite)


def pytest_collection_finish() -> None:
    """What was imported and collected stays for good: no collection of garbage needs to look through it again and again."""
    gc.collect()
    gc.freeze()

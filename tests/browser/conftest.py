"""One whole product and one browser for all tests of a worker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import NoChromium, Person, launched
from tests.e2e.stack import Stack
from tests.e2e.test_bad_input import NEVER, Place


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright is there its event loop runs in this thread, and no test of another module could run one of its own."""
    try:
        with launched() as browser:
            yield browser
    except NoChromium as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    name = f"browser-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with Stack(name, {"SYNC_SCHEDULE": NEVER, "VTENEXT_TIME_LIMIT_SECONDS": "2"}) as stack:
        yield Place.on(stack)


@pytest.fixture
def person(chromium: Browser) -> Iterator[Callable[..., Person]]:
    """People at their browsers; at the end none of them may have seen an error."""
    people: list[Person] = []

    def at(lang: str = "it", **more: object) -> Person:
        people.append(Person.at(chromium, lang, **more))
        return people[-1]

    yield at
    complaints = [each for one in people for each in one.complaints]
    for one in people:
        one.close()
    assert complaints == []


@pytest.fixture
def admin(place: Place, person: Callable[..., Person]) -> Callable[..., Person]:
    """An admin, signed in."""

    def at(lang: str = "it", **more: object) -> Person:
        one = person(lang, **more)
        one.sign_in(place.stack.urls["host"], place.stack.token)
        return one

    return at

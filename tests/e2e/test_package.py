"""The package runs: unpacked into a folder of its own, on the host, against the emulators. HTTP only."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import httpx
import pytest

from control.version import VERSION
from scripts import package
from tests.e2e.stack import Stack
from tests.e2e.test_bad_input import NEVER, Place

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]


def test_the_unpacked_package_synchronises_and_shows_its_panel(tmp_path: Path) -> None:
    with zipfile.ZipFile(package.build(tmp_path)) as opened:
        opened.extractall(tmp_path / "app")
    name = f"package-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with Stack(name, {"SYNC_SCHEDULE": NEVER, "VTENEXT_TIME_LIMIT_SECONDS": "2"}, app=tmp_path / "app") as stack:
        place = Place.on(stack)
        place.is_well()
        assert place.whole()["version"] == VERSION
        page = httpx.get(f"{stack.urls['host']}/api/panel", follow_redirects=True, trust_env=False)
        assert page.status_code == 200
        assert 'name="token"' in page.text

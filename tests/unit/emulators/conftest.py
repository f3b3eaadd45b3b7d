"""An emulated CRM at noon, and a session of its service user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from emulators.corner import Clock
from emulators.vtenext import VtenextEmulator
from tests.unit.emulators.vtenext_client import NOON, Client


@pytest.fixture
def emulator() -> VtenextEmulator:
    return VtenextEmulator(clock=Clock(NOON))


@pytest.fixture
async def client(emulator: VtenextEmulator) -> AsyncIterator[Client]:
    client = Client(emulator)
    await client.login()
    yield client
    await client.http.aclose()

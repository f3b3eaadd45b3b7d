"""The infrastructure as it is, read once, and what the app says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from scripts.infra.__main__ import ROOT, findings
from scripts.infra.app import App, ask
from scripts.infra.files import Finding, read_texts

Planting = Callable[[str, str, str], list[Finding]]


@pytest.fixture(scope="session")
def texts() -> Mapping[str, str]:
    return read_texts(ROOT / "infra")


@pytest.fixture(scope="session")
def asked() -> App:
    return ask(ROOT)


@pytest.fixture
def planted(texts: Mapping[str, str], asked: App) -> Planting:
    """What is found when `old` stands as `new` in one file, once."""

    def plant(path: str, old: str, new: str) -> list[Finding]:
        assert old in texts[path], f"{path} has no {old!r}: the fault would not be planted"
        return findings({**texts, path: texts[path].replace(old, new, 1)}, asked)

    return plant

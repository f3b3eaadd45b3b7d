"""The product's version: the only place that says it (pyproject.toml, the package's name, the status and the panel read it here)."""

from __future__ import annotations

VERSION = "1.0.0"

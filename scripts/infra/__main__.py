"""`python -m scripts.infra`: all checks over infra/; what is found is printed, and then the exit code is 1."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.infra import alerts, app, measured, names, parameters, policy, properties
from scripts.infra.files import Finding, parse, read_texts

ROOT = Path(__file__).resolve().parents[2]


def findings(texts: Mapping[str, str], asked: app.App) -> list[Finding]:
    """Everything that is wrong with these files. What cannot be read is said alone: the rest would only repeat it."""
    infra, unread = parse(texts)
    if unread:
        return unread
    return [
        *names.check(infra),
        *parameters.check(infra),
        *properties.check(infra),
        *policy.check(infra),
        *alerts.check(infra),
        *measured.check(infra, asked.sent),
        *app.check(infra, asked),
    ]


def main() -> int:
    found = findings(read_texts(ROOT / "infra"), app.ask(ROOT))
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

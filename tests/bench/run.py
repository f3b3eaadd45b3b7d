"""`make bench`: every figure that the project promises, measured, beside its target. Prints one table, writes bench.json.

Quick sizes take some minutes; `make bench FULL=1` takes the sizes that the promises speak of. What is measured against - the sequential loop, the
servers' ceilings, vdirsyncer - runs in the same run on the same machine. Times of the clock are worth what the machine's load lets them be worth, so
that is told too. Ends with 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulators.azurite import running
from tests.bench import costs, fairness, first_fill, flood, hosts, panel, push, quiet, start, tick
from tests.bench.common import office
from tests.bench.figures import Figure, as_json, table
from tests.e2e.stack import stop_on_signals


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `quiet`, `memory`: items of one mailbox; `ticked`: mailboxes; `loop`, `raw`: samples of what is measured against.
    The last four are those of the benches on the whole product."""

    to_mailbox: int
    to_crm: int
    loop: int
    raw: int
    quiet: int
    memory: int
    office: panel.Size
    times: int
    ticked: int
    edits: int
    crowd: tuple[int, int]  # mailboxes, items of each
    long_fill: tuple[int, int]  # items, seconds of a slice
    counted: tuple[int, int]


QUICK = Sizes(
    2_000, 300, 50, 50, 2_000, 4_000, panel.Size(500, 5_000, 100, 500), 7, 2_000, 60, (12, 20), (3_000, 10), (120, 400)
)
FULL = Sizes(5_000, 2_000, 300, 100, 10_000, 20_000, panel.LARGE, 15, 10_000, 200, (60, 40), (50_000, 20), (400, 4_000))


def one_mailbox(storage: str, sizes: Sizes) -> list[Figure]:
    """P3, then P5 on the same mailbox, with more in it."""
    with office() as place:
        place.without_quota()
        place.add_records(sizes.quiet)
        first_fill.engine(place, storage, prepares=True, table="onemailbox")
        found = quiet.beside_vdirsyncer(place, storage, "onemailbox", sizes.quiet)
        return [*found, *quiet.memory(place, storage, "onemailbox", sizes.memory, sizes.quiet)]


NOTIFICATIONS = 1_000
PARTS: dict[str, Callable[[str, Sizes], list[Figure]]] = {
    "start": lambda storage, _: start.figures(storage),
    "mailbox": lambda storage, sizes: first_fill.to_mailbox(storage, sizes.to_mailbox, sizes.loop),
    "crm": lambda storage, sizes: first_fill.to_crm(storage, sizes.to_crm, sizes.raw),
    "quiet": one_mailbox,
    "tick": lambda _, sizes: tick.figures(sizes.ticked),
    "push": lambda _, sizes: push.figures(sizes.edits),
    "hosts": lambda _, sizes: hosts.figures(*sizes.crowd),
    "flood": lambda _, __: flood.figures(NOTIFICATIONS),
    "fairness": lambda _, sizes: fairness.figures(*sizes.long_fill),
    "costs": lambda _, sizes: costs.figures(*sizes.counted),
    "panel": lambda storage, sizes: panel.figures(storage, sizes.office, sizes.times),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the promises speak of")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    given = parser.parse_args(arguments)
    sizes = FULL if given.full else QUICK
    stop_on_signals()
    began, load = time.monotonic(), os.getloadavg()[0]
    found: list[Figure] = []
    for name in given.only.split(","):
        print(f"{name} ...", file=sys.stderr, flush=True)
        with running() as azurite:
            part = PARTS[name](azurite.connection_string, sizes)
        print(table(part), file=sys.stderr, flush=True)
        found += part
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load before": round(load, 1),
        "load after": round(os.getloadavg()[0], 1),
        "seconds": round(time.monotonic() - began),
        "full": given.full,
    }
    print(table(found))
    print("\n" + ", ".join(f"{name}: {value}" for name, value in machine.items()))
    given.out.write_text(json.dumps({"machine": machine, "figures": as_json(found)}, indent=2) + "\n")
    missed = [f"{each.group} {each.what.strip()}" for each in found if each.met is False]
    print(f"missed: {'; '.join(missed)}" if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

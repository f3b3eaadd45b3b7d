"""P3 and P5: a comparison in full of a mailbox in which nothing changed - its CPU time beside vdirsyncer's, its memory.

The comparison reads every card, record and link and digests all values of both sides, those of an item together; the first one after a change digests
that item's field by field and remembers it as a whole. vdirsyncer, which keeps two folders of files in step, only lists file names and version tags
of two directories when nothing changed, and reads no file; so it does much less.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tests.bench.common import ROOT, Office, child, record
from tests.bench.figures import Figure, at_most, shown
from tests.bench.first_fill import engine

VDIRSYNCER = ROOT / ".local" / "bench" / "bin" / "vdirsyncer"
TIMES = 3
MEMORY = 300


def beside_vdirsyncer(place: Office, storage: str, table: str, items: int) -> list[Figure]:
    """P3: the office holds `items` linked contacts."""
    first, *ours = [engine(place, storage, full=True, table=table) for _ in range(1 + TIMES)]
    written = sum(sum(told.counts.values()) for told in (first, *ours))
    if written:
        raise RuntimeError(f"{written} things were done where nothing changed")
    whole, start = vdirsyncer(items)
    run = statistics.median(told.cpu for told in ours)
    process = statistics.median(told.process_cpu for told in ours)
    group, head = "P3", f"comparison in full, {items} items, nothing changed:"
    return [
        shown(
            group, f"{head} CPU", round(run, 2), "s", how=f"values of both sides read and digested; median of {TIMES}"
        ),
        shown(
            group,
            f"{head} CPU, the first time",
            round(first.cpu, 2),
            "s",
            how="field by field, and every link is written: as after a change of all of them",
        ),
        shown(
            group,
            f"vdirsyncer, {items} items in two folders, nothing changed: CPU",
            round(whole - start, 2),
            "s",
            how=f"version tags compared, no file read; median of {TIMES}; its start, {start:.2f} s, is taken off",
        ),
        at_most(group, "  ratio, the work alone", round(run / (whole - start), 2), 3),
        at_most(
            group,
            "  ratio, whole processes",
            round(process / whole, 2),
            3,
            how=f"each started anew: {process:.2f} s and {whole:.2f} s; ours loads its servers' libraries once per worker",
        ),
    ]


def memory(place: Office, storage: str, table: str, items: int, before: int) -> list[Figure]:
    """P5: the office's CRM is brought to `items` contacts, of which `before` are linked; then everything is compared once more."""
    place.add_records(items - before, first=before)
    fill = engine(place, storage, full=True, prepares=True, table=table)
    quiet = engine(place, storage, full=True, table=table)
    if place.cards() != items or quiet.counts:
        raise RuntimeError(f"{place.cards()} cards of {items}, then {quiet.counts}")
    group, how = "P5", "largest resident size of the process, libraries included"
    return [
        at_most(
            group, f"a run over {items} items that makes {items - before} cards", round(fill.peak), MEMORY, "MiB", how
        ),
        at_most(group, f"a comparison in full of {items} items", round(quiet.peak), MEMORY, "MiB", how),
    ]


def vdirsyncer(items: int) -> tuple[float, float]:
    """CPU seconds of a sync of two equal folders, and of its mere start: medians."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        command = [str(VDIRSYNCER), "-v", "WARNING", "-c", str(root / "config")]
        (root / "config").write_text(_config(root))
        for name in ("a", "b"):
            (root / name).mkdir()
        for n in range(items):
            (root / "a" / f"{n}.vcf").write_text(_vcard(n), newline="")
        child(["sh", "-c", 'yes | "$@"', "sh", *command, "discover"])
        child([*command, "sync"])
        if sum(1 for _ in (root / "b").glob("*.vcf")) != items:
            raise RuntimeError("vdirsyncer did not fill its second folder")
        whole = statistics.median(child([*command, "sync"]).cpu for _ in range(TIMES))
        start = statistics.median(child([str(VDIRSYNCER), "--version"]).cpu for _ in range(TIMES))
    return whole, start


def _config(root: Path) -> str:
    storages = "".join(
        f'[storage {name}]\ntype = "filesystem"\npath = "{root / name}"\nfileext = ".vcf"\n' for name in ("a", "b")
    )
    pair = '[pair both]\na = "a"\nb = "b"\ncollections = null\n'
    return f'[general]\nstatus_path = "{root / "status"}"\n{pair}{storages}'


def _vcard(n: int) -> str:
    it = record(n)
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:{n}",
        f"FN:{it['firstname']} {it['lastname']}",
        f"N:{it['lastname']};{it['firstname']};;;",
        f"EMAIL:{it['email']}",
        f"TEL;TYPE=WORK:{it['phone']}",
        f"NOTE:{it['description']}",
        "END:VCARD",
    ]
    return "".join(f"{line}\r\n" for line in lines)

"""The zip that is deployed: the app's own files and nothing else, byte for byte the same each time.

    python scripts/package.py [--into dist] [--libraries]

The libraries are not in it: Azure installs them from requirements.txt (remote build) when `azd deploy` or
`func azure functionapp publish` hands it the files. With --libraries they are, where the Functions host looks for them: for an Azure that may not
reach a package registry (`--build-remote false`). `.funcignore` keeps the same things out of theirs; a test compares the two.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("constraints.txt", "function_app.py", "host.json", "requirements.txt")
FOLDERS = ("control", "mapping", "sync")
KINDS = frozenset({".py", ".json", ".html", ".css", ".js", ".svg"})
NEVER = frozenset({"__pycache__", ".DS_Store"})
PYTHON, PLATFORM = "3.13", "x86_64-manylinux_2_28"
"""What runs there (infra/modules/app.bicep), and for which machine its libraries are built."""
LIBRARIES = ".python_packages/lib/site-packages"
MOMENT = (1980, 1, 1, 0, 0, 0)
"""What a zip can say at the earliest: the files' own times would make each package another one."""


class Stranger(Exception):
    """A file in the app's folders whose kind nobody named: it belongs elsewhere, or its kind into KINDS."""


def contents(root: Path = ROOT) -> list[str]:
    """Paths of everything that is deployed, in order. Raises Stranger."""
    found = [root / name for name in FILES]
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_dir() or NEVER & set(path.relative_to(root).parts):
                continue
            if path.suffix not in KINDS:
                raise Stranger(
                    f"{path.relative_to(root)}: not a kind of file that is deployed ({', '.join(sorted(KINDS))})"
                )
            found.append(path)
    return sorted(path.relative_to(root).as_posix() for path in found)


def fetching(target: Path, root: Path = ROOT) -> list[str]:
    """The command that puts the libraries into a folder: wheels for what runs there, whatever runs here."""
    uv = str(Path(sys.executable).parent / "uv")
    machine = ["--python-platform", PLATFORM, "--python-version", PYTHON, "--only-binary", ":all:"]
    return [uv, "pip", "install", "--quiet", "--target", str(target), *machine, "-r", str(root / "requirements.txt")]


def libraries(folder: Path) -> dict[str, Path]:
    """Path in the zip -> file, of everything in the folder that is imported."""
    files = [path for path in folder.rglob("*") if path.is_file() and not NEVER & set(path.relative_to(folder).parts)]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {f"{LIBRARIES}/{name}": path for name, path in names.items() if name != ".lock" and name[:4] != "bin/"}


def build(into: Path, root: Path = ROOT, fetched: Path | None = None) -> Path:
    """Write the zip into a folder, with the libraries of the folder `fetched`; returns its path."""
    into.mkdir(parents=True, exist_ok=True)
    target = into / f"vtenext-m365-sync-{version(root)}{'-libraries' if fetched else ''}.zip"
    files = {name: root / name for name in contents(root)} | (libraries(fetched) if fetched else {})
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, files[name].read_bytes())
    return target


def version(root: Path = ROOT) -> str:
    """What control/version.py says."""
    found = re.search(r'^VERSION = "([0-9A-Za-z.+-]+)"$', (root / "control" / "version.py").read_text("utf-8"), re.M)
    if found is None:
        raise Stranger("control/version.py: says no VERSION")
    return found[1]


def summary(package: Path) -> list[str]:
    """What is in it, in a few lines."""
    with zipfile.ZipFile(package) as opened:
        entries = opened.infolist()
    lines = [
        f"{package.name}: {len(entries)} files, {package.stat().st_size:,} bytes ({sum(e.file_size for e in entries):,} unpacked)"
    ]
    carried = [e for e in entries if e.filename.startswith(f"{LIBRARIES}/")]
    if carried:
        lines.append(f"  {LIBRARIES}/: {sum(e.file_size for e in carried):,} bytes ({len(carried)} files)")
    for top in (*FOLDERS, ""):
        inside = (
            [e for e in entries if e.filename.partition("/")[0] == top]
            if top
            else [e for e in entries if "/" not in e.filename]
        )
        kinds = Counter(Path(e.filename).suffix.removeprefix(".") for e in inside)
        told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        lines.append(f"  {top + '/' if top else ' '.join(FILES)}: {sum(e.file_size for e in inside):,} bytes ({told})")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    parser.add_argument("--libraries", action="store_true", help="with the libraries: for --build-remote false")
    asked = parser.parse_args()
    try:
        if asked.libraries:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(fetching(Path(folder)), check=True)  # noqa: S603 - our own words
                package = build(asked.into, fetched=Path(folder))
        else:
            package = build(asked.into)
    except Stranger as stranger:
        print(stranger, file=sys.stderr)
        return 1
    print("\n".join(summary(package)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The zip that is deployed: exactly the app's files, the same bytes each time, and nothing that it lacks is needed."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from control.version import VERSION
from scripts import package
from tests.unit.control.test_environment import NEEDED

ROOT = package.ROOT
IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.path.insert(0, {folder!r})
import function_app
for top in ("control", "mapping", "sync"):
    for each in pkgutil.walk_packages(importlib.import_module(top).__path__, top + "."):
        importlib.import_module(each.name)
ours = {{n: m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in ("function_app", "control", "mapping", "sync")}}
from control.texts import table
print(json.dumps([sorted(n for n, f in ours.items() if not str(f).startswith({folder!r})), len(ours), len(table())]))
"""


def test_it_holds_the_app_and_nothing_else(tmp_path: Path) -> None:
    built = package.build(tmp_path)
    assert built.name == f"vtenext-m365-sync-{VERSION}.zip"
    with zipfile.ZipFile(built) as opened:
        names = opened.namelist()
        assert opened.testzip() is None
    assert names == sorted(set(names))
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = re.compile(r"(function_app\.py|host\.json|requirements\.txt|(sync|mapping|control)/.*)")
    assert names == sorted(name for name in tracked.stdout.splitlines() if wanted.fullmatch(name))
    for data in (
        "control/texts.json", "control/panel/texts/common.json", "control/panel/templates/base.html",
        "control/panel/static/panel.css", "control/panel/static/panel.js", "control/pages/outcome.html", "mapping/data/field_lengths.json",
    ):  # fmt: skip
        assert data in names


def test_the_same_files_make_the_same_bytes_whatever_their_times(tmp_path: Path) -> None:
    copy = copied(tmp_path / "copy")
    os.utime(copy / "host.json", (0, 0))
    (copy / "sync" / "__pycache__").mkdir(exist_ok=True)
    (copy / "sync" / "__pycache__" / "run.pyc").write_bytes(b"cache")
    first, second = package.build(tmp_path / "first"), package.build(tmp_path / "second", copy)
    assert first.read_bytes() == second.read_bytes()
    (copy / "host.json").write_text("{}")
    assert package.build(tmp_path / "second", copy).read_bytes() != first.read_bytes()


def test_a_file_of_an_unknown_kind_is_not_left_out_in_silence(tmp_path: Path) -> None:
    copy = copied(tmp_path / "copy")
    (copy / "control" / "panel" / "static" / "logo.webp").write_bytes(b"picture")
    with pytest.raises(package.Stranger, match=r"logo\.webp"):
        package.build(tmp_path, copy)


def test_unpacked_it_needs_none_of_our_files_outside(tmp_path: Path) -> None:
    """Every module of it is imported from there, in a process that knows no other folder of ours."""
    with zipfile.ZipFile(package.build(tmp_path)) as opened:
        opened.extractall(tmp_path / "app")
    code = IMPORT_ALL.format(folder=str(tmp_path / "app"))
    command, environment = [sys.executable, "-I", "-B", "-c", code], {**NEEDED, "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    elsewhere, modules, texts = json.loads(done.stdout)
    assert (elsewhere, modules > 200, texts > 5) == ([], True, True)


def test_azd_and_func_leave_out_the_same() -> None:
    """Whatever lies at the top of the repository is either deployed or named in .funcignore."""
    lines = [
        line.rstrip("/")
        for line in (ROOT / ".funcignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    tops = {name.partition("/")[0] for name in tracked}
    ignored = {top for top in tops if any(fnmatch.fnmatchcase(top, line) for line in lines)}
    assert tops - ignored == {*package.FILES, *package.FOLDERS}
    parts = {part for name in package.contents() for part in name.split("/")}
    assert [part for part in parts if any(fnmatch.fnmatchcase(part, line) for line in lines)] == []


def test_the_summary_counts_it(tmp_path: Path) -> None:
    told = package.summary(package.build(tmp_path))
    assert re.match(
        rf"vtenext-m365-sync-{re.escape(VERSION)}\.zip: {len(package.contents())} files, [\d,]+ bytes \([\d,]+ unpacked\)",
        told[0],
    )
    assert [line.split(":")[0].strip() for line in told[1:]] == [
        "control/",
        "mapping/",
        "sync/",
        "function_app.py host.json requirements.txt",
    ]


def copied(to: Path) -> Path:
    for name in package.contents():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    return to

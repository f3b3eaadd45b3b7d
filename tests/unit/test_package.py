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
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    wanted = re.compile(r"(constraints\.txt|function_app\.py|host\.json|requirements\.txt|(sync|mapping|control)/.*)")
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
        "constraints.txt function_app.py host.json requirements.txt",
    ]


def test_the_libraries_are_those_of_the_machine_that_runs_there(tmp_path: Path) -> None:
    command = package.fetching(tmp_path / "into")
    assert command[1:4] == ["pip", "install", "--quiet"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--target": str(tmp_path / "into"),
        "--python-platform": "x86_64-manylinux_2_28",
        "--python-version": "3.13",
        "--only-binary": ":all:",
        "-r": str(ROOT / "requirements.txt"),
    }
    assert os.access(command[0], os.X_OK)
    help_ = subprocess.run([command[0], "pip", "install", "--help"], capture_output=True, text=True, check=True).stdout
    assert [each for each in options if each not in help_] == []


def test_with_the_libraries_they_lie_where_the_host_looks(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    for name in (
        "msal/__init__.py",
        "msal/__pycache__/x.pyc",
        "cffi.so",
        "msal-1.dist-info/METADATA",
        "bin/x",
        ".lock",
    ):
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        (fetched / name).write_text(name)
    built = package.build(tmp_path / "dist", fetched=fetched)
    assert built.name == f"vtenext-m365-sync-{VERSION}-libraries.zip"
    with zipfile.ZipFile(built) as opened:
        names = opened.namelist()
        assert opened.read(".python_packages/lib/site-packages/cffi.so") == b"cffi.so"
    carried = [name for name in names if name.startswith(".")]
    assert carried == [
        f".python_packages/lib/site-packages/{name}"
        for name in ("cffi.so", "msal-1.dist-info/METADATA", "msal/__init__.py")
    ]
    assert sorted(set(names) - set(carried)) == package.contents()
    assert package.summary(built)[1] == "  .python_packages/lib/site-packages/: 48 bytes (3 files)"


def test_the_python_that_is_deployed_is_the_one_that_is_set_up() -> None:
    setup = (ROOT / "scripts" / "setup_python.sh").read_text("utf-8")
    assert f'uv" python install -q {package.PYTHON}' in setup
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    assert "python_version" not in requirements, "what builds for another Python is to fail"


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="what is deployed runs on 3.13")
def test_every_library_that_is_brought_along_is_pinned_as_it_is_tested() -> None:
    pins = dict(
        line.split("==")
        for name in ("requirements.txt", "constraints.txt")
        for line in (ROOT / name).read_text("utf-8").splitlines()
        if "==" in line
    )
    assert {name: version(name) for name in pins} == pins
    needed = [Requirement(text) for name in pins for text in requires(name) or ()]
    missing = {
        canonicalize_name(each.name) for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})
    } - pins.keys()
    assert missing == set()


def copied(to: Path) -> Path:
    for name in package.contents():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    return to

"""Who may import whom, and where clock, environment and randomness come in (DESIGN 1).

Two looks: at the source of every module (imports and calls, wherever they stand in it), and at what importing the pure core really
loads, in a process of its own. The first group of tests shows that the looks find what they look for.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("function_app", "control", "sync", "mapping")  # arrows point to the right only
# fmt: off
NETWORK = {
    "aiohttp", "azure", "azurefunctions", "ftplib", "http", "httpx", "kiota_abstractions", "kiota_authentication_azure", "kiota_http", "msal",
    "msgraph", "msgraph_core", "opentelemetry", "requests", "smtplib", "socket", "socketserver", "ssl", "starlette", "urllib3", "uvicorn",
    "websockets",
}
RANDOM = {"random", "secrets"}
CALLS = {
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
    "os.environ", "os.environb", "os.getenv", "os.urandom",
    "time.gmtime", "time.localtime", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "time.sleep", "time.strftime", "time.time", "time.time_ns",
    "urllib.request", "uuid.getnode", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7",
}
PURE_CORE = (
    "sync.model", "sync.reasons", "sync.errors", "sync.policy", "sync.plan", "sync.merge", "sync.match", "sync.brakes", "sync.settle",
    "sync.spans", "sync.rules", "sync.series", "sync.inference", "sync.event_names", "sync.events",
    "sync.meetings", "sync.invitations", "sync.tasks", "sync.again", "sync.exports", "sync.remap", "sync.mapping_preview",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Module:
    """A module's source, and what it names."""

    name: str
    imports: frozenset[str]  # dotted, as far as written: "sync.store.base.Row"
    uses: frozenset[str]  # dotted names that are reached through imports: "datetime.datetime.now"

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    def tops(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imports}


def read(name: str, source: str, package: bool = False) -> Module:
    """Look at a module: imports anywhere in it, and attributes of what was imported, aliases resolved."""
    imports: set[str] = set()
    known: dict[str, str] = {}  # the name here -> what it is
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports.add(alias.name)
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                home = parts[: len(parts) - node.level + package]
                base = ".".join([*home, base] if base else home)
            for alias in node.names:
                imports.add(f"{base}.{alias.name}")
                known[alias.asname or alias.name] = f"{base}.{alias.name}"
    uses = {dotted(node, known) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    return Module(name, frozenset(imports), frozenset(uses - {""}) | frozenset(imports))


def dotted(node: ast.expr, known: Mapping[str, str]) -> str:
    """`dt.now` -> "datetime.datetime.now" where dt was imported; "" for anything else."""
    tail: list[str] = []
    while isinstance(node, ast.Attribute):
        tail.insert(0, node.attr)
        node = node.value
    return ".".join([known[node.id], *tail]) if isinstance(node, ast.Name) and node.id in known else ""


def impurities(module: Module) -> set[str]:
    """What a module that is handed everything may not name."""
    bad = {name for name in module.imports if name.partition(".")[0] in NETWORK | RANDOM}
    return bad | {use for use in module.uses if any(use == call or use.startswith(call + ".") for call in CALLS)}


def needs(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """Module -> modules it imports, of those given. `from sync import run` means sync.run where that is a module."""
    graph: dict[str, set[str]] = {}
    for module in modules.values():
        found = {full if full in modules else full.rpartition(".")[0] for full in module.imports}
        graph[module.name] = {name for name in found if name in modules and name != module.name}
    return graph


def modules_of(*folders: str) -> dict[str, Module]:
    return {module.name: module for folder in folders for module in _modules(folder)}


@cache
def _modules(folder: str) -> tuple[Module, ...]:
    single = ROOT / f"{folder}.py"
    return tuple(_read(path) for path in ([single] if single.exists() else sorted((ROOT / folder).rglob("*.py"))))


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = parts[-1] == "__init__"
    return read(".".join(parts[:-1] if package else parts), path.read_text(encoding="utf-8"), package)


def allowed_io(name: str) -> bool:
    return name.startswith(("sync.sides.", "sync.store.")) or name in ("sync.sides", "sync.store")


# the looks find what they look for


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import azure.data.tables",
        "def f():\n    from azure.core import x",
        "from msgraph import GraphServiceClient",
        "import random",
        "from secrets import token_hex",
        "import time\ntime.time()",
        "import time as t\nnow = t.monotonic",
        "from time import time",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import datetime as dt, UTC\nx = dt.now(UTC)",
        "import datetime\nx = datetime.datetime.utcnow()",
        "import datetime as d\nclass A:\n    x = d.date.today()",
        "import os\nx = os.environ['A']",
        "import os\nos.environ.get('A')",
        "from os import getenv",
        "from os import environ as e",
        "import uuid\nuuid.uuid4()",
        "from uuid import uuid4",
        "import urllib.request",
        "from urllib import request",
        "import socket",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    assert impurities(read("sync.x", source))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.fromisoformat('2026-01-01')",
        "import uuid\nuuid.uuid5(uuid.NAMESPACE_URL, 'x')",
        "from urllib.parse import quote",
        "import os.path",
        "class A:\n    time = 1\n    def now(self): return self.time",
        "def f(now, environ, random): return now(), environ['a'], random.random()",
    ],
)
def test_a_pure_module_is_let_pass(source: str) -> None:
    assert impurities(read("sync.x", source)) == set()


def test_imports_are_resolved() -> None:
    modules = [
        read("sync", "from . import a", package=True),
        read("sync.a", "from .b import f\nfrom sync import c"),
        read("sync.b", "def f():\n    import sync.c"),
        read("sync.c", "from sync.a import g"),
    ]
    graph = needs({module.name: module for module in modules})
    assert graph == {"sync": {"sync.a"}, "sync.a": {"sync.b", "sync.c"}, "sync.b": {"sync.c"}, "sync.c": {"sync.a"}}
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_the_tree_is_where_it_is_looked_for() -> None:
    found = modules_of("sync", "mapping", "control", "emulators", "tests/sim")
    assert {"sync", "sync.plan", "sync.store.tables", "mapping.model", "control", "emulators.azurite"} <= set(found)


# the rules


def test_the_engine_is_handed_clock_environment_and_ids() -> None:
    """Nothing in sync, outside of sides and store, and nothing in mapping does I/O or asks the machine."""
    modules = modules_of("sync", "mapping").values()
    found = {module.name: impurities(module) for module in modules if not allowed_io(module.name)}
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_product_and_simulator_know_no_emulators() -> None:
    modules = modules_of(*PRODUCT, "tests/sim").values()
    assert [module.name for module in modules if "emulators" in module.tops()] == []


def test_emulators_know_no_product() -> None:
    modules = modules_of("emulators").values()
    assert {m.name: m.tops() & set(PRODUCT) for m in modules if m.tops() & set(PRODUCT)} == {}


def test_product_knows_no_tests() -> None:
    assert [m.name for m in modules_of(*PRODUCT).values() if m.tops() & {"tests", "pytest", "hypothesis"}] == []


def test_arrows_point_one_way() -> None:
    """function_app -> control -> sync -> mapping."""
    wrong = [
        (module.name, top)
        for module in modules_of(*PRODUCT).values()
        for top in module.tops() & set(PRODUCT)
        if PRODUCT.index(top) < PRODUCT.index(module.top)
    ]
    assert wrong == []


def test_no_import_goes_in_circles() -> None:
    """Imports inside functions and for type checking count: a circle of ideas is a circle."""
    try:
        TopologicalSorter(needs(modules_of(*PRODUCT))).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]), pytrace=False)


# what importing really does

PROBE = """
import builtins, datetime, json, os, random, sys, time, uuid
sys.path.insert(0, sys.argv[1])

def ours():
    frame = sys._getframe(2)
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("sync", "mapping", "probe")

def guarded(name, real):
    def call(*args, **options):
        if ours():
            raise AssertionError(f"{name} while importing")
        return real(*args, **options)
    return call

def no_sockets(event, _):
    if event.startswith("socket."):
        raise AssertionError("a socket while importing")

for holder, names in [(time, ["time", "time_ns", "monotonic", "perf_counter", "sleep"]), (os, ["getenv", "urandom"]),
                      (uuid, ["uuid1", "uuid4"]), (random, ["random", "randint", "choice"]), (builtins, ["open"])]:
    for name in names:
        setattr(holder, name, guarded(name, getattr(holder, name)))
sys.addaudithook(no_sockets)

environment = type(os.environ)
os.environ.__class__ = type("Environment", (environment,), {
    name: guarded("os.environ", getattr(environment, name)) for name in ["__getitem__", "get", "__contains__", "__iter__"]
})

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        if ours():
            raise AssertionError("datetime.now while importing")
        return super().now(tz)

datetime.datetime = Clock
for name in ["socket", "ssl", "http", "random", "secrets"]:  # loaded by us, or by the interpreter's own start
    sys.modules.pop(name, None)
before = set(sys.modules)
for name in sys.argv[2:]:
    __import__(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def probe(*names: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", PROBE, str(path), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_importing_the_pure_core_loads_nothing_that_could_do_io() -> None:
    there = modules_of("sync")
    done = probe(*[name for name in PURE_CORE if name in there], *modules_of("mapping"))
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {"sync.model", "sync.plan", "mapping.model"} <= loaded
    assert {name.partition(".")[0] for name in loaded} & (NETWORK | RANDOM) == set()
    assert {name for name in loaded if allowed_io(name)} <= {
        "sync.sides",
        "sync.sides.base",
        "sync.store",
        "sync.store.base",
    }


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import os\nos.getenv('A')",
        "import os\nos.environ['PATH']",
        "import os\nos.environ.get('PATH')",
        "from datetime import datetime\ndatetime.now()",
        "import uuid\nuuid.uuid4()",
        "open('/etc/hostname')",
        "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    ],
)
def test_the_guards_of_the_import_bite(source: str, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(source, encoding="utf-8")
    done = probe("probe", path=tmp_path)
    assert done.returncode == 1
    assert "while importing" in done.stderr


def test_what_an_import_loads_is_seen(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text("import http.client", encoding="utf-8")
    done = probe("probe", path=tmp_path)
    assert {"probe", "http", "http.client", "socket"} <= set(json.loads(done.stdout))

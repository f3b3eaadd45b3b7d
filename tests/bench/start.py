"""P4: what a cold start costs - importing the app, and the first answer of the control API (GET status, against Azurite)."""

from __future__ import annotations

import base64
import os
import statistics
import sys

from tests.bench.common import Used, child
from tests.bench.figures import Figure, at_most

HEAVY = ("msgraph", "httpx", "azure.identity")
TIMES = 5
TOKEN = "a-token-of-36-characters-for-a-bench"
IMPORT = "import function_app"
LISTED = f"{IMPORT}, sys\nprint([each for each in {HEAVY!r} if each in sys.modules])"
FIRST_CALL = f"""
import asyncio
import os
import function_app
import azure.functions as func

functions = {{each.get_function_name(): each.get_user_function() for each in function_app.app.get_functions()}}
request = func.HttpRequest("GET", "/api/status", headers={{"Authorization": "Bearer {TOKEN}"}}, params={{}}, body=b"")
answer = asyncio.run(functions["status"](request))
assert answer.status_code == 200, answer.get_body()
os._exit(0)
"""


def figures(storage: str) -> list[Figure]:
    """Each in a new process, some times; the first one, which may have to compile, is not counted."""
    env = _environment(storage)
    loaded = _python(LISTED, env).out.strip()
    if loaded != "[]":
        raise RuntimeError(f"importing function_app loads {loaded}")
    imports = [_python(IMPORT, env).cpu for _ in range(TIMES)]
    bare = statistics.median(_python("pass", env).cpu for _ in range(TIMES))
    _python(FIRST_CALL, env)
    calls = [_python(FIRST_CALL, env) for _ in range(TIMES)]
    seconds, cpu = statistics.median(call.seconds for call in calls), statistics.median(call.cpu for call in calls)
    group, how = "P4", f"median of {TIMES} processes"
    return [
        at_most(
            group,
            "importing function_app: CPU",
            round(statistics.median(imports), 2),
            1,
            "s",
            f"{how}; {bare:.2f} s of it are Python itself; loads none of {', '.join(HEAVY)}",
        ),
        at_most(
            group,
            "first control call of a cold process: GET status",
            round(seconds, 2),
            1.5,
            "s",
            f"{how}, from its start to the answer, {cpu:.2f} s of CPU; storage: Azurite",
        ),
    ]


def _python(code: str, env: dict[str, str]) -> Used:
    return child([sys.executable, "-c", code], env)


def _environment(storage: str) -> dict[str, str]:
    """The settings of an app on this storage, with a CRM and a tenant that nobody asks for anything yet."""
    key = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
    ours = {
        "AzureWebJobsStorage": storage,
        "INDEX_KEY": key,
        "DIGEST_KEYS": f"a:{key}",
        "ENCRYPTION_KEYS": f"a:{key}",
        "ADMIN_TOKEN": TOKEN,
        "VTENEXT_URL": "https://crm.example",
        "VTENEXT_USERNAME": "svc.sync",
        "VTENEXT_ACCESS_KEY": "k3y",
        "TENANT_ID": "11111111-2222-4333-8444-555555555555",
        "CLIENT_ID": "22222222-3333-4444-8555-666666666666",
        "CLIENT_SECRET": "s3cret~value",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **ours}

"""`python -m tests.e2e.serve [--emulators graph,entra] [--vtenext URL] [--sign-in]`: the app on this machine, until Ctrl-C.

Against a real vtenext the CRM's credentials come from the environment (VTENEXT_USERNAME, VTENEXT_ACCESS_KEY), against a real
Microsoft 365 TENANT_ID, CLIENT_ID and CLIENT_SECRET do; they are handed to the app and shown nowhere. The storage lives in
memory: what the connector knew is gone when it stops. Emulated mailboxes are made for everybody in the CRM's directory. With
--sign-in there is no token: people sign in at the panel as on Azure, with their addresses, on the pages of the emulated Entra ID.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from tests.e2e.hands import Admin, Entra, Json, Outlook, Refused
from tests.e2e.signing_in import ADMIN, ANONYMOUS, Browser, admit_mailboxes
from tests.e2e.stack import CLIENT_ID, EMULATORS, Stack, StackError, stop_on_signals

CRM_CREDENTIALS = ("VTENEXT_USERNAME", "VTENEXT_ACCESS_KEY")
TENANT = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")


def settings_for(emulated: Sequence[str], vtenext: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the app needs of the real servers. Raises ValueError with the one thing that is missing."""
    if "vtenext" in emulated and vtenext:
        raise ValueError("--vtenext names a real CRM: leave vtenext out of --emulators")
    if "vtenext" not in emulated and not vtenext:
        raise ValueError("--vtenext is needed when vtenext is not among --emulators")
    if ("graph" in emulated) != ("entra" in emulated):
        raise ValueError("graph and entra are emulated together or not at all: tokens of one are not the other's")
    wanted = [*(CRM_CREDENTIALS if vtenext else ()), *(() if "entra" in emulated else TENANT)]
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        raise ValueError(f"set {', '.join(missing)} in the environment")
    settings = {name: environment[name] for name in wanted}
    if vtenext:
        settings["VTENEXT_URL"] = vtenext
        settings["VTENEXT_ALLOW_HTTP"] = str(vtenext.startswith("http://")).lower()
    return settings


def print_addresses(stack: Stack) -> None:
    """Where everything is, and how to ask."""
    if stack.sign_in:
        print(f"  logs     {os.path.relpath(stack.logs)}")
        print(
            f"\n  sign in at {stack.public_url}/.auth/login/aad as {ADMIN.upn} (administrator) or a mailbox's owner",
            flush=True,
        )
        return
    token = os.path.relpath(stack.token_file)
    print("\nup until Ctrl-C:")
    for name, url in stack.urls.items():
        print(f"  {name:8} {url}")
    print(f"  logs     {os.path.relpath(stack.logs)}")
    print(f"  token    {token} (the administrator's)")
    print(f'\n  curl -H "Authorization: Bearer $(cat {token})" {stack.urls["host"]}/api/status', flush=True)


def directory(stack: Stack) -> list[Json]:
    """The CRM's users, as the administrator sees them."""
    if not stack.sign_in:
        return list(Admin(stack.urls["host"], stack.token).ask("GET", "users")["users"])
    browser = Browser(stack.public_url)
    browser.sign_in(ADMIN)
    return list(browser.ask("users").raise_for_status().json()["users"])


def make_mailboxes(stack: Stack) -> None:
    """A mailbox in the emulated tenant for every active user of the CRM that has an address."""
    outlook = Outlook(stack.urls["graph"])
    there = {user["mail"].casefold() for user in outlook.ask("GET", "users")}
    users = directory(stack)
    for user in users:
        address = str(user.get("email") or "")
        if user["active"] and address and address.casefold() not in there:
            there.add(address.casefold())
            outlook.user(address, address.partition("@")[0])
            print(f"  emulated mailbox {address} for {user['id']}")
    if stack.sign_in:
        admit_mailboxes(Entra(stack.urls["entra"]), outlook, CLIENT_ID)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; 0 after Ctrl-C, 1 when something did not start, 2 when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.serve", description="the app with emulated servers")
    parser.add_argument("--emulators", help=f"which servers to emulate, of {','.join(EMULATORS)}")
    parser.add_argument("--vtenext", default="", metavar="URL", help="address of a real vtenext")
    parser.add_argument("--port", type=int, default=7071, help="of the app (default: 7071)")
    parser.add_argument("--sign-in", action="store_true", help="people sign in with the emulated Entra ID, as on Azure")
    given = parser.parse_args(arguments)
    usual = [name for name in EMULATORS if name != "vtenext" or not given.vtenext]
    emulated = usual if given.emulators is None else [name for name in given.emulators.split(",") if name]
    unknown = sorted(set(emulated) - set(EMULATORS))
    if unknown:
        parser.error(f"--emulators: there is no {unknown[0]}")
    if given.sign_in and "entra" not in emulated:
        parser.error("--sign-in needs entra among --emulators")
    try:
        settings = settings_for(emulated, given.vtenext.rstrip("/"), os.environ)
    except ValueError as wrong:
        parser.error(str(wrong))
    sign_in = ANONYMOUS if given.sign_in else ""
    stop_on_signals()
    try:
        with Stack("serve", settings, emulated, app_port=given.port, sign_in=sign_in) as stack:
            if "graph" in emulated:
                make_mailboxes(stack)
            print_addresses(stack)
            signal.pause()
    except (StackError, Refused) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

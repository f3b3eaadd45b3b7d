"""The sample company with its panel as on Azure: people sign in with Entra ID and connect their own mailboxes. For tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.company import USERS
from tests.e2e.hands import CrmScreen, Entra, Outlook
from tests.e2e.signing_in import ADMIN, ANONYMOUS, Account, Browser, admit, admit_mailboxes
from tests.e2e.stack import CLIENT_ID, Stack

NEVER = "0 0 0 1 1 *"  # nothing runs but what is ordered


@dataclass(slots=True)
class Town:
    """A running stack. `users`: the accounts of `company.USERS`, each with a login of vtenext and a mailbox; none is connected yet."""

    stack: Stack
    users: list[Account]

    def browser(self, account: Account | None = None) -> Browser:
        """A new one without scripts; signed in at the panel when an account is given."""
        browser = Browser(self.stack.public_url)
        if account is not None and browser.sign_in(account).id != "signed-in":
            raise RuntimeError(f"{account.upn} did not get in: {browser.status} {browser.page.text[:300]}")
        return browser

    def forget_consents(self) -> None:
        """Nobody has consented to anything but the panel's sign-in."""
        entra = Entra(self.stack.urls["entra"])
        entra.ask("DELETE", "consents", {"client_id": CLIENT_ID})
        admit(entra, CLIENT_ID)


@contextmanager
def open_town(name: str, *, sign_in_mode: str = "delegated", sign_in: str = ANONYMOUS) -> Iterator[Town]:
    """Everything started, the directory read, nothing run. `sign_in`: what the platform does with who is not signed in."""
    with Stack(name, {"SYNC_SCHEDULE": NEVER}, sign_in=sign_in) as stack:
        CrmScreen(stack.urls["vtenext"]).users([user.as_vtenext() for user in USERS])
        outlook = Outlook(stack.urls["graph"])
        for user in USERS:
            outlook.user(user.mail, user.name)
        accounts = admit_mailboxes(Entra(stack.urls["entra"]), outlook, CLIENT_ID)
        town = Town(stack, [accounts[user.mail] for user in USERS])
        admin = town.browser(ADMIN)
        admin.order("PUT", "settings", {"sign_in_mode": sign_in_mode})
        admin.ask("users").raise_for_status()  # reads the directory
        yield town

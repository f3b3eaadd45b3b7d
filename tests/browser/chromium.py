"""The system's Chromium, driven by Playwright. Whatever a page complains of is collected: a test that ends with complaints fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "no Chromium was found. This installs it: sudo apt-get install -y chromium (or: bash scripts/setup_chromium.sh)"
)
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}


class NoChromium(RuntimeError):
    """There is no browser; the text says the one command that installs it."""


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser. Raises NoChromium."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NoChromium(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass  # not slotted: Playwright remembers its handlers on whoever brings them
class Person:
    """Somebody at a browser of their own. `complaints`: errors of scripts, of the console, and refusals of the content policy."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, browser: Browser, lang: str = "it", **more: object) -> Person:
        locale = {"it": "it-IT", "en": "en-GB"}[lang]
        context = browser.new_context(locale=locale, timezone_id="Europe/Rome", **more)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        person = cls(context, context.new_page())
        context.on("page", person._watch)
        person._watch(person.page)
        return person

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, said: ConsoleMessage) -> None:
        """Microsoft's emulated pages have no icon; ours do."""
        where = said.location["url"]
        if said.type in ("error", "warning") and not where.endswith("/favicon.ico"):
            self.complaints.append(f"{said.text} ({where})")

    def sign_in(self, url: str, token: str) -> None:
        """With ADMIN_TOKEN, by the panel's own form."""
        self.page.goto(f"{url}/api/panel")
        self.page.fill("input[name=token]", token)
        self.page.click("main form button")
        self.page.wait_for_url("**/api/panel")

    def serious(self) -> list[str]:
        """What axe-core finds on the present page that a person could not get past."""
        # the page's own policy forbids foreign scripts, so axe is evaluated through the debugger
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['help']} ({', '.join(node['target'][0] for node in each['nodes'][:3])})"
            for each in found["violations"]
            if each["impact"] in SERIOUS
        ]

    def close(self) -> None:
        self.context.close()

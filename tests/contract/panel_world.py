"""The panel in process: a browser without scripts - it keeps cookies, follows links and sends forms - over a world in memory."""

from __future__ import annotations

from typing import Any

import httpx
from bs4 import BeautifulSoup, Tag

from tests.contract.api_world import TOKEN, Api

ORIGIN = "http://localhost"


class Shown:
    """A page as it came."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.headers, self.path = answer.status_code, answer.headers, answer.url.raw_path.decode()
        self.source = answer.text
        self.soup = BeautifulSoup(answer.text, "html.parser")
        for each in self.soup.select("template"):  # nobody sees what a script has not put on the page
            each.decompose()

    @property
    def text(self) -> str:
        """All that is read, with single blanks."""
        return " ".join(self.soup.get_text(" ").split())

    @property
    def said(self) -> str:
        """The notice on top: what was done, or why not."""
        found = self.soup.select_one(".notice")
        return " ".join(found.get_text(" ").split()) if found else ""

    def one(self, css: str) -> Tag:
        """The only element that the selector finds."""
        found = self.soup.select(css)
        assert len(found) == 1, f"{len(found)} of {css} on {self.path}"
        return found[0]

    def fields(self, css: str) -> list[tuple[str, str]]:
        """What a browser would send with a form, no button pressed."""
        fields: list[tuple[str, str]] = []
        for each in self.one(css).select("input[name], select[name], textarea[name]"):
            name, kind = str(each["name"]), str(each.get("type", ""))
            if each.name == "select":
                options = each.select("option")
                chosen = [o for o in options if o.has_attr("selected")] or options[:1]
                fields += [(name, str(o.get("value", o.get_text()))) for o in chosen]
            elif each.name == "textarea":
                fields.append((name, each.get_text()))
            elif kind in ("checkbox", "radio"):
                fields += [(name, str(each.get("value", "on")))] if each.has_attr("checked") else []
            elif kind not in ("submit", "button"):
                fields.append((name, str(each.get("value", ""))))
        return fields


class Browser:
    """One person's browser. `token` '' = not signed in."""

    def __init__(self, api: Api, lang: str = "en", token: str = TOKEN) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(api.asgi()),
            base_url=ORIGIN,
            headers={"Accept-Language": lang},
            follow_redirects=True,
        )
        self._token = token

    async def __aenter__(self) -> Browser:
        if self._token:
            await self.sign_in()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def sign_in(self) -> None:
        await self._client.post(
            "/api/panel/sign-in", data={"token": self._token, "next": "/api/panel/calendar-mapping"}
        )

    def forget(self, *cookies: str) -> None:
        """As a browser does that was closed, or with a session that is over."""
        for name in cookies:
            self._client.cookies.delete(name)

    async def open(self, path: str, **headers: str) -> Shown:
        """Enter an address. Headers with '' are left out: older browsers do not say where a request began."""
        sent = {name: value for name, value in {"Sec-Fetch-Site": "none", **headers}.items() if value}
        return Shown(await self._client.get(path, headers=sent))

    async def follow(self, page: Shown, link: str) -> Shown:
        """Click a link of a page."""
        return await self.open(str(page.one(link)["href"]), **{"Sec-Fetch-Site": "same-origin"})

    async def post(self, path: str, data: Any, **headers: str) -> Shown:
        """Send what a foreign page might."""
        return Shown(await self._client.post(path, data=data, headers=headers))

    async def send(
        self, page: Shown, form: str, press: tuple[str, str] | None = None, **changes: str | list[str] | None
    ) -> Shown:
        """Fill in a form and press a button. `changes`: field -> value, a list of them, None = not ticked; `__` in a name is a dot."""
        assert page.one(form).select("button"), "a form without a button is sent by nobody"
        fields = page.fields(form)
        for name, value in changes.items():
            name = name.replace("__", ".")
            fields = [(key, kept) for key, kept in fields if key != name]
            fields += [(name, each) for each in ([value] if isinstance(value, str) else value or [])]
        if press:
            fields.append(press)
        data: dict[str, list[str]] = {}
        for key, kept in fields:
            data.setdefault(key, []).append(kept)
        action = str(page.one(form).get("action") or page.path)
        return Shown(await self._client.post(action, data=data, headers={"Sec-Fetch-Site": "same-origin"}))

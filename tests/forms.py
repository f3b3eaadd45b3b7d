"""The form of an HTML page as a browser without scripts has it: hidden fields, text fields, tick boxes, buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Button:
    """What can be pressed; its name and value travel along."""

    name: str
    value: str
    text: str = ""


@dataclass(slots=True)
class Page:
    """The only form of a page, and what else tests ask of it. `id`, `data`: of the page's `main`."""

    id: str = ""
    data: dict[str, str] = field(default_factory=dict)
    text: str = ""
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    def sent(self, button: str, *, ticked: tuple[str, ...] = (), **typed: str) -> dict[str, str]:
        """What a browser sends when that button is pressed; its text may be abbreviated at the end. Raises when something is not there."""
        pressed = next(each for each in self.buttons if each.text.startswith(button))
        unknown = typed.keys() - self.fields.keys()
        if unknown:
            raise AssertionError(f"the page has no field {unknown}")
        values = self.fields | typed | {name: self.boxes[name] for name in ticked}
        return values | ({pressed.name: pressed.value} if pressed.name else {})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._button: Button | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "main":
                self.page.id = given.get("id", "")
                self.page.data = {k.removeprefix("data-"): v for k, v in given.items() if k.startswith("data-")}
            case "form":
                self.page.action = given.get("action", "")
            case "input" if given.get("type") == "checkbox":
                self.page.boxes[given["name"]] = given.get("value", "on")
            case "input":
                self.page.fields[given["name"]] = given.get("value", "")
            case "button":
                self._button = Button(given.get("name", ""), given.get("value", ""))
                self.page.buttons.append(self._button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and self._button is not None:
            self._button.text = f"{self._button.text} {text}".strip()
        self.page.text = f"{self.page.text} {text}".strip()


def read(html: str) -> Page:
    """The page."""
    reader = _Reader()
    reader.feed(html)
    return reader.page

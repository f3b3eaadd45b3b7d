"""What an HTML body says as plain text, and whether it holds what plain text cannot.

vtenext's descriptions are text, Exchange keeps every body as HTML and writes it anew as it likes. So bodies are compared as text, by this
converter, whose rules are fixed: change one and raise HTML_TEXT_VERSION, which is part of every digest. Text that Exchange wrapped in HTML
comes back as the same text.

Never does: fetching what a body points to, judging whether HTML is valid, taking more than linear time. Any input gives an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html.parser import HTMLParser
from urllib.parse import unquote

from mapping.model import FieldType
from mapping.normalise import normalise

HTML_TEXT_VERSION = "1"

_SILENT = frozenset({"script", "style", "title"})  # the rest of a head holds no text
# fmt: off
_BLOCKS = frozenset({
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "footer", "form", "head", "header", "hr", "html", "legend", "main", "nav", "section", "summary", "table", "tbody", "tfoot", "thead", "tr",
})
# fmt: on
_PARAGRAPHS = frozenset({"p", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"})  # with an empty line around them
_RICH = frozenset({"audio", "embed", "iframe", "img", "math", "object", "svg", "table", "video"})
_MEETING = ("me-email-", "meet_invite_block", "skypemeeting")  # class or id, also with Outlook's prefix x_
_WORD = "mso"  # Word's own paragraphs (MsoNormal, MsoListParagraph ...) have no margin
_TIGHT_STYLE = re.compile(r"margin(?:-top|-bottom)?\s*:\s*0")
_LINKED = re.compile(r"(?:https?|ftp|mailto|tel):", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:(?:https?:|ftp:)?//|mailto:|tel:)")
_BLANKS = re.compile(r"[ \t\n\f]+")  # what HTML takes for one blank; the no-break space is not among them
_MONSTROUS = re.compile(r"&#[0-9]{8,};?")  # beyond Unicode, and html.unescape raises on more than 4300 digits
_DEEPEST = 8  # lists are indented no further
_MARK = "</a>"  # fed last: what stands before it is complete, or the unfinished tag that a browser drops too


def spelled(text: str) -> str:
    """A text in one spelling: \\n line ends, plain blanks, none at the end of a line, no empty lines around it."""
    plain = (normalise(FieldType.MULTILINE, text) or "").replace("\xa0", " ")
    return "\n".join(line.rstrip() for line in plain.split("\n")).strip("\n")


def squeezed(text: str) -> str:
    """What is left of a text when blanks do not count: only for comparing. squeezed(squeezed(x)) == squeezed(x)."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def to_text(html: str) -> str:
    """What a reader of this HTML reads, `spelled`. Links stand as their text, with the address behind it in brackets where it differs."""
    return _read(html)[0]


def rich(html: str) -> bool:
    """Does it hold what a text cannot: pictures, tables, embedded things, the block that lets people join an online meeting?"""
    return _read(html)[1]


@lru_cache(maxsize=128)  # a run asks several times about the events of a batch
def _read(html: str) -> tuple[str, bool]:
    """Text, and whether there is more. The parser is never closed: html.parser would then try what is unfinished again at every `<` in it.

    `<![` opens sections that html.parser may raise on; browsers take them for comments (Word's `<![if !supportLists]>`).
    """
    reader = _Reader()
    clean = _MONSTROUS.sub("\ufffd", html.replace("\r\n", "\n").replace("\r", "\n").replace("<![", "<!"))
    reader.feed(clean + _MARK)
    return spelled(reader.page.text()), reader.rich


class _Page:
    """Lines of text, as they are laid out."""

    def __init__(self) -> None:
        self.prefix = ""  # what the next line begins with: the mark of a list's element
        self._lines: list[str] = []
        self._line: list[str] = []
        self._after_blank = True
        self._margin = False

    def text(self) -> str:
        return "\n".join([*self._lines, "".join(self._line)])

    def words(self, data: str) -> None:
        """Text whose blanks count as one."""
        words = _BLANKS.sub(" ", data)
        if self._after_blank:
            words = words.removeprefix(" ")
        if words:
            self._begin()
            self._line.append(words)
            self._after_blank = words.endswith(" ")

    def verbatim(self, data: str) -> None:
        """Text whose blanks and line ends count as they are."""
        for number, line in enumerate(data.split("\n")):
            if number:
                self.line_break()
            if line:
                self._begin()
                self._line.append(line)
                self._after_blank = False

    def line_break(self) -> None:
        """The line ends here, even an empty one."""
        self._begin()
        self._lines.append("".join(self._line))
        self._line.clear()
        self._after_blank = True

    def block(self, margin: bool = False) -> None:
        """What follows stands on a line of its own; with `margin` after an empty one."""
        if self._line:
            self.line_break()
        self._margin = self._margin or margin

    def _begin(self) -> None:
        if self._line:
            return
        if self._margin and self._lines:
            self._lines.append("")
        self._margin = False
        if self.prefix:
            self._line.append(self.prefix)
            self.prefix = ""


class _Reader(HTMLParser):
    """Walks through HTML once, tag by tag. Keeps no tree, so that depth costs nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = _Page()
        self.rich = False
        self._silent = ""  # the element that is open and whose content is not text
        self._lists: list[int] = []  # the open ones: number of the last element, -1 = without numbers
        self._pre = 0
        self._fresh = False  # has a <pre> just begun?
        self._tight = False  # has the open paragraph no margin?
        self._address = ""  # of the open link
        self._linked: list[str] | None = None  # its text so far

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self._silent:
            return
        about = {name: value or "" for name, value in attrs}
        self._silent = tag if tag in _SILENT else ""
        self.rich = self.rich or tag in _RICH or _is_meeting(about)
        if tag == "br":
            self._note(" ")
            self.page.line_break()
        elif tag in _BLOCKS:
            self.page.block()
        elif tag in _PARAGRAPHS:
            self._tight = tag == "p" and _is_tight(about)
            self.page.block(margin=not self._tight)
        elif tag == "a":
            self._end_link()
            self._address, self._linked = about.get("href", "").strip(), []
        elif tag == "li":
            self._begin_element()
        elif tag in ("ul", "ol"):
            self.page.block()
            self._lists.append(0 if tag == "ol" else -1)
        elif tag in ("td", "th"):
            self.page.words(" ")
        elif tag == "pre":
            self.page.block()
            self._pre += 1
            self._fresh = True
            return
        self._fresh = False

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            self._silent = "" if tag == self._silent else self._silent
        elif tag in _BLOCKS:
            self.page.block()
        elif tag in _PARAGRAPHS:
            self.page.block(margin=not self._tight)
            self._tight = False
        elif tag == "a":
            self._end_link()
        elif tag == "li":
            self.page.block()
            self.page.prefix = ""
        elif tag in ("ul", "ol"):
            self.page.block()
            del self._lists[-1:]
        elif tag == "pre":
            self.page.block()
            self._pre = max(self._pre - 1, 0)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self._note(data)
        if self._pre:
            self.page.verbatim(data.removeprefix("\n") if self._fresh else data)
        else:
            self.page.words(data)
        self._fresh = False

    def _end_link(self) -> None:
        """Behind a link's text comes its address, if that is another one."""
        if self._linked is None:
            return
        shown, address = "".join(self._linked).strip(), self._address
        self._linked = None
        if _LINKED.match(address) and _bare(shown) != _bare(address):
            readable = _bare_mail(address) or address
            self.page.words(f" ({readable})" if shown else readable)

    def _note(self, data: str) -> None:
        if self._linked is not None:
            self._linked.append(data)

    def _begin_element(self) -> None:
        self.page.block()
        depth = min(len(self._lists), _DEEPEST)
        mark = "-"
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}."
        self.page.prefix = f"{'  ' * (depth - 1)}{mark} "


def _is_meeting(about: Mapping[str, str]) -> bool:
    names = f"{about.get('id', '')} {about.get('class', '')}".lower()
    return any(mark in names for mark in _MEETING)


def _is_tight(about: Mapping[str, str]) -> bool:
    """Is it a paragraph that stands without an empty line around it?"""
    names = about.get("class", "").lower().split()
    return any(name.removeprefix("x_").startswith(_WORD) for name in names) or bool(
        _TIGHT_STYLE.search(about.get("style", "").lower())
    )


def _bare_mail(address: str) -> str:
    """`mailto:anna@x.example?subject=Hi` -> `anna@x.example`; '' for other links."""
    scheme, _, rest = address.partition(":")
    return unquote(rest.partition("?")[0]) if scheme.lower() == "mailto" else ""


def _bare(link: str) -> str:
    """A link as one recognises it: without scheme, case, blanks, brackets and the slash at its end.

    Exchange makes links of what looks like an address: `www.acme.example` becomes one to `http://www.acme.example`.
    """
    text = "".join(unquote(_bare_mail(link) or link).split()).strip("<>").lower()
    return _SCHEME.sub("", text, count=1).rstrip("/")

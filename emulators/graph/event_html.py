"""Bodies as Exchange keeps them: always HTML, wrapped and cleaned; back to text on demand (BEHAVIOUR 7.2, body).

Pure. The exact markup is from memory of what the service returns; that clients get their markup back changed is documented.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from html.parser import HTMLParser

_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_ACTIVE = re.compile(r"<(script|object|embed|applet|iframe)\b.*?(?:</\1\s*>|/>|\Z)", re.IGNORECASE | re.DOTALL)
_HANDLER = re.compile(r"\s+on[a-z]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(href|src)\s*=\s*([\"']?)\s*javascript:[^\"'>\s]*\2", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!][^>]*>")
_CHARSET = re.compile(r"<meta\b[^>]*(?:charset|content-type)[^>]*>\s*", re.IGNORECASE)
_BLOCKS = {"p", "div", "li", "tr", "table", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr"}


def stored(content: str, kind: str) -> str:
    """What the mailbox keeps of a body that was sent as `text` or `html`; nothing stays nothing."""
    if not content.strip():
        return ""
    return _from_text(content) if kind == "text" else _cleaned(content)


def _from_text(text: str) -> str:
    """The converter of plain text: one `PlainText` block with `<br>` between lines."""
    lines = [_spaces(html.escape(line, quote=False)) for line in re.split(r"\r\n|\r|\n", text)]
    body = "<br>\r\n".join(lines)
    return (
        f'<html><head>\r\n{_META}\r\n<meta name="Generator" content="Microsoft Exchange Server">\r\n'
        "<!-- converted from text -->\r\n"
        "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } --></style>"
        '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">'
        f"{body}</div></span></font>\r\n</body>\r\n</html>\r\n"
    )


def _spaces(line: str) -> str:
    """Runs of spaces keep their width: all but the last of a run do not break; one at the start of a line neither."""
    line = re.sub(r"^ ", "&nbsp;", line)
    return re.sub(r" {2,}", lambda run: "&nbsp;" * (len(run[0]) - 1) + " ", line).replace("\t", "&nbsp;&nbsp;&nbsp; ")


def _cleaned(content: str) -> str:
    """Scripts out, `<html><head><meta ...></head><body>` around, line ends CRLF. Cleaning twice changes nothing."""
    content = _ACTIVE.sub("", content)
    content = _TAG.sub(lambda tag: _SCHEME.sub(r"\1=\2\2", _HANDLER.sub("", tag[0])), content)
    head = re.search(r"<head\b[^>]*>(.*?)</head\s*>", content, re.IGNORECASE | re.DOTALL)
    body = re.search(r"<body\b([^>]*)>(.*?)(?:</body\s*>|\Z)", content, re.IGNORECASE | re.DOTALL)
    attributes = body[1].rstrip() if body else ""
    if body:
        inner = body[2]
    else:
        rest = content if head is None else content[: head.start()] + content[head.end() :]
        inner = re.sub(r"<!doctype[^>]*>|</?html\b[^>]*>", "", rest, flags=re.IGNORECASE)
    kept = _CHARSET.sub("", head[1]).strip() if head else ""
    whole = f"<html><head>\n{_META}{kept}</head><body{attributes}>{inner.strip()}</body></html>"
    return re.sub(r"\r\n|\r|\n", "\r\n", whole)


class _Text(HTMLParser):
    """Collects text; blocks and `<br>` begin lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("head", "style", "script"):
            self._hidden += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag in _BLOCKS:
            self._new_line()
        elif tag in ("td", "th") and self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\t")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("head", "style", "script"):
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self._new_line()

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        text = re.sub(r"[ \t\r\n]+", " ", data)
        if not self.parts or self.parts[-1].endswith("\n"):
            text = text.lstrip(" ")
        if text:
            self.parts.append(text)

    def _new_line(self) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")


@lru_cache(maxsize=2048)
def text_of(content: str) -> str:
    """The text of a stored body, as `Prefer: outlook.body-content-type="text"` gives it."""
    reader = _Text()
    reader.feed(content)
    reader.close()
    lines = [line.rstrip(" ") for line in "".join(reader.parts).replace("\xa0", " ").split("\n")]
    return "\r\n".join(lines).strip("\r\n")


def preview(content: str) -> str:
    """bodyPreview: the first 255 characters of the text (7.2)."""
    return text_of(content)[:255]

"""HTML -> text: what a reader reads, the same again for text that Exchange wrapped, and an answer for any input."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.html_text import rich, spelled, squeezed, to_text

READABLE = st.text(
    st.one_of(st.sampled_from(" \n<>&;'\"aè€😀"), st.characters(exclude_categories=["Cs", "Cc"])), max_size=60
)
# fmt: off
PIECES = (
    "<p>", "</p>", "<p class=x_MsoNormal>", "<br>", "<div>", "</div>", "<ul>", "</ul>", "<ol>", "<li>", "</li>", "<pre>", "</pre>", "<style>",
    "</style>", "<title>", "</title>", "<a href='http://x.example/'>", "</a>", "<td>", "<img", "<!--", "-->", "<![if x]>", "<!", "</", "<", ">",
    "&nbsp;", "&#", "&lt;", "&#x110000;", "&", "'", '"', "=", "\n", " ", "\xa0", "a", "b c", "\x00", "\ud83d", "<body>", "<?x", "]]>",
)
# fmt: on
MARKUP = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def plain_text_page(text: str) -> str:
    """What Exchange makes of a text (as messages that passed it show it: `PlainText`, blanks that count as &nbsp;)."""
    lines = (re.sub(r" (?= )|^ ", "&nbsp;", html.escape(line, quote=False)) for line in text.split("\n"))
    return (
        '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
        '<meta name="Generator" content="Microsoft Exchange Server">\r\n<!-- converted from text -->\r\n'
        "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } --></style></head>\r\n"
        '<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">'
        + "<br>\r\n".join(lines)
        + "</div></span></font>\r\n</body>\r\n</html>\r\n"
    )


def bare_page(text: str) -> str:
    """The same without a thought for blanks."""
    lines = html.escape(text).replace("\n", "<br>\r\n")
    head = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
    return f"{head}<body><div>{lines}</div></body></html>"


# text -> Exchange -> text


@given(READABLE)
def test_text_that_exchange_wrapped_comes_back(text: str) -> None:
    assert to_text(plain_text_page(spelled(text))) == spelled(text)


@given(READABLE)
def test_and_from_a_careless_wrapping_what_counts(text: str) -> None:
    assert squeezed(to_text(bare_page(spelled(text)))) == squeezed(text)


@given(READABLE)
def test_wrapped_text_is_not_rich(text: str) -> None:
    assert not rich(plain_text_page(text))
    assert not rich(bare_page(text))


def test_links_that_exchange_adds_to_a_text_add_nothing() -> None:
    text = "vedi www.acme.example, https://acme.example/a%20b/ o anna@acme.example"
    linked = (
        'vedi <a href="http://www.acme.example/">www.acme.example</a>, <a href="https://acme.example/a%20b/">https://acme.example/a%20b/</a>'
        ' o <a href="mailto:anna@acme.example">anna@acme.example</a>'
    )
    assert to_text(f"<div>{linked}</div>") == text


# what a reader reads


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("<html><head></head><body></body></html>", ""),
        ('<div class="PlainText">&nbsp;</div>', ""),
        ("no markup at all", "no markup at all"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div>one<br></div><div>two</div>", "one\ntwo"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("one<br>\r\n<br>\r\ntwo", "one\n\ntwo"),
        ("one<br><br><br>two", "one\n\n\ntwo"),
        ("<h1>Agenda</h1>text<h2>Luogo</h2>text", "Agenda\n\ntext\n\nLuogo\n\ntext"),
        ("a  b\n\tc", "a b c"),
        ("a &nbsp; b", "a   b"),
        ("a<b> b</b> <i>c</i>", "a b c"),
        ("&lt;b&gt; &amp;amp; &egrave; &#8364; &#x1F600;", "<b> &amp; è € 😀"),
        ("<ul><li>one<li>two</ul>three", "- one\n- two\nthree"),
        ("<ol><li>one</li><li>two<ul><li>three</li></ul></li><li>four</li></ol>", "1. one\n2. two\n  - three\n3. four"),
        ("<ul><li><p style='margin:0'>one</p></li><li></li><li>two</li></ul>", "- one\n- two"),
        ("<pre>\n  a\n   b\n</pre>c", "  a\n   b\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a<script>x < y; '</p>'</script>b<style>p {}</style>c<!-- d -->e<title>f</title>", "abce"),
        ("<head><title>t</title><body>b", "b"),
        ('<a href="https://acme.example/x">qui</a>', "qui (https://acme.example/x)"),
        ('<a href="https://acme.example/x"><img src="cid:1"></a>', "https://acme.example/x"),
        ('<a href="mailto:anna@acme.example?subject=Ciao">Anna</a>', "Anna (anna@acme.example)"),
        ('<a href="HTTPS://ACME.example">acme.example</a>', "acme.example"),
        ('<a href="tel:+3902">+3902</a>', "+3902"),
        ('<a href="#top">su</a> <a>x</a> <a href="javascript:y()">z</a>', "su x z"),
        ('<a href="https://a.example">one<a href="https://b.example">two', "one (https://a.example)two (https://b.example)"),
        ("<![if !supportLists]>1.<![endif]> one", "1. one"),
        ("5 < 6 &and; 7 <", "5 < 6 ∧ 7 <"),
        ("gone <a href='x", "gone"),
        ("gone <!-- x", "gone"),
    ],
)  # fmt: skip
def test_reading(markup: str, text: str) -> None:
    assert to_text(markup) == text


WORD = """<html xmlns:v="urn:schemas-microsoft-com:vml">
<head><meta name="Generator" content="Microsoft Word 15 (filtered medium)">
<!--[if !mso]><style>v\\:* {behavior:url(#default#VML);}</style><![endif]-->
<style><!-- p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt;} --></style></head>
<body lang="IT" link="#0563C1"><div class="WordSection1">
<p class="MsoNormal">Buongiorno,<o:p></o:p></p>
<p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal">ci vediamo <b>domani</b>
alle <span lang="EN-US">10</span>.<o:p></o:p></p>
<p class="x_MsoListParagraph" style="text-indent:-18.0pt"><![if !supportLists]>-<span style="font:7.0pt">&nbsp; </span><![endif]>uno<o:p></o:p></p>
</div></body></html>"""


def test_word_paragraphs_are_lines() -> None:
    assert to_text(WORD) == "Buongiorno,\n\nci vediamo domani alle 10.\n-  uno"
    assert not rich(WORD)


# what a text cannot hold

TEAMS = (
    '<div>Testo</div><div class="me-email-text" lang="it-IT"><span>Riunione di Microsoft Teams</span><br>'
    '<a id="meet_invite_block.action.join_link" class="me-email-headline" href="https://teams.microsoft.com/l/meetup-join/1">Partecipa</a></div>'
)


@pytest.mark.parametrize(
    ("markup", "held"),
    [
        ("<p>a <b>b</b> <a href='https://x.example'>c</a></p>", False),
        ("<div>https://teams.microsoft.com/l/meetup-join/1</div>", False),
        ("&lt;img&gt; &lt;table&gt;", False),
        ("<!-- <img src=x> <table> -->a", False),
        ("a<img src='cid:1'>", True),
        ("a<IMG SRC='cid:1'/>", True),
        ("<table><tr><td>a", True),
        ("<iframe src=x></iframe>", True),
        (TEAMS, True),
        (TEAMS.replace("me-email", "x_me-email").replace('"meet', '"x_meet'), True),
        ('<div id="divSkypeMeeting">x</div>', True),
        ("", False),
    ],
)
def test_rich(markup: str, held: bool) -> None:
    assert rich(markup) is held


# any input


@given(MARKUP)
def test_any_markup_gives_a_text_in_one_spelling(markup: str) -> None:
    text = to_text(markup)
    assert text == spelled(text)
    assert isinstance(rich(markup), bool)
    text.encode()


@given(st.text(max_size=80))
def test_any_text_has_one_spelling(text: str) -> None:
    assert spelled(spelled(text)) == spelled(text)
    assert squeezed(squeezed(text)) == squeezed(text)
    assert squeezed(spelled(text)) == squeezed(spelled(spelled(text)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a\r\nb\rc \n\n", "a\nb\nc"),
        ("\n \n  a\xa0b\xa0\n\n\n\tc", "  a b\n\n\n\tc"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_spelling(text: str, what: str) -> None:
    assert spelled(text) == what


def test_blanks_do_not_count_when_squeezed() -> None:
    assert squeezed("  a \t b\n\n \n\nc\xa0\n") == "a b\n\nc"


@pytest.mark.parametrize(
    "unit", ["<!--", "<a ", "<a a=", "</", "<", "<![if", "<?", "&", '<a href="', "<div>", "<ul><li>x", "<pre>\n", "&#9"]
)
@pytest.mark.parametrize("end", ["", ">", "-->", "'\">"])
def test_hostile_repetition_ends(unit: str, end: str) -> None:
    """html.parser, when closed, looks at what is unfinished once for every `<` in it: many seconds for half of these (3.13.0)."""
    to_text(unit * (60_000 // len(unit)) + end)


def test_numbers_without_end() -> None:
    assert to_text("a&#" + "9" * 5000 + ";b") == "a\ufffdb"

"""A fixed mapping: field pairs that no admin edits, each with its `Way`. What events and tasks share; each adds what is its own.

Only values that the target does not say already, as well as it can, are written; a value that the target cannot lose is kept there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mapping.event_fields import Way
from mapping.html_text import HTML_TEXT_VERSION, to_text
from mapping.model import Anchor, FieldPair, FieldType, Value
from mapping.normalise import NORMALISER_VERSION, image


@dataclass(slots=True)
class Sent:
    """Fields to write on one side, and what is taken to stand there afterwards. `closed`: field pairs left out because they are one-way."""

    fields: dict[str, Value] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)


class FixedTranslator:
    """The common part of `mapping.model.Translator`. Immutable. `version`: of this mapping alone."""

    def __init__(self, kind: str, version: str, ways: Sequence[tuple[FieldPair, Way]], body: FieldPair) -> None:
        self.kind = kind
        self.version = f"{version}-{NORMALISER_VERSION}-{HTML_TEXT_VERSION}"
        self.pairs: Sequence[FieldPair] = tuple(pair for pair, _ in ways)
        self._ways = {pair.id: (pair, way) for pair, way in ways}
        self._body = body

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        """Field pair id -> normalised value that the CRM item holds. What was not read, or is unreadable, is left out."""
        values: dict[str, str] = {}
        for pair, way in self._ways.values():
            value = way.from_crm(text_of(fields, pair.crm)) if pair.crm in fields else None
            if value is not None:
                values[pair.id] = value
        return values

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        """Field pair id -> normalised value that the mailbox item holds, its body as text. What was not read, or is unreadable, is left out."""
        values: dict[str, str] = {}
        for pair, way in self._ways.values():
            if pair.mailbox not in fields:
                continue
            text = text_of(fields, pair.mailbox)
            value = to_text(text) if pair == self._body and is_html(fields) else way.from_mailbox(text)
            if value is not None:
                values[pair.id] = value
        return values

    def image(self, pair: str, value: str) -> str:
        """The value as the poorer side can hold it. A pair of another mapping: its plain normalised text."""
        known = self._ways.get(pair)
        return known[1].image(value) if known else image(FieldType.TEXT, value, None)

    def to_crm(
        self, values: Mapping[str, str], now: Mapping[str, str] | None, lasting: Collection[FieldPair] = ()
    ) -> Sent:
        """`now`: what the CRM holds, None = nothing yet. `lasting`: what cannot be taken away there."""
        sent = Sent()
        for pair, way, value in self._known(values):
            held = (now or {}).get(pair.id)
            if held is not None and way.image(value) == way.image(held):
                sent.held[pair.id] = held
            elif pair in lasting and not way.image(value):
                sent.held[pair.id] = held or ""
            elif value or now is not None:
                sent.fields[pair.crm] = text = way.to_crm(value)
                sent.held[pair.id] = way.from_crm(text) or ""
                sent.flags |= way.lost(value)
            else:
                sent.held[pair.id] = ""
        return sent

    def to_mailbox(
        self,
        values: Mapping[str, str],
        now: Mapping[str, str] | None,
        closed: Collection[str],
        lasting: Collection[FieldPair] = (),
    ) -> Sent:
        """`now`: what the mailbox holds, None = nothing yet. `closed`: field pairs that are never written there."""
        sent = Sent()
        for pair, way, value in self._known(values):
            held = (now or {}).get(pair.id)
            if held is not None and way.image(value) == way.image(held):
                sent.held[pair.id] = held
            elif pair.id in closed or (pair in lasting and not way.image(value)):
                sent.held[pair.id] = held or ""
                sent.closed |= {pair.id} & set(closed)
            elif value or now is not None:
                sent.fields[pair.mailbox] = sent.held[pair.id] = way.to_mailbox(value)
            else:
                sent.held[pair.id] = ""
        return sent

    def _known(self, values: Mapping[str, str]) -> list[tuple[FieldPair, Way, str]]:
        return [(*self._ways[id_], value) for id_, value in values.items() if id_ in self._ways]


def text_of(fields: Mapping[str, Value], name: str) -> str:
    """A field as one text, '' when it is absent."""
    value = fields.get(name, "")
    return value if isinstance(value, str) else ", ".join(value)


def is_html(fields: Mapping[str, Value]) -> bool:
    """Is the item's body HTML?"""
    return text_of(fields, "bodyType").strip().lower() == "html"

"""A mapping of two fields that loses nothing, digests that hide nothing, and short ways to make items: for tests of the pure core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mapping.model import Anchor, FieldPair, Rendered, Value
from sync.model import Held, Item, Kind, Link, Role, Side
from sync.plan import Context
from sync.policy import KindPolicy, Policy

ME, OTHER = "mailbox-me", "mailbox-other"
MY_USER, OTHER_USER, GROUP = "19x1", "19x2", "22x3"


@dataclass(frozen=True)
class PlainTranslator:
    """`name` and `phone` on both sides; the CRM holds eight characters of a phone; a `kind` field says what a card is."""

    kind: str = "contact"
    version: str = "1"
    pairs: Sequence[FieldPair] = (FieldPair("name", "name"), FieldPair("phone", "phone"))

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        return {p.id: str(fields.get(p.crm, "")) for p in self.pairs}

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        return {p.id: str(fields.get(p.mailbox, "")) for p in self.pairs}

    def image(self, pair: str, value: str) -> str:
        return value[:8] if pair.startswith("phone") else value

    def render_crm(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, accounts: Mapping[str, tuple[str, ...]]
    ) -> Rendered:
        held = {pair: self.image(pair, value) for pair, value in values.items()}
        return Rendered({pair.split("~")[0]: value for pair, value in held.items()}, held)

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        return Rendered({pair.split("~")[1]: value for pair, value in values.items()}, dict(values))

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        return frozenset()

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        return bool(mailbox_fields.get("name"))


class PlainDigests:
    """Digests that can be read; a value 'old:...' counts as made with a key that is not held any more."""

    def digest(self, link: str, pair: str, version: str, value: str) -> str:
        return f"{version}:{value}".replace(" ", "_")

    def matches(self, digest: str, link: str, pair: str, version: str, value: str) -> bool | None:
        if not digest.startswith(f"{version}:"):
            return None
        return digest == self.digest(link, pair, version, value)

    def is_current(self, digest: str) -> bool:
        return not digest.startswith("old:")


NAME, PHONE = "name~name", "phone~phone"


def crm(name: str = "Anna", phone: str = "1", *, owner: str = MY_USER, id_: str = "4x1", modified: str = "") -> Item:
    fields = {"name": name, "phone": phone}
    return Item(Side.CRM, Kind.CONTACT, id_, "v1", fields, owner, modified=modified)


def card(name: str = "Anna", phone: str = "1", *, id_: str = "c1", modified: str = "") -> Item:
    fields = {"name": name, "phone": phone, "surname": name}
    return Item(Side.MAILBOX, Kind.CONTACT, id_, "e1", fields, ME, modified=modified)


def linked(name: str = "Anna", phone: str = "1", *, origin: Side = Side.CRM, role: Role = Role.HOME) -> Link:
    """A link whose base says that both sides held this."""
    held = {NAME: Held(f"1:{name}", f"1:{name}"), PHONE: Held(f"1:{phone}", f"1:{phone}")}
    return Link(ME, Kind.CONTACT, "4x1", "c1", origin, role, held)


def context(policy: KindPolicy | None = None, translator: PlainTranslator | None = None, **more: object) -> Context:
    kinds = {kind: policy or KindPolicy() for kind in Kind}
    whole = Policy(ME, MY_USER, {MY_USER: ME, OTHER_USER: OTHER}, "", kinds)
    one = translator or PlainTranslator()
    made = Context(whole, {Kind.CONTACT: one, Kind.COMPANY: replace(one, kind="company")}, PlainDigests())
    return replace(made, **more)  # type: ignore[arg-type]

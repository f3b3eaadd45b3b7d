"""A small mapping of the simulator's own, to try the engine without the product's mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mapping.model import Anchor, FieldPair, Rendered, Translator, Value
from sync.model import Kind

LENGTHS = {"firstname": 40, "lastname": 80, "accountname": 100, "mailingcity": 40, "bill_city": 30, "department": 30}
CONTACT = [
    FieldPair("firstname", "givenName"),
    FieldPair("lastname", "surname"),
    FieldPair("email", "emailAddresses#1"),
    FieldPair("phone", "businessPhones#1"),
    FieldPair("mobile", "mobilePhone"),
    FieldPair("title", "jobTitle"),
    FieldPair("department", "department"),
    FieldPair("mailingcity", "businessAddress.city"),
    FieldPair("account_id", "companyName"),
]
COMPANY = [
    FieldPair("accountname", "companyName"),
    FieldPair("email1", "emailAddresses#1"),
    FieldPair("phone", "businessPhones#1"),
    FieldPair("bill_city", "businessAddress.city"),
    FieldPair("description", "personalNotes"),
]


@dataclass(frozen=True)
class SmallTranslator:
    kind: str
    pairs: Sequence[FieldPair]
    version: str = "1"

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        return {p.id: str(fields.get("account_name" if p.crm == "account_id" else p.crm, "")) for p in self.pairs}

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        result = {p.id: self._read(p.mailbox, fields) for p in self.pairs}
        if self.kind == "contact" and not fields.get("surname") and fields.get("givenName"):
            first, last = self.pairs[0].id, self.pairs[1].id
            result[last], result[first] = result[first], ""
        return result

    @staticmethod
    def _read(name: str, fields: Mapping[str, Value]) -> str:
        name, _, slot = name.partition("#")
        value = fields.get(name, "")
        if slot:
            return value[int(slot) - 1] if len(value) >= int(slot) else ""
        return str(value)

    def image(self, pair: str, value: str) -> str:
        text = "".join("????" if ord(c) > 0xFFFF else c for c in value)
        return text[: LENGTHS.get(pair.split("~")[0], 100)].casefold()

    def render_crm(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, accounts: Mapping[str, tuple[str, ...]]
    ) -> Rendered:
        fields: dict[str, Value] = {}
        held: dict[str, str] = {}
        refused: set[str] = set()
        for pair, value in values.items():
            name = pair.split("~")[0]
            if name == "account_id":
                ids = accounts.get(value, ())
                if value and len(ids) != 1:
                    refused.add(pair)
                    continue
                fields[name] = ids[0] if value else ""
            elif name in {"lastname", "accountname"} and not value:
                refused.add(pair)
                continue
            else:
                fields[name] = value
            held[pair] = "".join("????" if ord(c) > 0xFFFF else c for c in value)[: LENGTHS.get(name, 100)]
        return Rendered(fields, held, frozenset(), frozenset(refused))

    def render_mailbox(self, values: Mapping[str, str], current: Mapping[str, Value] | None) -> Rendered:
        fields: dict[str, Value] = {}
        for pair, value in values.items():
            name, _, slot = pair.split("~")[1].partition("#")
            if name == "surname" and current and not current.get("surname") and current.get("givenName"):
                name = "givenName"
            fields[name] = ((value,) if value else ()) if slot else value
        return Rendered(fields, dict(values))

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        return bool(
            mailbox_fields.get("givenName") or mailbox_fields.get("surname") or mailbox_fields.get("companyName")
        )


def translators() -> dict[Kind, Translator]:
    return {
        Kind.CONTACT: SmallTranslator("contact", CONTACT),
        Kind.COMPANY: SmallTranslator("company", COMPANY),
    }

"""One kind's mapping at work: from fields of a side to values, and from values to fields of the other side.

Values travel by field pair, in one spelling (normalise.py). What a side cannot hold is given up on the way in one place, here, and said with
a flag; what the other side still holds of it is never overwritten with the poorer copy, because equal images are not written.
The rules of names are in names.py, those of lists in lists.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mapping import lists
from mapping.fields import COMPANY_NAME, MAILBOX_CATALOG, Field, default_lengths, slot_of
from mapping.model import Anchor, FieldPair, FieldType, Rendered, Value
from mapping.names import (
    COMPANY,
    DISPLAY,
    FAMILY,
    GIVEN,
    NAME_PARTS,
    CrmNames,
    is_nameless,
    kind_of_card,
    local_part,
    plain_name,
    shown_name,
    view,
    written,
)
from mapping.normalise import NORMALISER_VERSION, decoded, has_astral, image, kept, name_image, normalise, sendable

COMPANY_LINK = FieldPair("account_id", COMPANY)
"""The fixed pair of SPEC 1.8: on the CRM's side a reference, on the card a name."""
FIRST_NAME, LAST_NAME = FieldPair("firstname", GIVEN), FieldPair("lastname", FAMILY)
"""The two pairs that the rules of names are about."""

# values of sync.model.Flag, which mapping does not import
TEXT_CUT, CHARACTERS_LOST, CHOICE_UNKNOWN = "text_cut", "characters_lost", "choice_unknown"
COMPANY_UNKNOWN, COMPANY_AMBIGUOUS, MANDATORY_KEPT = "company_unknown", "company_ambiguous", "mandatory_kept"

_TEXTS = frozenset({FieldType.TEXT, FieldType.MULTILINE, FieldType.EMAIL, FieldType.PHONE, FieldType.URL})


@dataclass(frozen=True, slots=True)
class BoundPair:
    """A field pair with the two fields that it names."""

    pair: FieldPair
    crm: Field
    mailbox: Field

    @property
    def id(self) -> str:
        return self.pair.id

    @property
    def is_company_link(self) -> bool:
        return self.id == COMPANY_LINK.id

    @property
    def limit(self) -> int | None:
        """Characters that the CRM keeps of it."""
        return default_lengths("Accounts")["accountname"] if self.is_company_link else self.crm.max_length


class _Writing:
    """What is being rendered: filled pair by pair, then turned into `Rendered`."""

    def __init__(self) -> None:
        self.fields: dict[str, Value] = {}
        self.held: dict[str, str] = {}
        self.flags: set[str] = set()
        self.refused: set[str] = set()

    def refuse(self, pair: str, flag: str = "") -> None:
        self.refused.add(pair)
        self.flags |= {flag} if flag else set()

    def done(self) -> Rendered:
        held = {pair: value for pair, value in self.held.items() if pair not in self.refused}
        return Rendered(self.fields, held, frozenset(self.flags), frozenset(self.refused))


class CardTranslator:
    """`mapping.model.Translator` for contacts or companies. Immutable; made by `mapping.rules.translator`."""

    def __init__(self, kind: str, bound: Iterable[BoundPair]) -> None:
        self.kind = kind
        self.version = NORMALISER_VERSION
        self._bound = {each.id: each for each in bound}
        self._read = [
            (id_, COMPANY_NAME, FieldType.TEXT) if each.is_company_link else (id_, each.crm.name, each.crm.type)
            for id_, each in self._bound.items()
        ]
        self.pairs: Sequence[FieldPair] = tuple(each.pair for each in self._bound.values())
        self._lists: dict[str, dict[int, str]] = {}
        self._names = kind == "contact" and LAST_NAME.id in self._bound
        self._named = [id_ for id_ in self._bound if self._is_name(id_)]
        self._plain: list[BoundPair] = []
        for each in sorted(self._bound.values(), key=lambda one: slot_of(one.mailbox.name)):
            root, slot = slot_of(each.mailbox.name)
            if slot:
                self._lists.setdefault(root, {})[slot] = each.id
            elif not self._is_name(each.id):
                self._plain.append(each)
        self._listed = [
            (each.id, each.mailbox.name, FieldType.CHOICE if each.crm.type is FieldType.CHOICE else each.mailbox.type)
            for each in self._plain
            if each.mailbox.listed
        ]

    # reading

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        """Field pair id -> normalised value that the CRM item holds. What was not read, or is unreadable, is left out."""
        values: dict[str, str] = {}
        for id_, name, kind in self._read:
            value = normalise(kind, decoded(_text(fields[name]))) if name in fields else None
            if value is not None:
                values[id_] = value
        for id_ in self._named:
            if id_ in values:
                values[id_] = values[id_].strip()
        return values

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        """Field pair id -> normalised value that the card holds. What was not read, is never listed, or is unreadable, is left out."""
        values: dict[str, str] = {}
        for id_, name, kind in self._listed:
            value = normalise(kind, _text(fields[name])) if name in fields else None
            if value is not None:
                values[id_] = value
        for root, slots in self._lists.items():
            if root in fields:
                values.update(lists.read(self._elements(root, fields), slots, anchor))
        if self._names and (GIVEN in fields or FAMILY in fields):
            values.update(self._viewed(fields))
        return values

    def image(self, pair: str, value: str) -> str:
        """The value as the poorer side can hold it. A pair of another mapping: its plain normalised text."""
        each = self._bound.get(pair)
        if each is None:
            return image(FieldType.TEXT, value, None)
        if each.is_company_link:
            return name_image(value, each.limit)
        return image(each.crm.type, value.strip() if self._is_name(pair) else value, each.limit)

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        """Every field of a card may be written."""
        return frozenset()

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        """Does a card hold enough to become a CRM item of this kind (SPEC 1.7)?"""
        if self.kind == "company":
            return kind_of_card(mailbox_fields) == "company"
        return bool(view(mailbox_fields).last)

    def _is_name(self, pair: str) -> bool:
        """Do the rules of names speak of this pair?"""
        return self._names and pair in (FIRST_NAME.id, LAST_NAME.id)

    def _elements(self, root: str, fields: Mapping[str, Value]) -> list[str]:
        """The elements of a list, each in one spelling, without empty ones."""
        value = fields.get(root, ())
        kind = MAILBOX_CATALOG[f"{root}#1"].type
        every = (value,) if isinstance(value, str) else value
        return [text for text in (normalise(kind, each) for each in every) if text]

    def _viewed(self, fields: Mapping[str, Value]) -> dict[str, str]:
        names = view(fields)
        values = {FIRST_NAME.id: names.first, LAST_NAME.id: names.last}
        return {id_: value for id_, value in values.items() if id_ in self._bound}

    def _wanted(
        self, values: Mapping[str, str], now: Mapping[str, str], writing: _Writing, *, new: bool
    ) -> dict[str, str]:
        """The values that really change something. The others are held already, and mandatory ones are never cleared."""
        wanted: dict[str, str] = {}
        for id_, value in values.items():
            each = self._bound.get(id_)
            if each is None:
                continue
            if new and not value:
                writing.held[id_] = ""
            elif id_ in now and (value == now[id_] or self.image(id_, value) == self.image(id_, now[id_])):
                writing.held[id_] = now[id_]
            elif each.crm.mandatory and not kept(value, each.limit):
                writing.refuse(id_, MANDATORY_KEPT)
            else:
                wanted[id_] = value
        return wanted

    # writing to the CRM

    def render_crm(
        self,
        values: Mapping[str, str],
        current: Mapping[str, Value] | None,
        accounts: Mapping[str, tuple[str, ...]],
    ) -> Rendered:
        """CRM fields to write for these pair values. `current` None = a new item."""
        writing = _Writing()
        now = self.crm_values(current) if current is not None else {}
        for id_, value in self._wanted(values, now, writing, new=current is None).items():
            each = self._bound[id_]
            if each.is_company_link:
                self._link_company(each, value, accounts, writing)
            elif not each.crm.writable:
                writing.refuse(id_)
            elif each.crm.type is FieldType.CHOICE and value and value not in each.crm.choices:
                writing.refuse(id_, CHOICE_UNKNOWN)
            else:
                self._put(each, value, writing)
        if current is None and self._names:
            self._name_new(values, writing)
        return writing.done()

    def _put(self, each: BoundPair, value: str, writing: _Writing) -> None:
        """A text as the CRM can hold it, anything else as it is."""
        if each.crm.type not in _TEXTS:
            writing.fields[each.crm.name] = writing.held[each.id] = value
            return
        stays = kept(value, each.limit)
        if has_astral(value):
            writing.flags.add(CHARACTERS_LOST)
        if stays != kept(value, None):
            writing.flags.add(TEXT_CUT)
        writing.fields[each.crm.name] = sendable(value, each.limit)
        writing.held[each.id] = stays

    def _link_company(
        self, each: BoundPair, value: str, accounts: Mapping[str, tuple[str, ...]], writing: _Writing
    ) -> None:
        """SPEC 1.8: exactly one Account of that name -> linked; an emptied company -> cleared; else untouched and flagged."""
        ids = set(accounts[value]) if value in accounts else self._alike(each.id, value, accounts)
        if value and len(ids) != 1:
            writing.refuse(each.id, COMPANY_AMBIGUOUS if ids else COMPANY_UNKNOWN)
            return
        writing.fields[each.crm.name] = ids.pop() if value else ""
        writing.held[each.id] = value

    def _alike(self, pair: str, name: str, accounts: Mapping[str, tuple[str, ...]]) -> set[str]:
        """Ids of the Accounts whose name says the same in another spelling."""
        wanted = self.image(pair, name)
        return {id_ for other, ids in accounts.items() if self.image(pair, other) == wanted for id_ in ids}

    def _name_new(self, values: Mapping[str, str], writing: _Writing) -> None:
        """A new record needs a last name, also when the mapping's directions brought none (SPEC 1.7)."""
        last = self._bound[LAST_NAME.id]
        if writing.fields.get(last.crm.name):
            return
        first = values.get(FIRST_NAME.id, "")
        addresses = (values.get(pair, "") for pair in self._lists.get("emailAddresses", {}).values())
        name = first or next((local_part(address) for address in addresses if address), "")
        if not name:
            return
        if first:
            writing.fields.pop("firstname", None)
            writing.held[FIRST_NAME.id] = ""
        writing.refused.discard(last.id)
        self._put(last, name, writing)

    # writing to the mailbox

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        """Mailbox fields to write: whole lists, derived fields included. See mapping/model.py for `anchor`."""
        writing = _Writing()
        card: Mapping[str, Value] = current or {}
        now = self.mailbox_values(card, anchor) if current is not None else {}
        wanted = self._wanted(values, now, writing, new=current is None)
        for each in self._plain:
            if each.id not in wanted:
                continue
            if each.mailbox.derived:
                writing.refuse(each.id)
                continue
            writing.fields[each.mailbox.name] = writing.held[each.id] = wanted[each.id]
        for root, slots in self._lists.items():
            self._write_list(root, slots, wanted, card, anchor, writing)
        if self._names:
            self._write_names(wanted, current, writing)
        self._derive(current, writing)
        return writing.done()

    def _write_list(
        self,
        root: str,
        slots: lists.Slots,
        wanted: Mapping[str, str],
        card: Mapping[str, Value],
        anchor: Anchor | None,
        writing: _Writing,
    ) -> None:
        mine = {id_: wanted[id_] for id_ in slots.values() if id_ in wanted}
        if mine:
            elements, held = lists.rewrite(self._elements(root, card), slots, mine, anchor)
            writing.fields[root] = elements
            writing.held.update(held)

    def _write_names(self, wanted: Mapping[str, str], current: Mapping[str, Value] | None, writing: _Writing) -> None:
        """Given name and surname such that the card is viewed as the CRM says its names.

        A card without names whose address or company is about to change keeps what the CRM calls it as surname: else the new
        address would read as a new name, and a company alone would make it a company's card.
        """
        seen = view(current) if current is not None else CrmNames("", "")
        names = CrmNames(wanted.get(FIRST_NAME.id, seen.first), wanted.get(LAST_NAME.id, seen.last))
        pinned = (
            current is not None and is_nameless(current) and bool({"emailAddresses", COMPANY} & set(writing.fields))
        )
        if names == seen and not pinned:
            return
        if names.first and not names.last:  # a CRM without last names does not exist; a card may
            names = CrmNames("", names.first)
        before = current or {}
        for part, text in written(names, current).items():
            if text != _text(before.get(part, "")):
                writing.fields[part] = text
        for id_, value in self._viewed({**before, **writing.fields}).items():
            if id_ in wanted:
                writing.held[id_] = value

    def _derive(self, current: Mapping[str, Value] | None, writing: _Writing) -> None:
        """displayName, and fileAs of a new company card: what Exchange would otherwise compute by rules of its own (BEHAVIOUR 7.1)."""
        if not writing.fields:
            return
        if current is None:
            name = plain_name(writing.fields)
            if name:
                writing.fields[DISPLAY] = name
            if name and self.kind == "company":
                writing.fields["fileAs"] = name
            return
        if set(writing.fields) & NAME_PARTS or current.get(DISPLAY):
            shown = shown_name(current, {**current, **writing.fields})
            if shown:
                writing.fields[DISPLAY] = shown


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ", ".join(value)

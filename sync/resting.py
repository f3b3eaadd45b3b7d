"""Linked items in which nothing was edited since both sides last agreed, recognised as a whole. Pure.

A comparison in full finds nearly all pairs as it found them the night before. To say so field pair by field pair takes some twenty-five digests an
item; so when a pair was found at rest, its link remembers one digest of all that this was judged by: both items' fields, the base, and which
pairs the mapping has. While it matches nothing was edited, so merge would find nothing again, whatever the policy says: a policy decides about
edits only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from mapping.model import Translator
from mapping.moving import Remap
from sync.bases import text_of
from sync.merge import Sealed
from sync.model import Base, Family, Item, Link, Side
from sync.settle import rekeyed, values_of

_PAIR = "*"
"""Stands for all of them; no field pair is called so."""
_text = json.JSONEncoder(check_circular=False).encode


def shape_of(translator: Translator, remap: Remap | None) -> str:
    """Which field pairs a mapping has, and whose bases it keeps: a pair more, or one less, is a reason to look at every item anew."""
    kept = sorted(remap.kept) if remap else ()
    return _text(([pair.id for pair in translator.pairs], kept))


def at_rest(link: Link, crm: Item, mailbox: Item, sealed: Sealed, shape: str) -> bool:
    """Is all as it was when the link was found at rest? False = look closely."""
    if not link.rest or link.sent or not sealed.digests.is_current(link.rest):
        return False
    judged = _judged(link, crm, mailbox, shape)
    return sealed.digests.matches(link.rest, sealed.link, _PAIR, sealed.version, judged) is True


def put_to_rest(link: Link, crm: Item, mailbox: Item, sealed: Sealed, translator: Translator, shape: str) -> Link:
    """The link that remembers what both items hold, after nothing was to be done about them.

    As it is if something is edited (and may not be written), was never agreed on, or cannot be read.
    """
    whole = link.kind in Family.PEOPLE.kinds and not link.sent  # of events and tasks more is judged than their fields
    newest = _is_current(link.base, sealed)
    if newest and not whole:
        return link
    ours, theirs = (values_of(item, translator, sealed) for item in (crm, mailbox))
    link = link if newest else rekeyed(link, ours, theirs, sealed)
    if not whole or not _untouched(ours, theirs, replace(sealed, base=link.base), translator):
        return link
    judged = _judged(link, crm, mailbox, shape)
    return replace(link, rest=sealed.digests.digest(sealed.link, _PAIR, sealed.version, judged))


def _untouched(crm: Mapping[str, str], mailbox: Mapping[str, str], sealed: Sealed, translator: Translator) -> bool:
    """Does every pair hold what both last agreed on? What no listing of the mailbox shows (fax) is judged by the CRM."""
    for pair in translator.pairs:
        if pair.id not in crm or not sealed.unchanged(Side.CRM, pair.id, crm[pair.id]):
            return False
        if pair.id in mailbox and not sealed.unchanged(Side.MAILBOX, pair.id, mailbox[pair.id]):
            return False
    return _is_current({pair.id: sealed.base[pair.id] for pair in translator.pairs}, sealed)


def _is_current(base: Base, sealed: Sealed) -> bool:
    return all(sealed.digests.is_current(digest) for held in base.values() for digest in held)


def _judged(link: Link, crm: Item, mailbox: Item, shape: str) -> str:
    """As JSON, so that no two different things have one text. Another order of fields is another text: then it is looked at closely once."""
    return f"{shape}\n{text_of(link.base)}\n{_text((dict(crm.fields), dict(mailbox.fields)))}"

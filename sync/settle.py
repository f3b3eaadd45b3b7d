"""What is remembered after a write: the new link and its base. Pure.

Own side := what was read and planned. Target side := the server's answer if it says what was sent (in the image), else the image of what was
sent, so that a workflow's change on that side counts as an edit. Only pairs that were written or agreed are renewed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.model import Translator
from mapping.people import WHO, is_person
from sync.merge import Digests, Sealed
from sync.model import Held, Item, Link, Sent, Side

OSCILLATION = 4
MOST_WRITES = 12
_RECORD = "record"
TURN = timedelta(minutes=4)
"""A little less than two ticks are apart."""


def answered(sent: Mapping[str, str], held: Mapping[str, str], answer: Item, translator: Translator) -> dict[str, str]:
    """Field pair -> what the target is taken to hold after the write of `sent`, expected to hold `held`."""
    if answer.side is Side.CRM:
        now = translator.crm_values(answer.fields)
    else:
        now = translator.mailbox_values(answer.fields, lambda pair, value: held.get(pair) == value)
    result: dict[str, str] = {}
    for pair in sent:
        expected = held[pair] if pair in held else translator.image(pair, sent[pair])
        if is_person(pair) and ("invitees" in answer.fields or "attendees" in answer.fields):
            # a server that took somebody else, or nobody, is not asked again and again
            result[pair] = now.get(pair, "")
            continue
        seen = now.get(pair, expected)
        same = seen == expected or translator.image(pair, seen) == translator.image(pair, expected)
        result[pair] = seen if same else expected
    return result


def renewed(link: Link, sealed: Sealed, crm: Mapping[str, str], mailbox: Mapping[str, str]) -> Link:
    """The link with the bases of these pairs renewed: pairs in both mappings."""
    base = dict(link.base)
    for pair in crm.keys() & mailbox.keys():
        base[pair] = sealed.seal(pair, crm[pair], mailbox[pair])
    return replace(link, base=base)


def rekeyed(link: Link, crm: Mapping[str, str], mailbox: Mapping[str, str], sealed: Sealed) -> Link:
    """The link with what still holds digested by the key that is written with now: who learned an old key is told little.

    `crm`, `mailbox`: what both sides show.
    """
    return replace(link, base={pair: _rekeyed(pair, held, crm, mailbox, sealed) for pair, held in link.base.items()})


def _rekeyed(pair: str, held: Held, crm: Mapping[str, str], mailbox: Mapping[str, str], sealed: Sealed) -> Held:
    if sealed.digests.is_current(held.crm) and sealed.digests.is_current(held.mailbox):
        return held
    nobody = "" if is_person(pair) else None  # who is not on a list is not invited
    ours = crm.get(pair, nobody)
    # fax: no listing shows it
    theirs = ours if pair not in mailbox and held.mailbox == held.crm else mailbox.get(pair, nobody)
    if ours is None or theirs is None or not sealed.settled(pair, ours, theirs):
        return held
    return sealed.seal(pair, ours, theirs)


def values_of(item: Item, translator: Translator, sealed: Sealed) -> dict[str, str]:
    """Field pair -> normalised value that an item of either side holds, its lists put in order by the base."""
    if item.side is Side.CRM:
        return translator.crm_values(item.fields)
    return translator.mailbox_values(item.fields, sealed.anchor())


def foreseen(
    side: Side, values: Mapping[str, str], held: Mapping[str, str], source: Mapping[str, str], sealed: Sealed
) -> dict[str, Sent]:
    """What is written down before `values` go to `side`, expected to be held there as `held`. `source`: what the other side holds."""
    sent: dict[str, Sent] = {}
    for pair in values.keys() & held.keys() & source.keys():
        if not is_person(pair):
            mine, theirs = held[pair], source[pair]
            crm, mailbox = (mine, theirs) if side is Side.CRM else (theirs, mine)
            sent[pair] = Sent(side, sealed.seal(pair, crm, mailbox))
    return sent


def heard(link: Link, values: Mapping[Side, Mapping[str, str]], sealed: Sealed) -> Link:
    """The link with the bases of writes that were carried out though nobody heard of it: their side holds what was sent.

    Else our own write would look like an edit of that side, and win over somebody who took the edit behind it back.
    """
    base = dict(link.base)
    for pair, sent in link.sent.items():
        value = values.get(sent.side, {}).get(pair)
        digest = sent.held.crm if sent.side is Side.CRM else sent.held.mailbox
        if value is not None and sealed.digests.matches(digest, sealed.link, pair, sealed.version, value):
            base[pair] = sent.held
    return replace(link, base=base)


def left_out(values: Mapping[str, str], refused: frozenset[str], target: Mapping[str, str]) -> bool | None:
    """Did the CRM take another list of people than `values` say? None = they speak of nobody."""
    invited = [pair for pair in values if pair.startswith(WHO)]
    return any(pair in refused or target.get(pair, "") != values[pair] for pair in invited) if invited else None


def turn_of(turn: int, began_at: str, now: datetime) -> tuple[int, str]:
    """The turn that counts as a run where it is counted how often something happens in a row, and when it began: runs that follow each other within
    minutes, because somebody told of changes or of our own writes, are one."""
    if began_at and now - datetime.fromisoformat(began_at) < TURN:
        return turn, began_at
    return turn + 1, now.isoformat()


def streaks(before: Mapping[str, str], written: Mapping[str, object], turn: int) -> dict[str, str]:
    """Per field pair in how many consecutive turns it was written, and how often: 'count@turn*writes'."""
    result: dict[str, str] = {}
    for pair in written:
        count, last, writes = _streak(before.get(pair, ""))
        if last not in (turn, turn - 1):
            count, writes = 0, 0
        result[pair] = f"{count + (last != turn or not count)}@{turn}*{writes + 1}"
    return result


def _streak(text: str) -> tuple[int, int, int]:
    count, _, rest = text.partition("@")
    last, _, writes = rest.partition("*")
    return int(count or 0), int(last or 0), int(writes or 0)


def oscillates(before: Mapping[str, str], writing: Mapping[str, object], turn: int) -> bool:
    """Would this be the fourth consecutive turn that writes one of these pairs, or more writes than a person makes in that time?"""
    found = [_streak(streak) for streak in streaks(before, writing, turn).values()]
    return any(count >= OSCILLATION or writes > MOST_WRITES for count, _, writes in found)


def record_digest(item: Item, translator: Translator, digests: Digests) -> str:
    """Everything of a record that matters to a mailbox, as one digest: its echo has the same."""
    return digests.digest(item.id, _RECORD, translator.version, _record(item, translator))


def is_record(digest: str, item: Item, translator: Translator, digests: Digests) -> bool | None:
    """Is it the `record_digest` of what the record holds now? None: made with a key or a normaliser that is not known any more."""
    return digests.matches(digest, item.id, _RECORD, translator.version, _record(item, translator))


def _record(item: Item, translator: Translator) -> str:
    return json.dumps([item.owner, sorted(translator.crm_values(item.fields).items())])

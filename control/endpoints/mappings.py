"""The mappings of fields (SPEC 3.1-3.4): read, check, try on a real item, save; the fixed ones; how far a re-synchronisation has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Reply, Shown
from control.endpoints.settings import version_of
from control.problems import problem
from control.texts import sentence
from mapping.advice import Warned
from mapping.calendar import Shown as Fixed
from mapping.fields import Field as MappedField
from mapping.model import FieldPair
from mapping.rules import MOST_PAIRS, Problem
from sync import mapping_commands
from sync.mapping_commands import FIXED, MappingRead, WrongMapping, kind_of
from sync.mapping_preview import Trip
from sync.mappings import Strategy
from sync.model import Kind
from sync.resync import resync
from sync.settings import Model

Name = Annotated[str, Field(min_length=1, max_length=100)]


class PairWritten(Model):
    """A pair of fields, one of each side."""

    crm: Name
    mailbox: Name
    direction: Literal["both", "to_crm", "to_mailbox"] = "both"
    mode: Literal["always", "only_if_empty", "on_create"] = "always"


class MappingWritten(Model):
    """A mapping. `stamp_field`: of contacts a custom field of the CRM that carries our mark, '' = none."""

    pairs: Annotated[list[PairWritten], Field(max_length=MOST_PAIRS)]
    stamp_field: Annotated[str, Field(max_length=100)] = ""


class MappingSaved(MappingWritten):
    """`confirm`: how many copies `purge` deletes and makes again, as its count said."""

    strategy: Literal["in_place", "purge"] = "in_place"
    confirm: Annotated[int, Field(ge=0)] | None = None


class MappingTried(MappingWritten):
    """On which item: a record of the CRM, or a mailbox's card; none = any linked one."""

    record: Annotated[str, Field(max_length=30)] = ""
    mailbox: Annotated[str, Field(max_length=100)] = ""
    item: Annotated[str, Field(max_length=400)] = ""


class PairShown(Shown):
    crm: str
    mailbox: str
    direction: str
    mode: str


class FieldShown(Shown):
    """A field of one side. `listed`: its side shows it to programs; `derived`: the connector fills it by itself."""

    name: str
    label: str
    label_it: str
    type: str
    max_length: int | None
    choices: tuple[str, ...]
    writable: bool
    mandatory: bool
    listed: bool
    derived: bool


class Said(Shown):
    """What is wrong, or worth knowing. `pair`: '' = the mapping as a whole."""

    code: str
    pair: str
    names: tuple[str, ...]
    sentence: str


class CheckedShown(Shown):
    problems: tuple[Said, ...]
    warnings: tuple[Said, ...]


class MappingShown(CheckedShown):
    """A kind's mapping in force; pairs that `problems` name are left out on this CRM."""

    kind: str
    pairs: tuple[PairShown, ...]
    stamp_field: str
    saved_version: int
    saved_by: str
    saved_at: str
    crm: tuple[FieldShown, ...]
    mailbox: tuple[FieldShown, ...]
    unmapped_crm: tuple[str, ...]
    unmapped_mailbox: tuple[str, ...]


class TripShown(Shown):
    """A value on its way to the other side and back; `flags` say what is given up, with `sentences`."""

    begins: str
    travels: bool
    arrives: str
    returns: str
    refused: bool
    flags: tuple[str, ...]
    sentences: tuple[str, ...]


class PairTried(PairShown):
    from_crm: TripShown | None
    from_mailbox: TripShown | None


class PreviewShown(Shown):
    """A real item: ids of the record and its card, '' where there is none."""

    record: str
    mailbox: str
    item: str
    pairs: tuple[PairTried, ...]


class PurgeShown(Shown):
    """Copies that we created, all and by mailbox; `linked`: all cards, ours or not."""

    total: int
    mailboxes: Mapping[str, int]
    linked: int


class FixedShown(Shown):
    crm: tuple[str, ...]
    mailbox: tuple[str, ...]
    label: str
    label_it: str


class FixedMappings(Shown):
    """The mappings that nobody edits."""

    event: tuple[FixedShown, ...]
    task: tuple[FixedShown, ...]


class ResyncShown(Shown):
    """`since`, `why`: when settings or mapping moved last, and what; `done`: mailboxes compared in full since, `waiting`: the first 25 of the others.

    `items`, `items_done`: of mailboxes that are half compared.
    """

    since: str
    why: str
    mailboxes: int
    done: int
    waiting: tuple[str, ...]
    items: int
    items_done: int


async def mapping(call: Call) -> Reply:
    return _reply(await mapping_commands.read(call.app.connector, kind_of(call.id)), call.lang)


async def check_mapping(call: Call) -> CheckedShown:
    body = _written(call.read(MappingWritten))
    found = await mapping_commands.check(call.app.connector, kind_of(call.id), body)
    return CheckedShown(problems=_problems(found.problems, call.lang), warnings=_warnings(found.warnings, call.lang))


async def preview_mapping(call: Call) -> Reply:
    asked = call.read(MappingTried)
    named = {"record": asked.record, "mailbox": asked.mailbox, "item": asked.item}
    tried = mapping_commands.preview(call.app.connector, kind_of(call.id), _written(asked), **named)
    try:
        found = await tried
    except WrongMapping as wrong:
        return _refused(wrong, call.lang)
    pairs = tuple(
        PairTried(
            **_pair(row.pair).model_dump(),
            from_crm=_trip(row.from_crm, call.lang),
            from_mailbox=_trip(row.from_mailbox, call.lang),
        )
        for row in found.pairs
    )
    return Reply(PreviewShown(record=found.record, mailbox=found.mailbox, item=found.item, pairs=pairs))


async def purge_count(call: Call) -> PurgeShown:
    found = await mapping_commands.purge_count(call.app.connector)
    return PurgeShown(total=found.total, mailboxes=found.mailboxes, linked=found.linked)


async def put_mapping(call: Call) -> Reply:
    asked = call.read(MappingSaved)
    saved = mapping_commands.save(
        call.app.connector,
        kind_of(call.id),
        _written(asked),
        over=version_of(call.match),
        strategy=Strategy(asked.strategy),
        confirm=asked.confirm,
        by=call.by,
    )
    try:
        return _reply(await saved, call.lang)
    except WrongMapping as wrong:
        return _refused(wrong, call.lang)


async def fixed_mappings(call: Call) -> FixedMappings:
    return FixedMappings(event=_fixed(FIXED[Kind.EVENT]), task=_fixed(FIXED[Kind.TASK]))


async def progress(call: Call) -> ResyncShown:
    found = await resync(call.app.connector.registry, call.app.connector.now())
    return ResyncShown(**{name: getattr(found, name) for name in ResyncShown.model_fields})


def _refused(wrong: WrongMapping, lang: str) -> Reply:
    """A mapping that cannot be used: with the sentence of the first thing that is wrong with it, and all others in `problems`."""
    problems = _problems(wrong.problems, lang)
    first = problem("bad_value", lang, 400, field=wrong.field, reason=problems[0].sentence)
    return Reply(first.model_copy(update={"problems": [each.model_dump() for each in problems]}), first.status)


def _written(asked: MappingWritten) -> dict[str, Any]:
    return {"pairs": [pair.model_dump() for pair in asked.pairs], "stamp_field": asked.stamp_field}


def _reply(found: MappingRead, lang: str) -> Reply:
    body = MappingShown(
        kind=found.kind.value,
        pairs=tuple(_pair(pair) for pair in found.mapping.pairs),
        stamp_field=found.mapping.stamp_field,
        problems=_problems(found.problems, lang),
        warnings=_warnings(found.warnings, lang),
        saved_version=found.version,
        saved_by=found.by,
        saved_at=found.at,
        crm=tuple(_field(each) for each in found.crm),
        mailbox=tuple(_field(each) for each in found.mailbox),
        unmapped_crm=tuple(each.name for each in found.unmapped.crm),
        unmapped_mailbox=tuple(each.name for each in found.unmapped.mailbox),
    )
    return Reply(body, etag=str(found.version))


def _pair(pair: FieldPair) -> PairShown:
    return PairShown(crm=pair.crm, mailbox=pair.mailbox, direction=pair.direction.value, mode=pair.mode.value)


def _field(each: MappedField) -> FieldShown:
    return FieldShown(**{name: getattr(each, name) for name in FieldShown.model_fields})


def _problems(found: Sequence[Problem], lang: str) -> tuple[Said, ...]:
    return tuple(_one(each.wrong.value, each.pair, each.names, lang) for each in found)


def _warnings(found: Sequence[Warned], lang: str) -> tuple[Said, ...]:
    return tuple(_one(each.advice.value, each.pair, each.names, lang) for each in found)


def _one(code: str, pair: str, names: tuple[str, ...], lang: str) -> Said:
    return Said(code=code, pair=pair, names=names, sentence=sentence("mapping", code, lang).format(*names))


def _trip(trip: Trip | None, lang: str) -> TripShown | None:
    if trip is None:
        return None
    shown = {name: getattr(trip, name) for name in TripShown.model_fields if name != "sentences"}
    return TripShown(**shown, sentences=tuple(sentence("flag", flag, lang) for flag in trip.flags))


def _fixed(rows: Sequence[Fixed]) -> tuple[FixedShown, ...]:
    return tuple(FixedShown(crm=r.crm, mailbox=r.mailbox, label=r.label, label_it=r.label_it) for r in rows)


ENDPOINTS = (
    Endpoint("fixed_mappings", "GET", "fixed-mappings", fixed_mappings, "How events and tasks are mapped; read-only", FixedMappings),
    Endpoint("mapping", "GET", "mappings/{id}", mapping, "The mapping of contact or company, and all fields", MappingShown),
    Endpoint(
        "mapping_put", "PUT", "mappings/{id}", put_mapping, "Put a mapping in force, compare everything with it", MappingShown,
        body=MappingSaved, versioned=True,
    ),
    Endpoint(
        "mapping_check", "POST", "mappings/{id}/check", check_mapping, "Is this mapping right? Nothing is changed", CheckedShown,
        body=MappingWritten,
    ),
    Endpoint(
        "mapping_preview", "POST", "mappings/{id}/preview", preview_mapping, "A real item there and back; kept nowhere", PreviewShown,
        body=MappingTried,
    ),
    Endpoint("mapping_purge", "GET", "mapping-purge", purge_count, "How many cards each strategy writes", PurgeShown),
    Endpoint("resync", "GET", "resync", progress, "How far a re-synchronisation has come", ResyncShown),
)  # fmt: skip

"""What waits for an admin, and the answers (SPEC 4.6)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Nothing, Paging, Reply, Shown, first_of
from control.endpoints.settings import version_of
from control.texts import sentence
from sync import commands
from sync.commands import NEW
from sync.errors import ConfigMistake
from sync.explaining import explain
from sync.model import Reason
from sync.settings import Model
from sync.store.asking import HoldRow


class HoldShown(Shown):
    """One hold, with what can be answered. `version` moves with what it asks about, and is the If-Match of an answer."""

    id: str
    mailbox: str
    kind: str
    side: str
    because: str
    sentence: str
    since: str
    state: str
    until: str
    count: int
    items: tuple[str, ...]
    candidates: tuple[str, ...]
    choices: tuple[str, ...]
    choice: str
    by: str
    at: str
    version: int


class HoldsShown(Shown):
    """A page of the holds, those that nobody answered and those that were."""

    holds: tuple[HoldShown, ...]
    next: str


class NamedShown(Shown):
    """An item or a candidate. `name` is empty when it cannot be read now, is gone, or is a private event."""

    id: str
    side: str
    name: str
    when: str
    candidate: bool


class HoldExplained(Shown):
    """What a hold is about, by name, as both sides are now."""

    items: tuple[NamedShown, ...]


class HoldsAsked(Paging):
    """Which holds; '' = all."""

    state: Literal["", "open", "approved", "rejected"] = ""
    mailbox: Annotated[str, Field(max_length=100)] = ""


class Approval(Model):
    """`choice`: which candidate, or `new`, where there are several."""

    choice: Annotated[str, Field(max_length=400)] = ""


async def holds(call: Call) -> HoldsShown:
    asked = call.asked(HoldsAsked)
    registry = call.app.connector.registry
    found = await registry.some_holds(asked.after, asked.limit + 1, asked.state, asked.mailbox)
    part, after = first_of(found, lambda hold: hold.id, asked.limit)
    return HoldsShown(holds=tuple(shown(each, call.lang) for each in part), next=after)


async def hold(call: Call) -> Reply:
    return _reply(await commands.hold(call.app.connector, call.id), call)


async def approve(call: Call) -> Reply:
    choice, version = call.read(Approval).choice, _version(call)
    return _reply(await commands.approve(call.app.connector, call.id, choice, call.by, version), call)


async def reject(call: Call) -> Reply:
    call.read(Nothing)
    return _reply(await commands.reject(call.app.connector, call.id, call.by, _version(call)), call)


def _version(call: Call) -> int:
    """The version that was looked at. Nobody can permit whatever is there."""
    version = version_of(call.match)
    if version is None:
        raise ConfigMistake("If-Match", "etag_of_hold")
    return version


def _reply(found: HoldRow, call: Call) -> Reply:
    return Reply(shown(found, call.lang), etag=str(found.version))


async def explained(call: Call) -> HoldExplained:
    named = await explain(call.app.connector, call.id)
    return HoldExplained(
        items=tuple(
            NamedShown(id=each.id, side=each.side.value, name=each.name, when=each.when, candidate=each.candidate)
            for each in named
        )
    )


def shown(found: HoldRow, lang: str) -> HoldShown:
    several = found.because is Reason.SEVERAL_CANDIDATES
    return HoldShown(
        id=found.id,
        version=found.version,
        mailbox=found.mailbox,
        kind=found.kind.value if found.kind else "user",
        side=found.side.value,
        because=found.because.value,
        sentence=sentence("reason", found.because.value, lang),
        since=found.since,
        state=found.state,
        until=found.until,
        count=found.count,
        items=tuple(found.items),
        candidates=tuple(found.candidates),
        choices=(*found.candidates, NEW) if several else (),
        choice=found.choice,
        by=found.by,
        at=found.at,
    )


ENDPOINTS = (
    Endpoint("holds", "GET", "holds", holds, "What waits for an admin, and what was answered", HoldsShown, query=HoldsAsked),
    Endpoint("hold", "GET", "holds/{id}", hold, "One hold", HoldShown),
    Endpoint("hold_explain", "GET", "holds/{id}/explain", explained, "Names of what it is about, read live", HoldExplained, noted=True),
    Endpoint("hold_approve", "POST", "holds/{id}/approve", approve, "Permit for 24 hours what was shown", HoldShown, body=Approval, versioned=True),
    Endpoint("hold_reject", "POST", "holds/{id}/reject", reject, "Leave both sides as they are", HoldShown, body=Nothing, versioned=True),
)  # fmt: skip

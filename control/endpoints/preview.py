"""A dry run of one user's mailbox (SPEC 4.7): what a run would do now. It asks the servers, so it is a POST, and it is noted who looked."""

from __future__ import annotations

from collections.abc import Mapping

from control.endpoint import Call, Endpoint, Nothing, Shown
from control.endpoints.status import why
from control.texts import sentence
from sync.preview import Preview, Row, preview


class CountShown(Shown):
    """How many of a kind would be created, changed or deleted on a side."""

    what: str
    side: str
    kind: str
    count: int


class RowShown(Shown):
    """One of the first things that would be done, and why. `id`: by which the item's history is found (of what would be made: its origin's), empty
    when there is none; `name` is empty for private events."""

    what: str
    side: str
    kind: str
    id: str
    because: str
    sentence: str
    name: str


class PreviewShown(Shown):
    """`first`: nothing ran there yet. `crm_created`: records that would be made in the CRM; its workflows run on each. `mails`: that would leave at
    most. `held`: what an admin would be asked, by reason. `complete` false: time was up, the counts are a part. `cause`: what stopped it."""

    mailbox: str
    first: bool
    counts: tuple[CountShown, ...]
    crm_created: int
    mails: int
    held: Mapping[str, int]
    held_sentences: Mapping[str, str]
    reasons: Mapping[str, int]
    reason_sentences: Mapping[str, str]
    seconds: int
    rows: tuple[RowShown, ...]
    complete: bool
    cause: str
    why: str


async def user_preview(call: Call) -> PreviewShown:
    call.read(Nothing)
    return shown(await preview(call.app.connector, call.app.previewing, call.id), call.lang)


def shown(found: Preview, lang: str) -> PreviewShown:
    counts = [
        CountShown(what=what, side=side.value, kind=kind.value, count=number)
        for (what, side, kind), number in sorted(found.counts.items())
    ]
    return PreviewShown(
        mailbox=found.mailbox,
        first=found.first,
        counts=tuple(counts),
        crm_created=sum(each.count for each in counts if (each.what, each.side) == ("create", "crm")),
        mails=found.mails,
        held=found.held,
        held_sentences={reason: sentence("reason", reason, lang) for reason in found.held},
        reasons=found.reasons,
        reason_sentences={reason: sentence("reason", reason, lang) for reason in found.reasons},
        seconds=found.seconds,
        rows=tuple(_row(each, lang) for each in found.rows),
        complete=found.complete,
        cause=found.cause,
        why=why(found.cause, lang),
    )


def _row(row: Row, lang: str) -> RowShown:
    said = sentence("reason", row.because, lang) if row.because else ""
    return RowShown(
        what=row.what,
        side=row.side.value,
        kind=row.kind.value,
        id=row.id,
        because=row.because,
        sentence=said,
        name=row.name,
    )


ENDPOINTS = (
    Endpoint(
        "user_preview", "POST", "users/{id}/preview", user_preview, "What a run of this user's mailbox would do", PreviewShown,
        body=Nothing,
    ),
)  # fmt: skip

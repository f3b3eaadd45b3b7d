"""The changes of one contact folder, a list of tasks, or a window of the calendar, as Graph's delta query tells them.

A round is the initial request (or the stored link), then each nextLink until the deltaLink; pages may be empty (BEHAVIOUR 2.1).
Removals are claims: what was moved away, left the window or is only replayed looks the same. Knows nothing of items.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sync.errors import Cause, Failure, RetryLater, classify
from sync.sides.base import CursorLost
from sync.sides.graph.answers import Json
from sync.sides.graph.client import IMMUTABLE, PASSING, GraphConnection

PAGE = 200
LOST = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired", "fullsyncrequired"})


@dataclass(frozen=True, slots=True)
class DeltaPage:
    """One page: each id once, the last word on it. `link`: the deltaLink, '' on every page but the last."""

    changed: dict[str, Json] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    link: str = ""


async def delta_pages(
    connection: GraphConnection,
    user: str,
    first: str,
    link: str | None,
    *,
    entity: str,
    where: str,
    prefer: tuple[str, ...],
    ids: str = IMMUTABLE,
) -> AsyncIterator[DeltaPage]:
    """All pages of one round, from the request `first` or from a stored link; of entities of this type only.

    `prefer` is said on every page: the token does not carry it (BEHAVIOUR 2.1). Raises CursorLost when `link`, or a page's link, is
    not known any more; else classify's errors.
    """
    if link is not None and not connection.owns(link):
        raise CursorLost  # of another cloud or address: it must not get our token
    url, resumed = (first, False) if link is None else (link, True)
    told: dict[str, str] = {}
    while True:
        answer = await connection.read(url, where=where, mailbox=user, prefer=prefer, again=PASSING | {404}, ids=ids)
        if isinstance(answer, Failure):
            raise _meaning(answer, resumed)
        page = _page(answer.body, told, f"#microsoft.graph.{entity}".lower())
        yield page
        if page.link:
            return
        following = str(answer.body.get("@odata.nextLink") or "")
        if not following:
            raise RetryLater(Cause.GRAPH_UNREACHABLE)  # neither link: a broken answer, never an end
        url, resumed = following, True


def _meaning(failure: Failure, resumed: bool) -> Exception:
    """410 under any name, and a token called malformed, mean: begin again (BEHAVIOUR 2.2). Not so without a token."""
    lost = failure.status == 410 or (400 <= failure.status < 500 and failure.code.lower() in LOST)
    if resumed and (lost or failure.status == 400):
        return CursorLost()
    if lost or failure.status == 400:
        return RetryLater(Cause.GRAPH_UNREACHABLE)
    return classify(failure)


def _page(body: Json, told: dict[str, str], type_name: str) -> DeltaPage:
    """`told`: id -> time of the state told last in this round. The same id may come again, the last wins - but an older state
    that comes late is a replay and is dropped."""
    changed: dict[str, Json] = {}
    gone: dict[str, None] = {}
    for entry in body.get("value") or ():
        key = str(entry["id"])
        if "@removed" in entry:
            changed.pop(key, None)
            gone[key] = None
            told.pop(key, None)
            continue
        if entry.get("@odata.type", type_name).lower() != type_name:
            continue  # distribution lists are not contacts (BEHAVIOUR 2.3)
        modified = str(entry.get("lastModifiedDateTime") or "")
        if not modified or modified >= told.get(key, ""):
            told[key] = modified
            gone.pop(key, None)
            changed[key] = entry
    return DeltaPage(changed, list(gone), str(body.get("@odata.deltaLink") or ""))

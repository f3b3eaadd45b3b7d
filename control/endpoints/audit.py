"""Who ordered what and when."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Paging, Shown, first_of


class NotedShown(Shown):
    """One command. `outcome`: HTTP status of its answer, 0 = it did not end."""

    at: str
    by: str
    what: str
    target: str
    outcome: int


class AuditShown(Shown):
    """A page, the newest first."""

    audit: tuple[NotedShown, ...]
    next: str


async def audit(call: Call) -> AuditShown:
    paging = call.asked(Paging)
    found = await call.app.connector.audit.listed(paging.after, paging.limit + 1)
    part, after = first_of(found, lambda each: each.key, paging.limit)
    shown = tuple(
        NotedShown(at=each.at, by=each.by, what=each.what, target=each.target, outcome=each.outcome) for each in part
    )
    return AuditShown(audit=shown, next=after)


ENDPOINTS = (Endpoint("audit", "GET", "audit", audit, "Commands of admins and users", AuditShown, query=Paging),)

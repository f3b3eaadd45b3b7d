"""Who ordered what and when."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Paging, Shown


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
    found = await call.app.connector.audit.listed(paging.after, paging.limit)
    shown = tuple(
        NotedShown(at=each.at, by=each.by, what=each.what, target=each.target, outcome=each.outcome) for each in found
    )
    return AuditShown(audit=shown, next=found[-1].key if len(found) == paging.limit else "")


ENDPOINTS = (Endpoint("audit", "GET", "audit", audit, "Commands of admins and users", AuditShown, query=Paging),)

"""Who may sign in and who must: the organisation's consent, and the end of a user's sign-in (SPEC 5.1). The popup itself: control/oauth.py."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Guard, Nothing, Shown
from control.endpoints.users import UserShown, shown
from sync.commands import NotFound
from sync.consent import read_consent
from sync.parting import parting_of, refuse_shared


class ConsentShown(Shown):
    """The organisation's consent as we last saw it given. `by`: an object id, '' = not known; `how`: admin_consent | popup, '' = never seen."""

    sign_in_mode: str
    at: str
    by: str
    how: str


class PartingShown(Shown):
    """What disconnecting leaves as it is: links of `contacts`, `companies`, `events` and `tasks`, `pending` items and `holds`. Nothing is deleted.
    `shared`: it is the mailbox of everybody's contacts, which stand still until it is connected again; only an admin disconnects it."""

    contacts: int
    companies: int
    events: int
    tasks: int
    pending: int
    holds: int
    shared: bool


async def consent(call: Call) -> ConsentShown:
    connector = call.app.connector
    found = await read_consent(connector.registry.rows)
    mode = (await connector.settings.read()).sign_in_mode.value
    if found is None:
        return ConsentShown(sign_in_mode=mode, at="", by="", how="")
    return ConsentShown(sign_in_mode=mode, at=found.at, by=found.by, how=found.how)


async def preview(call: Call) -> PartingShown:
    return await _parting(call, call.id)


async def own_preview(call: Call) -> PartingShown:
    return await _parting(call, (await call.app.connecting.own_user(call.person)).id)


async def _parting(call: Call, user: str) -> PartingShown:
    found = await parting_of(call.app.connector, user)
    return PartingShown(
        contacts=found.stays.contacts,
        companies=found.stays.companies,
        events=found.stays.events,
        tasks=found.stays.tasks,
        pending=found.stays.pending,
        holds=found.stays.holds,
        shared=found.shared,
    )


async def disconnect(call: Call) -> UserShown:
    """Of the own user a person's, of anybody else an admin's, who says with it that the user does not come back alone."""
    call.read(Nothing)
    connecting = call.app.connecting
    own = await _is_own(call)
    if not own and not call.person.admin:
        raise NotFound
    if not call.person.admin:
        await refuse_shared(call.app.connector, call.id)
    found = await (connecting.disconnect(call.id) if own else connecting.expel(call.id))
    return shown(found, await call.app.connector.registry.mailbox(found.mailbox or "-"), call.lang)


async def _is_own(call: Call) -> bool:
    try:
        return (await call.app.connecting.own_user(call.person)).id == call.id
    except NotFound:
        return False


ENDPOINTS = (
    Endpoint("user_parting", "GET", "users/{id}/disconnect", preview, "What disconnecting a user leaves", PartingShown),
    Endpoint(
        "me_parting", "GET", "me/disconnect", own_preview, "What disconnecting oneself leaves", PartingShown,
        guard=Guard.PERSON, missing=True,
    ),
    Endpoint("consent", "GET", "consent", consent, "The organisation's consent, as far as we saw it given", ConsentShown),
    Endpoint(
        "user_disconnect", "POST", "users/{id}/disconnect", disconnect, "Forget a user's sign-in; nothing is deleted",
        UserShown, body=Nothing, guard=Guard.PERSON,
    ),
)  # fmt: skip

"""Who may sign in and who must: the organisation's consent, and the end of a user's own sign-in (SPEC 5.1). The popup itself: control/oauth.py."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Guard, Nothing, Shown
from control.endpoints.users import UserShown, shown
from sync.commands import NotFound
from sync.consent import read_consent


class ConsentShown(Shown):
    """The organisation's consent as we last saw it given. `by`: an object id, '' = not known; `how`: admin_consent | popup, '' = never seen."""

    sign_in_mode: str
    at: str
    by: str
    how: str


async def consent(call: Call) -> ConsentShown:
    connector = call.app.connector
    found = await read_consent(connector.registry.rows)
    mode = (await connector.settings.read()).sign_in_mode.value
    if found is None:
        return ConsentShown(sign_in_mode=mode, at="", by="", how="")
    return ConsentShown(sign_in_mode=mode, at=found.at, by=found.by, how=found.how)


async def disconnect(call: Call) -> UserShown:
    call.read(Nothing)
    connecting = call.app.connecting
    if not call.person.admin and (await connecting.own_user(call.person)).id != call.id:
        raise NotFound
    found = await connecting.disconnect(call.id)
    return shown(found, await call.app.connector.registry.mailbox(found.mailbox or "-"), call.lang)


ENDPOINTS = (
    Endpoint("consent", "GET", "consent", consent, "The organisation's consent, as far as we saw it given", ConsentShown),
    Endpoint(
        "user_disconnect", "POST", "users/{id}/disconnect", disconnect, "Forget a user's sign-in; nothing is deleted",
        UserShown, body=Nothing, guard=Guard.PERSON,
    ),
)  # fmt: skip

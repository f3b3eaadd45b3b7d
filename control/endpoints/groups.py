"""The groups of the CRM as our settings know them (SPEC 2.6)."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Paging, Reply, Shown, page
from control.endpoints.settings import version_of
from control.endpoints.status import why
from sync import group_commands
from sync.groups import GroupChange, GroupRow


class GroupShown(Shown):
    """One group. `set`: an admin said who it is; `exists`: the CRM knew it when its name was last read. `version` moves with what admins say of it,
    and is the If-Match of a change."""

    id: str
    name: str
    members: tuple[str, ...]
    organizer: str
    set: bool
    exists: bool
    version: int


class GroupsShown(Shown):
    """A page of the groups that were set, or met as owners."""

    groups: tuple[GroupShown, ...]
    next: str
    cause: str
    why: str


async def groups(call: Call) -> GroupsShown:
    paging = call.asked(Paging)
    listed = await group_commands.groups(call.app.connector)
    found, after = page(listed.groups, lambda group: group.id, paging)
    return GroupsShown(
        groups=tuple(shown(each) for each in found), next=after, cause=listed.cause, why=why(listed.cause, call.lang)
    )


async def group(call: Call) -> Reply:
    return _reply(await group_commands.group(call.app.connector, call.id))


async def put_group(call: Call) -> Reply:
    over = version_of(call.match)
    return _reply(await group_commands.change_group(call.app.connector, call.id, call.body, over))


def _reply(found: GroupRow) -> Reply:
    return Reply(shown(found), etag=str(found.version))


def shown(found: GroupRow) -> GroupShown:
    return GroupShown(
        id=found.id,
        name=found.name,
        members=found.members,
        organizer=found.organizer,
        set=found.is_set,
        exists=found.exists,
        version=found.version,
    )


ENDPOINTS = (
    Endpoint("groups", "GET", "groups", groups, "The CRM's groups that were set or met", GroupsShown, query=Paging),
    Endpoint("group", "GET", "groups/{id}", group, "One group, by CRM id", GroupShown),
    Endpoint(
        "group_put",
        "PUT",
        "groups/{id}",
        put_group,
        "Members and organizer",
        GroupShown,
        body=GroupChange,
        versioned=True,
    ),
)

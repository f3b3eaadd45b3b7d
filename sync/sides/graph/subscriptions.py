"""Subscriptions to a mailbox's changes: made, renewed, dropped (BEHAVIOUR 3). What arrives is read by the control plane."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from sync.errors import Failure
from sync.model import Family
from sync.sides.base import CursorLost
from sync.sides.graph.answers import Answer, Json
from sync.sides.graph.client import IMMUTABLE, ORDINARY, GraphConnection
from sync.sides.graph.folders import user_path
from sync.sides.graph.todo_lists import read_lists
from sync.watches import Place, Watch

CHANGES = "created,updated,deleted"
GONE = 404
TWICE = 409
"""The same resource twice by one app is refused (BEHAVIOUR 3.1): an earlier run made one and ended before it could note it."""


class GraphSubscriptions:
    """A `sync.watching.Watcher`. `url`: where notifications of both sorts are sent. `lists`: the sign-in is the user's own."""

    def __init__(self, connection: GraphConnection, mailbox: str, url: str, made_for: str, *, lists: bool) -> None:
        self._connection, self._mailbox, self._url = connection, mailbox, url
        self.made_for, self.lists = made_for, lists

    def lists_of(self, cursor: str) -> Sequence[str]:
        try:
            return list(read_lists(cursor).tasks)
        except CursorLost:
            return ()

    async def create(self, place: Place, until: datetime, state: str) -> Watch | Failure:
        made = await self._create(place, until, state)
        if isinstance(made, Failure) and made.status == TWICE:
            for id_ in await self._others(place):
                await self._drop(id_)
            made = await self._create(place, until, state)
        return made

    async def renew(self, watch: Watch, until: datetime) -> Watch | Failure:
        body = {"expirationDateTime": _moment(until)}
        answer = await self._connection.send("PATCH", _path(watch.id), where="subscription.renew", body=body)
        return answer if isinstance(answer, Failure) else _watch(watch.place, answer.body)

    async def drop(self, watch: Watch) -> None:
        await self._drop(watch.id)

    async def _drop(self, id_: str) -> None:
        await self._connection.send("DELETE", _path(id_), where="subscription.drop")

    async def _create(self, place: Place, until: datetime, state: str) -> Watch | Failure:
        body = {
            "changeType": CHANGES,
            "notificationUrl": self._url,
            "lifecycleNotificationUrl": self._url,
            "resource": self._resource(place),
            "expirationDateTime": _moment(until),
            "clientState": state,
        }
        ids = ORDINARY if place.family is Family.TASKS else IMMUTABLE  # fixed with the creation (BEHAVIOUR 3.1)
        where = "subscription.create"
        answer = await self._connection.send("POST", "/subscriptions", where=where, body=body, ids=ids)
        return answer if isinstance(answer, Failure) else _watch(place, answer.body)

    async def _others(self, place: Place) -> list[str]:
        """Ids of what our app has subscribed to there."""
        wanted, url, found = self._resource(place).strip("/").casefold(), "/subscriptions", list[str]()
        while url:
            page = await self._connection.read(url, where="subscription.list")
            if not isinstance(page, Answer):
                break
            found += [each["id"] for each in page.body["value"] if each["resource"].strip("/").casefold() == wanted]
            url = page.body.get("@odata.nextLink", "")
        return found

    def _resource(self, place: Place) -> str:
        if place.family is Family.TASKS:
            return f"/me/todo/lists/{quote(place.list_id, safe='=')}/tasks"  # compared with what is listed there: ids end with =
        return f"{user_path(self._mailbox)}/{'contacts' if place.family is Family.PEOPLE else 'events'}"


def _path(id_: str) -> str:
    return f"/subscriptions/{quote(id_, safe='')}"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _watch(place: Place, body: Json) -> Watch:
    """As the server keeps it: it may have given less than was asked for."""
    until = datetime.fromisoformat(str(body["expirationDateTime"]).replace("Z", "+00:00"))
    return Watch(place, str(body["id"]), until.isoformat(timespec="seconds"))

"""The ASGI face of ``webservice.php``: verbs, sessions, operations and the shape of the answers (API.md 1.1)."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from emulators.corner import Receive, Scope, Send
from emulators.vtenext import schema
from emulators.vtenext.calls import Call, call_of
from emulators.vtenext.crm import Crm
from emulators.vtenext.errors import Crash, Refused, denied
from emulators.vtenext.pacing import Pacing
from emulators.vtenext.schema import modules
from emulators.vtenext.state import User, split_id

Operation = Callable[[Crm, Call, User], Any]
WRITES = frozenset({"create", "revise", "update", "updaterecord", "delete", "relate"})
_JSON = [(b"content-type", b"application/json")]
_HTML = [(b"content-type", b"text/html; charset=UTF-8")]


class Webservice:
    """Answers requests on the CRM of the moment; calls on one session are served one after another."""

    def __init__(self, crm: Callable[[], Crm], pacing: Pacing) -> None:
        self._crm = crm
        self._pacing = pacing
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not scope["path"].endswith("/webservice.php"):
            await _answer(send, 404, _HTML, b"<html><body>Not Found</body></html>")
            return
        call = call_of(scope, (await receive()).get("body", b""))
        async with self._turns[call.session] if call.session else nullcontext():
            await self._pacing.wait(call.session, writes=call.operation in WRITES)
            try:
                answer = {"success": True, "result": self._result(call)}
            except Refused as refused:
                answer = {"success": False, "error": {"code": refused.code, "message": refused.message}}
            except Crash:
                await _answer(send, 500, _HTML, b"")
                return
            except NotEmulated as gap:
                await _answer(send, 501, _HTML, str(gap).encode())
                return
        if call.operation == "logout":
            self._turns.pop(call.session, None)
        await _answer(send, 200, _JSON, json.dumps(answer).encode())

    def _result(self, call: Call) -> Any:
        crm = self._crm()
        if call.operation not in schema.operations():
            raise Crash
        if call.operation in _BEFORE_LOGIN:
            return _BEFORE_LOGIN[call.operation](crm, call)
        user = crm.sessions.user_of(call.session)
        operation = _OPERATIONS.get(call.operation)
        if operation is None:
            raise NotEmulated(f"the emulator does not carry the operation {call.operation}")
        return operation(crm, call, user)


class NotEmulated(Exception):
    """vtenext has this operation, the emulator does not: said loudly, with a status vtenext never uses."""


def _extend(crm: Crm, call: Call) -> Any:
    """Adopts a browser's login cookie, which a service has not (ws-auth-extendsession)."""
    raise Refused("AUTHENTICATION_FAILURE", "Authencation Failed")


def _describe(crm: Crm, call: Call, user: User) -> Any:
    name = call.text("elementType")
    if name not in modules():
        raise denied()
    return schema.describe(name, date_format=user.date_format, administrator=user.is_admin)


def _retrieve(crm: Crm, call: Call, user: User) -> Any:
    module, number = split_id(call.text("id"))
    if module is not None and module.name == "Users":
        return crm.people.retrieve_user(number, user)
    if module is not None and module.name == "Groups":
        return crm.people.retrieve_group(number)
    found, record = crm.access.locate(call.text("id"), user)
    return crm.views.single(record, found, user)


def _relate(crm: Crm, call: Call, user: User) -> Any:
    others = call.encoded("relatelist")
    crm.writer.relate(call.text("id"), [str(one) for one in others] if isinstance(others, list) else [], user)


def _crash(crm: Crm, call: Call, user: User) -> Any:
    """The function behind ``sync`` wants one argument more than it is given (ws-sync-crash)."""
    raise Crash


_BEFORE_LOGIN: dict[str, Callable[[Crm, Call], Any]] = {
    "getchallenge": lambda crm, call: crm.sessions.challenge(call.text("username")),
    "login": lambda crm, call: crm.sessions.login(call.text("username"), call.text("accessKey"), call.address),
    "login_pwd": lambda crm, call: crm.sessions.login_password(
        call.text("username"), call.text("password"), call.address
    ),
    "extendsession": _extend,
}

_OPERATIONS: dict[str, Operation] = {
    "logout": lambda crm, call, user: crm.sessions.logout(call.session),
    "listtypes": lambda crm, call, user: schema.list_types(),
    "describe": _describe,
    "describe_all": _describe,
    "retrieve": _retrieve,
    "query": lambda crm, call, user: crm.searcher.run(call.text("query"), user),
    "create": lambda crm, call, user: crm.writer.create(call.text("elementType"), call.element(), user),
    "revise": lambda crm, call, user: crm.writer.revise(call.element(), user),
    "update": lambda crm, call, user: crm.writer.update(call.element(), user),
    "updaterecord": lambda crm, call, user: crm.writer.update_record(call.text("id"), call.element("columns"), user),
    "delete": lambda crm, call, user: crm.writer.delete(call.text("id"), user),
    "relate": _relate,
    "getrelationsextra": lambda crm, call, user: [],
    "vtesync.get_changes": lambda crm, call, user: crm.changes.run(call.parameters, user),
    "sync": _crash,
}


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})

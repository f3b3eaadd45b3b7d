"""A bare client of the vtenext emulator, for its tests: says what it sends, hides nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from emulators.inprocess import InProcessTransport
from emulators.vtenext import VtenextEmulator, access_key

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # noon on a server in Rome


class Refusal(Exception):
    """``success: false``, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Client:
    """One session on an emulator whose clock stands still."""

    def __init__(self, emulator: VtenextEmulator, address: str = "127.0.0.1") -> None:
        transport = InProcessTransport(emulator.app, client=(address, 1))
        self.emulator = emulator
        self.http = httpx.AsyncClient(transport=transport, base_url="http://crm.test")
        self.session = ""

    async def get(self, operation: str, **query: str) -> Any:
        return _result(await self.http.get("/webservice.php", params=self._with_session(operation, query)))

    async def post(self, operation: str, **form: str) -> Any:
        return _result(await self.http.post("/webservice.php", data=self._with_session(operation, form)))

    async def login(self, user: str = "svc.sync", key: str | None = None) -> dict[str, Any]:
        token = (await self.get("getchallenge", username=user))["token"]
        secret = access_key(user) if key is None else key
        hashed = hashlib.md5(f"{token}{secret}".encode()).hexdigest()
        answer = await self.post("login", username=user, accessKey=hashed)
        self.session = answer["sessionName"]
        return answer

    async def create(self, module: str, **fields: Any) -> dict[str, str]:
        element = json.dumps({"assigned_user_id": "19x2", **fields})
        return await self.post("create", elementType=module, element=element)

    async def revise(self, full: str, **fields: Any) -> dict[str, str]:
        return await self.post("revise", element=json.dumps({"id": full, **fields}))

    async def query(self, text: str) -> list[dict[str, str]]:
        return await self.get("query", query=text)

    async def changes(self, module: str, **given: str) -> dict[str, Any]:
        return await self.get("vtesync.get_changes", module=module, **given)

    def _with_session(self, operation: str, given: dict[str, str]) -> dict[str, str]:
        session = {"sessionName": self.session} if self.session else {}
        return {"operation": operation, **session, **given}


async def refusal(call: Awaitable[Any]) -> str:
    """The code with which a call is refused; fails when it is not."""
    with pytest.raises(Refusal) as caught:
        await call
    return caught.value.code


def _result(answer: httpx.Response) -> Any:
    body = answer.json()
    if not body["success"]:
        raise Refusal(body["error"]["code"], body["error"]["message"])
    return body["result"]

"""Calls to `webservice.php` of one vtenext: sessions, logins through the gate, verbs, and what failures mean.

Several sessions work in parallel, one call at a time on each (API.md 1.1). Reads may be repeated once, writes never: a write whose answer is
lost raises `Lost`. It knows operations, not records; it never logs an address, a session or a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from sync.errors import Cause, RetryLater, StopConnector
from sync.sides.vtenext.gate import LoginGate
from sync.sides.vtenext.query import number_of, select
from sync.sides.vtenext.wire import (
    SESSION_CODES,
    Denied,
    Lost,
    Result,
    Unusable,
    keep_queries_out_of_logs,
    no_answer,
    read_answer,
)

USER_AGENT = "VteSync vtenext-m365-sync"
"""`VteSync` keeps the CRM from notifying its users of our writes; one constant, as each is kept in a table (API.md 3.8)."""

LOGIN_TIMEOUT = 25.0
"""Seconds for each of the two calls of a login: together less than the gate's patience with a worker that tries."""

Row = Mapping[str, str]


@dataclass(slots=True)
class _Session:
    name: str = ""


class VtenextClient:
    """One service account at one vtenext. `fingerprint`: a keyed hash of address, user and access key, for the gate.

    Every call raises RetryLater when the CRM cannot be used now, StopConnector when it refuses our login, and Denied
    when it refuses this one call.
    """

    def __init__(
        self,
        url: str,
        username: str,
        access_key: str,
        *,
        gate: LoginGate,
        fingerprint: str,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        sessions: int = 4,
        timeout: float = 60.0,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.username, self.sessions, self.now = username, sessions, now
        self._key, self._gate, self._fingerprint = access_key, gate, fingerprint
        self._url = url.rstrip("/").removesuffix("/webservice.php") + "/webservice.php"
        self._timeout = timeout
        self._idle: list[_Session] = []
        self._slots = asyncio.Semaphore(sessions)
        self._logging_in = asyncio.Lock()
        self._user_id = ""
        keep_queries_out_of_logs()
        self._http = httpx.AsyncClient(
            transport=transport,
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            limits=httpx.Limits(max_connections=sessions, max_keepalive_connections=sessions),
            # PHP's own session cookie would tie our parallel sessions to one another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def aclose(self) -> None:
        """Close the connections. Sessions end by themselves after 30 idle minutes."""
        await self._http.aclose()

    async def user_id(self) -> str:
        """The id of the service account (19x...); logs in if nobody did yet."""
        if not self._user_id:
            async with self._session() as session:
                await self._login(session)
        return self._user_id

    async def read(self, operation: str, **parameters: str) -> object:
        """Call a GET operation; repeated once when the connection broke."""
        for attempt in (1, 2):
            answer = await self._call("GET", operation, parameters)
            if isinstance(answer, Result):
                return answer.value
            if answer.failure.status != 0 or answer.failure.code == "TIMEOUT" or attempt == 2:
                raise answer.error
        raise AssertionError("unreachable")

    async def write(self, operation: str, **parameters: str) -> object:
        """Call a POST operation, once. Raises Lost when it may have happened, RetryLater when it certainly did not."""
        answer = await self._call("POST", operation, parameters)
        if isinstance(answer, Result):
            return answer.value
        if answer.sent:
            raise Lost(answer.failure)
        raise answer.error

    async def query(self, text: str) -> list[Row]:
        """One query as it is written. The answer's rows hold text only."""
        rows = await self.read("query", query=text)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RetryLater(Cause.CRM_NOT_VTENEXT)
        return [{name: as_text(value) for name, value in row.items()} for row in rows]

    async def walk(
        self, module: str, columns: Sequence[str], where: Sequence[str] = (), page: int = 1000
    ) -> AsyncIterator[list[Row]]:
        """All records that satisfy any of `where`, by a keyset walk: pages neither shift nor repeat."""
        after = ""
        while True:
            rows = await self.query(select(module, columns, where, after, page))
            if rows:
                yield rows
            if len(rows) < page:
                return
            after = max((row["id"] for row in rows), key=number_of)

    async def describe(self, module: str) -> Mapping[str, object]:
        """Fields, types, pick lists and id prefix of a module, as the server gives them."""
        answer = await self.read("describe", elementType=module)
        if not isinstance(answer, dict) or "idPrefix" not in answer:
            raise RetryLater(Cause.CRM_NOT_VTENEXT)
        return answer

    async def _call(self, verb: str, operation: str, parameters: Mapping[str, str]) -> Result | Unusable:
        """One call on a free session; logs in first where needed, and once more when the session had ended."""
        async with self._session() as session:
            if not session.name:
                await self._login(session)
            answer = await self._on(session, verb, operation, parameters)
            if isinstance(answer, Denied) and answer.code in SESSION_CODES:
                await self._login(session)
                answer = await self._on(session, verb, operation, parameters)
                if isinstance(answer, Denied) and answer.code in SESSION_CODES:
                    session.name = ""
                    raise RetryLater(Cause.CRM_CRASHED)
            if isinstance(answer, Denied):
                raise answer
            if isinstance(answer, Unusable) and answer.failure.code == "TIMEOUT":
                session.name = ""  # the server still works on the old call and would queue the next one behind it
            return answer

    async def _on(
        self, session: _Session, verb: str, operation: str, parameters: Mapping[str, str]
    ) -> Result | Denied | Unusable:
        return await self._send(
            verb, {"operation": operation, "sessionName": session.name, **parameters}, self._timeout
        )

    async def _send(self, verb: str, parameters: Mapping[str, str], timeout: float) -> Result | Denied | Unusable:
        """GET operations look only at the query string, POST operations only at the form (API.md 1.1)."""
        where = parameters["operation"]
        try:
            if verb == "GET":
                response = await self._http.get(self._url, params=parameters, timeout=timeout)
            else:
                response = await self._http.post(self._url, data=parameters, timeout=timeout)
        except httpx.TransportError as error:
            return no_answer(error, where)
        return read_answer(response.status_code, response.headers, response.content, where)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[_Session]:
        """A session of our own until the block ends; the one used last comes first."""
        async with self._slots:
            session = self._idle.pop() if self._idle else _Session()
            try:
                yield session
            finally:
                self._idle.append(session)

    async def _login(self, session: _Session) -> None:
        """Log in as the gate allows, one at a time in this worker. A refusal is final for every worker."""
        session.name = ""
        async with self._logging_in:
            ticket = await self._gate.enter(self._fingerprint)
            try:
                session.name, self._user_id = await self._try_login()
            except RetryLater:
                await ticket.unanswered()
                raise
            except Denied as refusal:
                locked = refusal.code in ("LOGIN_LOCKED", "IP_BANNED")
                cause = Cause.CRM_LOGIN_LOCKED if locked else Cause.CRM_LOGIN_REFUSED
                await ticket.refused(cause)
                raise StopConnector(cause) from refusal
            await ticket.succeeded()

    async def _try_login(self) -> tuple[str, str]:
        """The challenge and its answer (API.md 1.1). Answers the session's name and our user's id."""
        timeout = min(self._timeout, LOGIN_TIMEOUT)
        challenge = _fields(await self._send("GET", {"operation": "getchallenge", "username": self.username}, timeout))
        proof = hashlib.md5((challenge["token"] + self._key).encode(), usedforsecurity=False).hexdigest()
        form = {"operation": "login", "username": self.username, "accessKey": proof}
        answer = _fields(await self._send("POST", form, timeout))
        return answer["sessionName"], answer["userId"]


class _Fields(dict[str, str]):
    """Fields of an answer; one that lacks a field is not vtenext's."""

    def __missing__(self, name: str) -> str:
        raise RetryLater(Cause.CRM_NOT_VTENEXT)


def _fields(answer: Result | Denied | Unusable) -> _Fields:
    if isinstance(answer, Denied):
        raise answer
    if isinstance(answer, Unusable):
        raise answer.error
    if not isinstance(answer.value, dict):
        raise RetryLater(Cause.CRM_NOT_VTENEXT)
    return _Fields({name: as_text(value) for name, value in answer.value.items()})


def as_text(value: object) -> str:
    """A scalar of an answer as text; vtenext answers text already, null where it has nothing (API.md 1.1)."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)

"""A vtenext in process with our adapter in front of it, for contract tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import httpx

from emulators.corner import Clock, Fault
from emulators.inprocess import InProcessTransport
from emulators.vtenext import VtenextEmulator
from sync.model import Kind
from sync.sides.vtenext import StoreLoginGate, VtenextClient, VtenextCrm, VtenextDirectory
from sync.sides.vtenext.items import MODULES
from sync.store.memory import MemoryRows

START = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")
SERVICE = "svc.sync"
RAW = {"uid": "ical_uuid", "slot": "recurr_idx"}
FIELDS = {
    Kind.CONTACT: ("salutationtype", "firstname", "lastname", "email", "phone", "mobile", "birthday", "description"),
    Kind.COMPANY: ("accountname", "email1", "email2", "phone", "website", "bill_city"),
}


class Watched(httpx.AsyncBaseTransport):
    """Notes what is posted and by which agent, and passes it on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, sent: list[dict[str, str]], agents: set[str]) -> None:
        self._inner, self._sent, self._agents = inner, sent, agents

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._agents.add(request.headers["user-agent"])
        if request.method == "POST":
            self._sent.append(dict(parse_qsl(request.content.decode(), keep_blank_values=True)))
        return await self._inner.handle_async_request(request)


class VtenextWorld:
    """Implements `crm_contract.CrmWorld`, and more hands for what only vtenext has."""

    def __init__(self, *, zone: str = "Europe/Rome", start: datetime = START, sessions: int = 4) -> None:
        self.clock = Clock(start)
        self.emulator = VtenextEmulator(clock=self.clock, zone=zone)
        self.back = self.emulator.backdoor
        people = [
            {"user_name": name, "first_name": name.split(".")[0].title(), "last_name": name.split(".")[1].title()}
            | {"email1": f"{name}@crm.example", "date_format": "yyyy-mm-dd"}
            for name in ("mario.rossi", "anna.bianchi")
        ]
        first, second = self.back.add_users(people)
        self.owners = (first, second)
        self.addresses = {first: "mario.rossi@crm.example", second: "anna.bianchi@crm.example"}
        self.rows = MemoryRows()
        self.sent: list[dict[str, str]] = []
        self.agents: set[str] = set()
        self.client = self.worker(sessions=sessions)
        self.crm = VtenextCrm(self.client, fields=FIELDS)
        self.directory = VtenextDirectory(self.client)

    def now(self) -> datetime:
        return self.clock.now()

    def answer(self, record: str, invitee: str, answer: str) -> None:
        """An invitee answers in the CRM."""
        self.back.answer(record, invitee, {"none": "0", "declined": "1", "accepted": "2"}[answer])

    def gate(self) -> StoreLoginGate:
        return StoreLoginGate(self.rows, self.now, sleep=_turn)

    def worker(self, *, key: str = f"{SERVICE}.key", user: str = SERVICE, **options: Any) -> VtenextClient:
        """Another worker with sessions of its own, over the same store."""
        inner = options.pop("transport", None) or InProcessTransport(self.emulator.app)
        return VtenextClient(
            "http://crm.example/",
            user,
            key,
            gate=options.pop("gate", None) or self.gate(),
            fingerprint=f"{user}-{key}",
            now=self.now,
            transport=Watched(inner, self.sent, self.agents),
            **options,
        )

    def fault(self, kind: str, match: str, *, nth: int = 1, times: int = 1, **details: Any) -> None:
        self.emulator.corner.add_fault(Fault(kind, **details), match=match, nth=nth, times=times)  # type: ignore[arg-type]

    def requests(self, match: str) -> int:
        return sum(number for label, number in self.emulator.corner.counts.items() if match in label)

    def rows_of(self, kind: Kind) -> dict[str, Mapping[str, Any]]:
        """Every row of a module as it is stored, deleted ones included."""
        return {row["id"]: row for row in self.back.dump().get(MODULES[kind], [])}

    def poison(self, kind: Kind, records: Sequence[str]) -> None:
        """Owners that do not exist, as a careless create leaves them (API.md 3.5)."""
        for record in records:
            self.back.silent_edit(record, {"assigned_user_id": "19x999"})

    # CrmWorld

    def add(self, kind: Kind, fields: Mapping[str, str], owner: str) -> str:
        row = typed(fields) if kind is Kind.EVENT else dict(fields)
        if kind is Kind.EVENT:
            row = {"activitytype": "Call", "eventstatus": "Planned", **row}
        if kind is Kind.TASK:
            row = {"activitytype": "Task", **row}
        return self.back.add_records(MODULES[kind], [{**row, "assigned_user_id": owner}])[0]

    def edit(self, kind: Kind, record: str, fields: Mapping[str, str]) -> None:
        self.wait(1)
        self.back.edit(record, typed(fields) if kind is Kind.EVENT else fields)

    def delete(self, kind: Kind, record: str) -> None:
        self.wait(1)
        self.back.delete(record)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def iso_now(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def typed(fields: Mapping[str, str]) -> dict[str, str]:
    """An event in the words of an item, as a user in Rome types it: independent of what is tested."""
    row = {RAW.get(name, name): value for name, value in fields.items() if name != "when"}
    if row.get("reminder_time"):
        row["reminder_time"] = str(int(row["reminder_time"]) * 60)
    start, _, end = fields.get("when", "").partition("/")
    if not start:
        return row
    clocks = [_on_the_wall(start), _on_the_wall(end)] if "T" in start else [f"{start} 00:00", f"{end} 23:59"]
    names = (("date_start", "time_start"), ("due_date", "time_end"))
    for clock, pair in zip(clocks, names, strict=True):
        row.update(zip(pair, clock.split(), strict=True))
    return {**row, "is_all_day_event": "0" if "T" in start else "1"}


def _on_the_wall(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(ROME).strftime("%Y-%m-%d %H:%M")


async def _turn(seconds: float) -> None:
    """Waiting much shorter than asked: long enough for the emulator's round trips."""
    await asyncio.sleep(seconds / 100)


def answering(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> httpx.MockTransport:
    """A server that always answers the same."""
    return httpx.MockTransport(lambda request: httpx.Response(status, text=body, headers=dict(headers or {})))

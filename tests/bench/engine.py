"""One mailbox's engine in a process of its own: `python -m tests.bench.engine '<a Job as JSON>'` runs it to its end and tells what it used.

The real worker, adapters and store; servers and Azurite are other processes, so that what is measured here is ours alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sync.model import Family
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.sides.graph import GraphConnection, Throttle, connect, open_mailbox
from sync.sides.vtenext import StoreLoginGate, VtenextClient, VtenextCrm
from sync.store.board import BoardStore
from sync.store.registry import Registry
from sync.store.secrets import Keyring
from sync.store.tables import TableRows
from sync.worker import Worker
from tests.contract.graph_world import Badge
from tests.sim.mapping_for_tests import translators

SERVICE_USER, ACCESS_KEY = "svc.sync", "svc.sync.key"  # of the emulated CRM: no secret
PEOPLE = {kind: each for kind, each in translators().items() if kind in Family.PEOPLE.kinds}
LONGEST = 1800.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. `full`: compare everything, changed or not. `prepares`: nothing is measured, so the quota's clock may run fast."""

    storage: str
    table: str
    graph: str
    vtenext: str
    mailbox: str
    owner: str
    full: bool = False
    prepares: bool = False

    def text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it. `cpu` and `seconds`: of the run alone, without the start of the process; `process_cpu`: with it; `peak`: MiB resident."""

    seconds: float
    cpu: float
    process_cpu: float
    peak: float
    slices: int
    counts: dict[str, int]


def now() -> datetime:
    return datetime.now(UTC)


def _connection(job: Job) -> GraphConnection:
    pace = 1000 if job.prepares else 1
    throttle = Throttle(clock=lambda: time.monotonic() * pace, sleep=asyncio.sleep)
    new_id, base = lambda: str(uuid.uuid4()), f"{job.graph}/v1.0"
    return connect(Badge(), throttle, new_id=new_id, sleep=asyncio.sleep, base_url=base)


class _Sides:
    """People only: of calendars and tasks nothing is asked."""

    def __init__(self, crm: VtenextCrm, connection: GraphConnection) -> None:
        self._crm, self._connection = crm, connection

    async def crm(self) -> Crm:
        return self._crm

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        return await open_mailbox(self._connection, mailbox, folder or None, "vtenext")

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        raise NotImplementedError("asked of removals only")

    async def calendar(self, mailbox: str, policy: object) -> Mailbox:
        raise NotImplementedError("no calendar is synchronised here")

    async def todo(self, mailbox: str, policy: object) -> Mailbox:
        raise NotImplementedError("no task is synchronised here")

    async def watcher(self, mailbox: str) -> None:
        """Nobody outside can reach us."""

    async def forget_sign_in(self, mailbox: str) -> None:
        raise NotImplementedError("nobody signs in here")


async def run(job: Job) -> Told:
    """All slices of one run."""
    rows = TableRows.connect(job.storage, table=job.table)
    registry = Registry(rows)
    gate = StoreLoginGate(rows, now)
    client = VtenextClient(job.vtenext, SERVICE_USER, ACCESS_KEY, gate=gate, fingerprint="bench", now=now)
    crm = VtenextCrm(client, fields={kind: [pair.crm for pair in each.pairs] for kind, each in PEOPLE.items()})
    connection = _connection(job)

    async def setup() -> Setup:
        return Setup(True, PEOPLE, {job.owner: job.mailbox})

    keys = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
    sides = _Sides(crm, connection)
    worker = Worker(registry, BoardStore(rows), keys, sides, setup, now, lambda: uuid.uuid4().hex)
    await registry.change_mailbox(job.mailbox, user=job.owner, enabled=True, full=job.full)
    counts: Counter[str] = Counter()
    slices, started, cpu = 0, time.monotonic(), time.process_time()
    while True:
        outcome = await worker.run(job.mailbox)
        slices += 1
        if outcome is not None:
            counts.update(outcome.counts)
            if not outcome.unfinished:
                break
        row = await registry.mailbox(job.mailbox)
        if row is None or row.state == "error" or time.monotonic() - started > LONGEST:
            raise RuntimeError(f"the run does not end: {row.cause if row else 'no row'}")
        if outcome is None:  # somebody asked for patience
            await asyncio.sleep(0.5)
    took, spent = time.monotonic() - started, time.process_time()
    told = Told(took, spent - cpu, spent, _peak(), slices, dict(sorted(counts.items())))
    for closing in (client.aclose(), connection.close(), rows.aclose()):
        await closing
    return told


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    print(json.dumps(asdict(asyncio.run(run(Job(**json.loads(sys.argv[1])))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

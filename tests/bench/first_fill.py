"""P1: the first fill of a mailbox from the CRM, and of the CRM from a mailbox, beside what the two servers allow at most. Ratios within one run."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

import httpx

from sync.sides.graph.cards import card_of
from sync.sides.graph.throttle import QUOTA
from sync.store.tables import TableRows
from tests.bench.common import CRM_SERVER, IN_FLIGHT, SERVICE, Office, child, crm_client, office, record
from tests.bench.engine import Job, Told
from tests.bench.figures import Figure, at_least, at_most, shown


def engine(office: Office, storage: str, *, full: bool = False, prepares: bool = False, table: str) -> Told:
    """Run the office's mailbox in a process of its own."""
    job = Job(storage, table, office.graph, office.vtenext, office.user, office.owner, full, prepares)
    used = child([sys.executable, "-m", "tests.bench.engine", job.text()])
    return Told(**json.loads(used.out.splitlines()[-1]))


def to_mailbox(storage: str, contacts: int, sample: int) -> list[Figure]:
    """CRM -> Exchange."""
    with office() as place:
        place.add_records(contacts)
        place.slow_down()
        before = place.requests()
        told = engine(place, storage, table="fillmailbox")
        requests, refused, cards = place.requests() - before, place.refused(), place.cards()
        if cards != contacts:
            raise RuntimeError(f"{cards} cards of {contacts}")
        each = asyncio.run(_loop(place, sample)) / sample
    ceiling = contacts * SERVICE / IN_FLIGHT
    group = "P1"
    head = f"first fill of {contacts} contacts, CRM -> Exchange:"
    return [
        shown(group, f"{head} seconds", round(told.seconds, 1), "s"),
        at_most(
            group, "  Graph requests per contact", round(requests / contacts, 4), 0.08, how="a batch counts as one"
        ),
        at_least(
            group,
            "  times faster than one contact after another",
            round(each * contacts / told.seconds, 2),
            6,
            how=f"the loop: {sample} contacts, scaled to {contacts}",
        ),
        at_least(
            group,
            "  share of the ceiling",
            round(ceiling / told.seconds, 3),
            0.85,
            how=f"{IN_FLIGHT} writes in flight of {SERVICE * 1000:.0f} ms each, nothing else: {ceiling:.1f} s",
        ),
        at_most(
            group,
            "  requests that Graph refused (429)",
            refused,
            0,
            how=f"our bucket holds {QUOTA} in ten minutes, parts of batches counted one by one; the server's 10,000",
        ),
        shown(group, "  CPU of the worker", round(told.cpu / contacts * 1000, 2), "ms/contact"),
        shown(group, "  peak memory of the worker", round(told.peak), "MiB"),
    ]


def to_crm(storage: str, contacts: int, sample: int) -> list[Figure]:
    """Exchange -> CRM."""
    with office() as place:
        place.add_cards(contacts)
        place.slow_down()
        raw = asyncio.run(_crm_ceiling(place, storage, sample))
        before = place.records()
        told = engine(place, storage, table="fillcrm")
        made = place.records() - before
        if made != contacts:
            raise RuntimeError(f"{made} records of {contacts}")
        writes = place.writes() - sample
    rate, group = contacts / told.seconds, "P1"
    return [
        shown(group, f"first fill of {contacts} contacts, Exchange -> CRM: seconds", round(told.seconds, 1), "s"),
        at_least(
            group,
            "  share of the CRM's write ceiling",
            round(rate / max(raw, CRM_SERVER), 3),
            0.85,
            how=f"the server's cap: {CRM_SERVER:g}/s, 130 ms a write and session; four bare sessions made {raw:.1f}/s "
            f"of {sample} creates",
        ),
        at_most(group, "  CRM writes per contact", round(writes / contacts, 3), 1),
        shown(group, "  CPU of the worker", round(told.cpu / contacts * 1000, 2), "ms/contact"),
    ]


async def _loop(place: Office, sample: int) -> float:
    """One POST per contact, one after another: seconds."""
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=f"{place.graph}/v1.0") as http:
        for n in range(sample):
            card = card_of({"givenName": f"Loop{n}", "surname": "Loop", "emailAddresses": (f"l{n}@x.example",)})
            (await http.post(f"/users/{place.user}/contacts", json=card)).raise_for_status()
    return time.monotonic() - started


async def _crm_ceiling(place: Office, storage: str, sample: int) -> float:
    """Creates a second that four sessions can make when they do nothing else."""
    rows = TableRows.connect(storage, table=f"raw{uuid.uuid4().hex[:8]}")
    client = crm_client(place.vtenext, rows)
    left = iter(range(sample))

    async def session() -> None:
        for n in left:
            element = {"lastname": f"Raw {n}", "firstname": record(n)["firstname"], "assigned_user_id": "19x2"}
            await client.write("create", elementType="Contacts", element=json.dumps(element))

    await client.user_id()
    await asyncio.gather(*(client.query("select id from Contacts limit 1;") for _ in range(client.sessions)))
    started = time.monotonic()
    await asyncio.gather(*(session() for _ in range(client.sessions)))
    seconds = time.monotonic() - started
    await client.aclose()
    await rows.aclose()
    return sample / seconds

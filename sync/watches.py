"""The subscriptions by which Microsoft 365 tells us of changes in one mailbox: what is wanted, what is there, what is to be done. Pure.

A subscription only ever gives hints: the delta query is the truth. Each carries a secret that names the mailbox and the family and that nobody else
can make, so a notification is judged without reading anything.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.model import Family

LIFE = {
    Family.PEOPLE: timedelta(minutes=10_000),
    Family.CALENDAR: timedelta(minutes=10_000),
    Family.TASKS: timedelta(minutes=4_200),
}
"""What we ask for: a margin under the maximum of 10,080 and 4,230 minutes (BEHAVIOUR 3.1)."""
AGAIN = timedelta(hours=1)
"""So long after a refusal it is tried again."""
MOST_LISTS = 20
"""Lists of tasks that are subscribed to; who has more is looked at by every tick."""


class Index(Protocol):
    """A keyed digest of a text (`sync.store.secrets.Keyring`)."""

    def index(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What is subscribed to. `list_id`: of tasks, '' else."""

    family: Family
    list_id: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A subscription. `until`: ISO UTC."""

    place: Place
    id: str
    until: str


@dataclass(frozen=True, slots=True)
class Watches:
    """A mailbox's. `made_for`: under which address and sign-in, as a digest. `cause`: why one could not be had or renewed; all is tried again at
    `again_at`."""

    kept: tuple[Watch, ...] = ()
    made_for: str = ""
    cause: str = ""
    again_at: str = ""

    def families(self, now: datetime) -> set[Family]:
        """Those that tell us of every change."""
        alive = {watch.place.family for watch in self.kept if watch.until > now.isoformat()}
        lost = {watch.place.family for watch in self.kept if watch.until <= now.isoformat()}
        return alive - lost - ({Family.TASKS} if self.cause else set())

    def wait(self, now: datetime) -> bool:
        """Is what failed lately left alone?"""
        return self.again_at > now.isoformat()


@dataclass(frozen=True, slots=True)
class Todo:
    """What is to be done at Microsoft 365, in this order."""

    drop: tuple[Watch, ...] = ()
    renew: tuple[Watch, ...] = ()
    create: tuple[Place, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.drop or self.renew or self.create)


def todo(there: Watches, wanted: Sequence[Place], made_for: str, now: datetime, *, asked: bool) -> Todo:
    """`asked`: Microsoft 365 wants all of them renewed. What failed lately is left alone for a while. Then all are renewed, too: what was asked for
    may be among what failed."""
    if there.made_for != made_for:
        return Todo(drop=there.kept, create=tuple(wanted))
    mine = {watch.place: watch for watch in there.kept}
    drop = tuple(watch for place, watch in mine.items() if place not in wanted)
    present = [mine[place] for place in wanted if place in mine]
    wait = there.wait(now)
    all_of_them = asked or bool(there.cause and not wait)
    renew = tuple(watch for watch in present if all_of_them or (_half_over(watch, now) and not wait))
    create = () if wait else tuple(place for place in wanted if place not in mine)
    return Todo(drop, renew, create)


def _half_over(watch: Watch, now: datetime) -> bool:
    return datetime.fromisoformat(watch.until) - now < LIFE[watch.place.family] / 2


def read(text: str) -> Watches:
    """As `write` wrote it; '' = there are none."""
    if not text:
        return Watches()
    data = json.loads(text)
    kept = tuple(Watch(Place(Family(f), list_id), id_, until) for f, list_id, id_, until in data.pop("kept"))
    return Watches(kept, **data)


def write(watches: Watches) -> str:
    """As a column of the mailbox's row."""
    data = asdict(watches)
    data["kept"] = [[w.place.family.value, w.place.list_id, w.id, w.until] for w in watches.kept]
    return json.dumps(data, separators=(",", ":")) if watches != Watches() else ""


def secret(mailbox: str, family: Family, nonce: str, keys: Index) -> str:
    """A new subscription's clientState: at most 128 characters (BEHAVIOUR 3.1). `nonce`: 16 letters and digits, another one for each."""
    return f"{mailbox}.{family.value}.{nonce}.{_proof(mailbox, family.value, nonce, keys)}"


def told_by(state: str, keys: Index) -> tuple[str, Family] | None:
    """The mailbox and the family of which a notification with this clientState speaks; None: it is none of ours."""
    mailbox, name, nonce, proof = (*state.split(".", 3), "", "", "")[:4]
    family = next((each for each in Family if each.value == name), None)
    shown, ours = proof.encode(errors="surrogatepass"), _proof(mailbox, name, nonce, keys).encode()
    return (mailbox, family) if hmac.compare_digest(shown, ours) and family else None


def _proof(mailbox: str, family: str, nonce: str, keys: Index) -> str:
    return keys.index("\n".join(("subscription", mailbox, family, nonce)))


def answered(kept: Collection[Watch], made_for: str, cause: str, now: datetime) -> Watches:
    """What is there after all was done."""
    again_at = (now + AGAIN).isoformat(timespec="seconds") if cause else ""
    return Watches(tuple(sorted(kept, key=lambda watch: watch.place)), made_for, cause, again_at)

"""The subscriptions by which Microsoft 365 tells us of changes in one mailbox: what is wanted, what is there, what is to be done. Pure.

A subscription only ever gives hints: the delta query is the truth. Each carries a secret that names the mailbox and the family and that nobody else
can make, so a notification is judged without reading anything.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.model import Family

LIFE = {
    Family.PEOPLE: timedelta(minutes=10_000),
    Family.CALENDAR: timedelta(minutes=10_000),
    Family.TASKS: timedelta(minutes=4_200),
}
"""What we ask for: a margin under the maximum of 10,080 and 4,230 minutes (BEHAVIOUR 3.1)."""
AGAIN, SELDOM = timedelta(hours=1), timedelta(days=1)
"""So long after a refusal it is tried again. After a second one of the lasting sort twice as long, and so on, up to SELDOM."""
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
class Refused:
    """A place where one could not be had or renewed, and why; it alone is tried again, at `again_at`. `times`: refusals in a row that will last.

    `silent`: Microsoft 365 wanted it renewed; until it is, nothing may come, and what would have come is lost (BEHAVIOUR 3.4).
    """

    place: Place
    cause: str
    again_at: str
    times: int = 0
    silent: bool = False

    def waits(self, now: datetime) -> bool:
        return self.again_at > now.isoformat()


@dataclass(frozen=True, slots=True)
class Watches:
    """A mailbox's. `made_for`: under which address and sign-in, as a digest."""

    kept: tuple[Watch, ...] = ()
    made_for: str = ""
    refused: tuple[Refused, ...] = ()

    @property
    def cause(self) -> str:
        """Why not all of them are there, '' = they are."""
        return min((each.cause for each in self.refused), default="")

    def families(self, now: datetime) -> set[Family]:
        """Those that tell us of every change. Of tasks every list has to."""
        alive = {watch.place.family for watch in self.kept if watch.until > now.isoformat()}
        lost = {watch.place.family for watch in self.kept if watch.until <= now.isoformat()}
        return alive - lost - {r.place.family for r in self.refused if r.silent or r.place.family is Family.TASKS}


@dataclass(frozen=True, slots=True)
class Todo:
    """What is to be done at Microsoft 365, in this order."""

    drop: tuple[Watch, ...] = ()
    renew: tuple[Watch, ...] = ()
    create: tuple[Place, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.drop or self.renew or self.create)


def todo(there: Watches, wanted: Sequence[Place], made_for: str, now: datetime, *, asked: bool) -> Todo:
    """`asked`: Microsoft 365 wants all of them renewed. What was refused lately is left alone for a while. Then it is renewed however young it is: it
    may be that this was asked for."""
    if there.made_for != made_for:
        return Todo(drop=there.kept, create=tuple(wanted))
    mine = {watch.place: watch for watch in there.kept}
    wait = {each.place for each in there.refused if each.waits(now)}
    due = {each.place for each in there.refused} - wait
    drop = tuple(watch for place, watch in mine.items() if place not in wanted)
    present = [mine[place] for place in wanted if place in mine]
    renew = tuple(w for w in present if asked or w.place in due or (_half_over(w, now) and w.place not in wait))
    create = tuple(place for place in wanted if place not in mine and place not in wait)
    return Todo(drop, renew, create)


def _half_over(watch: Watch, now: datetime) -> bool:
    return datetime.fromisoformat(watch.until) - now < LIFE[watch.place.family] / 2


def read(text: str) -> Watches:
    """As `write` wrote it; '' = there are none."""
    if not text:
        return Watches()
    data = json.loads(text)
    kept = tuple(Watch(Place(Family(f), list_id), id_, until) for f, list_id, id_, until in data["kept"])
    refused = tuple(Refused(Place(Family(f), list_id), *more) for f, list_id, *more in data.get("refused", ()))
    return Watches(kept, data["made_for"], refused)


def write(watches: Watches) -> str:
    """As a column of the mailbox's row."""
    kept = [[w.place.family.value, w.place.list_id, w.id, w.until] for w in watches.kept]
    refused = [[r.place.family.value, r.place.list_id, r.cause, r.again_at, r.times, r.silent] for r in watches.refused]
    data = {"kept": kept, "made_for": watches.made_for, "refused": refused}
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


def refused(place: Place, cause: str, before: Refused | None, now: datetime, *, lasting: bool) -> Refused:
    """Once more, or for the first time. `lasting`: it is not to be expected that the next hour changes anything."""
    times = (before.times if before else 0) + 1 if lasting else 0
    wait = min(AGAIN * 2 ** max(0, min(times, 16) - 1), SELDOM)
    return Refused(place, cause, (now + wait).isoformat(timespec="seconds"), times)


def answered(kept: Collection[Watch], made_for: str, refused: Collection[Refused]) -> Watches:
    """What is there after all was done."""
    by_place = sorted(refused, key=lambda each: each.place)
    return Watches(tuple(sorted(kept, key=lambda watch: watch.place)), made_for, tuple(by_place))

"""The meetings that several users share before the first synchronisation: in Outlook, half of them typed into the CRM too. Pure data.

The numbers of people are those of `company.USERS`. Customers are contacts of the CRM, named by their number there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.e2e import diary
from tests.e2e.diary import Fields, Row, at, html, timed

MEETING, FAIR, WEEKLY, HIDDEN = "Riunione", "Giro dei fornitori", "Punto settimanale", f"{diary.SECRET}: incontro"
VISITOR = {"name": "Dario Esterno", "address": "dario@fornitore.example"}
"""Organizes a meeting to which two of our users are invited, and is known to nobody."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A meeting of one user with others. `answers`: what guests said so far. `typed`: its owner entered it into the CRM too.

    `uid`: its name where both sides must agree on it, '' = Exchange gives it one (and others to its occurrences).
    """

    organizer: int
    guests: tuple[int, ...]
    fields: Fields
    uid: str = ""
    answers: Mapping[int, str] = field(default_factory=dict)
    customer: int | None = None
    typed: Row | None = None

    @property
    def name(self) -> str:
        return str(self.fields["subject"])


def name_of(organizer: int, number: int) -> str:
    """What one of the four meetings of each user is called."""
    return f"{MEETING} {organizer}.{number}"


def meetings(today: date, owners: list[str]) -> Iterator[Shared]:
    """Four of each user with one colleague or both, past and to come; a private one, and one that comes again every week."""
    for organizer in range(3):
        colleagues = ((organizer + 1) % 3, (organizer + 2) % 3)
        for number, offset in enumerate((-20, 5, 7, 9)):
            day, clock = today + timedelta(days=offset), f"{11 + number}:{organizer}0"
            name, uid = name_of(organizer, number), f"{diary.UID}{organizer:032X}{100 + number:032X}"
            fields = {"subject": name, **at("Sala riunioni"), **timed(day, clock, 35)}
            row = diary.typed(name, day, clock, f"{11 + number}:{organizer + 3}5", owners[organizer])
            yield Shared(
                organizer,
                colleagues if number % 2 else colleagues[:1],
                fields,
                uid,
                answers={0: {colleagues[0]: "accept"}, 2: {colleagues[0]: "accept"}}.get(number, {}),
                customer=21 + organizer if number > 1 else None,
                typed={**row, "location": "Sala riunioni", "ical_uuid": uid} if number % 2 else None,
            )
    hidden = {"subject": HIDDEN, "body": html(f"<p>{diary.SECRET}</p>"), "sensitivity": "private"}
    yield Shared(0, (1,), {**hidden, **timed(today + timedelta(days=6), "17:00")}, f"{diary.UID}{0:032X}{200:032X}")
    first = today + timedelta(days=4)
    series = {"subject": WEEKLY, **timed(first, "12:00", 30), **diary.weekly(first, 5)}
    yield Shared(1, (2,), series, answers={2: "accept"})


def elsewhere(today: date) -> Fields:
    """A meeting of somebody outside, as two of our users got it."""
    return {"subject": FAIR, **at("Fiera di Cesena"), **timed(today + timedelta(days=11), "09:00", 120)}

"""What stands in the calendars of the little company before the first synchronisation. Pure data, laid out around today.

Events as Outlook's users made them (zones of the whole world, all-day, private, HTML, emoji, series with changed and cancelled
occurrences) and as vtenext's users typed them. Nothing lies so close to now that it could end while the demo runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Fields = dict[str, object]
Row = dict[str, str]

ROME = "Europe/Rome"
"""The zone of the CRM's server and of the company."""
SECRET = "Segretissimo"
"""A word in every private text; no screen of the CRM may ever show it."""
DEPARTMENT, CALL, CLOSED, FEE, REVIEW = (
    "Riunione di reparto",
    "Call con New York",
    "Ufficio chiuso",
    "Canone",
    "Revisione",
)
THERAPY, ALIGNED, COURSE, PROJECT = f"{SECRET}: terapia", "Allineamento", "Corso d'inglese", "Progetto pilota"
ZONES = (
    ROME, "America/New_York", "Asia/Kolkata", "W. Europe Standard Time",
    "UTC", "Pacific/Auckland", "E. South America Standard Time", "Asia/Tokyo",
)  # fmt: skip
DAYS = (-900, -200, -45, -9, 3, 12, 40, 200)
HTML = (
    "<html><body><p>Portare il <b>contratto</b> e l'allegato &amp; il timbro</p><div>Sala «Perù» 🎉</div></body></html>"
)
TABLE = "<html><body><table><tr><td>ore 9</td><td>arrivo</td></tr><tr><td>ore 10</td><td>visita</td></tr></table></body></html>"
UID = "040000008200E00074C5B7101A82E00800000000"


def html(content: str) -> Fields:
    return {"contentType": "html", "content": content}


@dataclass(frozen=True, slots=True)
class Noted:
    """An event of a mailbox. `becomes`: imported | busy | cancelled. Slots are dates of occurrences: changed, cancelled."""

    user: int
    fields: Fields
    becomes: str = "imported"
    changed: dict[date, Fields] = field(default_factory=dict)
    cancelled: tuple[date, ...] = ()
    more: Fields = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.fields["subject"])


@dataclass(frozen=True, slots=True)
class Typed:
    """A record of the CRM. `stays`: why it is not exported (baseline | ended), '' = it is in the mailbox too, by its ical_uuid."""

    row: Row
    stays: str


def timed(day: date, clock: str, minutes: int = 60, zone: str = ROME) -> Fields:
    """`start` and `end` as Outlook sends them."""
    start = datetime.combine(day, time.fromisoformat(clock))
    moments = (start, start + timedelta(minutes=minutes))
    first, last = ({"dateTime": moment.isoformat(), "timeZone": zone} for moment in moments)
    return {"start": first, "end": last, "isAllDay": False}


def whole_days(day: date, days: int = 1, zone: str = ROME) -> Fields:
    """All-day; Outlook's end is the day after the last."""
    first, last = ({"dateTime": f"{each}T00:00:00", "timeZone": zone} for each in (day, day + timedelta(days=days)))
    return {"start": first, "end": last, "isAllDay": True}


def rule(start: date, kind: str, count: int = 0, interval: int = 1, **pattern: object) -> Fields:
    """A recurrence for ever, or of so many occurrences."""
    ends: Fields = {"type": "numbered", "numberOfOccurrences": count} if count else {"type": "noEnd"}
    whole = {"pattern": {"type": kind, "interval": interval, **pattern}, "range": {**ends, "startDate": f"{start}"}}
    return {"recurrence": whole}


def weekly(start: date, count: int = 0) -> Fields:
    return rule(start, "weekly", count, daysOfWeek=[f"{start:%A}".lower()], firstDayOfWeek="monday")


def at(name: str) -> Fields:
    return {"location": {"displayName": name}}


def mailboxes(today: date) -> list[Noted]:
    """Everything that the three mailboxes hold."""
    return [noted for user in range(3) for noted in (*_singles(user, today), *_series(user, today))]


def _singles(user: int, today: date) -> Iterator[Noted]:
    def day(offset: int) -> date:
        return today + timedelta(days=offset)

    for number, (offset, zone) in enumerate(zip(DAYS, ZONES, strict=True)):
        body = (
            html(HTML) if number % 2 else {"contentType": "text", "content": f"Ordine del giorno\r\n\r\n{number} punti"}
        )
        fields = {"subject": f"Appuntamento {user}.{number} è fissato", "body": body, **at("Forlì, sede")}
        reminder: Fields = {"isReminderOn": number % 3 > 0, "reminderMinutesBeforeStart": (0, 30, 60)[number % 3]}
        yield Noted(user, {**fields, **reminder, **timed(day(offset), f"{7 + number:02d}:{user}0", 45, zone)})
    for number, (offset, length, zone) in enumerate(
        ((-15, 1, ROME), (6, 1, "America/Los_Angeles"), (20, 3, "Asia/Tokyo"))
    ):
        yield Noted(user, {"subject": f"Tutto il giorno {user}.{number}", **whole_days(day(offset), length, zone)})
    for offset, sensitivity in ((-20, "private"), (5, "private"), (7, "confidential")):
        hidden: Fields = {
            "subject": f"{SECRET} {user}",
            "body": html(f"<p>{SECRET}: diagnosi</p>"),
            **at(f"Clinica {SECRET}"),
        }
        yield Noted(user, {**hidden, "sensitivity": sensitivity, **timed(day(offset), f"1{user}:30")}, "busy")
    yield Noted(user, {"subject": f"{SECRET} ferie {user}", "sensitivity": "private", **whole_days(day(25), 2)}, "busy")
    yield Noted(user, {"subject": f"Palestra {user}", "sensitivity": "personal", **timed(day(8), "19:00")})
    long = f"Revisione {user} del contratto quadro per la fornitura pluriennale – " * 4
    yield Noted(user, {"subject": long[:250], **at("Capannone del Consorzio Agrario, " * 7), **timed(day(9), "08:15")})
    yield Noted(
        user,
        {"subject": f"Festa 🎂🎉 {user}", "body": html(TABLE), "importance": "high", **timed(day(10), "21:00", 300)},
    )
    yield Noted(user, {"subject": "", "importance": "low", **timed(day(11), f"0{user + 6}:05", 0)})
    guests = [{"emailAddress": {"address": "ospite@altrove.example", "name": "Ospite"}, "type": "required"}]
    yield Noted(user, {"subject": f"Con ospiti {user}", "attendees": guests, **timed(day(13), "10:00")})
    called_off: Fields = {"organizer": {"name": "Altri", "address": "altri@altrove.example"}, "cancelled": True}
    yield Noted(user, {"subject": f"Annullata {user}", **timed(day(14), "10:00")}, "cancelled", more=called_off)
    for number, when in enumerate((timed(day(15), "11:00"), whole_days(day(16), 2))):
        fields = {"subject": f"Su entrambi i lati {user}.{number}", **at("Bari"), **when}
        yield Noted(user, fields, more={"uid": shared_uid(user, number)})


def shared_uid(user: int, number: int) -> str:
    """What an event that stands on both sides already is called on both."""
    return f"{UID}{user:032X}{number:032X}"


def _series(user: int, today: date) -> Iterator[Noted]:
    """Weekly ones fall on days that are well inside the horizon, or well outside."""

    def day(offset: int) -> date:
        return today + timedelta(days=offset)

    def named(name: str, **more: object) -> Fields:
        return {"subject": f"{name} {user}", **more}

    clock = f"{9 + user:02d}:00"
    changed: dict[date, Fields] = {
        day(9): timed(day(9), "16:30", 90) | {"subject": f"{DEPARTMENT} {user} (spostata)"},
        day(16): at("Sala 🍅 al primo piano"),
        day(-5): {"body": html("<p>Verbale <i>approvato</i></p>")},
    }
    fields = {**named(DEPARTMENT, body=html(HTML)), **timed(day(-54), clock), **weekly(day(-54))}
    yield Noted(user, fields, changed=changed, cancelled=(day(23), day(-12)))
    hidden = {**named(THERAPY, sensitivity="private"), **timed(day(1), "18:00"), **weekly(day(1), 6)}
    yield Noted(user, hidden, "busy", changed={day(8): {"subject": f"{SECRET}: prelievo {user}"}})
    yield Noted(user, {**named(ALIGNED), **timed(day(-18), "14:00", 30), **weekly(day(-18))})
    if user == 0:
        york = "Eastern Standard Time"
        fields = {**named(CALL), **timed(day(4), "16:00", 30, york), **rule(day(4), "daily", 6)}
        yield Noted(user, fields, changed={day(6): timed(day(6), "18:00", 30, york)}, cancelled=(day(8),))
        yield Noted(user, {**named(CLOSED), **whole_days(day(3)), **weekly(day(3), 5)}, cancelled=(day(17),))
    elif user == 1:
        yield Noted(user, {**named(COURSE), **timed(day(-20), "17:00", 90), **weekly(day(-20), 9)})
        first = next(day(n) for n in range(5, 9) if day(n).day <= 28)
        yield Noted(
            user, {**named(FEE), **whole_days(first), **rule(first, "absoluteMonthly", 12, dayOfMonth=first.day)}
        )
    else:
        yield Noted(user, {**named(PROJECT), **timed(day(11), "15:00", 120, "Asia/Tokyo"), **rule(day(11), "daily", 4)})
        first = next(day(n) for n in range(2, 40) if day(n).day <= 7 and day(n).weekday() == 0)
        monthly = rule(first, "relativeMonthly", 0, daysOfWeek=["monday"], index="first")
        yield Noted(user, {**named(REVIEW), **timed(first, "08:00", 30, "Asia/Kolkata"), **monthly})


def records(today: date, owners: list[str], group: str) -> list[Typed]:
    """What the CRM holds already: past and coming events of the three users and of a group, some that Exchange holds too."""
    made: list[Typed] = []
    for user, owner in enumerate(owners):
        for number, offset in enumerate((-300, -31, -2, 4, 10, 27)):
            row = typed(f"Visita cliente {user}.{number}", today + timedelta(days=offset), "10:00", "11:15", owner)
            made.append(Typed(row | {"reminder_time": "900"}, "ended" if offset < 0 else "baseline"))
        days = all_day(f"Fiera {user}", today + timedelta(days=18), 3, owner)
        made.append(Typed(days | {"visibility": "Private", "description": "Stand 7 <b>nord</b>"}, "baseline"))
        for number in range(2):
            day = today + timedelta(days=15 + number)
            row = typed(f"Vecchio titolo {user}.{number}", day, "11:00", "12:00", owner)
            made.append(Typed(row | {"ical_uuid": shared_uid(user, number), "activitytype": "Call"}, ""))
    made.append(Typed(typed("Turno del gruppo", today + timedelta(days=5), "08:00", "09:00", group), "baseline"))
    return made


def typed(subject: str, day: date, start: str, end: str, owner: str) -> Row:
    """An event as a user of vtenext enters it, in the server's zone."""
    return {
        "subject": subject,
        "date_start": day.isoformat(),
        "time_start": start,
        "due_date": day.isoformat(),
        "time_end": end,
        "is_all_day_event": "0",
        "activitytype": "Meeting",
        "eventstatus": "Planned",
        "visibility": "Standard",
        "taskpriority": "Medium",
        "duration_hours": "0",
        "location": "",
        "description": "",
        "assigned_user_id": owner,
    }


def all_day(subject: str, day: date, days: int, owner: str) -> Row:
    """vtenext's due date is the last day."""
    row = typed(subject, day, "00:00", "23:59", owner)
    return row | {"is_all_day_event": "1", "due_date": (day + timedelta(days=days - 1)).isoformat()}


def today_in_rome() -> date:
    """The day on which everything is laid out."""
    return datetime.now(ZoneInfo(ROME)).date()

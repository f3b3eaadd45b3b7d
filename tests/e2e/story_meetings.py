"""What happens to meetings: in the evening before the second day, when the first ones are made, and on that day, on both sides.

Each scene works on meetings that no other scene touches, and leaves the promise of what must be true in the end (SPEC 2.4-2.6, 2.9, 5.3). That
both sides name the same people with the same answers, and show the same resources, is judged of every meeting: see `compare_meetings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from tests.e2e import diary, shared
from tests.e2e.company import CAR, ROOM, USERS, mail_of
from tests.e2e.compare_events import item_when
from tests.e2e.compare_meetings import REFUSED
from tests.e2e.diary import at, timed
from tests.e2e.meetings import Meetings, guests, invitees
from tests.e2e.office import Json, View
from tests.e2e.scenes import Couple, Scenes
from tests.e2e.shared import name_of

OFFSITE, CLASH, VISIT = "Sopralluogo al cantiere", "Altro sopralluogo", "Visita con il cliente"
ERRAND = "Consegna a Cesena"
SHIFT, TRAINING = "Turno al banco", "Formazione del gruppo"
GIULIA, MARCO, SARA = range(3)
OUTSIDER, CUSTOMER = 24, 25
"""Contacts of the CRM: one is invited in Outlook, the other in the CRM, which mails its contacts itself."""


def meet_in_the_evening(meetings: Meetings) -> int:
    """Meetings that the second day builds on; how many."""
    office, today = meetings.office, meetings.calendars.today
    invited = [*guests([USERS[MARCO].mail, mail_of(OUTSIDER)]), *guests([ROOM.mail], "resource")]
    when = timed(today + timedelta(days=8), "10:00", 120)
    offsite = {"subject": OFFSITE, **at(ROOM.name), **when, "attendees": invited}
    made = office.outlook.do("create_event", office.mailboxes[GIULIA], fields=offsite)
    uid = office.outlook.do("show_event", office.mailboxes[GIULIA], event=made)["iCalUId"]
    copy = office.outlook.do("find_event", office.mailboxes[MARCO], uid=uid)
    office.outlook.do("respond", office.mailboxes[MARCO], event=copy, answer="accept")
    rows = [
        diary.typed(name, today + timedelta(days=6), clock, f"{clock[:2]}:50", office.group)
        for name, clock in ((SHIFT, "15:00"), (TRAINING, "16:00"))
    ]
    visit = diary.typed(VISIT, today + timedelta(days=9), "17:00", "18:00", office.owners[SARA])
    errand = diary.typed(ERRAND, today + timedelta(days=10), "09:00", "11:00", office.owners[GIULIA])
    rows.append({**errand, "invitees": invitees([USERS[MARCO].mail, CAR.mail])})
    office.crm.records("Events", [*rows, {**visit, "invitees": invitees([USERS[GIULIA].mail, mail_of(CUSTOMER)])}])
    return 5


def is_known(meetings: Meetings) -> bool:
    """Is the meeting that was made in Outlook in the CRM?"""
    return any(row["subject"] == OFFSITE for row in meetings.office.crm.living()["Events"])


def take_the_car(meetings: Meetings) -> None:
    """Later that evening somebody invites the car to it in the CRM."""
    (row,) = [r for r in meetings.office.crm.living()["Events"] if r["subject"] == OFFSITE]
    meetings.office.crm.edit(row["id"], invitees=[*_invited(row), *invitees([CAR.mail])])


def _invited(row: Json) -> list[Json]:
    """The CRM's list as its screen sends it back."""
    return [{"email": each["email1"], "partecipation": each["partecipation"]} for each in row["invitees"]]


class MeetingStory(Scenes):
    """The second day of meetings."""

    def __init__(self, meetings: Meetings, view: View, pairs: Mapping[str, str]) -> None:
        super().__init__(meetings.calendars, view, pairs)
        self._meetings = meetings

    def scenes(self) -> list[tuple[str, Callable[[], int]]]:
        return [
            ("a meeting with colleague, room, car and an outside guest", self._offsite),
            ("another meeting that wants the same room and car", self._clash),
            ("events of a group, one edited by its organizer, one by a member", self._group),
            ("an invitation deleted by a colleague (declined)", self._declined),
            ("a meeting cancelled by its organizer", self._cancelled),
            ("meetings moved, in Outlook and in the CRM", self._moved),
            ("a meeting edited in the CRM that was accepted already", self._edited),
            ("invitations answered in the CRM", self._answered_in_crm),
            ("invitations answered in Outlook", self._answered_in_outlook),
        ]

    # who

    def _copy(self, each: Couple, user: int) -> Json:
        """That user's copy of a meeting."""
        mailbox, uid = self._office.mailboxes[user], each.event["iCalUId"]
        (found,) = [e for e in self._view.events.values() if (e["mailbox"], e["iCalUId"]) == (mailbox, uid)]
        return found

    # the scenes

    def _offsite(self) -> int:
        """Everything in one meeting: who takes part shows on both sides, what needs no mailbox is no attendee."""
        each, meetings, office = self._one(OFFSITE), self._meetings, self._office
        self._says(each, office.owners[MARCO], "2", "accepted in Outlook")
        self._says(each, meetings.room, "2", "the room, accepted by Exchange")
        self._says(each, meetings.car, "2", "the car, accepted by us")
        (guest,) = [i for i, row in self._view.contacts.items() if row["email"] == mail_of(OUTSIDER)]
        self._in_crm(each, "contact_id", guest)
        invited = {USERS[MARCO].mail, mail_of(OUTSIDER), ROOM.mail}
        self._in_outlook(
            each, "invites whom its organizer invited", lambda event: _addresses(event) == {a.lower() for a in invited}
        )
        self._in_outlook(each, "has its room", lambda event: _said(event, ROOM.mail) == "accepted")
        for user in (GIULIA, MARCO):
            self._coloured(office.mailboxes[user], {ROOM.name: "preset22", CAR.name: "preset15"})
        copy = self._copy(each, MARCO)["id"]
        for id_ in (each.event["id"], copy):
            self._shows(id_, ROOM.name, CAR.name)
        return 1

    def _clash(self) -> int:
        """Made in the CRM, at the same time: room and car decline, and everybody sees it."""
        office, day = self._office, self._calendars.today + timedelta(days=8)
        row = diary.typed(CLASH, day, "11:00", "12:30", office.owners[MARCO])
        wanted = invitees([USERS[SARA].mail, ROOM.mail, CAR.mail])
        (crm_id,) = office.crm.records("Events", [{**row, "invitees": wanted}])
        for thing in (self._meetings.room, self._meetings.car):
            office.promise(
                f"{thing} is taken and declines {crm_id}", lambda view, t=thing: _invitee(view, crm_id, t) == "1"
            )
        refused = {f"{ROOM.name}{REFUSED}", f"{CAR.name}{REFUSED}"}

        def shown(view: View) -> bool:
            calendars = [e for e in view.events.values() if e["subject"] == CLASH]
            where = {e["mailbox"] for e in calendars}
            return where == set(office.mailboxes[MARCO:]) and all(refused <= set(e["categories"]) for e in calendars)

        office.promise("that room and car are taken shows in both calendars of the second meeting", shown)
        return 1

    def _group(self) -> int:
        office = self._office
        shift, training = self._one(SHIFT), self._one(TRAINING)
        for each in (shift, training):
            self._in_crm(each, "assigned_user_id", office.owners[GIULIA])
        self._edit(shift, location={"displayName": "Banco 2"})
        self._in_crm(shift, "location", "Banco 2")
        theirs = self._copy(shift, MARCO)["id"]
        office.promise(
            "a member's copy follows the organizer",
            lambda view: view.events[theirs]["location"]["displayName"] == "Banco 2",
        )
        mine, words = self._copy(training, MARCO)["id"], "Formazione (noiosa)"
        office.outlook.do("edit_event", office.mailboxes[MARCO], event=mine, fields={"subject": words})
        self._meetings.edited[mine] = TRAINING
        self._in_crm(training, "subject", TRAINING)
        self._in_outlook(training, "of the organizer keeps its name", lambda event: event["subject"] == TRAINING)
        office.promise(
            "a member's edit of the own copy stays there", lambda view: view.events[mine]["subject"] == words
        )
        return 2

    def _declined(self) -> int:
        """SPEC 2.4: the end of a copy is an answer, never a deletion."""
        each, office = self._one(name_of(MARCO, 1)), self._office
        copy = self._copy(each, SARA)["id"]
        office.outlook.do("decline_and_delete", office.mailboxes[SARA], event=copy)
        self._calendars.alive.discard(copy)
        self._says(each, office.owners[SARA], "1", "declined by deleting the copy")
        others = {each.event["id"], self._copy(each, GIULIA)["id"]}
        office.promise("a meeting stands although somebody declined", lambda view: others <= view.events.keys())
        return 1

    def _cancelled(self) -> int:
        each, office = self._one(name_of(SARA, 1)), self._office
        copies = [self._copy(each, user)["id"] for user in (GIULIA, MARCO)]
        office.outlook.do("cancel_meeting", office.mailboxes[SARA], event=each.event["id"])
        self._gone(each)
        self._calendars.alive -= set(copies)
        self._meetings.shared.pop(name_of(SARA, 1))
        return 1

    def _moved(self) -> int:
        """A move takes people's answers away, on either side and for both; a car is asked anew. vtenext tells its own contact invitees of it
        (API.md 3.8): the one mail of the CRM because of us."""
        in_crm, in_outlook, errand = (self._one(name) for name in (name_of(GIULIA, 2), VISIT, ERRAND))
        office, day = self._office, self._calendars.today + timedelta(days=10)
        when = {"date_start": self._day(8), "due_date": self._day(8), "time_start": "16:10", "time_end": "16:45"}
        office.crm.edit(in_crm.crm_id, **when)
        copy = self._copy(in_crm, MARCO)["id"]
        for id_ in (in_crm.event["id"], copy):
            self._starts(id_, f"{self._day(8)} 16:10")
        self._says(in_crm, office.owners[MARCO], "0", "asked anew after the move")
        self._edit(in_outlook, **timed(day, "17:30"))
        self._in_crm(in_outlook, "time_start", "17:30")
        self._edit(errand, **timed(day, "14:00", 90))
        self._in_crm(errand, "time_start", "14:00")
        self._says(errand, self._meetings.car, "2", "the car goes along")
        self._shows(self._copy(errand, MARCO)["id"], CAR.name)
        return 3

    def _edited(self) -> int:
        """What is no move keeps the answers."""
        each, office = self._one(name_of(MARCO, 2)), self._office
        office.crm.edit(each.crm_id, location="Sala piccola")
        copy = self._copy(each, SARA)["id"]
        self._in_outlook(each, "has the CRM's place", lambda event: event["location"]["displayName"] == "Sala piccola")
        self._in_outlook(each, "keeps the answer", lambda event: _said(event, USERS[SARA].mail) == "accepted")
        self._says(each, office.owners[SARA], "2", "still accepted after an edit")
        words = "an edit in the CRM reaches the colleague's copy, with the answer kept"
        office.promise(words, lambda view: _place_and_answer(view.events[copy]) == ("Sala piccola", "accepted"))
        return 1

    def _answered_in_crm(self) -> int:
        """What a user answers there reaches the user's own copy, and from it the organizer, who may be somebody outside."""
        office = self._office
        ours, theirs = self._one(name_of(GIULIA, 1)), self._one(shared.FAIR)
        for each, user in ((ours, SARA), (theirs, MARCO)):
            office.crm.answer(each.crm_id, office.owners[user], "2")
            copy = self._copy(each, user)["id"]
            words = f"an answer given in the CRM reaches the copy {copy}"
            office.promise(words, lambda view, copy=copy: view.events[copy]["responseStatus"]["response"] == "accepted")
        sara = USERS[SARA].mail
        self._in_outlook(ours, "shows the answer given in the CRM", lambda event: _said(event, sara) == "accepted")
        return 2

    def _answered_in_outlook(self) -> int:
        """vtenext knows no tentative answer (API.md 7.5)."""
        each, office = self._one(name_of(SARA, 3)), self._office
        for user, answer, said in ((GIULIA, "tentativelyAccept", "0"), (MARCO, "accept", "2")):
            copy = self._copy(each, user)["id"]
            office.outlook.do("respond", office.mailboxes[user], event=copy, answer=answer)
            self._says(each, office.owners[user], said, answer)
        return 2

    # what must be true

    def _says(self, each: Couple, invitee: str, said: str, words: str) -> None:
        id_ = each.crm_id
        self._office.promise(f"{invitee} on record {id_}: {words}", lambda view: _invitee(view, id_, invitee) == said)

    def _shows(self, event: str, *names: str) -> None:
        self._office.promise(
            f"event {event} shows {names}", lambda view: set(names) <= set(view.events[event]["categories"])
        )

    def _starts(self, event: str, when: str) -> None:
        self._office.promise(
            f"event {event} starts {when}", lambda view: item_when(view.events[event]).startswith(when)
        )

    def _coloured(self, mailbox: str, colours: Mapping[str, str]) -> None:
        words = f"{', '.join(colours)} have their colours in mailbox {mailbox}"
        self._office.promise(words, lambda view: colours.items() <= view.colours[mailbox].items())


def _place_and_answer(copy: Json) -> tuple[str, str]:
    return copy["location"]["displayName"], copy["responseStatus"]["response"]


def _addresses(event: Json) -> set[str]:
    return {each["emailAddress"]["address"].lower() for each in event["attendees"]}


def _said(event: Json, address: str) -> str:
    """What somebody answered, as the organizer sees it."""
    found = [e["status"]["response"] for e in event["attendees"] if e["emailAddress"]["address"].lower() == address]
    return str(found[0]) if found else ""


def _invitee(view: View, crm_id: str, invitee: str) -> str:
    """What the CRM shows of somebody's answer, '' = not invited."""
    row = view.records.get(crm_id, {"invitees": []})
    return next((str(each["partecipation"]) for each in row["invitees"] if each["id"] == invitee), "")

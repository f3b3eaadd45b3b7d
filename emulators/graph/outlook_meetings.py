"""What people do with meetings in Outlook: invite, answer, decline and delete; rooms; the mails that Exchange sent.

For tests, simulator and demo; what is named how is said in `outlook_calendar.py`. Everything is mailed and delivered as if an app
had written it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from emulators.graph import answers, categories, delivery, event_writing, meetings
from emulators.graph.attendees import address_of
from emulators.graph.calendar import Calendar, Event
from emulators.graph.http import Json
from emulators.graph.outlook_calendar import CalendarHands, spoken

_ANSWERS = {"accept": "accepted", "decline": "declined", "tentativelyAccept": "tentativelyAccepted"}


class MeetingHands(CalendarHands):
    """Acts on meetings directly: no token, no throttling, no request counted."""

    # the organizer's -------------------------------------------------------------------------------------------

    def invite(
        self,
        user: str,
        event: str,
        addresses: Sequence[str],
        *,
        kind: Literal["required", "optional", "resource"] = "required",
        slot: str | None = None,
    ) -> None:
        """Add attendees to an event or series of the user's, or to one occurrence only."""
        calendar, found, day = self._at(user, event, slot)
        new = [{"type": kind, "emailAddress": {"address": each}} for each in addresses]
        self._list(calendar, found, day, [*meetings.guests(found, day), *new])

    def uninvite(self, user: str, event: str, addresses: Sequence[str], *, slot: str | None = None) -> None:
        """Take attendees off the list."""
        calendar, found, day = self._at(user, event, slot)
        gone = {each.casefold() for each in addresses}
        self._list(calendar, found, day, [each for each in meetings.guests(found, day) if address_of(each) not in gone])

    def _list(self, calendar: Calendar, event: Event, slot: date | None, listed: list[Json]) -> None:
        given = [{name: each[name] for name in ("type", "emailAddress")} for each in listed]
        with spoken():
            event_writing.patch(self._world, calendar, event, slot, {"attendees": given}, by="person")

    # the attendee's --------------------------------------------------------------------------------------------

    def respond(self, user: str, event: str, answer: str, *, send: bool = True, slot: str | None = None) -> None:
        """Answer an invitation (`accepted`, `tentativelyAccepted`, `declined`, or the names of the actions) on the own copy;
        declining takes the copy away."""
        word = _ANSWERS.get(answer, answer)
        if word not in answers.ANSWERS:
            raise ValueError(f"no answer {answer!r}")
        calendar, found, day = self._at(user, event, slot)
        with spoken():
            answers.respond(self._world, calendar, found, day, word, send=send, by="person")
        delivery.dispatch(self._world)

    def decline_and_delete(self, user: str, event: str, *, slot: str | None = None) -> None:
        """What Outlook offers when an invitation is deleted: the organizer hears of it."""
        self.respond(user, event, "declined", slot=slot)

    def _at(self, user: str, event: str, slot: str | None) -> tuple[Calendar, Event, date | None]:
        if slot is not None:
            return self._occurrence(user, event, slot)
        calendar, found = self._event(user, event)
        if found.trashed:
            raise ValueError(f"{event!r} is deleted")
        return calendar, found, None

    def find_event(self, user: str, uid: str) -> str:
        """The id of the user's live event or copy with that iCalUId; '' when there is none."""
        calendar = self._calendar(user)
        found = (each for each in calendar.events.values() if not each.trashed and calendar.uid(each, None) == uid)
        return next((each.immutable_id for each in found), "")

    # the tenant's ----------------------------------------------------------------------------------------------

    def make_room(self, user: str) -> None:
        """From now on the mailbox is a room's: it answers invitations by itself and is among the places."""
        self._become(user, "room")

    def make_equipment(self, user: str) -> None:
        """From now on the mailbox is a car's or projector's: it answers by itself."""
        self._become(user, "equipment")

    def _become(self, user: str, kind: Literal["room", "equipment"]) -> None:
        with spoken():
            self._world.user(user).kind = kind

    def deliver(self) -> int:
        """Deliver what waits (switch `delivery=late`); how many messages that were."""
        return delivery.deliver(self._world)

    def mails(self) -> list[Json]:
        """Every mail that Exchange sent: kind, to, from, iCalUId, subject, at, why, by (app, person, resource)."""
        return [each.row() for each in self._world.post.mails]

    def create_category(self, user: str, name: str, color: str = "none") -> str:
        """A master category of the mailbox."""
        if color not in categories.COLORS:
            raise ValueError(f"no colour {color!r}")
        with spoken():
            return categories.add_category(self._world.user(user).mailbox, name, color).id

    def categories(self, user: str) -> dict[str, str]:
        """The master categories: colour by name."""
        with spoken():
            return {each.name: each.color for each in self._world.user(user).mailbox.categories.values()}

"""What happens to single events between two synchronisations, on both sides, and to what others may see of them.

Each scene works on events that no other scene touches, and leaves the promise of what must be true in the end (SPEC 2.2, 2.10, 2.11 with
the default settings: the mailbox wins conflicts about events, deletions travel both ways).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.e2e import diary
from tests.e2e.compare_events import item_when
from tests.e2e.diary import timed
from tests.e2e.scenes import Scenes

TURNED = "Colloquio delicato"


class EventStory(Scenes):
    """The second day of single events."""

    def scenes(self) -> list[tuple[str, Callable[[], int]]]:
        return [
            ("events edited or moved in the CRM", self._crm_edits),
            ("events edited or moved in Outlook", self._outlook_edits),
            ("events edited on both sides", self._both_edit),
            ("events deleted on one side", self._deletions),
            ("events made in the CRM", self._crm_news),
            ("events and a series made in Outlook", self._outlook_news),
            ("an old event of the CRM edited: exported", self._old_one_edited),
            ("an event turned private, a busy block moved", self._privacy),
        ]

    def _crm_edits(self) -> int:
        crm = self._office.crm
        for user in range(3):
            each = self._one(f"Appuntamento {user}.4 è fissato")
            crm.edit(
                each.crm_id,
                subject=f"Deciso in CRM {user}",
                description="Portare:\nil timbro\n& la penna",
                location="Cantù",
            )
            self._in_outlook(each, "has the CRM's place", lambda event: event["location"]["displayName"] == "Cantù")
            moved = self._one(f"Tutto il giorno {user}.1")
            crm.edit(moved.crm_id, date_start=self._day(7), due_date=self._day(8))
            self._in_outlook(moved, "was moved in the CRM", lambda event: item_when(event)[:10] == self._day(7))
        return 6

    def _outlook_edits(self) -> int:
        for user in range(3):
            each = self._one(f"Appuntamento {user}.5 è fissato")
            self._edit(each, subject=f"Deciso in Outlook {user} 🚀", body=diary.html("<div>Nuovo <u>ordine</u></div>"))
            self._in_crm(each, "subject", f"Deciso in Outlook {user} ????")
            moved = self._one(f"Appuntamento {user}.6 è fissato")
            self._edit(moved, **timed(self._calendars.today + timedelta(days=41), "22:15", 30, "Asia/Kolkata"))
        each = self._one("Tutto il giorno 0.2")
        self._edit(each, **timed(self._calendars.today + timedelta(days=21), "09:30"))
        self._in_crm(each, "is_all_day_event", "0")
        return 7

    def _both_edit(self) -> int:
        crm = self._office.crm
        for user in range(2):
            each = self._one(f"Appuntamento {user}.7 è fissato")
            crm.edit(each.crm_id, location="Bari", taskpriority="High")
            self._edit(each, location={"displayName": "L'Aquila"}, sensitivity="personal")
            self._in_crm(each, "location", "L'Aquila")  # the mailbox wins
            self._in_crm(each, "visibility", "Private")
            self._in_outlook(each, "has the CRM's half of the merge", lambda event: event["importance"] == "high")
        return 2

    def _deletions(self) -> int:
        in_crm, in_outlook = self._one("Palestra 0"), self._one("Palestra 1")
        self._office.crm.delete(in_crm.crm_id)
        self._delete(in_outlook)
        for each in (in_crm, in_outlook):
            self._gone(each)
        return 2

    def _crm_news(self) -> int:
        office, day = self._office, self._calendars.today
        rows = [
            diary.typed(f"Nuovo dal CRM {n}", day + timedelta(days=12 + n), "16:00", "17:30", office.owners[n])
            for n in range(3)
        ]
        rows[0] |= {"description": "riga uno\nriga due & tre", "reminder_time": "1800", "taskpriority": "High"}
        rows[1] |= {"visibility": "Private", "description": "mio, ma scritto qui"}
        rows[2] = diary.all_day("Nuovo dal CRM 2", day + timedelta(days=40), 2, office.owners[2])
        self._calendars.readable.add("Nuovo dal CRM 1")
        past = diary.typed("Verbale di ieri l'altro", day - timedelta(days=2), "10:00", "11:00", office.owners[0])
        ended = office.crm.records("Events", [*rows, past])[-1]
        self._calendars.unplaced[ended] = "ended"
        return len(rows) + 1

    def _outlook_news(self) -> int:
        office, day = self._office, self._calendars.today
        for user, mailbox in enumerate(office.mailboxes):
            fields = {"subject": f"Nuovo da Outlook {user}", **diary.whole_days(day + timedelta(days=50), 1 + user)}
            office.outlook.do("create_event", mailbox, fields=fields)
        first = day + timedelta(days=4)
        series = {"subject": "Caffè del mattino", **timed(first, "08:45", 15), **diary.rule(first, "daily", 5, 2)}
        office.outlook.do("create_event", office.mailboxes[1], fields=series)
        return 4

    def _old_one_edited(self) -> int:
        (id_,) = [i for i, row in self._view.records.items() if row["subject"] == "Visita cliente 2.4"]
        self._office.crm.edit(id_, location="Presso il cliente")
        del self._calendars.unplaced[id_]
        return 1

    def _privacy(self) -> int:
        """SPEC 2.10: an event that turns private is scrubbed in the CRM; a busy block moved there keeps its text in Exchange."""
        turned = self._one("Appuntamento 2.7 è fissato")
        self._edit(turned, subject=f"{TURNED} 2.7", sensitivity="private", location={"displayName": "Studio legale"})
        self._calendars.secrets |= {TURNED, turned.record["subject"], "Studio legale"}
        self._in_crm(turned, "description", "")
        block = next(c for c in self._couples if c.event["subject"] == f"{diary.SECRET} 1" and c.coming)
        self._office.crm.edit(block.crm_id, time_start="06:00", time_end="06:40")
        name = f"{diary.SECRET} 1"
        self._in_outlook(block, "moved as a busy block keeps its name", lambda event: event["subject"] == name)
        self._in_outlook(block, "was moved as a busy block", lambda event: " 06:00 - " in item_when(event))
        return 2

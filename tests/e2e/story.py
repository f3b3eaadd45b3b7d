"""What happens at the company between two synchronisations: edits, deletions and moves on both sides, conflicts, new people.

Each scene works on records that no other scene touches, and leaves the promise of what both sides must say in the end (SPEC 1.1-1.8 with
the default settings: the CRM wins conflicts about contacts and companies, a deletion in Outlook is written back).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tests.e2e.company import FOLDER
from tests.e2e.compare import is_company
from tests.e2e.office import Json, Office, View


@dataclass(frozen=True, slots=True)
class Couple:
    """A record and the card that shows it, in whose mailbox."""

    crm_id: str
    card_id: str
    mailbox: str
    record: Json
    card: Json


class Story:
    """The second day. `pairs`: which card shows which record, as the comparison of the first fill found (`record mailbox`: a guest's card)."""

    def __init__(self, office: Office, view: View, pairs: Mapping[str, str]) -> None:
        self._office, self._view = office, view
        stamped = [self._couple(crm_id, card_id) for crm_id, card_id in pairs.items() if " " not in crm_id]
        contacts = [each for each in stamped if not is_company(each.card)]
        self._born_in_crm = self._plain(
            contacts, lambda each: not each.card["nickName"] and "Bianchì" not in each.record["lastname"]
        )
        self._born_in_mailbox = self._plain(contacts, lambda each: "Bianchì" in each.record["lastname"])
        self._companies = iter([each for each in stamped if is_company(each.card)])

    def happen(self) -> list[tuple[str, int]]:
        """Play all scenes; returns what was done and how often, for the table."""
        scenes: list[tuple[str, Callable[[], int]]] = [
            ("contacts edited in the CRM", self._crm_edits),
            ("cards edited in Outlook", self._card_edits),
            ("contacts and companies made in the CRM", self._new_records),
            ("cards made in Outlook", self._new_cards),
            ("the same field edited on both sides", self._conflicts),
            ("different fields edited on both sides", self._merges),
            ("deleted in the CRM", self._crm_deletes),
            ("deleted in Outlook (written back)", self._card_deletes),
            ("deleted on one side, edited on the other", self._edits_that_beat_deletes),
            ("reassigned to a colleague or a group", self._reassignments),
            ("moved to a private folder", self._moved_away),
            ("a company card that gets a person's name", self._becomes_contact),
            ("an Account renamed", self._renamed),
        ]
        return [(words, scene()) for words, scene in scenes]

    def _couple(self, crm_id: str, card_id: str) -> Couple:
        record = self._view.rows()[crm_id]
        card = self._view.card(card_id)
        if card is None:
            raise LookupError(card_id)
        return Couple(crm_id, card_id, self._office.home_of(record), record, card)

    @staticmethod
    def _plain(contacts: list[Couple], fits: Callable[[Couple], bool]) -> Iterator[Couple]:
        return iter([each for each in contacts if fits(each)])

    def _take(self, number: int) -> list[Couple]:
        return [next(self._born_in_crm) for _ in range(number)]

    def _edit_card(self, each: Couple, **fields: object) -> None:
        self._office.outlook.do("edit", each.mailbox, contact=each.card_id, fields=fields)

    def _promise(self, crm_id: str, field: str, value: str, words: str) -> None:
        def kept(view: View) -> bool:
            return crm_id in view.rows() and view.rows()[crm_id][field] == value

        self._office.promise(f"{words}: {field} of {crm_id}", kept)

    def _crm_edits(self) -> int:
        for number, each in enumerate(self._take(40)):
            phone = f"+39 0543 8{number:05d}"
            self._office.crm.edit(each.crm_id, phone=phone, description=f"Richiamare è urgente – {number}")
            self._promise(each.crm_id, "phone", phone, "the CRM's edit")
        return 40

    def _card_edits(self) -> int:
        for number, each in enumerate(self._take(40)):
            job = f"Caporeparto n° {number}"
            self._edit_card(each, jobTitle=job, personalNotes=f"Sentito oggi\r\nè d'accordo {number}")
            self._promise(each.crm_id, "title", job, "Outlook's edit")
        return 40

    def _new_records(self) -> int:
        office = self._office
        names = [
            {"accountname": f"Vivaio Nuovo Germoglio {n}", "assigned_user_id": office.owners[n], "bill_city": "Cesena"}
            for n in range(2)
        ]
        accounts = office.crm.records("Accounts", names)
        people = [
            {
                "firstname": "Letizia",
                "lastname": f"Nuovarrivata {n}",
                "email": f"letizia{n}@germoglio.example",
                "account_id": accounts[n % 2],
                "assigned_user_id": office.owners[n % 3],
            }
            for n in range(10)
        ]
        office.crm.records("Contacts", people)
        office.records += 12
        return 12

    def _new_cards(self) -> int:
        office = self._office
        for number in range(10):
            card: Json = {"givenName": "Ömer", "surname": f"Nuovo-{number}", "mobilePhone": f"+39 391 {number:07d}"}
            office.outlook.do("create", office.mailboxes[number % 3], fields=card, folder=FOLDER)
        office.records += 10
        return 10

    def _conflicts(self) -> int:
        for number, each in enumerate(self._take(3)):
            self._office.crm.edit(each.crm_id, mobile=f"+39 340 111{number}")
            self._edit_card(each, mobilePhone=f"+39 340 999{number}")
            self._promise(each.crm_id, "mobile", f"+39 340 111{number}", "the CRM wins the conflict")
        return 3

    def _merges(self) -> int:
        for number, each in enumerate(self._take(3)):
            self._office.crm.edit(each.crm_id, department=f"Reparto {number}")
            self._edit_card(each, mobilePhone=f"+39 340 555{number}")
            self._promise(each.crm_id, "department", f"Reparto {number}", "the CRM's half of the merge")
            self._promise(each.crm_id, "mobile", f"+39 340 555{number}", "Outlook's half of the merge")
        return 3

    def _crm_deletes(self) -> int:
        for each in self._take(3):
            self._office.crm.delete(each.crm_id)
            self._office.forget(each.crm_id)
            self._office.records -= 1
        return 3

    def _card_deletes(self) -> int:
        for each in self._take(3):
            self._office.outlook.do("delete", each.mailbox, contact=each.card_id)
        return 3

    def _edits_that_beat_deletes(self) -> int:
        made_again, written_back = self._take(2)
        self._edit_card(made_again, mobilePhone="+39 345 0000077")
        self._office.crm.delete(made_again.crm_id)
        self._office.forget(made_again.crm_id)
        family = made_again.record["lastname"]
        self._office.promise(
            f"{made_again.crm_id}, deleted in the CRM and edited in Outlook, is made again",
            lambda view: any(
                r["mobile"] == "+39 345 0000077" and r["lastname"] == family for r in view.contacts.values()
            ),
        )
        self._office.outlook.do("delete", written_back.mailbox, contact=written_back.card_id)
        self._office.crm.edit(written_back.crm_id, homephone="0543 99999")
        self._promise(written_back.crm_id, "homephone", "0543 99999", "the CRM's edit of a card deleted in Outlook")
        return 2

    def _reassignments(self) -> int:
        office = self._office
        moved, to_group = self._take(2)
        office.crm.edit(moved.crm_id, assigned_user_id=self._colleague(moved))
        office.crm.edit(to_group.crm_id, assigned_user_id=office.group)
        for each in (moved, to_group):
            office.promise(f"our copy of {each.crm_id} left the old mailbox", partial(_card_is_gone, each.card_id))
        born_here = next(self._born_in_mailbox)
        office.crm.edit(born_here.crm_id, assigned_user_id=self._colleague(born_here))
        office.unplaced_cards[born_here.card_id] = "reassigned"
        office.promise("a card born in a mailbox stays there", lambda view: view.card(born_here.card_id) is not None)
        return 3

    def _colleague(self, each: Couple) -> str:
        owners = self._office.owners
        return owners[(owners.index(each.record["assigned_user_id"]) + 1) % len(owners)]

    def _moved_away(self) -> int:
        (each,) = self._take(1)
        self._office.outlook.do("move", each.mailbox, contact=each.card_id)
        self._office.unplaced_records[each.crm_id] = "left_folder"
        return 1

    def _becomes_contact(self) -> int:
        """SPEC 1.2: a contact of that company; the company, which has data of its own, keeps a card of its own."""
        each = next(self._companies)
        self._edit_card(each, givenName="Fabrizia", surname="Titolare Unica")
        self._office.records += 1

        def kept(view: View) -> bool:
            return any(
                r["lastname"] == "Titolare Unica" and r["account_id"] == each.crm_id for r in view.contacts.values()
            )

        self._office.promise(f"the person on the card of {each.crm_id} is a contact of that company", kept)
        return 1

    def _renamed(self) -> int:
        """SPEC 1.8: the cards of its contacts follow."""
        each = next(self._companies)
        name = "Nuova Ragione Sociale «Perù» S.r.l."
        self._office.crm.edit(each.crm_id, accountname=name)
        self._promise(each.crm_id, "accountname", name, "the new name")
        return 1


def _card_is_gone(card_id: str, view: View) -> bool:
    return view.card(card_id) is None

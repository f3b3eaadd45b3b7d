"""A question that waits for an admin: a card that could be either of two contacts."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.company import FOLDER
from tests.e2e.connector import wait_for
from tests.e2e.test_bad_input import Place


@dataclass(frozen=True, slots=True)
class Question:
    """`hold`: its id; `contacts`: the two that the card could be."""

    hold: str
    contacts: tuple[str, str]
    card: str

    @classmethod
    def of(cls, place: Place) -> Question:
        """Ask it."""
        person = {"firstname": "Ugo", "lastname": "Doppio", "email": "ugo@cliente.example"}
        about = {**person, "assigned_user_id": place.owners[0]}
        place.connector.settle()  # no run is under way that would see the contacts before the card is there
        one, two = place.crm.records("Contacts", [about, {**about, "department": "Vendite"}])
        address = {"name": "Ugo", "address": "ugo@cliente.example"}
        fields = {"givenName": "Ugo", "surname": "Doppio", "emailAddresses": [address]}
        card = place.outlook.do("create", place.mailboxes[0], folder=FOLDER, fields=fields)
        wait_for("the question", lambda: place.connector.round() >= 0 and place.connector.holds(), seconds=60)
        (hold,) = [each for each in place.connector.holds() if each["side"] == "mailbox"]
        return cls(hold["id"], (one, two), str(card))

    def withdraw(self, place: Place) -> None:
        """Nobody was ever asked: card and contacts go."""
        if self.card in {card["id"] for card in place.outlook.cards(place.mailboxes[0], FOLDER)}:
            place.outlook.do("delete", place.mailboxes[0], contact=self.card)
        for contact in self.contacts:
            place.crm.delete(contact)
        place.connector.settle()

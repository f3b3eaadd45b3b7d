"""The office of the demo: the company set up in the emulated CRM and mailboxes, what its people did since, and the final judgement.

Everything that a person does leaves a *promise*: what must be true at the end, checked against the screens of both sides. Whatever
the plan may not place (an owner without mailbox, a question that is open) is known from the story, with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.e2e import company, compare
from tests.e2e.company import FOLDER, GONE, GROUP, USERS
from tests.e2e.compare import Values, Verdict
from tests.e2e.hands import CrmScreen, Outlook

Json = dict[str, Any]
ASKED = "several_candidates"


@dataclass(frozen=True, slots=True)
class View:
    """Both sides as their screens show them at one moment."""

    contacts: Mapping[str, Json]  # crm id -> row
    accounts: Mapping[str, Json]
    cards: Mapping[str, Mapping[str, Json]]  # mailbox -> card id -> card, of the connector's folder
    private: Mapping[str, list[Json]]  # mailbox -> cards of the default folder
    records: Mapping[str, Json] = field(default_factory=dict)  # crm id -> row of Events
    events: Mapping[str, Json] = field(default_factory=dict)  # id -> single event or occurrence, with its `mailbox`
    masters: Mapping[str, Json] = field(default_factory=dict)  # id -> series
    tasks: Mapping[str, Json] = field(default_factory=dict)  # crm id -> row of Calendar
    todo: Mapping[str, Json] = field(default_factory=dict)  # id -> task of To Do, with its `mailbox` and `list`
    colours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # mailbox -> category -> colour

    def rows(self) -> dict[str, Json]:
        return {**self.contacts, **self.accounts}

    def card(self, card_id: str) -> Json | None:
        return next((cards[card_id] for cards in self.cards.values() if card_id in cards), None)


Check = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that must hold at the end, in words and as a check."""

    words: str
    check: Check


@dataclass(slots=True)
class Office:
    """The company at work. `unplaced_*`: ids that the plan may not place, with the reason."""

    crm: CrmScreen
    outlook: Outlook
    look: Callable[[str], Iterable[Json]] = lambda mailbox: ()  # at a mailbox's calendar
    met: Callable[[View], Iterable[tuple[str, str]]] = lambda view: ()  # mailbox and contact: who meets whom
    owners: list[str] = field(default_factory=list)
    mailboxes: list[str] = field(default_factory=list)
    group: str = ""
    inactive: str = ""
    records: int = 0  # how many Contacts and Accounts there must be
    unplaced_records: dict[str, str] = field(default_factory=dict)
    unplaced_cards: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)  # CRM ids that nobody deleted
    promises: list[Promise] = field(default_factory=list)

    def found(self) -> None:
        """Users, group, companies, contacts, and the cards that were there before."""
        *self.owners, self.inactive = self.crm.users(
            [*(u.as_vtenext() for u in USERS), GONE.as_vtenext(status="Inactive")]
        )
        (self.group,) = self.crm.groups([{**GROUP, "members": self.owners[:2]}])
        self.mailboxes = [self.outlook.user(user.mail, user.name) for user in USERS]
        accounts = company.companies(self.owners, self.group, self.inactive)
        account_ids = self.crm.records("Accounts", accounts)
        contacts = company.contacts(account_ids, self.owners, self.group, self.inactive)
        contact_ids = self.crm.records("Contacts", contacts)
        self.records = len(accounts) + len(contacts)
        for mailbox in self.mailboxes:
            self.outlook.do("create_folder", mailbox, name=FOLDER)
            for card in company.private_cards():
                self.outlook.do("create", mailbox, fields=card)
        for before in company.cards_before(contacts, accounts):
            self._put(before)
        for id_ in [*account_ids, *contact_ids]:
            self.alive.add(id_)
        names = {"Luca Ferrari", "Elena Greco"}
        for id_, row in zip(contact_ids, contacts, strict=True):
            if f"{row['firstname']} {row['lastname']}" in names:
                self.unplaced_records[id_] = ASKED
        self._promise_privacy()

    def promise(self, words: str, check: Check) -> None:
        """Note what must be true at the end."""
        self.promises.append(Promise(words, check))

    def forget(self, crm_id: str) -> None:
        """Somebody deleted the record: nobody will miss it."""
        self.alive.discard(crm_id)

    def view(self) -> View:
        """Look at both sides."""
        living = self.crm.living()
        whole = {mailbox: self.outlook.mailbox(mailbox) for mailbox in self.mailboxes}
        boxes = {mailbox: box["folders"] for mailbox, box in whole.items()}
        lists = [(m, each) for m, box in whole.items() for each in box["task_lists"]]
        events = {e["id"]: {**e, "mailbox": m} for m in self.mailboxes for e in self.look(m)}
        return View(
            {row["id"]: row for row in living["Contacts"]},
            {row["id"]: row for row in living["Accounts"]},
            {
                m: {c["id"]: c for f in folders if f["displayName"] == FOLDER for c in f["contacts"]}
                for m, folders in boxes.items()
            },
            {m: folders[0]["contacts"] for m, folders in boxes.items()},
            {row["id"]: row for row in living["Events"]},
            {id_: event for id_, event in events.items() if event["type"] != "seriesMaster"},
            {id_: event for id_, event in events.items() if event["type"] == "seriesMaster"},
            {row["id"]: row for row in living["Calendar"]},
            {t["id"]: {**t, "mailbox": m, "list": each["displayName"]} for m, each in lists for t in each["tasks"]},
            {mailbox: self.outlook.do("categories", mailbox) for mailbox in self.mailboxes},
        )

    def judge(self, view: View, kind: str) -> Verdict:
        """Compare what may be placed: contacts or companies, of all mailboxes together."""
        return compare.judge(self._records(view, kind), self._cards(view, kind))

    def home_of(self, row: Json) -> str:
        """The mailbox in which a record belongs, '' when its owner has none."""
        owner = row["assigned_user_id"]
        return self.mailboxes[self.owners.index(owner)] if owner in self.owners else ""

    def questions(self, view: View) -> set[str]:
        """Ids about which an administrator must have been asked."""
        mine = [id_ for id_, reason in self.unplaced_records.items() if reason == ASKED and id_ in view.rows()]
        return {*mine, *(id_ for id_, reason in self.unplaced_cards.items() if reason == ASKED)}

    def namesakes(self, given: str, family: str) -> tuple[str, str, str]:
        """The card and the two records that it may be."""
        view = self.view()
        records = [
            i for i in self.unplaced_records if _named(view.contacts[i], "firstname", "lastname") == (given, family)
        ]
        cards = [
            i for i in self.unplaced_cards if _named(view.card(i) or {}, "givenName", "surname") == (given, family)
        ]
        (card,), (first, second) = cards, records
        return card, first, second

    def decided(self, card: str, first: str, second: str) -> None:
        """The card is the first of the two records; now all three have their place."""
        del self.unplaced_cards[card], self.unplaced_records[first], self.unplaced_records[second]

    def not_placed(self, view: View) -> Counter[str]:
        """How many items are not placed, by reason."""
        rows = view.rows()
        reasons = Counter(reason for id_, reason in self.unplaced_records.items() if id_ in rows)
        reasons.update(reason for id_, reason in self.unplaced_cards.items() if view.card(id_))
        reasons["without_mailbox"] += sum(1 for row in rows.values() if not self.home_of(row))
        return reasons

    def duplicates(self, view: View) -> int:
        """Things that are there twice on a side, and records that nobody made."""
        records = [*self._records(view, "contacts").values(), *self._records(view, "companies").values()]
        cards = [*self._cards(view, "contacts").values(), *self._cards(view, "companies").values()]
        return compare.doubles(records) + compare.doubles(cards) + max(0, len(view.rows()) - self.records)

    def broken(self, view: View) -> list[str]:
        """Promises that are not kept: what was lost."""
        gone = [f"record {id_} is gone from the CRM" for id_ in sorted(self.alive - view.rows().keys())]
        missing = self.records - len(view.rows())
        if missing > len(gone):
            gone.append(f"{missing} records of {self.records} are missing")
        return gone + [each.words for each in self.promises if not each.check(view)]

    def _records(self, view: View, kind: str) -> dict[str, Values]:
        names = {id_: row["accountname"] for id_, row in view.accounts.items()}
        rows = view.contacts if kind == "contacts" else view.accounts
        made: dict[str, Values] = {}
        for id_, row in rows.items():
            home = self.home_of(row)
            if home and id_ not in self.unplaced_records:
                values = compare.contact_record(row, names) if kind == "contacts" else compare.company_record(row)
                made[id_] = (*values, ("where", home))
        return made | (self._guests(view, names) if kind == "contacts" else {})

    def _guests(self, view: View, names: Mapping[str, str]) -> dict[str, Values]:
        """Contacts of somebody else who must have a card here too, because the user meets them: it says what the record says."""
        made: dict[str, Values] = {}
        for mailbox, id_ in self.met(view):
            row = view.contacts.get(id_)
            if row and self.home_of(row) != mailbox:
                made[f"{id_} {mailbox}"] = (*compare.contact_record(row, names), ("where", mailbox))
        return made

    def _cards(self, view: View, kind: str) -> dict[str, Values]:
        names = [row["accountname"] for row in view.accounts.values()]
        made: dict[str, Values] = {}
        for mailbox, cards in view.cards.items():
            for id_, card in cards.items():
                if id_ in self.unplaced_cards or compare.is_company(card) is (kind == "contacts"):
                    continue
                values = compare.contact_card(card, names) if kind == "contacts" else compare.company_card(card)
                made[id_] = (*values, ("where", mailbox))
        return made

    def _put(self, before: company.Before) -> None:
        mailbox = self.mailboxes[before.user]
        id_ = self.outlook.do("create", mailbox, fields=before.card, folder=FOLDER)
        self.promise(f"card {id_} is still there", lambda view: id_ in view.cards[mailbox])
        nickname = before.card.get("nickName")
        if nickname:  # vtenext has no place for it: never wiped
            self.promise(
                f"card {id_} keeps its nickname", lambda view: view.cards[mailbox][id_]["nickName"] == nickname
            )
        if before.becomes == "imported":
            self.records += 1
        elif before.becomes in ("guest", "asked", "nameless"):
            reasons = {"guest": "guest", "asked": ASKED, "nameless": "no_name"}
            self.unplaced_cards[id_] = reasons[before.becomes]

    def _promise_privacy(self) -> None:
        """The default folder is none of our business."""
        for mailbox, cards in self.view().private.items():
            for card in cards:
                self.promise(f"the private card {card['id']} was not touched", partial(_untouched, mailbox, card))


def _untouched(mailbox: str, card: Json, view: View) -> bool:
    return card in view.private[mailbox]


def _named(fields: Json, given: str, family: str) -> tuple[object, object]:
    return fields.get(given), fields.get(family)

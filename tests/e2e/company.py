"""A small Italian company: three users with mailboxes, 60 companies, 300 contacts, and the cards they had before. Pure data.

The same at every run. Records are as vtenext's users would have typed them, cards as Outlook's would: accents, emoji, long texts,
people of the same name, addresses that several share, records of a group and of somebody who left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

Record = dict[str, str]
Card = dict[str, object]

FOLDER = "vtenext"
COMPANIES = 60
CONTACTS = 300

GIVEN = (
    "Niccolò", "Zoë", "Giosuè", "Noemi", "Andrea", "Mirò", "Beatrice", "Élodie", "Tommaso", "Ginevra", "Raffaella", "Ludovica",
    "Michele", "Chiara", "Pier Paolo", "Anna Maria", "Jürgen", "Matilde", "Salvatore", "Irene",
)  # fmt: skip
FAMILY = (
    "D'Angelo", "Forlì", "Cantù", "De Sanctis", "Dell'Orto", "Nardò", "Muñoz", "Scalzi", "Bertè", "Lo Verso", "Zanè", "Pellegrini",
    "Müller", "Fabbri", "Santarcangelo", "Conti", "Grasso",
)  # fmt: skip
TOWNS = (("Forlì", "FC", "47121"), ("Cantù", "CO", "22063"), ("L'Aquila", "AQ", "67100"), ("Bari", "BA", "70121"))
TRADES = ("Officine", "Caffè", "Antica Bottega", "Società Agricola", "Trasporti", "Studio")
FORMS = ("S.p.A.", "S.r.l.", "S.n.c.", "& Figli")
JOBS = ("Responsabile acquisti", "Titolare", "Amministrazione", "Qualità & Ambiente", "Magazzino", "")
LONG = "Richiede un'offerta per il rinnovo della linea 2 – consegna entro l'inverno; «urgente».\n" * 40
STREET = "Strada Provinciale 610 Selice, località San Prospero, presso il capannone del Consorzio Agrario, " * 3


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a login in vtenext and a mailbox."""

    login: str
    given: str
    family: str
    mail: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    def as_vtenext(self, **more: str) -> Record:
        """The row that an administrator of vtenext enters."""
        names = {"user_name": self.login, "first_name": self.given, "last_name": self.family, "email1": self.mail}
        return {**names, "roleid": "H3", **more}


USERS = (
    User("giulia.conti", "Giulia", "Conti", "giulia.conti@officinaconti.example"),
    User("marco.bellini", "Marco", "Bellini", "marco.bellini@officinaconti.example"),
    User("sara.galli", "Sara", "Galli", "sara.galli@officinaconti.example"),
)
GONE = User("paolo.uscito", "Paolo", "Uscito", "paolo.uscito@officinaconti.example")
ROOM = User("sala.galvani", "Sala", "Galvani", "sala.galvani@officinaconti.example")
CAR = User("auto.panda", "Panda", "blu", "panda@officinaconti.example")
PEOPLE = (*USERS, GONE, ROOM, CAR)
COLOURS = {"#2858A5": "preset22", "#C11A25": "preset15"}
"""Of room and car, as an admin says them, and what Outlook calls them: they are two of its own."""
GROUP = {"groupname": "Assistenza clienti", "description": "Chi risponde al telefono"}


def companies(owners: list[str], group: str, inactive: str) -> list[Record]:
    """The 60 Accounts; some of the group and of the inactive user."""
    made: list[Record] = []
    for number in range(COMPANIES):
        town, province, code = TOWNS[number % len(TOWNS)]
        name = (
            f"{TRADES[number % len(TRADES)]} {FAMILY[number % len(FAMILY)]} {FORMS[number % len(FORMS)]} {number + 1}"
        )
        domain = f"azienda{number + 1}.example"
        made.append(
            {
                "accountname": name,
                "assigned_user_id": _owner(number, owners, group, inactive),
                "phone": f"+39 051 55{number:04d}",
                "otherphone": f"+39 051 56{number:04d}" if number % 3 == 0 else "",
                "email1": f"info@{domain}",
                "email2": f"Ordini@{domain}" if number % 4 == 0 else "",
                "website": f"www.{domain}",
                "bill_street": f"Via dell'Università, {number + 1}\nscala B",
                "bill_city": town,
                "bill_state": province,
                "bill_code": code,
                "bill_country": "Italia",
                "ship_city": "Città di Castello" if number % 5 == 0 else "",
                "description": LONG if number % 10 == 0 else f"Cliente n. {number + 1} <b>storico</b> & fedele",
            }
        )
    return made


def contacts(accounts: list[str], owners: list[str], group: str, inactive: str) -> list[Record]:
    """The 300 contacts; `accounts` are the ids of `companies`, in order. The last ones are the namesakes."""
    namesakes = list(_namesakes(accounts, owners))
    made = [_contact(number, accounts, owners, group, inactive) for number in range(CONTACTS - len(namesakes))]
    return made + namesakes


def mail_of(number: int) -> str:
    """The address of the contact of that number, as the CRM has it."""
    return f"Contatto.{number}@azienda{number % COMPANIES + 1}.example"


def _contact(number: int, accounts: list[str], owners: list[str], group: str, inactive: str) -> Record:
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number % len(FAMILY)]
    company = number % COMPANIES
    town, province, code = TOWNS[number % len(TOWNS)]
    shared = number % 15 == 4  # these only have their company's address, as several of their colleagues do
    return {
        "firstname": given if number % 20 else "",
        "lastname": family if number % 20 else f"{family} {number}",
        "salutationtype": ("Dr.", "", "Mrs.", "", "Prof.")[number % 5],
        "title": JOBS[number % len(JOBS)],
        "department": "Logistica" if number % 3 == 0 else "",
        "account_id": accounts[company] if number % 12 else "",
        "assigned_user_id": _owner(number, owners, group, inactive),
        "email": f"info@azienda{company + 1}.example" if shared else mail_of(number),
        "phone": f"+39 0543 {700000 + number}",
        "mobile": f"+39 347 {1000000 + number}",
        "homephone": f"0543 {number:05d}" if number % 7 == 0 else "",
        "mailingstreet": f"Piazza Libertà {number}\nint. {number % 9}",
        "mailingcity": town,
        "mailingstate": province,
        "mailingzip": code,
        "mailingcountry": "Italia",
        "othercity": "Orbetello" if number % 8 == 0 else "",
        "birthday": f"19{60 + number % 40}-{1 + number % 12:02d}-{1 + number % 28:02d}" if number % 2 else "",
        "description": LONG
        if number % 40 == 7
        else f"Incontrato in fiera 🎉 stand {number}"
        if number % 6 == 0
        else "",
        "assistant": "Sig.ra Bruna" if number % 11 == 0 else "",
    }


def _owner(number: int, owners: list[str], group: str, inactive: str) -> str:
    if number % 25 == 24:
        return group
    return inactive if number % 30 == 29 else owners[number % len(owners)]


def _namesakes(accounts: list[str], owners: list[str]) -> Iterator[Record]:
    """People of one name: told apart by their addresses, or not at all (Luca Ferrari, Elena Greco: two of each)."""
    for number in range(3):
        yield {
            "firstname": "Marco",
            "lastname": "Rossi",
            "email": f"marco.rossi{number}@rossi.example",
            "mobile": f"+39 333 00000{number}",
            "account_id": accounts[number],
            "assigned_user_id": owners[number % 2],
        }
    for given, family, account, email in (
        ("Luca", "Ferrari", 4, "info@azienda5.example"),
        ("Elena", "Greco", 7, ""),
    ):
        for number in range(2):
            yield {
                "firstname": given,
                "lastname": family,
                "email": email,
                "phone": f"+39 02 {account}{number}",
                "account_id": accounts[account],
                "assigned_user_id": owners[0],
            }


@dataclass(frozen=True, slots=True)
class Before:
    """A card that was in a user's folder before the first synchronisation, and what should become of it."""

    user: int
    card: Card
    becomes: str  # imported | joined | guest | asked | nameless


def cards_before(records: list[Record], accounts: list[Record]) -> list[Before]:
    """What the three users kept in a folder of the connector's name already. `records`, `accounts`: as the CRM holds them."""
    made: list[Before] = []
    mine = [[r for r in records if r["assigned_user_id"] == owner] for owner in _owners(records)]
    for user in range(len(USERS)):
        for record in [r for r in mine[user] if r["email"].startswith("Contatto.") and r["firstname"]][:4]:
            made.append(Before(user, _same_person(record, number=len(made)), "joined"))
    company = next(a for a in accounts if a["assigned_user_id"] == accounts[0]["assigned_user_id"])
    made.append(Before(0, {"companyName": company["accountname"], "officeLocation": "Palazzina C"}, "joined"))
    theirs = next(r for r in reversed(mine[0]) if r["email"].startswith("Contatto.") and r["firstname"])
    made.append(Before(1, _same_person(theirs, number=len(made)), "guest"))
    luca: Card = {"givenName": "Luca", "surname": "Ferrari", "emailAddresses": [{"address": "info@azienda5.example"}]}
    elena: Card = {"givenName": "Elena", "surname": "Greco", "companyName": accounts[7]["accountname"]}
    made += [Before(0, luca, "asked"), Before(0, elena, "asked")]
    made.append(Before(2, {"mobilePhone": "+39 320 7654321"}, "nameless"))
    return made + list(_strangers())


def _owners(records: list[Record]) -> list[str]:
    """The three users, in order: the first three records are theirs."""
    return [record["assigned_user_id"] for record in records[: len(USERS)]]


def _same_person(record: Record, number: int) -> Card:
    """The same person as Outlook's user typed it: other case in the address, a phone that the CRM lacks, another job title."""
    return {
        "givenName": record["firstname"],
        "surname": record["lastname"],
        "emailAddresses": [{"address": record["email"].lower(), "name": f"{record['firstname']} (lavoro)"}],
        "homePhones": [f"0544 {number:05d}"],
        "jobTitle": record["title"] or "Direzione",
        "nickName": "Capo",
    }


def _strangers() -> Iterator[Before]:
    """People and companies that only the mailboxes know."""
    numbers = count(1)
    yield Before(0, {"givenName": "Ottavia", "mobilePhone": "+39 320 0000001"}, "imported")
    yield Before(1, {"emailAddresses": [{"address": "acquisti.estero@newco.example"}]}, "imported")
    yield Before(2, {"companyName": "Birrificio Àgora 🍺", "businessPhones": ["+39 06 111", "+39 06 112"]}, "imported")
    yield Before(1, {"companyName": "Libreria Città Aperta", "businessHomePage": "https://libri.example"}, "imported")
    for user in range(len(USERS)):
        for _ in range(4):
            number = next(numbers)
            card: Card = {
                "givenName": f"Perché{number} 🌟" if number % 3 == 0 else f"Loredana{number}",
                "surname": f"Bianchì-{number}",
                "title": "Dott.ssa" if number % 2 else "Dr.",
                "jobTitle": "Consulente per l'internazionalizzazione delle piccole e medie imprese manifatturiere",
                "emailAddresses": [{"address": f"L.{number}@studio.example"}, {"address": f"{number}@privata.example"}],
                "businessPhones": [f"+39 06 7{number:05d}"],
                "mobilePhone": f"+39 328 {number:07d}",
                "businessAddress": {"street": STREET, "city": "Reggio nell'Emilia", "postalCode": "42121"},
                "birthday": f"1981-{number:02d}-1{number % 10}",
                "personalNotes": f"Parla bene l'inglese 🇬🇧 <script>alert({number})</script>\r\n" + LONG,
            }
            yield Before(user, card, "imported")


def private_cards() -> list[Card]:
    """What a user keeps in the default folder: none of our business."""
    return [
        {"givenName": "Mamma", "mobilePhone": "+39 320 1"},
        {"givenName": "Dottor", "surname": "Segreto", "personalNotes": "solo mio"},
    ]

"""What is mapped of contacts unless an admin says otherwise (SPEC 3.2).

Not mapped, because the other side has no place for it: the post office boxes, the assistant's phone and the superior (a reference) of
vtenext; middle name, nickname, office, profession, home address and further addresses and phones of Exchange.
"""

from __future__ import annotations

from mapping.model import Direction, FieldPair
from mapping.rules import FieldMapping
from mapping.translate import COMPANY_LINK, FIRST_NAME, LAST_NAME

CONTACTS = FieldMapping(
    "contact",
    (
        FieldPair("salutationtype", "title"),
        FIRST_NAME,
        LAST_NAME,
        COMPANY_LINK,
        FieldPair("title", "jobTitle"),
        FieldPair("department", "department"),
        FieldPair("email", "emailAddresses#1"),
        FieldPair("phone", "businessPhones#1"),
        FieldPair("mobile", "mobilePhone"),
        FieldPair("homephone", "homePhones#1"),
        FieldPair("otherphone", "ext:otherPhone", Direction.TO_MAILBOX),
        FieldPair("fax", "ext:businessFax", Direction.TO_MAILBOX),
        FieldPair("assistant", "assistantName"),
        FieldPair("birthday", "birthday"),
        FieldPair("mailingstreet", "businessAddress.street"),
        FieldPair("mailingcity", "businessAddress.city"),
        FieldPair("mailingstate", "businessAddress.state"),
        FieldPair("mailingzip", "businessAddress.postalCode"),
        FieldPair("mailingcountry", "businessAddress.countryOrRegion"),
        FieldPair("otherstreet", "otherAddress.street"),
        FieldPair("othercity", "otherAddress.city"),
        FieldPair("otherstate", "otherAddress.state"),
        FieldPair("otherzip", "otherAddress.postalCode"),
        FieldPair("othercountry", "otherAddress.countryOrRegion"),
        FieldPair("description", "personalNotes"),
    ),
)

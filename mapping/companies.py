"""What is mapped of companies unless an admin says otherwise (SPEC 3.2). A company is a card with a company name and no person's name.

The manual's example is among them: "Email Address 2" <-> "Altra Email". Not mapped: post office boxes, VAT number, bank details, industry
and the like of vtenext, which a card has no place for; the person's properties of a card.
"""

from __future__ import annotations

from mapping.model import Direction, FieldPair
from mapping.rules import FieldMapping

COMPANIES = FieldMapping(
    "company",
    (
        FieldPair("accountname", "companyName"),
        FieldPair("email1", "emailAddresses#1"),
        FieldPair("email2", "emailAddresses#2"),
        FieldPair("phone", "businessPhones#1"),
        FieldPair("otherphone", "businessPhones#2"),
        FieldPair("fax", "ext:businessFax", Direction.TO_MAILBOX),
        FieldPair("website", "businessHomePage"),
        FieldPair("bill_street", "businessAddress.street"),
        FieldPair("bill_city", "businessAddress.city"),
        FieldPair("bill_state", "businessAddress.state"),
        FieldPair("bill_code", "businessAddress.postalCode"),
        FieldPair("bill_country", "businessAddress.countryOrRegion"),
        FieldPair("ship_street", "otherAddress.street"),
        FieldPair("ship_city", "otherAddress.city"),
        FieldPair("ship_state", "otherAddress.state"),
        FieldPair("ship_code", "otherAddress.postalCode"),
        FieldPair("ship_country", "otherAddress.countryOrRegion"),
        FieldPair("description", "personalNotes"),
    ),
)

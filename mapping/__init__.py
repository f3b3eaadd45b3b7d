"""What a field is and how it translates. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from mapping.model import Value


def kind_of_card(fields: Mapping[str, Value]) -> str | None:
    """(placeholder of the lead until mapping's engineer writes it)"""
    if fields.get("givenName") or fields.get("surname"):
        return "contact"
    if fields.get("companyName"):
        return "company"
    return "contact" if fields.get("emailAddresses") or fields.get("displayName") else None

"""What the service makes of a contact's properties: which it takes, what it computes, how unset ones read.

Pure: payload in, values out. `values` hold only what is set; reading gives back every property of the type.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from emulators.graph.errors import GraphError, invalid_property
from emulators.graph.http import Json
from emulators.graph.mailbox import Contact

TEXTS = (
    "assistantName", "businessHomePage", "companyName", "department", "displayName", "fileAs", "generation",
    "givenName", "initials", "jobTitle", "manager", "middleName", "mobilePhone", "nickName", "officeLocation",
    "personalNotes", "profession", "spouseName", "surname", "title", "yomiCompanyName", "yomiGivenName",
    "yomiSurname",
)  # fmt: skip
LISTS = ("businessPhones", "categories", "children", "homePhones", "imAddresses")
ADDRESSES = ("businessAddress", "homeAddress", "otherAddress")
ADDRESS_PARTS = ("city", "countryOrRegion", "postalCode", "state", "street")
MIRRORS = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
SERVER = ("id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId")
SELECTABLE = frozenset({*TEXTS, *LISTS, *ADDRESSES, *MIRRORS, *SERVER, "emailAddresses", "birthday"})

# 7.1: "The multi value property BusinessPhones has 3 entries, that exceeds the max allowed value of 2"
LIMITS = {"emailAddresses": 3, "businessPhones": 2, "homePhones": 2, "imAddresses": 3}
# 7.1: unset text comes back as "" or null depending on the property. Which is which is not documented.
READS_EMPTY = frozenset({"fileAs", "personalNotes", "generation", "title", "jobTitle"})
NAME_PARTS = frozenset({"givenName", "middleName", "surname", "generation", "companyName"})

_GUID = r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}"
_PROPERTY_ID = re.compile(
    rf"(?:String|Integer|Boolean|SystemTime|CLSID|Double|Long|Binary) "
    rf"(?:{_GUID} (?:Name .+|Id 0x[0-9A-Fa-f]{{1,8}})|0x[0-9A-Fa-f]{{1,4}})",
)


def accept(body: Json, *, bad_email: str = "kept") -> tuple[dict[str, Any], dict[str, str | None]]:
    """Checked values of a POST or PATCH, and its extended properties. None or "" or {} = unset. 400 otherwise."""
    values: dict[str, Any] = {}
    extended: dict[str, str | None] = {}
    for name, value in body.items():
        if "@" in name or name in SERVER:
            continue  # annotations and what only the server sets
        if name in TEXTS:
            values[name] = _text(name, value)
        elif name in LISTS:
            values[name] = _texts(name, value)
        elif name in ADDRESSES:
            values[name] = _address(name, value)
        elif name == "emailAddresses":
            values[name] = _emails(value, bad_email)
        elif name == "birthday":
            values[name] = _birthday(value)
        elif name == "singleValueExtendedProperties":
            extended = accept_extended(value)
        elif name in ("extensions", "multiValueExtendedProperties", "photo"):
            raise GraphError(501, "NotImplemented", f"'{name}' is not supported by this emulator.")
        else:  # the type is closed: a misspelt property is refused
            message = f"The property '{name}' does not exist on type 'microsoft.graph.contact'"
            detail = " or is read-only." if name in MIRRORS else "."
            raise invalid_property(message + detail)
    return values, extended


def merged(old: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """The contact after a write: whole collections replaced (7.1), displayName and fileAs computed unless sent."""
    values = {name: value for name, value in {**old, **sent}.items() if value not in (None, "", [], {})}
    if not old or any(name in sent and sent[name] != old.get(name) for name in NAME_PARTS):
        for name, computed in (("displayName", _display_name(values)), ("fileAs", _file_as(values))):
            if not sent.get(name):
                values.pop(name, None)
                if computed:
                    values[name] = computed
    return values


def render(contact: Contact) -> Json:
    """Every property but the id, which depends on the form asked for. Cached: do not change the answer."""
    if contact.rendered is None:
        values = contact.values
        body: Json = {
            "@odata.etag": contact.etag,
            "createdDateTime": contact.created,
            "lastModifiedDateTime": contact.modified,
            "changeKey": contact.change_key,
            "parentFolderId": contact.folder.id,
            "birthday": values.get("birthday"),
        }
        for name in TEXTS:
            body[name] = values.get(name, "" if name in READS_EMPTY else None)
        for name in LISTS:
            body[name] = values.get(name, [])
        for name in ADDRESSES:
            body[name] = values.get(name, {})
        emails = values.get("emailAddresses", [])
        body["emailAddresses"] = emails
        for position, name in enumerate(MIRRORS):
            body[name] = emails[position] if position < len(emails) else None
        contact.rendered = body
    return contact.rendered


def outlook_birthday(day: date) -> str:
    """The odd time that Outlook stores with a date (7.1: 11:59Z)."""
    return f"{day.isoformat()}T11:59:00Z"


def _display_name(values: dict[str, Any]) -> str:
    """Given, middle, surname, suffix; the company where there is no name (uncertain, BEHAVIOUR 13.8)."""
    parts = [values[name] for name in ("givenName", "middleName", "surname", "generation") if name in values]
    return " ".join(parts) or str(values.get("companyName", ""))


def _file_as(values: dict[str, Any]) -> str:
    """ "Surname, Given Middle"; the company where there is no name (7.1, `memory`)."""
    first = " ".join(values[name] for name in ("givenName", "middleName") if name in values)
    surname = values.get("surname", "")
    both = f"{surname}, {first}" if surname and first else surname or first
    return both or str(values.get("companyName", ""))


def _wrong_type(name: str, expected: str) -> GraphError:
    return invalid_property(f"Cannot convert the value of property '{name}' to the expected type '{expected}'.")


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _wrong_type(name, "Edm.String")
    if value and name == "personalNotes":  # DESIGN 2: Exchange rewrites line ends
        return re.sub(r"\r\n|\r|\n", "\r\n", value)
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(each is None or isinstance(each, str) for each in value):
        raise _wrong_type(name, "Collection(Edm.String)")
    texts = [each for each in value if each]
    _check_limit(name, len(texts))
    return texts


def _check_limit(name: str, count: int) -> None:
    allowed = LIMITS.get(name)
    if allowed is not None and count > allowed:
        message = f"The multi value property {name[0].upper()}{name[1:]} has {count} entries, "
        raise invalid_property(f"{message}that exceeds the max allowed value of {allowed}")


def _address(name: str, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong_type(name, "microsoft.graph.physicalAddress")
    for part, text in value.items():
        if part not in ADDRESS_PARTS and "@" not in part:
            message = f"The property '{part}' does not exist on type 'microsoft.graph.physicalAddress'."
            raise invalid_property(message)
        if text is not None and not isinstance(text, str):
            raise _wrong_type(f"{name}/{part}", "Edm.String")
    return {part: value[part] for part in ADDRESS_PARTS if value.get(part)}


def _emails(value: Any, bad_email: str) -> list[dict[str, str]]:
    """Entries {name, address}; a missing name reads as the address."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong_type("emailAddresses", "Collection(microsoft.graph.emailAddress)")
    emails: list[dict[str, str]] = []
    for each in value:
        unknown = [key for key in each if key not in ("name", "address") and "@" not in key]
        if unknown:
            message = f"The property '{unknown[0]}' does not exist on type 'microsoft.graph.emailAddress'."
            raise invalid_property(message)
        if not all(each.get(key) is None or isinstance(each[key], str) for key in ("name", "address")):
            raise _wrong_type("emailAddresses", "microsoft.graph.emailAddress")
        address = each.get("address") or ""
        if address and ("@" in address or bad_email == "kept"):
            emails.append({"name": each.get("name") or address, "address": address})
    _check_limit("emailAddresses", len(emails))
    return emails


def _birthday(value: Any) -> str | None:
    """A DateTimeOffset, kept in UTC (BEHAVIOUR 8)."""
    if value is None:
        return None
    try:
        if not isinstance(value, str) or "T" not in value:
            raise ValueError(value)
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError) as error:
        raise _wrong_type("birthday", "Edm.DateTimeOffset") from error


def accept_extended(value: Any) -> dict[str, str | None]:
    """`[{id, value}]`; a null value removes the property."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong_type("singleValueExtendedProperties", "Collection(singleValueLegacyExtendedProperty)")
    for each in value:
        if not isinstance(each.get("id"), str) or not _PROPERTY_ID.fullmatch(each["id"]):
            raise invalid_property(f"PropertyId values may only be in one of the known formats: {each.get('id')!r}.")
        if each.get("value") is not None and not isinstance(each["value"], str):
            raise _wrong_type(each["id"], "Edm.String")
    return {each["id"]: each.get("value") for each in value}

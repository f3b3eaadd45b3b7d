"""The refusals of ``webservice.php``: codes and texts as recorded (API.md 2.2). Never raised for our own bugs."""

from __future__ import annotations


class Refused(Exception):
    """A handled error: answered with HTTP 200, ``success: false``, a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Crash(Exception):
    """A PHP fatal: HTTP 500 with an empty body (ws-sync-crash, ws-query-groups-crash, ws-unknown-operation)."""


def denied(what: str = "") -> Refused:
    """Deleted, unknown and not understood are not told apart (API.md trap 10)."""
    suffix = f" for {what}" if what else ""
    return Refused("ACCESS_DENIED", f"Permission to perform the operation is denied{suffix}")


def unreadable() -> Refused:
    """The record exists, this user may not: one text for read, change and delete (ws-permission-denied)."""
    return Refused("ACCESS_DENIED", "Permission to read given object is denied")


def attribute_denied(name: str) -> Refused:
    """An unknown or hidden field. In a select the caller puts dots around the name (ws-query-errors)."""
    return Refused("ACCESS_DENIED", f"Permission to access {name} attribute denied.")


def unassignable() -> Refused:
    """An owner without prefix, or of a kind that owns nothing."""
    return Refused("ACCESS_DENIED", "Cannot assign record to the given user")


def wrong_id() -> Refused:
    """The prefix of another module (ws-wrong-prefix)."""
    return Refused("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")


def invalid_owner() -> Refused:
    """The owner does not exist; said after the record was stored (ws-poison-owner)."""
    return Refused("INVALID_ID_ATTRIBUTE", "Invalid owner of the record")


def not_found() -> Refused:
    """Said of inactive users only (ws-users-deactivate)."""
    return Refused("RECORD_NOT_FOUND", "Record you are trying to access is not found")


def missing(field: str) -> Refused:
    """A mandatory field is absent or empty; one is named at a time."""
    return Refused("MANDATORY_FIELDS_MISSING", f"{field} does not have a value")


def bad_reference(field: str) -> Refused:
    """A reference to a module that the field does not allow (ws-reference-errors)."""
    return Refused("REFERENCE_INVALID", f"Invalid reference specified for {field}")


def internal() -> Refused:
    """An exception inside the operation that PHP could still report."""
    return Refused("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")

"""What can go wrong, sorted by what the caller does about it. Pure.

SyncError
├── RetryLater(after)        the server asks for patience or cannot be reached: the run ends, the mailbox is due later
├── ReconnectNeeded(user)    the sign-in is no longer valid: nothing happens until a person signs in
├── SkipItem(cause)          this item cannot be written: counted, quarantined after three times; the rest goes on
├── StopMailbox(cause)       this mailbox cannot be synchronised until somebody acts; others go on
├── StopConnector(cause)     nothing can be synchronised until an admin acts (the CRM refuses our login, secret expired)
├── ConfigMistake(field)     a setting is wrong: named, with what it should be
└── Fenced                   somebody else holds the lease, or the connector was killed: stop at once, write nothing

Exceptions carry data; sentences for people are made from `cause` in one table (control/texts). Sides answer `Failure`s for
single items and raise `classify(failure)` when a failure concerns the whole side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Cause(StrEnum):
    """Named causes: keys of the table of sentences, Italian and English."""

    CRM_UNREACHABLE = "crm_unreachable"
    CRM_NOT_VTENEXT = "crm_not_vtenext"
    CRM_LOGIN_REFUSED = "crm_login_refused"
    CRM_LOGIN_LOCKED = "crm_login_locked"
    CRM_LOGIN_SPARED = "crm_login_spared"
    CRM_NOT_ADMIN = "crm_not_admin"
    CRM_USER_SETTINGS = "crm_user_settings"
    CRM_CRASHED = "crm_crashed"
    CRM_NO_GET_CHANGES = "crm_no_get_changes"
    GRAPH_UNREACHABLE = "graph_unreachable"
    GRAPH_THROTTLED = "graph_throttled"
    GRAPH_REFUSED = "graph_refused"
    ENTRA_UNREACHABLE = "entra_unreachable"
    SECRET_EXPIRED = "secret_expired"  # noqa: S105 - a cause's name
    SECRET_WRONG = "secret_wrong"  # noqa: S105 - a cause's name
    APP_UNKNOWN = "app_unknown"
    CONSENT_MISSING = "consent_missing"
    TASKS_NOT_PERMITTED = "tasks_not_permitted"
    CATEGORIES_WITHOUT_COLOUR = "categories_without_colour"
    ACCESS_DENIED = "access_denied"
    MAILBOX_UNKNOWN = "mailbox_unknown"
    MAILBOX_WITHOUT_LICENCE = "mailbox_without_licence"
    MAILBOX_FULL = "mailbox_full"
    FOLDER_DELETED = "folder_deleted"
    RECONNECT = "reconnect"
    NOT_CONNECTED = "not_connected"
    SHARED_NOT_CONNECTED = "shared_not_connected"
    ACCOUNT_DISABLED = "account_disabled"
    CLEAN_UP_PENDING = "clean_up_pending"
    RUNS_NEVER_END = "runs_never_end"
    STORAGE_UNREACHABLE = "storage_unreachable"
    NOTIFICATIONS_UNREACHABLE = "notifications_unreachable"
    NOTIFICATIONS_REFUSED = "notifications_refused"
    SCHEMA_NEWER = "schema_newer"
    SCHEMA_UPGRADING = "schema_upgrading"


SIGN_IN = frozenset({Cause.RECONNECT.value, Cause.NOT_CONNECTED.value, Cause.SHARED_NOT_CONNECTED.value})
"""A mailbox with one of these waits for its user to sign in."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One refused or failed call, as plain data.

    status: HTTP status (0: no answer at all). code: the server's error code, in its own spelling. retry_after: seconds the server
    asked for, None if it did not. where: a short label of the operation, without ids or values. request_id: for support.
    """

    status: int
    code: str = ""
    retry_after: float | None = None
    where: str = ""
    request_id: str = ""


class SyncError(Exception):
    """Root of everything the engine raises on purpose."""


class RetryLater(SyncError):
    """Try again `after` seconds (None: at the spacing of attempts). `counts`: an attempt that failed (SPEC 4.3).

    `everybody`: the server itself cannot be reached, whatever mailbox was asked about.
    """

    def __init__(
        self, cause: Cause, after: float | None = None, *, counts: bool = True, everybody: bool = False
    ) -> None:
        super().__init__(cause.value)
        self.cause, self.after, self.counts, self.everybody = cause, after, counts, everybody


class ReconnectNeeded(SyncError):
    """The user's sign-in ended."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.user = user


class SkipItem(SyncError):
    """One item cannot be written."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class StopMailbox(SyncError):
    """One mailbox stops until somebody acts."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class StopConnector(SyncError):
    """Everything stops until an admin acts."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class ConfigMistake(SyncError):
    """A setting is wrong: `expected` says what it should be, the value itself is never carried.

    Where people entered it, `expected` is a key of the table of sentences, and `values` what its sentence speaks of. Of the process's own settings
    it is the text itself.
    """

    def __init__(self, field: str, expected: str, values: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(f"{field}: {expected}")
        self.field, self.expected, self.values = field, expected, values


class Fenced(SyncError):
    """This worker may not write any more: its lease was taken over, or the connector was killed."""


def classify(failure: Failure) -> SyncError:
    """What the caller does about a failure of a *whole* Graph mailbox, by status first and code second (BEHAVIOUR 9)."""
    code = failure.code.lower()
    match failure.status:
        case 0:
            return RetryLater(Cause.GRAPH_UNREACHABLE)
        case 401:
            return StopConnector(Cause.CONSENT_MISSING)
        case 403 if code in {"erroraccessdenied", "authorization_requestdenied", "accessdenied"}:
            return StopMailbox(Cause.ACCESS_DENIED)
        case 404 if code == "mailboxnotenabledforrestapi":
            return StopMailbox(Cause.MAILBOX_WITHOUT_LICENCE)
        case 404 if code in {"erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound"}:
            return StopMailbox(Cause.FOLDER_DELETED)
        case 404:
            return StopMailbox(Cause.MAILBOX_UNKNOWN)
        case 429:
            return RetryLater(Cause.GRAPH_THROTTLED, failure.retry_after or 10.0, counts=False)
        case 503 | 504 | 509 if failure.retry_after is not None:
            return RetryLater(Cause.GRAPH_THROTTLED, failure.retry_after, counts=False)
        case 507:
            return StopMailbox(Cause.MAILBOX_FULL)
        case status if status >= 500 or status == 408:
            return RetryLater(Cause.GRAPH_UNREACHABLE)
        case _:
            return SkipItem(f"{failure.status} {failure.code}".strip())

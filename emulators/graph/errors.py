"""The errors that the service answers, as exceptions that carry their own HTTP answer (BEHAVIOUR 9).

Only the shape lives here; who raises which one is said where it is raised. Nothing here knows a request.
"""

from __future__ import annotations


class GraphError(Exception):
    """An answer of 4xx or 5xx: status, code and message of the body, and headers of its own."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """400: the request is not understood."""
    return GraphError(400, code, message)


def invalid_property(message: str) -> GraphError:
    """400: a value of the payload is refused (BEHAVIOUR 9, ErrorInvalidProperty)."""
    return GraphError(400, "ErrorInvalidProperty", message)


def parse_error(message: str) -> GraphError:
    """400: a query option that the service does not understand."""
    return GraphError(400, "RequestBroker--ParseUri", message)


def malformed_id() -> GraphError:
    """400: not the form of an id at all."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def item_not_found() -> GraphError:
    """404: the item or folder is not there (any more)."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def sync_folder_not_found() -> GraphError:
    """404: the folder that a delta link speaks of is gone."""
    return GraphError(404, "ErrorSyncFolderNotFound", "The specified folder could not be found in the store.")


def mailbox_not_enabled() -> GraphError:
    """404: no licence, inactive, soft-deleted or on-premises mailbox."""
    message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return GraphError(404, "MailboxNotEnabledForRESTAPI", message)


def invalid_user(ref: str) -> GraphError:
    """404 of a mailbox route for a user that the tenant does not know."""
    return GraphError(404, "ErrorInvalidUser", f"The requested user '{ref}' is invalid.")


def resource_not_found(ref: str) -> GraphError:
    """404 of the directory."""
    message = f"Resource '{ref}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def access_denied() -> GraphError:
    """403 of a mailbox route: the token lacks the role."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def request_denied() -> GraphError:
    """403 of the directory: the token lacks the role."""
    message = "Insufficient privileges to complete the operation."
    return GraphError(403, "Authorization_RequestDenied", message)


def unauthorized(message: str) -> GraphError:
    """401: no token, or one that does not hold."""
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": 'Bearer realm=""'})


def conflict() -> GraphError:
    """412: stale If-Match (BEHAVIOUR 5.1)."""
    message = (
        "The send or update operation could not be performed because the change key passed in the request "
        "does not match the current change key for the item."
    )
    return GraphError(412, "ErrorIrresolvableConflict", message)


def badly_formed_token() -> GraphError:
    """400: a delta token that was tampered with (BEHAVIOUR 2.2)."""
    return GraphError(400, "ErrorInvalidRequest", "Badly formed token.")


def sync_state_not_found(generation: int, alive: list[int]) -> GraphError:
    """410: the token's generation is no longer kept; the message lists those that are (BEHAVIOUR 2.2)."""
    known = f"[highest={alive[-1]}]" + "".join(f"[{each}]" for each in alive)
    message = f"The sync state generation is not found; generation={generation};{known}."
    return GraphError(410, "SyncStateNotFound", message)

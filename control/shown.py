"""Data of commands as JSON for people: the same words everywhere, with sentences in the language asked for. Pure.

Status and holds name ids only; names and addresses are shown by the endpoints of users and groups alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from control.environment import Environment
from control.texts import mending, sentence
from sync.commands import NEW, Directory, Restored
from sync.group_commands import GroupList
from sync.groups import GroupRow
from sync.model import Reason
from sync.settings import Settings, SignIn
from sync.status import MailboxStatus, Status
from sync.store.registry import HoldRow, MailboxRow
from sync.users import User

Json = dict[str, Any]


def state(name: str, lang: str) -> Json:
    """The connector's state after a command."""
    return {"state": name, "sentence": sentence("state", name, lang), "mend": _mend(mending("state", name), lang)}


def status(found: Status, lang: str) -> Json:
    """GET status. `why`: what is behind the state, or behind the attempt that is due."""
    mend = mending("state", found.state)
    if found.state == "error" and found.cause:
        mend = mending("cause", found.cause)
    return {
        **asdict(found),
        **state(found.state, lang),
        "why": _why(found.cause, lang),
        "mend": _mend(mend, lang),
        "mailboxes": [_mailbox(each, lang) for each in found.mailboxes],
    }


def _mailbox(found: MailboxStatus, lang: str) -> Json:
    failing = found.cause and found.state != "disabled"
    mend = mending("cause", found.cause) if found.state == "error" else mending("state", found.state)
    return {
        **asdict(found),
        "sentence": sentence("cause", found.cause, lang) if failing else sentence("state", found.state, lang),
        "mend": _mend(mend, lang),
        "pending_sentences": {reason: sentence("reason", reason, lang) for reason in found.pending},
        "count_sentences": {reason: sentence("reason", reason, lang) for reason in found.last_counts},
    }


def _mend(command: str, lang: str) -> Json:
    return {"command": command, "label": sentence("command", command, lang)}


def restored(found: Restored, lang: str) -> Json:
    """POST control/restore-state: what was checked, what was cleared."""
    checks = [
        {"what": check.what, "ok": not check.cause, "cause": check.cause, "why": _why(check.cause, lang)}
        for check in found.checks
    ]
    refusal = {} if found.ok else {"error": "check_failed", "sentence": sentence("error", "check_failed", lang)}
    counts = {"mailboxes": found.mailboxes, "items": found.items, "queued": found.queued}
    return {**state(found.state, lang), **refusal, "ok": found.ok, "checks": checks, **counts}


def _why(cause: str, lang: str) -> str:
    return sentence("cause", cause, lang) if cause else ""


def directory(found: Directory, rows: Mapping[str, MailboxRow], lang: str) -> Json:
    """GET users."""
    listed = [user(each, rows.get(each.mailbox), lang) for each in found.users]
    return {"users": listed, "read_at": found.read_at, "cause": found.cause, "why": _why(found.cause, lang)}


def user(found: User, row: MailboxRow | None, lang: str) -> Json:
    """One user. `suggested`: the address that enabling pairs with when none is given."""
    running = found.connected and row is not None
    cause = row.cause if running and row else ""
    return {
        "id": found.id,
        "name": found.name,
        "email": found.email,
        "active": found.active,
        "mailbox": found.mailbox,
        "address": found.address,
        "suggested": "" if found.mailbox else found.email,
        "enabled": found.enabled,
        "resource": found.resource,
        "colour": found.colour,
        "state": row.state if running and row else "disabled",
        "cause": cause,
        "why": _why(cause, lang),
    }


def groups(found: GroupList, lang: str) -> Json:
    """GET groups."""
    return {"groups": [group(each) for each in found.groups], "cause": found.cause, "why": _why(found.cause, lang)}


def group(found: GroupRow) -> Json:
    """One group. `set`: an admin said who it is; `exists`: the CRM knew it when its name was last read."""
    return {
        "id": found.id,
        "name": found.name,
        "members": list(found.members),
        "organizer": found.organizer,
        "set": found.is_set,
        "exists": found.exists,
    }


def settings(saved: Settings, sign_in: SignIn, environment: Environment, missing: tuple[str, ...]) -> Json:
    """GET settings. Secrets are never shown; the CRM's address is read-only (SPEC 4.4)."""
    return {
        **saved.shown(),
        "tenant_id": sign_in.tenant_id,
        "client_id": sign_in.client_id,
        "client_secret_set": bool(sign_in.client_secret),
        "crm_url": environment.crm.url if environment.crm else "",
        "crm_username": environment.crm.username if environment.crm else "",
        "schedule": environment.schedule,
        "missing": list(missing),
    }


def hold(found: HoldRow, lang: str) -> Json:
    """One hold, with what can be answered."""
    choices = [*found.candidates, NEW] if found.because is Reason.SEVERAL_CANDIDATES else []
    return {
        "id": found.id,
        "mailbox": found.mailbox,
        "kind": found.kind.value if found.kind else "user",
        "side": found.side.value,
        "because": found.because.value,
        "sentence": sentence("reason", found.because.value, lang),
        "since": found.since,
        "state": found.state,
        "until": found.until,
        "count": found.count,
        "items": list(found.items),
        "candidates": list(found.candidates),
        "choices": choices,
        "choice": found.choice,
    }

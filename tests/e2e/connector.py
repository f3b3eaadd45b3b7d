"""The app as an administrator sees it: the control API (docs/control-api.md), and waiting until there is nothing left to do.

`settle` asks for runs and watches the status; it never looks into tables or queues.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.e2e.hands import Admin, Json, Refused

ROUND_SECONDS = 150.0
"""The longest that one round of runs may take: a lease of a killed worker holds its mailbox for 90 seconds."""
TIMED_SECONDS = 150  # longer than the engine waits before it creates again, or takes a series for finished
POLL_SECONDS = 0.3
ASK_AGAIN_SECONDS = 5.0
"""So long after nothing moves any more runs are asked for again. Not sooner: what was asked for in vain is done in the next round."""
# Waits for a person or a change, not for the next run.
AT_REST = frozenset(
    {"several_candidates", "delete_brake", "no_name", "direction_off", "quarantined", "oscillates", "without_mailbox"}
    | {"meeting", "cancelled", "no_time", "before_start", "private", "ended"}
)
# Settled by time alone: a creation whose answer was lost may still be carried out; a series may still be being saved (SPEC 2.3).
TIMED = frozenset({"intent_open", "series_forming"})


class NotSettled(Exception):
    """Time was up; the text says what the status shows."""


@dataclass(slots=True)
class Connector:
    """One administrator at work. `writes`: the servers' own count of what was written."""

    admin: Admin
    writes: Callable[[], int]
    reasons: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def status(self, lang: str = "en") -> Json:
        """GET status."""
        return dict(self.admin.ask("GET", f"status?lang={lang}"))

    def mailboxes(self, lang: str = "en") -> list[Json]:
        """GET mailboxes, page by page."""
        found: list[Json] = []
        after = ""
        while True:
            page = self.admin.ask("GET", f"mailboxes?lang={lang}&limit=100&after={after}")
            found += page["mailboxes"]
            after = page["next"]
            if not after:
                return found

    def both(self) -> tuple[Json, list[Json]]:
        """The status and all mailboxes, and what the runs counted since they were last looked at."""
        status, mailboxes = self.status(), self.mailboxes()
        self._note(mailboxes)
        return status, mailboxes

    def pair(self, user: str, mailbox: str) -> None:
        """Connect a user of the CRM with a mailbox."""
        self.say(f"users/{user}", mailbox=mailbox, enabled=True)

    def say(self, about: str, **change: object) -> None:
        """PUT users/{id}, groups/{id} or settings."""
        self.admin.ask("PUT", about, change)

    def order(self, command: str) -> Json:
        """POST control/{command}: run, kill, restore-state, restore-attempts."""
        return dict(self.admin.ask("POST", f"control/{command}"))

    def holds(self) -> list[Json]:
        """What waits for an administrator."""
        return [hold for hold in self.admin.ask("GET", "holds")["holds"] if hold["state"] == "open"]

    def answer(self, hold: str, verdict: str, **body: str) -> None:
        """Approve or reject what the hold shows."""
        looked_at = self.admin.ask("GET", f"holds/{hold}")
        self.admin.ask("POST", f"holds/{hold}/{verdict}", body, match=str(looked_at["version"]))

    def round(self) -> int:
        """One sweep and a run of every mailbox, to its end; returns how many writes the servers saw."""
        before, since = self.writes(), datetime.now(UTC).isoformat()
        self._ask_for_runs()
        began = moved = time.monotonic()
        shown: list[str] = []
        while not self._is_over(*(both := self.both()), since):
            now = time.monotonic()
            if now - began > ROUND_SECONDS:
                raise NotSettled(f"no end of the runs in {ROUND_SECONDS:.0f} s: {self.describe()}")
            if (seen := _progress(*both)) != shown or any(m["running"] for m in both[1]):
                moved, shown = now, seen
            elif now - moved > ASK_AGAIN_SECONDS:
                moved = now
                self._ask_for_runs()
            time.sleep(POLL_SECONDS)
        return self.writes() - before

    def settle(self, rounds: int = 20, leaving: Collection[str] = ()) -> None:
        """Rounds until one writes nothing and nothing waits for the next one. What only time settles is given that time.

        `leaving`: reasons to wait that may be left for later.
        """
        patience = time.monotonic() + TIMED_SECONDS
        while rounds:
            quiet = self.round() == 0
            waiting = self.waiting().keys() - set(leaving)
            if quiet and not waiting:
                return
            if quiet and waiting & TIMED and time.monotonic() < patience:
                time.sleep(5)
                continue
            rounds -= 1
        raise NotSettled(f"still not quiet after many rounds: {self.describe()}")

    def until(self, what: str, check: Callable[[], object], rounds: int = 5) -> None:
        """Rounds until `check` gives something true."""
        for _ in range(rounds):
            self.round()
            if check():
                return
        raise NotSettled(f"not in {rounds} rounds: {what}")

    def waiting(self) -> dict[str, int]:
        """Pending items by reason that a later run settles by itself."""
        counts: Counter[str] = Counter()
        for mailbox in self.mailboxes():
            counts.update({reason: n for reason, n in mailbox["pending"].items() if reason not in AT_REST})
        return dict(counts)

    def describe(self) -> str:
        """The state of everything in a line."""
        status, mailboxes = self.status(), self.mailboxes()
        parts = [f"{m['mailbox'][:8]}: {m['state']} {m['cause']} pending {m['pending']}" for m in mailboxes]
        return f"{status['state']} {status['cause']}; " + "; ".join(parts)

    def _ask_for_runs(self) -> None:
        try:
            self.order("run")
        except Refused as refused:
            if refused.status != 409:
                raise

    def _is_over(self, status: Json, mailboxes: list[Json], since: str) -> bool:
        """Has a sweep begun and ended since then, and has everything that may run begun after it and ended?"""
        if status["state"] != "running":
            raise NotSettled(f"the connector is not running: {self.describe()}")
        if status["last_run_began"] <= since:
            return False
        return all(_has_run(m, status["last_run"]) for m in mailboxes if m["state"] != "disabled")

    def _note(self, mailboxes: list[Json]) -> None:
        """Add up the counts of runs that were not seen yet."""
        for mailbox in mailboxes:
            counts: dict[str, int] = mailbox["last_counts"]
            mark = (mailbox["mailbox"], mailbox["last_run"], repr(sorted(counts.items())))
            if mark not in self._seen:
                self._seen.add(mark)
                self.reasons.update(counts)


def _has_run(mailbox: Json, swept: str) -> bool:
    """Did its newest run begin after the sweep, so that it saw every mark, and end well?"""
    began, ended = mailbox["last_run_began"], mailbox["last_run"]
    return bool(swept < began <= ended and not mailbox["running"] and not mailbox["comparing"])


def _progress(status: Json, mailboxes: list[Json]) -> list[str]:
    """What changes while something is done."""
    return [status["last_run"], *(m["last_run"] for m in mailboxes)]


def wait_for(what: str, check: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until `check` gives something true; NotSettled with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = check()
        except httpx.TransportError:  # the host is being started
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise NotSettled(f"not in {seconds:.0f} s: {what}")
        time.sleep(POLL_SECONDS)

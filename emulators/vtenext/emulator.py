"""The emulated vtenext as a whole: the web service behind a corner, for in-process use and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.corner import ASGIApp, Clock, Corner, Endpoint
from emulators.vtenext.backdoor import Backdoor
from emulators.vtenext.calls import label
from emulators.vtenext.crm import Crm
from emulators.vtenext.pacing import Pacing, WriteCap
from emulators.vtenext.webservice import Webservice

DEFAULT_ZONE = "Europe/Rome"


class VtenextEmulator:
    """A CRM in memory. ``seed`` has the shape of seed.json; a reset goes back to it."""

    def __init__(
        self, seed: Mapping[str, Any] | None = None, clock: Clock | None = None, zone: str | None = None
    ) -> None:
        self.clock = clock or Clock()
        self.zone = zone or (seed or {}).get("server_zone") or DEFAULT_ZONE
        self._seed = seed
        self._pacing = Pacing()
        self.crm = Crm(seed, self.clock, self.zone)
        self.corner = Corner(
            Webservice(lambda: self.crm, self._pacing),
            clock=self.clock,
            label=label,
            on_reset=self._renew,
            extra=self._endpoints(),
        )
        self._pacing.corner = self.corner

    @property
    def app(self) -> ASGIApp:
        """The ASGI application, corner included."""
        return self.corner

    @property
    def backdoor(self) -> Backdoor:
        """What users and cron do: edits, deletions, restores, bulk data, dumps."""
        return Backdoor(self.crm)

    def cap_writes(self, cap: WriteCap | None) -> None:
        """Switch the cap on writes a second on or, with ``None``, off."""
        self._pacing.cap = cap

    def logins(self) -> dict[str, int]:
        """``logins_ok`` and ``logins_refused`` since the start or the last reset."""
        return self.crm.sessions.counters()

    def _renew(self) -> None:
        self.crm = Crm(self._seed, self.clock, self.zone)

    def _endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """The extra endpoints; README.md documents them."""
        return {
            ("GET", "logins"): lambda _: self.logins(),
            ("POST", "unlock"): lambda given: self.crm.sessions.unlock(given["user_name"]),
            ("POST", "sessions/close"): lambda _: {"closed": self.crm.sessions.close_all()},
            ("PUT", "write-cap"): lambda given: self.cap_writes(WriteCap(**given) if given else None),
            ("PUT", "workflows"): lambda given: self.backdoor.set_workflows(given["workflows"]),
            ("POST", "edit"): lambda given: self.backdoor.edit(given["id"], given["fields"]),
            ("POST", "silent-edit"): lambda given: self.backdoor.silent_edit(given["id"], given["fields"]),
            ("POST", "delete"): lambda given: self.backdoor.delete(given["id"]),
            ("POST", "restore"): lambda given: self.backdoor.restore(given["id"]),
            ("POST", "recycle-bin/empty"): lambda _: {"erased": self.backdoor.empty_recycle_bin()},
            ("POST", "records"): lambda given: {"ids": self.backdoor.add_records(given["module"], given["records"])},
            ("POST", "series"): lambda given: {"ids": self.backdoor.add_series(**given)},
            ("POST", "users"): lambda given: {"ids": self.backdoor.add_users(given["users"])},
            ("POST", "groups"): lambda given: {"ids": self.backdoor.add_groups(given["groups"])},
            ("POST", "answer"): lambda given: self.backdoor.answer(
                given["id"], given["invitee"], given["partecipation"]
            ),
            ("GET", "outbox"): lambda _: {"mails": self.backdoor.outbox()},
            ("GET", "dump"): lambda _: {"modules": self.backdoor.dump()},
        }

"""The end of the showing: tables of what was done, and the verdict. Everything that is wrong is named; the first of it ends the showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.compare import Verdict
from tests.e2e.connector import Connector
from tests.e2e.firm import KINDS, Firm
from tests.e2e.mails import Sent
from tests.e2e.meetings import LIMITS
from tests.e2e.office import View


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to tell at the end. `scenes`: what people did, and how often. `last_writes`: of a run that had nothing to do."""

    firm: Firm
    connector: Connector
    view: View
    scenes: Sequence[tuple[str, int]]
    last_writes: int

    def print(self) -> list[str]:
        """Print it; returns what is wrong. The last lines are the promise of the demo."""
        verdicts = {kind: self.firm.judge(self.view, kind) for kind in KINDS}
        broken, doubles = self.firm.broken(self.view), self.firm.duplicates(self.view)
        written, sent = self._written(), self.firm.outboxes.sent()
        _table("what people did", self.scenes)
        _table("what the connector did, by reason (runs that ended)", sorted(self.connector.reasons.items()))
        _table("written since the first fill, where it was 0", list(written.items()))
        rows = [(f"Exchange, for {sender}", number) for sender, number in sorted(sent.exchange.items())]
        title = f"mails because of the connector (none in the first fill; at most {LIMITS.day} a day and mailbox are allowed)"
        _table(title, [*rows, ("vtenext, to contacts among its invitees", sent.vtenext)])
        for what, reasons in self.firm.not_placed(self.view).items():
            _table(f"{what} not placed, by reason", sorted(reasons.items()))
        print()
        for kind, verdict in verdicts.items():
            print(f"{kind} equal on both sides: {verdict.equal} of {verdict.total}")
        print(f"duplicates {doubles}, lost {len(broken)}, writes of the last run {self.last_writes}", flush=True)
        return self._wrong(verdicts, broken, doubles) + self._miscounted(written, sent)

    def _wrong(self, verdicts: dict[str, Verdict], broken: list[str], doubles: int) -> list[str]:
        office, calendars, holds = self.firm.office, self.firm.calendars, self.connector.holds()
        held = {hold["items"][0] for hold in holds}
        found = [f"{kind}: {verdict.difference}" for kind, verdict in verdicts.items() if verdict.difference]
        found += broken
        found += [f"{doubles} things are there twice"] if doubles else []
        found += [f"the CRM shows private text: {word}" for word in calendars.revealed()]
        found += [f"an admin was asked about {h['kind']}s: {h}" for h in holds if h["kind"] in ("event", "task")]
        unasked = sorted(office.questions(self.view) - held)
        found += [f"nobody was asked about {id_}, which may be several others" for id_ in unasked]
        return found + ([f"the last run wrote {self.last_writes} times"] if self.last_writes else [])

    def _written(self) -> dict[str, int]:
        """Writes to what the first fill may only read."""
        outlook = self.firm.office.outlook
        return {"to calendars": outlook.writes("/events"), "to task lists": outlook.writes("/todo/")}

    def _miscounted(self, written: dict[str, int], sent: Sent) -> list[str]:
        """More mails than allowed; and counts that would have been 0 in the first fill because they count nothing."""
        counts = {**written, "mails of Exchange": sent.exchange.total(), "mails of vtenext": sent.vtenext}
        return sent.excess(LIMITS) + [
            f"{name}: none, so this count counts nothing" for name, n in counts.items() if not n
        ]


def _table(title: str, rows: Sequence[tuple[str, int]]) -> None:
    print(f"\n{title}")
    for words, number in rows:
        print(f"  {number:6}  {words}")

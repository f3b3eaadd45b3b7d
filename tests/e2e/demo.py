"""`python -m tests.e2e.demo [--once]`: a small Italian company synchronised from one command, shown and judged.

First fill, a day of work on both sides, a crash in the middle of the second synchronisation, quiet runs, a last run that writes
nothing. With --once it ends with 0, or with the first thing that is wrong and 1; without, everything stays up until Ctrl-C.
It talks to the app and to both sides over HTTP, and judges by what their screens show (tests/e2e/compare.py).
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e.calendars import Calendars
from tests.e2e.compare import Verdict
from tests.e2e.connector import Connector, NotSettled, wait_for
from tests.e2e.hands import Admin, CalendarPage, CrmScreen, Outlook, Refused
from tests.e2e.office import Office, View
from tests.e2e.serve import print_addresses
from tests.e2e.stack import Stack, StackError, stop_on_signals
from tests.e2e.story import Story
from tests.e2e.story_events import EventStory
from tests.e2e.story_series import FORMING, SeriesStory, end_of_evening, save_series

KINDS = ("contacts", "companies", "events")
CRASH_AFTER = 15
"""Writes of the second synchronisation after which the host is killed: some have arrived, most have not."""
SETTINGS = {"VTENEXT_TIME_LIMIT_SECONDS": "10"}


class Wrong(Exception):
    """The first thing that is not as it must be."""


@dataclass(slots=True)
class Demo:
    """One showing, on a stack that is up."""

    stack: Stack
    office: Office
    calendars: Calendars
    connector: Connector
    began: float = field(default_factory=time.monotonic)
    scenes: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def on(cls, stack: Stack) -> Demo:
        """Everybody takes a seat."""
        crm, outlook = CrmScreen(stack.urls["vtenext"]), Outlook(stack.urls["graph"])
        admin = Admin(stack.urls["host"], stack.token)
        office = Office(crm, outlook)
        calendars = Calendars(office, CalendarPage(stack.urls["graph"], stack.urls["entra"]))
        office.look = calendars.look
        return cls(stack, office, calendars, Connector(admin, lambda: crm.writes() + outlook.writes()))

    def show(self) -> None:
        """Everything, in order. Raises Wrong."""
        self._first_fill()
        saved = save_series(self.calendars)
        self._say(
            f"in the evening {saved} records of three series are saved in the CRM: not written before they are quiet"
        )
        self._answer_a_question()
        self._second_day()
        self._crash()
        self.connector.settle()
        self._say("settled after the crash: nothing waits any more")
        writes = self.connector.round()
        self._report(self.office.view(), writes)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def _first_fill(self) -> None:
        office = self.office
        office.found()
        self.calendars.found()
        view = office.view()
        cards = sum(len(cards) for cards in view.cards.values())
        self._say(f"60 companies and 300 contacts in the CRM, {cards} cards in the folders of 3 mailboxes")
        events = len(view.events) + len(view.masters)
        self._say(
            f"{len(view.records)} events in the CRM, {events} in the calendars ({len(view.masters)} of them series)"
        )
        for owner, mailbox in zip(office.owners, office.mailboxes, strict=True):
            self.connector.pair(owner, mailbox)
        self._say("the three users are paired with their mailboxes")
        self.connector.settle()
        self._say(f"first fill done, {self.connector.writes()} writes")
        written = office.outlook.writes("/events")
        if written:
            raise Wrong(f"the first fill wrote {written} times to the calendars, where it only reads")
        self._say("the first fill wrote 0 times to the calendars")
        self._compare("after the first fill")

    def _compare(self, when: str) -> None:
        view = self.office.view()
        for kind in KINDS:
            verdict = self._judge(view, kind)
            if verdict.difference:
                raise Wrong(f"{when}: {verdict.difference} ({verdict.equal} of {verdict.total} {kind} are equal)")
            self._say(f"{when}: {kind} equal on both sides: {verdict.equal} of {verdict.total}")
        if self.calendars.revealed():
            raise Wrong(f"{when}: the CRM shows private text: {self.calendars.revealed()}")

    def _judge(self, view: View, kind: str) -> Verdict:
        return self.calendars.judge(view) if kind == "events" else self.office.judge(view, kind)

    def _answer_a_question(self) -> None:
        """One of the two open questions is answered through the API: this card is the first of the two Luca Ferrari."""
        office = self.office
        card, first, second = office.namesakes("Luca", "Ferrari")
        holds = {hold["items"][0]: hold["id"] for hold in self.connector.holds()}
        for asked in (card, first, second):
            if asked not in holds:
                raise Wrong(f"nobody was asked about {asked}, which may be several others")
        self.connector.answer(holds[card], "approve", choice=first)
        self.connector.answer(holds[second], "approve", choice="new")
        office.decided(card, first, second)
        self.connector.settle(leaving={FORMING})
        self._compare("after an administrator said which of two namesakes a card is")

    def _second_day(self) -> None:
        view = self.office.view()
        pairs = {kind: self._judge(view, kind).pairs for kind in KINDS}
        end_of_evening(self.calendars)
        self.calendars.remember(view)
        self.scenes = Story(self.office, view, {**pairs["contacts"], **pairs["companies"]}).happen()
        for story in (EventStory, SeriesStory):
            self.scenes += story(self.calendars, view, pairs["events"]).happen()
        self._say(f"{sum(number for _, number in self.scenes)} changes were made on both sides")

    def _crash(self) -> None:
        """The second synchronisation, on servers as slow as real ones, loses its host on the way."""
        office, writes = self.office, self.connector.writes
        office.crm.cap_writes(7, 13)
        office.outlook.slow_down(round_trip_ms=20, service_ms=20)
        before = writes()
        self.connector.order("run")
        wait_for("the second synchronisation writes", lambda: writes() - before >= CRASH_AFTER)
        self.stack.kill_host()
        done = writes() - before
        self._say(f"kill -9 of the host after {done} writes of the second synchronisation")
        office.crm.cap_writes(None)
        office.outlook.slow_down()
        self.stack.start_host()
        self._say("the host is up again; a dead worker's lease holds its mailbox for up to 90 s")
        left = self.connector.round()
        self._say(f"{left} more writes after the restart")
        if left < 10:
            raise Wrong(f"the host was killed too late to show anything: only {left} writes were left to do")

    def _report(self, view: View, last_writes: int) -> None:
        """Tables, then the verdict; the last four lines are the promise of the demo. Raises Wrong."""
        office, calendars = self.office, self.calendars
        _table("what people did", self.scenes)
        _table("what the connector did, by reason (runs that ended)", sorted(self.connector.reasons.items()))
        written = office.outlook.writes("/events")  # counted as in the first fill, where it was 0
        print(f"\nwrites to the calendars since the first fill: {written}")
        _table("not placed, by reason", sorted(office.not_placed(view).items()))
        _table("events not placed, by reason", sorted(calendars.not_placed(view).items()))
        verdicts = {kind: self._judge(view, kind) for kind in KINDS}
        broken = office.broken(view) + calendars.lost(view)
        doubles = office.duplicates(view) + calendars.duplicates(view)
        holds = self.connector.holds()
        held = {hold["items"][0] for hold in holds}
        unasked = sorted(office.questions(view) - held)
        problems = [f"{kind}: {verdict.difference}" for kind, verdict in verdicts.items() if verdict.difference]
        problems += broken
        if not written:
            problems.append("nothing was written to the calendars: the count of their writes counts nothing")
        if doubles:
            problems.append(f"{doubles} things are there twice")
        problems += [f"the CRM shows private text: {word}" for word in calendars.revealed()]
        problems += [f"an admin was asked about events: {hold}" for hold in holds if hold["kind"] == "event"]
        problems += [f"nobody was asked about {id_}, which may be several others" for id_ in unasked]
        if last_writes:
            problems.append(f"the last run wrote {last_writes} times")
        print()
        for kind, verdict in verdicts.items():
            print(f"{kind} equal on both sides: {verdict.equal} of {verdict.total}")
        print(f"duplicates {doubles}, lost {len(broken)}, writes of the last run {last_writes}", flush=True)
        if problems:
            raise Wrong(problems[0])


def _table(title: str, rows: Sequence[tuple[str, int]]) -> None:
    print(f"\n{title}")
    for words, number in rows:
        print(f"  {number:6}  {words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Show it; 0 = everything is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.demo", description="the product, shown on sample data")
    parser.add_argument("--once", action="store_true", help="end when it was shown, instead of staying up until Ctrl-C")
    given = parser.parse_args(arguments)
    stop_on_signals()
    try:
        with Stack("demo", SETTINGS) as stack:
            Demo.on(stack).show()
            if not given.once:
                print_addresses(stack)
                signal.pause()
    except (Wrong, NotSettled, StackError, Refused) as wrong:
        print(f"\nWRONG: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130 if given.once else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

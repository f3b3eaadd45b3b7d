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

from tests.e2e import privacy
from tests.e2e.company import PEOPLE
from tests.e2e.connector import Connector, NotSettled, wait_for
from tests.e2e.firm import KINDS, Firm
from tests.e2e.hands import Admin, CalendarPage, CrmScreen, Outlook, Refused
from tests.e2e.report import Report
from tests.e2e.serve import print_addresses
from tests.e2e.stack import Stack, StackError, stop_on_signals
from tests.e2e.story import Story
from tests.e2e.story_events import EventStory
from tests.e2e.story_meetings import MeetingStory, is_known, meet_in_the_evening, take_the_car
from tests.e2e.story_series import FORMING, SeriesStory, end_of_evening, save_series
from tests.e2e.story_tasks import TaskStory, finish_in_the_evening, is_shown, work_in_the_evening

CRASH_AFTER = 15
"""Writes of the second synchronisation after which the host is killed: some have arrived, most have not."""
SETTINGS = {"VTENEXT_TIME_LIMIT_SECONDS": "10"}


class Wrong(Exception):
    """The first thing that is not as it must be."""


@dataclass(slots=True)
class Demo:
    """One showing, on a stack that is up."""

    stack: Stack
    firm: Firm
    connector: Connector
    began: float = field(default_factory=time.monotonic)
    scenes: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def on(cls, stack: Stack) -> Demo:
        """Everybody takes a seat."""
        crm, outlook = CrmScreen(stack.urls["vtenext"]), Outlook(stack.urls["graph"])
        firm = Firm.at(crm, outlook, CalendarPage(stack.urls["graph"], stack.urls["entra"]))
        admin = Admin(stack.urls["host"], stack.token)
        return cls(stack, firm, Connector(admin, lambda: crm.writes() + outlook.writes()))

    def show(self) -> None:
        """Everything, in order. Raises Wrong."""
        self._first_fill()
        self._evening()
        self._later_that_evening()
        self._answer_a_question()
        self._second_day()
        self._crash()
        self.connector.settle()
        self._say("settled after the crash: nothing waits any more")
        writes = self.connector.round()
        problems = Report(self.firm, self.connector, self.firm.office.view(), self.scenes, writes).print()
        if problems:
            raise Wrong(problems[0])
        self._nothing_in_clear()

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def _first_fill(self) -> None:
        firm, office = self.firm, self.firm.office
        firm.found()
        view = office.view()
        cards = sum(len(cards) for cards in view.cards.values())
        self._say(f"60 companies and 300 contacts in the CRM, {cards} cards in the folders of 3 mailboxes")
        events = len(view.events) + len(view.masters)
        self._say(
            f"{len(view.records)} events in the CRM, {events} in the calendars ({len(view.masters)} of them series)"
        )
        self._say(f"{len(view.tasks)} tasks in the CRM, {len(view.todo)} in To Do")
        self.connector.say("settings", verbose_log=True)
        firm.meetings.introduce(self.connector)
        self._say("a room, a company car, the members of a group and the limits of mails are set")
        for owner, mailbox in zip(office.owners, office.mailboxes, strict=True):
            self.connector.pair(owner, mailbox)
        self._say("the three users are paired with their mailboxes")
        self.connector.settle()
        self._say(f"first fill done, {self.connector.writes()} writes")
        self._only_read()
        self._compare("after the first fill")

    def _only_read(self) -> None:
        """The first fill writes no calendar and no task list, and makes nobody send a mail (SPEC 2.9, 2.11)."""
        outlook, sent = self.firm.office.outlook, self.firm.outboxes.sent()
        for what, path in (("calendars", "/events"), ("task lists", "/todo/")):
            if written := outlook.writes(path):
                raise Wrong(f"the first fill wrote {written} times to the {what}, where it only reads")
        if sent.total:
            raise Wrong(f"the first fill made {sent.total} mails leave: {sent}")
        if wrong := self.firm.meetings.not_once(self.firm.office.view()):
            raise Wrong(f"after the first fill: {wrong[0]}")
        shared = len(self.firm.meetings.shared)
        self._say(
            f"it wrote 0 times to calendars and task lists; {shared} shared meetings are in the CRM once, 0 mails left"
        )

    def _compare(self, when: str) -> None:
        view, calendars = self.firm.office.view(), self.firm.calendars
        for kind in KINDS:
            verdict = self.firm.judge(view, kind)
            if verdict.difference:
                raise Wrong(f"{when}: {verdict.difference} ({verdict.equal} of {verdict.total} {kind} are equal)")
            self._say(f"{when}: {kind} equal on both sides: {verdict.equal} of {verdict.total}")
        if calendars.revealed():
            raise Wrong(f"{when}: the CRM shows private text: {calendars.revealed()}")

    def _nothing_in_clear(self) -> None:
        """What people wrote is in no table, blob, queue or log of the connector."""
        office = self.firm.office
        boxes = [office.outlook.mailbox(mailbox) for mailbox in office.mailboxes]
        events = [event for mailbox in office.mailboxes for event in office.look(mailbox)]
        texts = privacy.texts_of(office.crm.everything(), boxes, events, [user.as_vtenext() for user in PEOPLE])
        logs = sorted(self.stack.logs.glob("host*.log"))
        places = list(privacy.kept(self.stack.settings["STORAGE"], logs))
        if clear := privacy.in_clear(texts, places):
            raise Wrong(f"{len(clear)} times in clear: {clear[0]}")
        if not privacy.in_clear(office.mailboxes, places):
            raise Wrong("not even the mailboxes' ids were found: the search does not see what is stored")
        if len(texts) < 1000 or len(places) < 1000:
            raise Wrong(f"{len(texts)} texts were looked for in {len(places)} places: that is too few to say anything")
        self._say(
            f"{len(texts)} names, addresses and texts looked for in {len(places)} rows, messages and lines of log: none is there"
        )

    def _evening(self) -> None:
        saved = save_series(self.firm.calendars)
        self._say(
            f"in the evening {saved} records of three series are saved in the CRM: not written before they are quiet"
        )
        made = meet_in_the_evening(self.firm.meetings) + work_in_the_evening(self.firm.tasks)
        self._say(f"{made} meetings and tasks are made, for the group too")

    def _later_that_evening(self) -> None:
        """What builds on what was synchronised this evening."""
        meetings, tasks = self.firm.meetings, self.firm.tasks
        self.connector.until("this evening's meeting and task", lambda: is_known(meetings) and is_shown(tasks))
        take_the_car(meetings)
        finish_in_the_evening(tasks)
        self._say("they have arrived: in the CRM the car is invited, and a task is ticked off")

    def _answer_a_question(self) -> None:
        """One of the two open questions is answered through the API: this card is the first of the two Luca Ferrari."""
        office = self.firm.office
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
        firm, view = self.firm, self.firm.office.view()
        pairs = {kind: firm.judge(view, kind).pairs for kind in KINDS}
        end_of_evening(firm.calendars)
        firm.remember(view)
        self.scenes = Story(firm.office, view, {**pairs["contacts"], **pairs["companies"]}).happen()
        for story in (EventStory, SeriesStory):
            self.scenes += story(firm.calendars, view, pairs["events"]).happen()
        self.scenes += MeetingStory(firm.meetings, view, pairs["events"]).happen()
        self.scenes += TaskStory(firm.tasks, view, pairs["tasks"]).happen()
        self._say(f"{sum(number for _, number in self.scenes)} changes were made on both sides")

    def _crash(self) -> None:
        """The second synchronisation, on servers as slow as real ones, loses its host on the way."""
        office, writes = self.firm.office, self.connector.writes
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

"""`sync.again`: what a deleted event or task is made again as. Data in, a new item out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mapping.calendar import BUSY, MASKED
from mapping.people import AddressBook
from mapping.tasks import TaskTranslator
from sync.again import Again, Deleted, NotAgain, SeriesAgain, plan_again, plan_series_again
from sync.model import Kind, Side, Value
from sync.plan import Context
from sync.policy import KindPolicy, PrivateEvents
from tests.unit.plain import MY_USER, OTHER_USER
from tests.unit.test_events import COMING, EVENTS, NOW, PAST, context, event, record

GUESTS = ("anna@x.example|required|accepted|Anna", "cliente@z.example|optional|none|")
BOOK = AddressBook(
    {MY_USER: "me@x.example", OTHER_USER: "anna@x.example"}, {MY_USER: "me@x.example", OTHER_USER: "anna@x.example"}
)


def here(**rules: Any) -> Context:
    plain = context(**rules)
    translators = {Kind.EVENT: EVENTS.among(BOOK, MY_USER), Kind.TASK: TaskTranslator()}
    return replace(plain, policy=replace(plain.policy, people=BOOK), translators=translators)


def card(when: str = COMING, **fields: Value) -> Deleted:
    own: dict[str, Value] = {"attendees": GUESTS, "organizer": "1", "organizer_address": "me@x.example"}
    return Deleted(Side.MAILBOX, Kind.EVENT, "crm_deleted", {**event(when).fields, **own, **fields}, role="organizer")


def row(when: str = COMING, *, because: str = "mailbox_deleted", role: str = "home", **fields: Value) -> Deleted:
    listed: dict[str, Value] = {"invitees": (f"{OTHER_USER}|accepted|anna@x.example", "4x7|none|c@z.example")}
    shown = {**record(when).fields, **listed, **fields}
    return Deleted(Side.CRM, Kind.EVENT, because, shown, MY_USER, role)


def why(deleted: Deleted, where: Context | None = None) -> str:
    with pytest.raises(NotAgain) as caught:
        plan_again(deleted, where or here())
    return caught.value.outcome


def test_an_event_comes_back_with_all_whom_it_invited_and_without_their_answers() -> None:
    made = plan_again(card(body="<p>due</p>", bodyType="html", location="Milano", online="1", uid="U"), here())
    assert made.fields["attendees"] == ("anna@x.example|required|none|Anna", "cliente@z.example|optional|none|")
    assert (made.fields["body"], made.fields["bodyType"], made.mails) == ("<p>due</p>", "html", 2)
    assert made.fields["reminder"] == "", "Exchange would give it one of its own"
    assert made.fields.keys().isdisjoint({"uid", "slot", "online", "organizer", "organizer_address"})


@pytest.mark.parametrize("when", ["2026-11-23T08:00Z/2026-11-23T09:00Z", "2026-11-23/2026-11-24", PAST])
def test_what_has_begun_invites_nobody(when: str) -> None:
    made = plan_again(card(when), here())
    assert (made.mails, "attendees" in made.fields) == (0, False)
    later = plan_again(card("2026-11-23T08:01Z/2026-11-23T09:00Z"), here())
    assert later.mails == 2


def test_a_copy_is_its_organizers_to_bring_back() -> None:
    assert why(card(organizer="")) == "read_only"


@pytest.mark.parametrize("because", ["reassigned", "meeting"])
def test_what_went_on_elsewhere_is_not_doubled(because: str) -> None:
    assert why(replace(card(), because=because)) == "elsewhere"


def test_a_side_that_is_not_written_gets_nothing() -> None:
    closed = here()
    kinds = {**closed.policy.kinds, Kind.EVENT: KindPolicy(to_mailbox=False)}
    assert why(card(), replace(closed, policy=replace(closed.policy, kinds=kinds))) == "direction"


@pytest.mark.parametrize(
    "deleted", [card(**{MASKED: "1"}), card(subject=BUSY), row(subject=BUSY), row(because="private")]
)
def test_a_busy_block_is_nothing_that_could_come_back(deleted: Deleted) -> None:
    assert why(deleted) == "private"
    assert why(deleted, here(private=PrivateEvents.FULL)) == "private"


def test_private_text_comes_back_to_the_crm_only_where_it_may_be_there_now() -> None:
    secret = row(visibility="Private", subject="Medico")
    assert why(secret) == "private"
    assert plan_again(secret, here(private=PrivateEvents.FULL)).fields["subject"] == "Medico"
    assert plan_again(replace(secret, open=True), here()).fields["subject"] == "Medico"
    own = card(sensitivity="private", subject="Medico")
    assert plan_again(own, here()).fields["sensitivity"] == "private", "it is the mailbox's own"


def test_a_record_keeps_its_name_its_owner_and_our_users() -> None:
    made = plan_again(row(uid="U", slot="14", contact_id="4x7"), here())
    assert (made.identity, made.owner, made.alone) == ("U|14", MY_USER, False)
    assert made.fields["invitees"] == (f"{OTHER_USER}|accepted|anna@x.example",), "vtenext would write to the contact"
    assert made.fields["contact_id"] == "4x7"
    assert plan_again(row(uid="x" * 128), here()).identity == ""


@pytest.mark.parametrize(
    "deleted", [row(role="keeper"), row(because="cancelled"), row(organizer_address="boss@z.example")]
)
def test_the_record_of_somebody_elses_meeting_stays_without_a_copy(deleted: Deleted) -> None:
    assert plan_again(deleted, here()).alone


def test_an_organizer_who_is_one_of_us_makes_nobody_elses_meeting_of_it() -> None:
    assert not plan_again(row(organizer_address="me@x.example"), here()).alone


@pytest.mark.parametrize(
    ("side", "fields"),
    [
        (
            Side.MAILBOX,
            {"title": "Offerta", "status": "inProgress", "due": "2026-12-04", "recurring": "1", "list": "l"},
        ),
        (Side.CRM, {"subject": "Offerta", "taskstatus": "In Progress", "due_date": "2026-12-04", "uid": "u"}),
    ],
)
def test_a_task_comes_back_with_what_both_sides_know(side: Side, fields: dict[str, Value]) -> None:
    made = plan_again(Deleted(side, Kind.TASK, "crm_deleted", fields, "22x3"), here())
    known = {name: value for name, value in fields.items() if name not in {"recurring", "list", "uid"}}
    assert {name: value for name, value in made.fields.items() if name in fields} == known
    assert made.owner == ("22x3" if side is Side.CRM else "")
    if side is Side.CRM:
        assert made.fields["date_start"] == "2026-12-04", "vtenext demands both dates"


# series


MASTER = card("2026-11-03T09:00Z/2026-11-03T10:00Z", rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=MO;COUNT=12")


def days(*wanted: str, **changed: dict[str, Value]) -> dict[str, dict[str, Value]]:
    """What the occurrences showed; `changed`: d20261203={...}."""
    found: dict[str, dict[str, Value]] = {}
    for day in wanted:
        usual = {**MASTER.fields, "when": f"{day}T09:00Z/{day}T10:00Z"}
        found[day] = {**usual, **changed.get("d" + day.replace("-", ""), {})}
    return found


def series(shown: dict[str, dict[str, Value]], where: Context | None = None, **fields: Value) -> SeriesAgain:
    master = replace(MASTER, fields={**MASTER.fields, **fields})
    return plan_series_again(master, shown, where or here())


def test_a_series_begins_where_it_was_cut_and_has_as_many_dates_left() -> None:
    made = series(days("2026-12-01", "2026-12-03", "2026-12-15", "2026-12-17"))
    assert made.fields["when"] == "2026-12-01T09:00Z/2026-12-01T10:00Z"
    assert made.fields["rule"] == "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=MO;COUNT=8", "four had passed by then"
    assert (made.gaps, made.exceptions, made.mails, "attendees" in made.fields) == ([], {}, 2, False)


def test_what_was_cancelled_or_changed_is_so_again() -> None:
    moved: dict[str, Value] = {"when": "2026-12-03T11:00Z/2026-12-03T12:00Z", "location": "Aula 2"}
    made = series(days("2026-12-01", "2026-12-03", "2026-12-17", d20261203=moved))
    assert (made.gaps, made.exceptions) == (["2026-12-15"], {"2026-12-03": moved})
    assert made.mails == 4, "two guests, once for the series and once for the changed day"


def test_a_hidden_day_says_only_what_the_crm_may_know() -> None:
    hidden: dict[str, Value] = {"subject": BUSY, "location": "", "body": "", "sensitivity": "private", MASKED: "1"}
    made = series(days("2026-12-01", "2026-12-03", d20261203=hidden))
    assert made.exceptions == {"2026-12-03": {"sensitivity": "private"}}


def test_a_series_counts_in_its_own_zone_across_the_change_of_clocks() -> None:
    rule = "FREQ=WEEKLY;BYDAY=TU;WKST=MO"
    made = series(days("2026-12-01"), when="2026-10-06T08:00Z/2026-10-06T09:00Z", rule=rule)
    assert made.fields["when"] == "2026-12-01T09:00Z/2026-12-01T10:00Z"
    assert not made.exceptions


def test_a_series_is_judged_by_its_next_occurrence() -> None:
    shown = days("2026-12-01", "2026-12-03")
    between = replace(here(), now=datetime(2026, 12, 2, tzinfo=UTC))
    after = replace(here(), now=datetime(2026, 12, 4, tzinfo=UTC))
    assert [series(shown, where).mails for where in (here(), between, after)] == [2, 2, 0]


@pytest.mark.parametrize("rule", ["", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=9"])
def test_a_rule_that_nobody_can_say_is_gone(rule: str) -> None:
    with pytest.raises(NotAgain, match="gone"):
        series(days("2026-12-01"), rule=rule)


def test_nothing_is_made_again_without_its_time() -> None:
    assert why(card("")) == "gone"
    assert isinstance(plan_again(card(), here()), Again)
    assert here().now == NOW

"""`sync.tasks`: what tasks add to the common table. Data in, an action out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.tasks import DUE, MADE, START, STATUS, TITLE, TaskTranslator
from sync.events import baseline_of
from sync.model import (
    Create,
    Delete,
    Flag,
    Gone,
    Item,
    Kind,
    Leave,
    Link,
    Pair,
    Proof,
    Reason,
    Role,
    Side,
    Unlink,
    Update,
    Wait,
)
from sync.plan import Context, link_key
from sync.policy import CalendarPolicy, Group, KindPolicy, Policy, default_kinds
from sync.tasks import moved_here, plan_task, task_uid
from tests.unit.plain import GROUP, ME, MY_USER, OTHER, OTHER_USER, PlainDigests

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CONNECTED = "2026-11-20T08:00:00+00:00"
TASKS = TaskTranslator()
TEAM = {GROUP: Group(MY_USER, (MY_USER, OTHER_USER))}


def record(*, owner: str = MY_USER, **fields: str) -> Item:
    base = {"subject": "Offerta", "description": "", "taskstatus": "Not Started", "taskpriority": "Medium", "uid": "u"}
    return Item(
        Side.CRM,
        Kind.TASK,
        "1x1",
        "v1",
        {**base, "date_start": "2026-12-01", "due_date": "2026-12-03", **fields},
        owner,
    )


def task(*, id_: str = "l|t", modified: str = "2026-11-23T07:00:00Z", **fields: str) -> Item:
    base = {"title": "Offerta", "body": "", "bodyType": "text", "status": "notStarted", "importance": "normal"}
    base |= {"due": "2026-12-03", "start": "2026-12-01", "recurring": "", "completed": ""}
    base |= {"created": "2026-11-22T23:30:00Z"}
    return Item(Side.MAILBOX, Kind.TASK, id_, "t1", {**base, **fields}, ME, modified=modified)


def context(*, groups: dict[str, Group] | None = None, import_only: bool = False, **more: Any) -> Context:
    calendar = CalendarPolicy(ROME, import_only=import_only)
    homes = {MY_USER: ME, OTHER_USER: OTHER}
    policy = Policy(ME, MY_USER, homes, "", default_kinds(), calendar, groups=groups or {})
    made = Context(policy, {Kind.TASK: TASKS}, PlainDigests(), now=NOW, connected=CONNECTED)
    return replace(made, **more)


def linked(crm: Item, card: Item, *, role: Role = Role.HOME, origin: Side = Side.CRM, flags: str = "") -> Link:
    """A link that says that both sides held this."""
    link = Link(ME, Kind.TASK, crm.id, card.id, origin, role, flags=frozenset(flags.split()))
    sealed = replace(context().sealed(link), link=link_key(ME, crm.id))
    shown = TASKS.mailbox_values(card.fields)
    return replace(link, base={p: sealed.seal(p, v, shown[p]) for p, v in TASKS.crm_values(crm.fields).items()})


def plan(crm: Any, card: Any, here: Context, link: Link | None = None, because: Reason | None = None) -> Any:
    return plan_task(Pair(crm, card, link, because, Kind.TASK), here)


GONE = Gone("l|t", Proof.NOT_FOUND)
CRM_GONE = Gone("1x1", Proof.NOT_FOUND)


# what has no link


def test_an_open_task_becomes_a_record_with_the_day_it_was_made_for_want_of_a_date() -> None:
    action = plan(None, task(due="", start=""), context())
    assert isinstance(action, Create)
    assert (action.side, action.because, action.role) == (Side.CRM, Reason.MAILBOX_NEW, Role.HOME)
    assert action.values[MADE] == "2026-11-23"  # 23:30Z is the next day in Rome
    assert DUE.id not in action.values


@pytest.mark.parametrize(
    ("completed", "modified", "import_only", "imported"),
    [
        ("2026-11-21", "2026-11-21T09:00:00Z", False, True),  # a recurring task leaves such a one behind
        ("2026-11-20", "2026-11-20T07:00:00Z", False, False),  # earlier on the day of the connection
        ("2026-11-10", "2026-11-22T09:00:00Z", False, False),  # long done, touched since
        ("2026-11-23", "2026-11-23T07:00:00Z", True, False),  # the first synchronisation imports what is open
    ],
)
def test_a_done_task_is_imported_only_if_it_was_done_since_the_connection(
    completed: str, modified: str, import_only: bool, imported: bool
) -> None:
    card = task(status="completed", completed=completed, modified=modified)
    action = plan(None, card, context(import_only=import_only))
    assert isinstance(action, Create) if imported else action == Leave(Side.MAILBOX, card.id, Reason.ENDED)


def test_a_new_record_is_exported_and_a_done_one_is_not() -> None:
    action = plan(record(), None, context())
    assert isinstance(action, Create)
    assert action.values == {
        "subject~title": "Offerta",
        STATUS.id: "notStarted",
        "taskpriority~importance": "normal",
        DUE.id: "2026-12-03",
        START.id: "2026-12-01",
    }
    assert plan(record(taskstatus="Completed"), None, context()) == Leave(Side.CRM, "1x1", Reason.ENDED)


def test_a_record_stays_where_it_is_until_somebody_touches_it() -> None:
    baseline = {"1x1": baseline_of(record(), TASKS, PlainDigests())}
    assert plan(record(), None, context(baseline=baseline)) == Leave(Side.CRM, "1x1", Reason.BASELINE)
    assert isinstance(plan(record(due_date="2026-12-24"), None, context(baseline=baseline)), Create)
    assert plan(record(), None, context(import_only=True)) == Wait(Side.CRM, "1x1", Reason.FIRST_IMPORT)


def test_a_copy_of_a_record_that_went_to_somebody_else_is_left() -> None:
    action = plan(record(owner=OTHER_USER), task(), context(), None, Reason.STAMP)
    assert action == Leave(Side.MAILBOX, "l|t", Reason.REASSIGNED)


def test_joined_again_the_stand_ins_stay_where_they_are() -> None:
    action = plan(record(), task(due="", start=""), context(), None, Reason.STAMP)
    assert isinstance(action, Update)
    assert action.to_mailbox == {}
    assert {DUE.id, START.id} <= action.agreed


# what is linked


def test_an_edit_of_a_date_in_the_crm_travels_and_takes_the_other_along_when_to_do_has_none() -> None:
    card = task(due="", start="")
    link = linked(record(), card)
    action = plan(record(date_start="2026-12-02"), card, context(), link)
    assert action.to_mailbox == {START.id: "2026-12-02", DUE.id: "2026-12-03"}
    action = plan(record(due_date="2026-12-24"), card, context(), link)
    assert action.to_mailbox == {DUE.id: "2026-12-24"}


def test_a_record_as_it_was_left_needs_nothing() -> None:
    card = task(due="", start="")
    assert plan(record(), card, context(), linked(record(), card)) is None


def test_a_clear_in_to_do_is_planned_and_written_as_nothing() -> None:
    action = plan(record(), task(due=""), context(), linked(record(), task()))
    assert action.to_crm == {DUE.id: ""}
    assert TASKS.render_crm(action.to_crm, record().fields, {}).fields == {}


def test_deletions_travel_both_ways() -> None:
    link = linked(record(), task())
    assert plan(CRM_GONE, task(), context(), link) == Delete(Side.MAILBOX, task(), link, Reason.CRM_DELETED)
    assert plan(record(), GONE, context(), link) == Delete(Side.CRM, record(), link, Reason.MAILBOX_DELETED)


def test_an_edit_beats_a_deletion_and_the_new_record_has_its_dates() -> None:
    link = linked(record(), task())
    action = plan(CRM_GONE, task(title="Nuova", due="", start=""), context(), link)
    assert isinstance(action, Create)
    assert (action.because, action.values[MADE]) == (Reason.EDIT_BEATS_DELETE, "2026-11-23")


def test_a_record_of_somebody_else_takes_our_copy_along() -> None:
    link = linked(record(), task())
    here = context(homes={"1x1"})
    assert plan(record(owner=OTHER_USER), task(), here, link) == Delete(
        Side.MAILBOX, task(), link, Reason.REASSIGNED, moved=True
    )


# a group's task


def group(**fields: str) -> Item:
    return record(owner=GROUP, **fields)


def test_every_member_gets_a_copy() -> None:
    action = plan(group(), None, context(groups=TEAM))
    assert isinstance(action, Create)
    assert (action.side, action.role) == (Side.MAILBOX, Role.MEMBER)
    assert context(groups=TEAM).policy.homes_of(GROUP, Kind.TASK) == {ME, OTHER}
    nobody = plan(group(), None, context())
    assert nobody == Leave(Side.CRM, "1x1", Reason.WITHOUT_MAILBOX)


def test_a_members_status_reaches_the_crm_and_nothing_else() -> None:
    link = linked(group(), task(), role=Role.MEMBER)
    action = plan(group(), task(status="completed", title="Mia"), context(groups=TEAM), link)
    assert action.to_crm == {STATUS.id: "completed"}
    assert (action.to_mailbox, action.role) == ({}, Role.MEMBER)
    assert Flag.COPY_EDITED in action.flags


def test_what_a_member_edits_is_said_once_and_taken_back_when_it_is_undone() -> None:
    link = linked(group(), task(), role=Role.MEMBER)
    action = plan(group(), task(title="Mia"), context(groups=TEAM), link)
    assert (action.to_crm, action.to_mailbox, action.flags) == ({}, {}, {Flag.COPY_EDITED})
    told = replace(link, flags=frozenset({Flag.COPY_EDITED}))
    assert plan(group(), task(title="Mia"), context(groups=TEAM), told) is None
    assert plan(group(), task(), context(groups=TEAM), told).dropped == {Flag.COPY_EDITED}


def test_the_crms_edit_goes_over_a_members_own() -> None:
    link = linked(group(), task(), role=Role.MEMBER)
    action = plan(group(subject="Nuova"), task(title="Mia"), context(groups=TEAM), link)
    assert action.to_mailbox == {TITLE.id: "Nuova"}
    assert [lost.value for lost in action.lost] == ["Mia"]
    assert Flag.COPY_EDITED not in action.flags


def test_a_member_who_deletes_the_copy_keeps_it_deleted() -> None:
    link = linked(group(), task(), role=Role.MEMBER)
    assert plan(group(), GONE, context(groups=TEAM), link) == Unlink(link, Reason.DELETE_LEFT, tombstone=True)
    home = linked(group(), task())  # the record was given to the group since
    assert plan(group(), GONE, context(groups=TEAM), home) == Unlink(home, Reason.DELETE_LEFT, tombstone=True)
    mine = plan(record(), GONE, context(groups=TEAM), link)  # and now it is mine alone
    assert mine == Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def test_a_deletion_in_the_crm_removes_every_copy_whatever_its_member_edited() -> None:
    link = linked(group(), task(), role=Role.MEMBER)
    mine = task(title="Mia", status="completed")
    assert plan(CRM_GONE, mine, context(groups=TEAM), link) == Delete(Side.MAILBOX, mine, link, Reason.CRM_DELETED)
    off = context(groups=TEAM)
    kinds = {**off.policy.kinds, Kind.TASK: KindPolicy(delete_in_mailbox=False)}
    off = replace(off, policy=replace(off.policy, kinds=kinds))
    assert plan(CRM_GONE, mine, off, link) == Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def test_whoever_leaves_the_group_loses_the_copy_that_we_made() -> None:
    others = {GROUP: Group(OTHER_USER, (OTHER_USER,))}
    link = linked(group(), task(), role=Role.MEMBER)
    action = plan(group(), task(), context(groups=others), link)
    assert (type(action), action.because, action.moved) == (Delete, Reason.REASSIGNED, True)
    own = linked(group(), task(), role=Role.MEMBER, origin=Side.MAILBOX)
    left = plan(group(), task(), context(groups=others), own)
    assert (type(left), left.because, left.tombstone) == (Unlink, Reason.REASSIGNED, True)
    done = plan(group(), task(status="completed"), context(groups=others), link)
    assert (done.to_crm, done.because) == ({STATUS.id: "completed"}, Reason.REASSIGNED), "the last word first"


def test_a_task_changes_between_being_mine_and_the_groups() -> None:
    to_group = plan(group(), task(), context(groups=TEAM), linked(group(), task()))
    assert (to_group.role, to_group.to_crm, to_group.to_mailbox) == (Role.MEMBER, {}, {})
    to_me = plan(record(), task(), context(groups=TEAM), linked(record(), task(), role=Role.MEMBER))
    assert to_me.role is Role.HOME
    edited = plan(record(), task(title="Mia"), context(groups=TEAM), linked(record(), task(), role=Role.MEMBER))
    assert (edited.role, edited.to_crm) == (Role.HOME, {TITLE.id: "Mia"}), "now it is the user's own"


# identity


def test_the_uid_is_the_tasks_own() -> None:
    assert task_uid(task()) != task_uid(task(id_="l|u"))
    assert len(task_uid(task())) == 64


def test_a_moved_task_is_known_by_its_title_and_whatever_else_is_as_it_was() -> None:
    link = linked(record(), task())
    here = context()
    assert moved_here(link, task(id_="m|n"), here) == 6
    assert moved_here(link, task(id_="m|n", status="completed"), here) == 5
    assert moved_here(link, task(id_="m|n", title="Altra"), here) == 0
    assert moved_here(linked(record(subject=""), task(title="")), task(title=""), here) == 0

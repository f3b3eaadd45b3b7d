"""What an admin may do with a mapping: read, check, try on a real item, save; what that does to the store and whom it wakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mapping.advice import Advice
from mapping.contacts import CONTACTS
from mapping.model import Direction, FieldPair
from mapping.rules import FieldMapping, Wrong
from sync import commands, mapping_commands
from sync.commands import NotFound, NotNow
from sync.errors import ConfigMistake
from sync.mapping_commands import WrongMapping
from sync.mappings import DEFAULTS, Mappings, Strategy, Version, at_work, left_behind
from sync.model import Family, Kind, Link, Role, Side
from sync.progress import Progress, write
from sync.resync import FRESH, LIVE, SHOWN, begin_resync, resync, summary
from sync.settings_commands import change_settings
from sync.settings_store import Defaults
from sync.store.base import Conflict, Stale
from sync.store.ledger import MailboxLedger, put_link
from sync.store.mailboxes import MailboxRow
from tests.sim.mapping_for_tests import catalog
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World

Body = dict[str, Any]


@pytest.fixture
async def world() -> World:
    """Anna and Bruno are connected; nothing is queued."""
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    world.queue.take()
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.change_mailbox(mailbox, dirty=False, full=False)
    return world


def body(*changes: tuple[str, str | None], **more: Any) -> Body:
    """The default mapping of contacts; (crm field, mailbox field) moves a field, None takes its pair out."""
    moved = dict(changes)
    pairs = [
        {"crm": p.crm, "mailbox": moved.get(p.crm, p.mailbox), "direction": p.direction.value} for p in CONTACTS.pairs
    ]
    return {"pairs": [pair for pair in pairs if pair["mailbox"]], **more}


MOVED = body(("mobile", "homePhones#2"))


async def link(world: World, crm_id: str, item: str, mailbox: str = ANNAS, **about: Any) -> None:
    ledger = await MailboxLedger.open(world.rows, mailbox, 0)
    one = Link(mailbox, Kind.CONTACT, crm_id, item, **{"origin": Side.CRM, **about})
    await ledger.commit(put_link(one))
    await world.registry.hold_records(mailbox, {crm_id: Role.HOME})


async def compare(world: World, *mailboxes: str) -> None:
    """These mailboxes were compared in full just now."""
    for mailbox in mailboxes:
        ledger = await MailboxLedger.open(world.rows, mailbox, 0)
        at = world.now().isoformat(timespec="seconds")
        await ledger.save_checkpoint(replace(await ledger.checkpoint(), full_at=at, folder="folder"))
        await world.registry.change_mailbox(mailbox, full=False)


# reading and checking


async def test_what_we_ship_is_read_with_everything_that_an_editor_needs(world: World) -> None:
    shown = await mapping_commands.read(world.connector, Kind.CONTACT)
    assert (shown.version, shown.at, shown.mapping, shown.problems) == (0, "", CONTACTS, ())
    crm, mailbox = {f.name: f for f in shown.crm}, {f.name: f for f in shown.mailbox}
    assert crm["salutationtype"].choices[1] == "Mr."
    assert (crm["email"].max_length, crm["contact_no"].writable) == (catalog("Contacts")["email"].max_length, False)
    assert (mailbox["emailAddresses#2"].label, mailbox["emailAddresses#2"].label_it) == (
        "Email address 2",
        "Indirizzo e-mail 2",
    )
    assert "cf_m365_id" in {f.name for f in shown.unmapped.crm}
    assert "emailAddresses#2" in {f.name for f in shown.unmapped.mailbox}
    assert [w.advice for w in shown.warnings if w.pair == "salutationtype~title"] == [Advice.CHOICES]


def test_the_eight_fields_of_events_are_shown_by_the_manuals_labels() -> None:
    events = mapping_commands.FIXED[Kind.EVENT]
    assert [row.label_it for row in events] == [
        "Data inizio",
        "Data fine",
        "Soggetto",
        "Luogo",
        "Descrizione",
        "Visibilità",
        "Importanza",
        "Invia promemoria",
    ]
    with pytest.raises(NotFound):
        mapping_commands.kind_of("event")
    assert mapping_commands.kind_of("company") is Kind.COMPANY


async def test_a_mapping_is_checked_and_nothing_changes(world: World) -> None:
    before = world.rows.everything()
    checked = await mapping_commands.check(
        world.connector, Kind.CONTACT, body(("email", "birthday"), ("phone", "mobilePhone"))
    )
    assert [(p.wrong, p.names) for p in checked.problems] == [
        (Wrong.DIFFERENT_TYPES, ("email", "email", "birthday", "date")),
        (Wrong.WRITTEN_TWICE, ("mobilePhone",)),
        (Wrong.WRITTEN_TWICE, ("birthday",)),
    ]
    assert world.rows.everything() == before


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"pairs": "x"}, "pairs"),
        ({"pairs": [{"crm": "email"}]}, "pairs[0].mailbox"),
        ({"pairs": [], "kinds": 1}, "kinds"),
        ({"pairs": [{"crm": "email", "mailbox": "emailAddresses#1", "direction": "up"}]}, "pairs[0].direction"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_its_place(world: World, sent: Body, field: str) -> None:
    with pytest.raises(ConfigMistake) as wrong:
        await mapping_commands.save(world.connector, Kind.CONTACT, sent, over=0, by="me")
    assert wrong.value.field == field


async def test_without_a_crm_there_is_nothing_to_map() -> None:
    nowhere = World(Defaults(), crm_missing=("VTENEXT_URL",))
    with pytest.raises(NotNow, match="not_configured"):
        await mapping_commands.read(nowhere.connector, Kind.CONTACT)


# saving


async def test_a_saved_mapping_is_in_force_and_every_mailbox_compared(world: World) -> None:
    before = (await world.board.read()).generation
    shown = await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, by="boss")
    assert (shown.version, shown.by, shown.at) == (1, "boss", "2026-03-02T08:00:00+00:00")
    assert FieldPair("mobile", "homePhones#2") in shown.mapping.pairs
    assert (await world.board.read()).generation > before
    assert sorted(world.queue.take()) == [ANNAS, BRUNOS]
    for mailbox in (ANNAS, BRUNOS):
        row = await world.mailbox(mailbox)
        assert (row.full, row.dirty, row.clearing) == (True, True, "")
    companies = await Mappings(world.rows).of(Kind.COMPANY)
    assert [v.mapping for v in companies] == [DEFAULTS[Kind.COMPANY]]


async def test_what_cannot_be_used_changes_nothing(world: World) -> None:
    board = await world.board.read()
    with pytest.raises(WrongMapping) as wrong:
        await mapping_commands.save(world.connector, Kind.CONTACT, body(("email", "birthday")), over=0, by="me")
    assert wrong.value.problems[0].wrong is Wrong.DIFFERENT_TYPES
    assert (await Mappings(world.rows).of(Kind.CONTACT))[-1].number == 0
    assert (await world.board.read(), world.queue.take()) == (board, [])


async def test_the_same_mapping_wakes_nobody(world: World) -> None:
    board = await world.board.read()
    shown = await mapping_commands.save(world.connector, Kind.CONTACT, body(), over=0, by="me")
    assert (shown.version, await world.board.read(), world.queue.take()) == (0, board, [])


async def test_two_admins_at_once(world: World) -> None:
    await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, by="me")
    with pytest.raises(Stale):
        await mapping_commands.save(world.connector, Kind.CONTACT, body(("fax", None)), over=0, by="you")
    store = Mappings(world.rows)
    taken = Version(2, CONTACTS, "2026-03-02T08:00:00+00:00", "other")
    await store.save(Kind.CONTACT, taken)
    with pytest.raises(Conflict):
        await store.save(Kind.CONTACT, taken)


async def test_mailboxes_that_cannot_run_now_are_compared_later(world: World) -> None:
    await world.registry.change_mailbox(BRUNOS, state="error", cause="mailbox_full")
    await commands.kill(world.connector, "boss")
    await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, by="me")
    assert world.queue.take() == []
    assert all(row.full for row in await world.registry.mailboxes())
    assert (await resync(world.registry, world.now())).since == "2026-03-02T08:00:00+00:00"


async def test_settings_and_groups_that_move_while_nothing_runs_are_compared_later_too(world: World) -> None:
    """Or an admin who stops, changes and starts again would wait for the night."""
    await world.registry.change_mailbox(BRUNOS, state="error", cause="mailbox_full")
    await change_settings(world.connector, {"active": False})
    assert not any(row.full for row in await world.registry.mailboxes())
    await change_settings(world.connector, {"reassign_groups": False})
    assert all(row.full for row in await world.registry.mailboxes())
    assert (await resync(world.registry, world.now())).why == "settings"
    assert world.queue.take() == []


# versions


async def test_earlier_versions_are_kept_until_every_mailbox_left_them_behind(world: World) -> None:
    """Mailboxes that are off and hold nothing remember nothing."""
    await world.registry.change_mailbox("0000000c-0000-4000-8000-000000000000", user="19x7", enabled=False)

    async def saved(number: int, sent: Body) -> list[int]:
        world.pass_time(10)
        await mapping_commands.save(world.connector, Kind.CONTACT, sent, over=number, by="me")
        return [version.number for version in await Mappings(world.rows).of(Kind.CONTACT)]

    assert await saved(0, MOVED) == [0, 1]
    assert await saved(1, body(("fax", None))) == [0, 1, 2], "nobody was compared yet"
    world.pass_time(10)
    await compare(world, ANNAS)
    assert await saved(2, MOVED) == [0, 1, 2, 3], "Bruno's mailbox was not"
    world.pass_time(10)
    await compare(world, ANNAS, BRUNOS)
    assert await saved(3, body(("fax", None))) == [3, 4]


def test_a_mailbox_that_is_about_to_be_compared_left_nothing_behind() -> None:
    versions = [Version(0, CONTACTS), Version(1, CONTACTS, "2026-01-02"), Version(2, CONTACTS, "2026-01-04")]
    assert left_behind(versions, ["2026-01-03", "2026-01-05"]) == [0]
    assert left_behind(versions, ["2026-01-05"]) == [0, 1]
    assert left_behind(versions, ["2026-01-05", ""]) == []
    assert left_behind(versions, []) == []
    many = [Version(number, CONTACTS, "2026-01-02") for number in range(40, 75)]
    assert left_behind(many, [""]) == [40, 41, 42, 43, 44], "thirty are enough"


def test_a_field_that_the_crm_lost_is_left_out_and_named() -> None:
    custom = FieldMapping("contact", (*CONTACTS.pairs, FieldPair("cf_gone", "initials")), "cf_also_gone")
    there = at_work([Version(1, custom, "t")], catalog("Contacts"))
    assert [(p.wrong, p.names) for p in there.problems] == [
        (Wrong.UNKNOWN_CRM_FIELD, ("cf_gone",)),
        (Wrong.STAMP_FIELD, ("cf_also_gone",)),
    ]
    assert tuple(there.translator.pairs) == CONTACTS.pairs
    assert "cf_gone~initials" in there.remap.kept, "its bases stay for the day it comes back"
    assert there.stamp_field == ""


def test_a_field_that_vtenext_came_to_demand_stops_nobody() -> None:
    demanding = {**catalog("Contacts"), "cf_m365_id": replace(catalog("Contacts")["cf_m365_id"], mandatory=True)}
    there = at_work([Version(0, CONTACTS)], demanding)
    assert [p.wrong for p in there.problems] == [Wrong.MANDATORY_MISSING]
    assert tuple(there.translator.pairs) == CONTACTS.pairs


def test_columns_of_removed_pairs_are_read_as_long_as_they_may_be_emptied() -> None:
    less = FieldMapping("contact", tuple(pair for pair in CONTACTS.pairs if pair.crm not in ("mobile", "fax")))
    there = at_work([Version(0, CONTACTS), Version(1, less, "t")], catalog("Contacts"))
    assert "mobile" in there.columns
    assert "fax" not in there.columns, "it only went to the mailbox"


# purge


async def test_purge_counts_what_we_made_asks_and_marks_the_mailboxes(world: World) -> None:
    await link(world, "4x1", "c1")
    await link(world, "4x2", "c2", role=Role.GUEST)
    await link(world, "4x3", "c3", origin=Side.MAILBOX)
    await link(world, "4x4", "c4", BRUNOS, origin=Side.MAILBOX, matched=True)
    assert await mapping_commands.purge_count(world.connector) == mapping_commands.PurgeCount(1, {ANNAS: 1}, 4)
    for confirm in (None, 2):
        with pytest.raises(NotNow, match="confirm_purge") as asked:
            await mapping_commands.save(
                world.connector, Kind.CONTACT, MOVED, over=0, strategy=Strategy.PURGE, confirm=confirm, by="me"
            )
        assert asked.value.data == {"count": "1"}
    assert (await Mappings(world.rows).of(Kind.CONTACT))[-1].number == 0
    await mapping_commands.save(
        world.connector, Kind.CONTACT, MOVED, over=0, strategy=Strategy.PURGE, confirm=1, by="me"
    )
    annas, brunos = await world.mailbox(ANNAS), await world.mailbox(BRUNOS)
    assert [(row.clearing, row.permitted, row.full) for row in (annas, brunos)] == [("purge", 1, True), ("", 0, True)]
    assert (await Mappings(world.rows).of(Kind.CONTACT))[-1].strategy is Strategy.PURGE


async def test_a_purge_where_nothing_is_ours_asks_nothing(world: World) -> None:
    await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, strategy=Strategy.PURGE, by="me")
    assert (await world.mailbox(ANNAS)).clearing == ""


# preview


@pytest.fixture
async def pair(world: World) -> tuple[str, str]:
    """A contact and its card in Anna's mailbox."""
    fields = {"lastname": "Rossi", "firstname": "Anna", "mobile": "+39 1", "salutationtype": "Dr.", "account_name": ""}
    record = world.crm.add(Kind.CONTACT, ANNA, fields)
    card = world.cards[ANNAS].add(
        {
            "surname": "Rossi",
            "givenName": "Anna",
            "mobilePhone": "+39 1",
            "title": "Herr",
            "businessAddress.city": "C" * 60,
        }
    )
    await link(world, record.id, card.id)
    await compare(world, ANNAS)
    return record.id, card.id


async def test_a_real_item_is_shown_there_and_back_and_kept_nowhere(world: World, pair: tuple[str, str]) -> None:
    record, item = pair
    before = world.rows.everything()
    writes = (world.crm.writes, world.cards[ANNAS].writes)
    shown = await mapping_commands.preview(world.connector, Kind.CONTACT, MOVED, record=record)
    assert (shown.record, shown.mailbox, shown.item) == (record, ANNAS, item)
    rows = {row.pair.crm: row for row in shown.pairs}
    mobile = rows["mobile"].from_crm
    assert mobile is not None
    assert (rows["mobile"].pair.mailbox, mobile.begins, mobile.arrives, mobile.returns) == (
        "homePhones#2",
        "+39 1",
        "+39 1",
        "+39 1",
    )
    names = rows["firstname"].from_crm
    assert names is not None
    assert (names.arrives, names.returns) == ("Anna", "Anna")
    salutation, city = rows["salutationtype"].from_mailbox, rows["mailingcity"].from_mailbox
    assert salutation is not None
    assert (salutation.refused, salutation.flags, salutation.arrives) == (True, ("choice_unknown",), "")
    assert city is not None
    assert (len(city.arrives), city.flags, city.returns) == (40, ("text_cut",), "C" * 60)
    assert world.rows.everything() == before
    assert (world.crm.writes, world.cards[ANNAS].writes) == writes


async def test_a_direction_that_does_not_take_a_value_there(world: World, pair: tuple[str, str]) -> None:
    sent = body()
    for each in sent["pairs"]:
        if each["crm"] == "mobile":
            each["direction"] = Direction.TO_CRM.value
    shown = await mapping_commands.preview(world.connector, Kind.CONTACT, sent, mailbox=ANNAS, item=pair[1])
    (mobile,) = (row for row in shown.pairs if row.pair.crm == "mobile")
    assert mobile.from_crm is not None
    assert mobile.from_mailbox is not None
    assert (mobile.from_crm.travels, mobile.from_crm.arrives) == (False, "")
    there = mobile.from_mailbox
    assert (there.travels, there.arrives, there.returns) == (True, "+39 1", ""), "it does not come back"


async def test_any_linked_item_will_do_and_one_side_too(world: World, pair: tuple[str, str]) -> None:
    shown = await mapping_commands.preview(world.connector, Kind.CONTACT, MOVED)
    assert (shown.record, shown.item) == pair
    alone = world.crm.add(Kind.CONTACT, BRUNO, {"lastname": "Verdi"})
    shown = await mapping_commands.preview(world.connector, Kind.CONTACT, MOVED, record=alone.id)
    assert (shown.record, shown.mailbox) == (alone.id, "")
    assert all(row.from_mailbox is None for row in shown.pairs)


@pytest.mark.parametrize(
    ("named", "error", "code"),
    [
        ({"record": "4x99999"}, NotNow, "nothing_to_show"),
        ({"record": "x"}, ConfigMistake, "record"),
        ({"item": "card"}, ConfigMistake, "mailbox"),
        ({"mailbox": ANNAS}, ConfigMistake, "item"),
        ({"mailbox": BRUNOS, "item": "card"}, NotNow, "nothing_to_show"),
        ({"mailbox": "a/b", "item": "card"}, NotFound, "^$"),
    ],
)
async def test_what_there_is_not_is_not_shown(
    world: World, pair: tuple[str, str], named: Mapping[str, str], error: type[Exception], code: str
) -> None:
    with pytest.raises(error, match=code):
        await mapping_commands.preview(world.connector, Kind.CONTACT, MOVED, **named)


async def test_with_nothing_linked_there_is_nothing_to_show(world: World) -> None:
    with pytest.raises(NotNow, match="nothing_to_show"):
        await mapping_commands.preview(
            world.connector, Kind.COMPANY, {"pairs": DEFAULTS[Kind.COMPANY].to_json()["pairs"]}
        )


# progress


async def test_progress_of_a_resynchronisation(world: World) -> None:
    assert (await resync(world.registry, world.now())).since == ""
    await link(world, "4x1", "c1")
    await link(world, "4x2", "c2")
    await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, by="me")
    found = await resync(world.registry, world.now())
    assert (found.since, found.why) == ("2026-03-02T08:00:00+00:00", "mapping")
    assert (found.mailboxes, found.done, found.waiting) == (2, 0, (ANNAS, BRUNOS))
    await world.registry.change_mailbox(ANNAS, progress=write({Family.PEOPLE: Progress("2026-03-01", 2, 1)}))
    half = await resync(world.registry, world.now())
    assert (half.items, half.items_done, half.ended) == (2, 1, False)


async def test_a_resynchronisation_that_ended_is_read_from_its_note_alone(world: World) -> None:
    await begin_resync(world.rows, world.now(), "settings")
    since = world.now().isoformat(timespec="seconds")
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.change_mailbox(mailbox, full=False, progress=write({Family.TASKS: Progress(since)}))
    ended = await resync(world.registry, world.now())
    assert (ended.ended, ended.mailboxes, ended.done) == (True, 2, 2)
    await world.registry.change_mailbox(ANNAS, full=True)
    queried: list[str] = []
    world.rows.before = queried.append
    assert await resync(world.registry, world.now()) == ended
    assert queried == ["get"]
    world.rows.before = None
    await begin_resync(world.rows, world.now(), "mapping")
    again = await resync(world.registry, world.now())
    assert (again.why, again.ended, again.waiting) == ("mapping", False, (ANNAS,))


async def test_a_large_office_is_not_counted_at_every_look(world: World) -> None:
    for number in range(LIVE + 1):
        await world.registry.change_mailbox(f"m{number:04}", user=f"19x{number}", full=True)
    await begin_resync(world.rows, world.now(), "settings")
    first = await resync(world.registry, world.now())
    assert (first.done, len(first.waiting), first.waiting[0]) == (0, SHOWN, ANNAS)
    since = world.now().isoformat(timespec="seconds")
    await world.registry.change_mailbox("m0001", full=False, progress=write({Family.TASKS: Progress(since)}))
    queried: list[str] = []
    world.rows.before = queried.append
    assert await resync(world.registry, world.now()) == first
    assert queried == ["get"]
    world.time += FRESH
    assert (await resync(world.registry, world.now())).done == 1


def test_a_mailbox_is_done_when_all_its_families_are() -> None:
    def one(*full_at: str, full: bool = False, enabled: bool = True) -> MailboxRow:
        families = dict(zip(Family, (Progress(at) for at in full_at), strict=False))
        return MailboxRow("m", "u", enabled=enabled, full=full, progress=write(families))

    since = "2026-01-02"
    assert summary(since, "", [one("2026-01-03", "2026-01-02")]).done == 1
    assert summary(since, "", [one("2026-01-03", "2026-01-01")]).done == 0
    assert summary(since, "", [one("2026-01-03", "")]).done == 0
    assert summary(since, "", [one()]).done == 0
    assert summary(since, "", [one("2026-01-03", full=True)]).done == 0
    assert summary(since, "", [one("2026-01-01", enabled=False)]).mailboxes == 0

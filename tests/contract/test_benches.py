"""The benches still run: in the smallest sizes, and without looking at how long anything takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.store.base import Conflict, Replace
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.store.tables import TableRows
from tests.bench import first_fill, panel
from tests.bench.common import office
from tests.bench.figures import Figure, as_json, at_least, at_most, shown, table
from tests.bench.tap import Span, State, Tap


def test_a_figure_says_whether_its_target_is_met() -> None:
    found = [at_most("P", "a", 2, 3), at_most("P", "b", 4, 3), at_least("P", "c", 3, 3, "s"), shown("P", "d", 1)]
    assert [each.met for each in found] == [True, False, True, None]
    lines = table(found).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["met", "MISSED", "met", "1"]
    assert Figure(**as_json(found)[2]) == found[2]


def test_every_page_that_reads_rows_is_measured() -> None:
    assert panel.unasked(panel.LARGE) == set()


async def test_every_call_of_the_panels_bench_answers() -> None:
    size = panel.Size(3, 60, 2, 3)
    found = await panel.measured(await panel.filled(MemoryRows(), size), size, 1)
    assert list(found) == list(panel.calls(size))


def test_a_mailbox_is_filled_and_a_quiet_comparison_does_nothing(azurite: str) -> None:
    with office() as place:
        place.add_records(3)
        filled = first_fill.engine(place, azurite, prepares=True, table="benches")
        quiet = first_fill.engine(place, azurite, full=True, table="benches")
        assert (filled.counts, place.cards()) == ({"crm_new": 3}, 3)
        assert (quiet.counts, place.cards()) == ({}, 3)


def test_the_same_people_on_both_sides_are_the_same(azurite: str) -> None:
    """What a card of the bench says is what its record says: nothing is written."""
    with office() as place:
        place.add_records(2)
        place.add_cards(2)
        told = first_fill.engine(place, azurite, prepares=True, table="twins")
        assert (told.counts, place.records(), place.cards(), place.writes()) == ({"matched": 2}, 2, 2, 0)


ANNA, BRUNO = "anna", "bruno"


def states(*rows: tuple[str, int, str]) -> Tap:
    """A tap that heard these writes, a second each."""
    tap = Tap({})
    for at, (mailbox, fence, holder) in enumerate(rows):
        tap.states.append(State(mailbox, fence, holder, at, at + 0.5))
    return tap


def test_a_lease_that_was_given_back_is_a_span_and_none_that_was_not() -> None:
    rows = [
        (ANNA, 0, ""),
        (ANNA, 1, "w1"),
        (BRUNO, 1, "w2"),
        (ANNA, 1, "w1"),
        (ANNA, 1, ""),
        (ANNA, 2, "w2"),
        (ANNA, 2, ""),
    ]
    spans, overlaps = states(*rows).leases()
    assert spans == [Span(ANNA, 1, 1.5, 4), Span(ANNA, 2, 5.5, 6)]
    assert overlaps == []
    assert states(*rows).busy(), "Bruno's is not over"


def test_a_mailbox_that_is_taken_while_another_holds_it_is_told() -> None:
    spans, overlaps = states((ANNA, 1, "w1"), (ANNA, 2, "w2"), (ANNA, 2, "")).leases()
    assert (spans, overlaps) == ([Span(ANNA, 2, 1.5, 2)], [ANNA])


async def test_the_tap_counts_and_reads_what_is_stored_and_changes_nothing(azurite: str) -> None:
    port = int(azurite.partition("TableEndpoint=http://127.0.0.1:")[2].partition("/")[0])
    with Tap({"table": port}) as tap:
        rows = TableRows.connect(tap.connection(azurite), table="tapped")
        registry = Registry(rows)
        await registry.change_mailbox(ANNA, user="19x1")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        lease = await registry.take_lease(ANNA, "w1", now)
        assert lease is not None
        assert await registry.take_lease(ANNA, "w2", now) is None
        assert await registry.release(lease, state="ok")
        with pytest.raises(Conflict):
            await rows.transact("mailboxes", [Replace(ANNA, {"holder": "thief", "fence": 9}, lease.etag)])
        await rows.aclose()
        assert [(span.mailbox, span.fence) for span in tap.leases()[0]] == [(ANNA, 1)]
        assert tap.leases()[1] == []
        assert {state.fence for state in tap.states} == {0, 1}, "what was refused was not stored"
        assert tap.counts["table GET mailboxes"] > 0

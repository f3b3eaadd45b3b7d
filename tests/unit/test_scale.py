"""docs/scale.md holds what `make scale` prints, and the model behaves: more costs more, nothing falls out of it, what nobody does costs nothing."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from scripts import scale
from scripts.scale import Cost, Office, Prices, Speed, active, euros, instances, limits, load, recorded
from tests.bench import costs as counting

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def test_the_page_holds_what_is_printed() -> None:
    assert scale.text().strip() in PAGE.read_text("utf-8")


def test_what_is_counted_is_what_the_model_reads() -> None:
    assert [f.name for f in fields(Cost)] == [f.name for f in fields(counting.Cost)]


def test_a_month_grows_with_the_mailboxes_and_what_everybody_shares_does_not() -> None:
    one, two = (load(recorded(), size, Office()) for size in (1, 2))
    tick = recorded()["tick"] * Office().ticks
    alone = one.always - tick
    assert (two.always - tick).table == pytest.approx(2 * alone.table)
    assert two.working.graph == pytest.approx(2 * one.working.graph)
    assert two.night.crm == pytest.approx(2 * one.night.crm)


@pytest.mark.parametrize("name", ["contacts_from_outlook", "events_from_crm", "looks", "tasks_move"])
def test_every_habit_of_the_office_counts(name: str) -> None:
    office = Office()
    more = replace(office, **{name: getattr(office, name) * 2})
    assert load(recorded(), 100, more).month().table > load(recorded(), 100, office).month().table


def test_a_price_of_nothing_costs_nothing() -> None:
    free = Prices(**dict.fromkeys(asdict(Prices()), 0.0))
    assert set(euros(load(recorded(), 1_000, Office()), Office(), Speed(), free).values()) == {0.0}
    paid = euros(load(recorded(), 1_000, Office()), Office(), Speed(), Prices())
    assert all(each > 0 for each in paid.values())


def test_instances_are_busy_at_most_all_the_time_and_take_some_runs_at_once() -> None:
    speed = Speed()
    assert active(0, 100, speed) == 0
    assert active(1, 1_000, speed) == pytest.approx(1, rel=0.01), "rare ones do not meet"
    assert active(600, 100, speed) == pytest.approx(100, rel=0.01)
    assert active(1_200, 100, speed) == pytest.approx(200, rel=0.01), "two instances"


def test_limits_are_shares_that_grow() -> None:
    small, large = (limits(load(recorded(), size, Office()), Office(), Speed()) for size in (100, 10_000))
    assert small.keys() == large.keys()
    assert all(large[name] >= small[name] >= 0 for name in small)
    assert instances(load(recorded(), 10_000, Office()), Office(), Speed()) > 1

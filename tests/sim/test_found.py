"""What hostile testing found that the stories could not see: each once, in the smallest world that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from mapping.model import Value
from sync.errors import Failure
from sync.model import Kind
from sync.run import Limits
from sync.sides.base import New, Refused, Result, Write
from sync.sides.memory import Card, MemoryCrm, MemoryMailbox, Record
from sync.store.base import Op, Put
from tests.sim.world import Accident, World

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}


def person(name: str, **more: str) -> dict[str, str]:
    return {"firstname": "Anna", "lastname": f"Rossi {name}", "email": f"{name}@x.example", "title": name, **more}


def card(name: str) -> dict[str, Value]:
    names: dict[str, Value] = {"givenName": "Anna", "surname": f"Rossi {name}", "jobTitle": name}
    return {**names, "emailAddresses": (f"{name}@x.example",)}


async def connected(users: dict[str, str] | None = None) -> World:
    world = World(users or USERS)
    await world.connect()
    return world


def living(world: World) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


def shown(mailbox: MemoryMailbox) -> list[Card]:
    return [each for each in mailbox.cards.values() if each.place == "folder"]


async def test_two_first_fills_at_once_bring_a_shared_customer_in_once() -> None:
    world = await connected()
    for mailbox in world.mailboxes.values():
        for number in range(20):
            mailbox.add(card(f"p{number}"))
    await asyncio.gather(*(world.worker().run(mailbox) for mailbox in world.mailboxes))
    await world.settle(4)
    assert len(living(world)) == 20


@pytest.mark.parametrize("state", ["open", "rejected"])
async def test_a_comparison_in_full_does_not_go_round_a_sweeps_hold(state: str) -> None:
    users = {f"19x{number}": f"mailbox-{number}" for number in range(10)}
    world = await connected(users)
    ids = [world.crm.add(Kind.CONTACT, user, person(f"{user}-{n}")).id for user in users for n in range(10)]
    await world.settle(2)
    for crm_id in ids[::10] + ids[1::10] + ids[2::10] + ids[3::10]:
        world.crm.delete(crm_id)
    await world.settle(2)
    (hold,) = await world.registry.holds()
    await world.registry.put_hold(replace(hold, state=state))
    world.time += timedelta(hours=24)
    await world.settle(2)
    assert sum(len(shown(mailbox)) for mailbox in world.mailboxes.values()) == 100


async def test_a_comparison_longer_than_a_slice_ends_and_deletions_travel() -> None:
    world = await connected({"19x1": "mailbox-a"})
    world.limits = Limits(slice=timedelta(seconds=20), chunk=7, batch=3, workers=2)
    ids = [world.crm.add(Kind.CONTACT, "19x1", person(str(number))).id for number in range(40)]
    passing = world._wire

    async def slow(moment: str, operation: str) -> str:
        if moment == "before" and not operation.endswith(("New", "Revise", "Remove")):
            world.time += timedelta(seconds=2)
        return await passing(moment, operation)

    (mailbox,) = world.mailboxes.values()
    world.crm.wire = mailbox.wire = slow
    await world.settle(12)
    assert len(shown(mailbox)) == 40
    world.crm.delete(ids[0])
    await world.settle(3)
    assert len(shown(mailbox)) == 39


class Full(MemoryMailbox):
    """A mailbox that takes no new cards."""

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        full = Refused(Failure(400, "ErrorQuota"))
        return [full if isinstance(write, New) else (await MemoryMailbox.apply(self, [write]))[0] for write in writes]


async def test_the_old_copy_stays_until_the_new_one_is_there() -> None:
    world = await connected()
    record = world.crm.add(Kind.CONTACT, "19x1", person("s1"))
    await world.settle(2)
    world.mailboxes["mailbox-b"] = Full("mailbox-b", world.now, world._kind_of, world._wire)
    world.crm.edit(record.id, owner="19x2")
    await world.settle(5)
    assert len(shown(world.mailboxes["mailbox-a"])) == 1


async def test_what_happens_between_the_first_run_and_the_first_sweep_is_seen() -> None:
    world = await connected({"19x1": "mailbox-a"})
    record = world.crm.add(Kind.CONTACT, "19x1", person("s1"))
    await world.worker().run("mailbox-a")
    world.time += timedelta(minutes=1)
    world.crm.edit(record.id, phone="1")
    await world.settle(3)
    assert [each.fields["businessPhones"] for each in shown(world.mailboxes["mailbox-a"])] == [("1",)]


async def test_a_card_moved_out_and_back_lives_on() -> None:
    world = await connected({"19x1": "mailbox-a"})
    world.crm.add(Kind.CONTACT, "19x1", person("s1"))
    await world.settle(2)
    mailbox = world.mailboxes["mailbox-a"]
    (mine,) = shown(mailbox)
    mailbox.move(mine.id, "elsewhere")
    await world.settle(2)
    mailbox.move(mine.id, "folder")
    mailbox.edit(mine.id, businessPhones=("9",))
    await world.settle(3)
    assert [record.fields["phone"] for record in living(world)] == ["9"]


async def test_a_colleague_is_not_taken_for_a_lost_creation() -> None:
    world = await connected({"19x1": "mailbox-a"})
    same = {"mailingcity": "Milano", "phone": "02 1", "mobile": "333", "department": "acquisti"}
    here: dict[str, Value] = {"businessAddress.city": "Milano", "businessPhones": ("02 1",), "mobilePhone": "333"}
    world.mailboxes["mailbox-a"].add({**card("s1"), **here, "department": "acquisti"})
    await world.attempt(Accident(await _operation("crm New"), "crash-before"))
    world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Bruno", "lastname": "Verdi", **same}, by_us=True)
    await world.settle(4)
    assert sorted(record.fields["lastname"] for record in living(world)) == ["Rossi s1", "Verdi"]


async def _operation(name: str) -> int:
    """The number of that operation in the first tick of such a world."""
    world = await connected({"19x1": "mailbox-a"})
    world.mailboxes["mailbox-a"].add(card("s1"))
    return (await world.attempt()).trace.index(name) + 1


async def test_a_company_card_that_gets_a_known_name_is_a_question() -> None:
    world = await connected({"19x1": "mailbox-a"})
    world.crm.add(Kind.COMPANY, "19x1", {"accountname": "Acme", "description": "d"})
    world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Carla", "lastname": "Neri", "email": "carla@acme.example"})
    await world.settle(2)
    mailbox = world.mailboxes["mailbox-a"]
    (company,) = (each for each in shown(mailbox) if each.fields.get("companyName") == "Acme")
    mailbox.edit(company.id, givenName="Carla", surname="Neri", emailAddresses=("carla@acme.example",))
    await world.settle(2)
    assert len([record for record in living(world) if record.kind is Kind.CONTACT]) == 1
    (hold,) = await world.registry.holds()
    await world.registry.put_hold(replace(hold, state="approved", until="2027-01-01", choice="new"))
    await world.settle(2)
    assert len([record for record in living(world) if record.kind is Kind.CONTACT]) == 2
    assert await world.registry.holds() == []


async def test_a_lost_creation_that_was_renamed_meanwhile_is_no_second_person() -> None:
    """Seed 3574: one of the two names was edited in the CRM before the crashed creation was looked up."""
    world = await connected({"19x1": "mailbox-a"})
    here: dict[str, Value] = {"businessAddress.city": "Milano", "businessPhones": ("02 1",), "mobilePhone": "333"}
    world.mailboxes["mailbox-a"].add({**card("s1"), **here})
    await world.attempt(Accident(await _operation("crm New"), "crash-after"))
    (record,) = living(world)
    world.crm.edit(record.id, firstname="Giovanna")
    await world.settle(4)
    assert [each.fields["firstname"] for each in living(world)] == ["Giovanna"]
    assert [each.fields["givenName"] for each in shown(world.mailboxes["mailbox-a"])] == ["Giovanna"]


async def test_a_lost_creation_whose_only_name_was_changed_meanwhile_is_no_second_person() -> None:
    """Seed 4506: who had a family name only was given another in the CRM before the crashed creation was looked up."""
    world = await connected({"19x1": "mailbox-a"})
    here: dict[str, Value] = {"businessAddress.city": "Milano", "businessPhones": ("02 1",), "mobilePhone": "333"}
    world.mailboxes["mailbox-a"].add({"surname": "Rossi", **here})
    await world.attempt(Accident(await _operation("crm New"), "crash-after"))
    (record,) = living(world)
    world.crm.edit(record.id, lastname="Verdi")
    await world.settle(4)
    assert [each.fields["lastname"] for each in living(world)] == ["Verdi"]
    assert [each.fields["surname"] for each in shown(world.mailboxes["mailbox-a"])] == ["Verdi"]


async def test_of_two_lost_creations_alike_but_for_the_name_a_renamed_record_is_nobodys() -> None:
    """Whose it is cannot be told: two people must not become one."""
    world = await connected({"19x1": "mailbox-a"})
    here: dict[str, Value] = {"businessAddress.city": "Milano", "businessPhones": ("02 1",), "mobilePhone": "333"}
    for name in ("Rossi", "Bianchi"):
        world.mailboxes["mailbox-a"].add({"surname": name, **here})
    await world.attempt(Accident(await _operation("crm New"), "crash-after"))
    (record,) = living(world)  # the other one was not made
    world.crm.edit(record.id, lastname="Verdi")
    await world.settle(6)
    kept = [each.fields["surname"] for each in shown(world.mailboxes["mailbox-a"])]
    assert {"Rossi", "Bianchi"} <= set(kept)


@pytest.mark.parametrize("how", ["lose", "crash-after"])
@pytest.mark.parametrize("back", [True, False])
async def test_a_write_whose_answer_was_lost_is_no_edit_of_the_other_side(how: str, back: bool) -> None:
    """Seed 4658: somebody takes an edit back while nobody knows yet that it had arrived; it must not come back as the mailbox's."""
    world = await connected({"19x1": "mailbox-a"})
    mailbox = world.mailboxes["mailbox-a"]
    here = mailbox.add({**card("s1"), "mobilePhone": "333"})
    await world.settle(3)
    (record,) = living(world)
    world.crm.edit(record.id, mobile="444")
    await world.attempt(Accident(await _revise_of_mailbox(), how))
    assert here.fields["mobilePhone"] == "444"
    world.crm.edit(record.id, mobile="333" if back else "555")
    await world.settle(4)
    assert (record.fields["mobile"], here.fields["mobilePhone"]) == (("333", "333") if back else ("555", "555"))
    mailbox.edit(here.id, mobilePhone="444")  # what was sent once is an edit like any other
    await world.settle(3)
    assert record.fields["mobile"] == "444"


async def _revise_of_mailbox() -> int:
    """At which operation the edit of the test above reaches the mailbox."""
    world = await connected({"19x1": "mailbox-a"})
    world.mailboxes["mailbox-a"].add({**card("s1"), "mobilePhone": "333"})
    await world.settle(3)
    (record,) = living(world)
    world.crm.edit(record.id, mobile="444")
    process = await world.attempt()
    return process.trace.index("mailbox Revise") + 1


class Sulking(MemoryCrm):
    """A CRM that has an internal error at every write."""

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return [Refused(Failure(500, "INTERNAL_SERVER_ERROR")) for _ in writes]


@pytest.mark.parametrize("act", ["edit", "move"])
async def test_what_the_crm_could_not_take_is_written_by_the_next_run(act: str) -> None:
    """Nothing else points at it: the delta's cursor has moved on and the record is as it was."""
    world = await connected({"19x1": "mailbox-a"})
    world.kinds[Kind.CONTACT] = replace(world.kinds[Kind.CONTACT], delete_in_crm=True)
    mailbox, crm = world.mailboxes["mailbox-a"], world.crm
    here = mailbox.add(card("s1"))
    await world.settle(2)
    if act == "edit":
        mailbox.edit(here.id, jobTitle="Direttrice")
    else:
        mailbox.move(here.id, "deleted")
    world.crm = Sulking(crm.now, records=crm.records, number=crm.number)
    await world.settle(1)
    world.crm = crm
    await world.settle(1)
    assert [r.fields["title"] for r in living(world)] == (["Direttrice"] if act == "edit" else [])


async def test_what_was_announced_and_never_sent_is_not_waited_for() -> None:
    """An admin connected somebody else, which ends runs under way, between the intents of a batch and its call."""
    world = await connected()
    for number in range(5):
        world.crm.add(Kind.CONTACT, "19x1", person(f"p{number}"))
    await world.tick()
    for number in range(5, 10):
        world.crm.add(Kind.CONTACT, "19x1", person(f"p{number}"))
    store, moved = world.rows.transact, False

    async def transact(partition: str, ops: Sequence[Op]) -> list[str]:
        nonlocal moved
        tags = await store(partition, ops)
        if not moved and any(isinstance(op, Put) and op.key.startswith("i|") for op in ops):
            moved = True
            await world.board.touch()
        return tags

    world.rows.transact = transact  # type: ignore[method-assign]
    await world.tick()
    assert moved
    (mailbox,) = (each for each in world.mailboxes.values() if each.id == "mailbox-a")
    await world.runs(world.worker())
    assert len(shown(mailbox)) == 10, "without the five minutes in which an unanswered call may still succeed"


async def test_kill_ends_a_run_at_what_is_under_way() -> None:
    """Sixty cards are to be made; Kill is pressed when the first are linked."""
    world = await connected()
    for number in range(60):
        world.crm.add(Kind.CONTACT, "19x1", person(f"p{number}"))
    store, at_kill = world.rows.transact, 0
    mailbox = world.mailboxes["mailbox-a"]

    async def transact(partition: str, ops: Sequence[Op]) -> list[str]:
        nonlocal at_kill
        tags = await store(partition, ops)
        if not at_kill and any(isinstance(op, Put) and op.key.startswith("c|") for op in ops):
            at_kill = len(shown(mailbox))
            await world.board.enter("killed", world.now())
        return tags

    world.rows.transact = transact  # type: ignore[method-assign]
    await world.runs(world.worker())
    under_way = world.limits.workers * world.limits.batch
    assert 0 < at_kill <= len(shown(mailbox)) <= at_kill + under_way < 60
    await world.board.enter("running", world.now())
    await world.settle(6)
    assert len(shown(mailbox)) == 60, "nothing lost, nothing doubled"

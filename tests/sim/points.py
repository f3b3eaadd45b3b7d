"""Every crash point of fixed scenarios: the process is killed at each operation in turn, before and after it."""

from __future__ import annotations

import random
from collections.abc import Callable

from mapping.contacts import CONTACTS
from mapping.model import FieldPair
from mapping.rules import FieldMapping
from sync.model import Kind
from sync.policy import KindPolicy, MailboxDelete
from tests.sim.properties import violations
from tests.sim.story import Story
from tests.sim.world import Accident, World, told_again

Act = Callable[[World, Story], None]
USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}


def _person(serial: str, **more: str) -> dict[str, str]:
    return {"firstname": "Anna", "lastname": f"Rossi {serial}", "email": f"{serial}@x.example", "title": serial, **more}


def _card(serial: str, **more: object) -> dict[str, object]:
    base: dict[str, object] = {
        "givenName": "Anna",
        "surname": f"Rossi {serial}",
        "emailAddresses": (f"{serial}@x.example",),
        "jobTitle": serial,
    }
    return {**base, **more}


def _three(world: World, story: Story) -> None:
    """Before each scenario: a record in each mailbox's home, and a card born in a mailbox."""
    world.crm.add(Kind.CONTACT, "19x1", _person("s1", phone="1"))
    world.crm.add(Kind.CONTACT, "19x2", _person("s2", phone="1"))
    world.mailboxes["mailbox-a"].add(_card("s3", businessPhones=("1",)))  # type: ignore[arg-type]
    world.crm.add(Kind.COMPANY, "19x1", {"accountname": "Acme", "description": "s4"})
    story.serial = 4


def _record(world: World, serial: str) -> str:
    return next(
        r.id for r in world.crm.records.values() if serial in {r.fields.get("title"), r.fields.get("description")}
    )


def _card_id(world: World, mailbox: str, serial: str) -> str:
    cards = world.mailboxes[mailbox].cards.values()
    return next(c.id for c in cards if serial in {c.fields.get("jobTitle"), c.fields.get("personalNotes")})


def _gone(story: Story, serial: str) -> None:
    story.gone.add(serial)
    story.removed.add(serial)


def crm_creates(world: World, story: Story) -> None:
    world.crm.add(Kind.CONTACT, "19x1", _person("s5"))
    story.serial = 5


def mailbox_creates(world: World, story: Story) -> None:
    world.mailboxes["mailbox-a"].add(_card("s5"))  # type: ignore[arg-type]
    story.serial = 5


def both_create_the_same(world: World, story: Story) -> None:
    crm_creates(world, story)
    mailbox_creates(world, story)


def company_card_created(world: World, story: Story) -> None:
    world.mailboxes["mailbox-b"].add({"companyName": "Beta", "personalNotes": "s5"})
    story.serial = 5


def crm_edits(world: World, story: Story) -> None:
    world.crm.edit(_record(world, "s1"), phone="2")


def mailbox_edits(world: World, story: Story) -> None:
    world.mailboxes["mailbox-a"].edit(_card_id(world, "mailbox-a", "s1"), businessPhones=("2",))


def both_edit(world: World, story: Story) -> None:
    crm_edits(world, story)
    world.mailboxes["mailbox-a"].edit(_card_id(world, "mailbox-a", "s1"), department="x")


def both_edit_the_same(world: World, story: Story) -> None:
    crm_edits(world, story)
    world.mailboxes["mailbox-a"].edit(_card_id(world, "mailbox-a", "s1"), businessPhones=("3",))


def emoji_and_length(world: World, story: Story) -> None:
    card = _card_id(world, "mailbox-a", "s3")
    world.mailboxes["mailbox-a"].edit(card, department="😀" * 40, businessAddress__city="C" * 90)


def crm_deletes(world: World, story: Story) -> None:
    world.crm.delete(_record(world, "s1"))
    _gone(story, "s1")


def mailbox_deletes(world: World, story: Story) -> None:
    world.mailboxes["mailbox-a"].move(_card_id(world, "mailbox-a", "s1"), "deleted")
    _gone(story, "s1")


def both_delete(world: World, story: Story) -> None:
    crm_deletes(world, story)
    world.mailboxes["mailbox-a"].move(_card_id(world, "mailbox-a", "s1"), "deleted")


def crm_deletes_mailbox_edits(world: World, story: Story) -> None:
    mailbox_edits(world, story)
    crm_deletes(world, story)


def mailbox_deletes_crm_edits(world: World, story: Story) -> None:
    crm_edits(world, story)
    mailbox_deletes(world, story)


def reassigned(world: World, story: Story) -> None:
    world.crm.edit(_record(world, "s1"), owner="19x2")


def reassigned_and_edited(world: World, story: Story) -> None:
    mailbox_edits(world, story)
    reassigned(world, story)


def reassigned_born_in_mailbox(world: World, story: Story) -> None:
    world.crm.edit(_record(world, "s3"), owner="19x2")
    story.copies.add("s3")  # the card stays, the new owner gets one


def given_to_a_group(world: World, story: Story) -> None:
    world.crm.edit(_record(world, "s1"), owner=world.group)


def moved_out(world: World, story: Story) -> None:
    world.mailboxes["mailbox-a"].move(_card_id(world, "mailbox-a", "s1"), "elsewhere")
    _gone(story, "s1")


def copied(world: World, story: Story) -> None:
    mailbox = world.mailboxes["mailbox-a"]
    card = mailbox.cards[_card_id(world, "mailbox-a", "s1")]
    mailbox.add(card.fields, card.stamp)
    story.copies.add("s1")


def company_becomes_contact(world: World, story: Story) -> None:
    card = _card_id(world, "mailbox-a", "s4")
    world.mailboxes["mailbox-a"].edit(card, givenName="Carla", surname="Neri")
    story.copies.add("s4")


def account_renamed(world: World, story: Story) -> None:
    world.crm.edit(_record(world, "s1"), account_id=_record(world, "s4"))
    world.crm.edit(_record(world, "s4"), accountname="Acme due")


def company_named_on_card(world: World, story: Story) -> None:
    world.mailboxes["mailbox-a"].edit(_card_id(world, "mailbox-a", "s3"), companyName="Acme")


def cursor_lost(world: World, story: Story) -> None:
    mailbox_edits(world, story)
    for mailbox in world.mailboxes.values():
        mailbox.forgotten = len(mailbox.log) + 1


def deletes_travel(world: World, story: Story) -> None:
    world.kinds[Kind.CONTACT] = KindPolicy(delete_in_crm=True)
    mailbox_deletes(world, story)


def deletes_left(world: World, story: Story) -> None:
    world.kinds[Kind.CONTACT] = KindPolicy(mailbox_delete=MailboxDelete.LEAVE)
    mailbox_deletes(world, story)


def mapping_moves(world: World, story: Story) -> None:
    others = (pair for pair in CONTACTS.pairs if pair.crm != "phone")
    world.put_mapping(FieldMapping("contact", (*others, FieldPair("phone", "homePhones#2"))))
    world.full = set(world.mailboxes)


def mapping_moves_and_everybody_edits(world: World, story: Story) -> None:
    crm_edits(world, story)
    mailbox_edits(world, story)
    mapping_moves(world, story)


SCENARIOS: list[Act] = [
    crm_creates,
    mailbox_creates,
    both_create_the_same,
    company_card_created,
    crm_edits,
    mailbox_edits,
    both_edit,
    both_edit_the_same,
    emoji_and_length,
    crm_deletes,
    mailbox_deletes,
    both_delete,
    crm_deletes_mailbox_edits,
    mailbox_deletes_crm_edits,
    reassigned,
    reassigned_and_edited,
    reassigned_born_in_mailbox,
    given_to_a_group,
    moved_out,
    copied,
    company_becomes_contact,
    account_renamed,
    company_named_on_card,
    cursor_lost,
    deletes_travel,
    deletes_left,
    mapping_moves,
    mapping_moves_and_everybody_edits,
]


async def _begun() -> Story:
    world = World(USERS)
    story = Story(world, random.Random(0))
    await world.connect()
    _three(world, story)
    await world.settle(3)
    return story


async def _play(begun: Story, act: Act, accident: Accident | None) -> tuple[list[str], int]:
    """One scenario with one accident: what is wrong, and how many operations the tick had."""
    story = told_again(begun)
    world = story.world
    act(world, story)
    process = await world.attempt(accident)
    last = await world.settle(6)
    return await violations(story, last), process.operations


async def every_point(
    act: Act, what: tuple[str, ...] = ("crash-before", "crash-after", "lose"), step: int = 1, first: int = 1
) -> list[str]:
    """All accidents at all operations of one scenario (or at every `step`-th from `first` on)."""
    begun = await _begun()
    wrong, operations = await _play(begun, act, None)
    found = [f"{act.__name__} undisturbed: {message}" for message in wrong]
    for at in range(first, operations + 1, step):
        for kind in what:
            wrong, _ = await _play(begun, act, Accident(at, kind))
            found += [f"{act.__name__} {kind} at {at}: {message}" for message in wrong]
    return found

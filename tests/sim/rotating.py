"""An admin rotates the key of digests while people go on, and takes the old one away when docs/operations.md says that it may go."""

from __future__ import annotations

import random

from sync.model import Family
from sync.store.ledger import MailboxLedger
from sync.store.secrets import Keyring
from tests.sim.world import World

RATE = 0.15
INDEX, ENCRYPTION = b"i" * 32, [("a", b"e" * 32)]
OLD, NEW = ("a", b"d" * 32), ("b", b"r" * 32)


def rotate(world: World) -> None:
    world.keys = Keyring(INDEX, [NEW, OLD], ENCRYPTION)


async def take_away(world: World) -> bool:
    """The old key goes, if every mailbox was compared in full since the rotation."""
    for mailbox in world.users.values():
        for family in Family:
            ledger = MailboxLedger(world.rows, mailbox, 0, "", family)
            point = await ledger.checkpoint()
            if point.key not in ("", NEW[0]) or await ledger.intents() or await ledger.pending():
                return False
    world.keys = Keyring(INDEX, [NEW], ENCRYPTION)
    return True


async def may_rotate(world: World, seed: int, number: int) -> None:
    """Between two rounds of a story. With dice of its own: what people do stays what it was."""
    dice = random.Random(f"rotation {seed} {number}")
    if dice.random() < RATE and number == 0:
        rotate(world)
    elif world.keys.digest_key == NEW[0]:
        await take_away(world)

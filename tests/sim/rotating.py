"""An admin rotates the key of digests while people go on; the old one stays readable, as docs/operations.md says."""

from __future__ import annotations

import random

from sync.store.secrets import Keyring
from tests.sim.world import World

RATE = 0.15
INDEX, ENCRYPTION = b"i" * 32, [("a", b"e" * 32)]
OLD, NEW = ("a", b"d" * 32), ("b", b"r" * 32)


def rotate(world: World) -> None:
    world.keys = Keyring(INDEX, [NEW, OLD], ENCRYPTION)


def may_rotate(world: World, seed: int, number: int) -> None:
    """Between two rounds of a story. With dice of its own: what people do stays what it was."""
    if number == 0 and random.Random(f"rotation {seed}").random() < RATE:
        rotate(world)

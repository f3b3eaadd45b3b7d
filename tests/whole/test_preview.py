"""A preview over the adapters and the emulators of both servers: nothing but reads reaches them, and the run that follows does what was said."""

from __future__ import annotations

import asyncio

from sync.preview import dry_run
from tests.sim.test_preview import Watched, watched_story
from tests.whole.world import WholeWorld


class WatchedWhole(Watched, WholeWorld):
    """Previews and runs through the product's adapters."""


def test_what_a_preview_says_is_what_happens_over_the_emulators() -> None:
    assert [wrong for seed in range(6) for wrong in asyncio.run(watched_story(seed, WatchedWhole()))] == []


async def test_a_preview_makes_no_folder() -> None:
    world = WatchedWhole()
    user, mailbox = next(iter(world.users.items()))
    world.crm.add("contact", user, {"firstname": "Anna", "lastname": "Rossi"})  # type: ignore[arg-type]
    before = world.graph.dump(mailbox)
    seen = await dry_run(world.worker(), mailbox, user)
    assert sum(seen.counts.values()) == 1
    assert world.graph.dump(mailbox) == before

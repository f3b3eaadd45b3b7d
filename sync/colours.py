"""Before a mailbox's events carry the category of a resource, the category gets its colour there (SPEC 5.3). I/O; decides nothing.

Needs a permission that nothing else does. A category shows without a colour too, so a failure stops nothing: the run tells it and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.errors import Cause
from sync.sides.base import New, Revise, Write
from sync.tools import Tools


async def colour(writes: Iterable[Write], tools: Tools) -> None:
    """Make the categories that these writes to the mailbox carry. Each is tried once per run."""
    carried = {
        name for write in writes if isinstance(write, New | Revise) for name in write.fields.get("categories") or ()
    }
    ours = tools.context.policy.people.colours
    wanted = {name: ours[name] for name in sorted(carried - tools.coloured) if name in ours}
    if not wanted:
        return
    tools.coloured |= wanted.keys()
    if await tools.mailbox.colour(wanted) is not None:
        tools.cause = Cause.CATEGORIES_WITHOUT_COLOUR.value

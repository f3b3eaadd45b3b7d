"""Carries the post: brings copies up to date, lets rooms answer, and shows answers to organizers.

At once, or (switch `delivery=late`) when `outlook.deliver()` is called. Only users of the tenant with a licence have a mailbox
here; mails to all others were noted when they were sent and end there.
"""

from __future__ import annotations

from emulators.graph import answers, copies, rooms
from emulators.graph.outbox import Notice
from emulators.graph.world import World


def dispatch(world: World) -> None:
    """After something was put in the post: deliver it now, unless it is to wait."""
    if world.quirks.delivery == "at_once":
        deliver(world)


def deliver(world: World) -> int:
    """Deliver all that waits, and what comes of it (rooms answer); how many messages that were."""
    count = 0
    while world.post.waiting:
        message = world.post.waiting.popleft()
        count += 1
        if isinstance(message, Notice):
            _to_attendee(world, message)
        else:
            answers.show(world, message)
    return count


def _to_attendee(world: World, notice: Notice) -> None:
    user, organizer = world.at_address(notice.to), world.users.get(notice.organizer)
    if user is None or organizer is None or not user.licensed:
        return
    if notice.kind == "cancellation":
        copies.call_off(world, user, notice)
        return
    copy = copies.bring(world, user, organizer, notice)
    if copy is not None and user.kind != "user":
        rooms.decide(world, user, copy, notice.slot if copy.rule is not None else None)

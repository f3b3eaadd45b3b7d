"""Deletions of a run: collected to the end, counted together, held beyond the brake, executed last. I/O.

A hold covers exactly the items shown: its pending rows carry the versions. An approval lets those pass for 24 hours; what
changed since is planned anew and counts anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sync.apply import apply
from sync.brakes import braked
from sync.cutting import cut, cut_cost, cuts
from sync.event_names import series_of
from sync.gather import Links
from sync.holds import ask
from sync.keeping import decline, hand_over
from sync.mails import deletions_within_limits, whole_series_within_limits
from sync.model import Decline, Delete, Hold, Kind, Link, Reason, Side
from sync.record import unlink_ops, waiting
from sync.store.asking import HoldRow
from sync.store.base import Op
from sync.store.ledger import Checkpoint, Pending, put_pending
from sync.tools import Tools

DAY = timedelta(hours=24)
SHOWN = 100


class Deletions:
    """Collects the deletions of one run."""

    def __init__(self, tools: Tools, point: Checkpoint, links: Links | None) -> None:
        self._tools, self._point, self._links = tools, point, links
        self._planned: list[Delete] = []
        self.unlinked: list[Link] = []
        self.declined: list[Decline] = []

    def add(self, action: Delete) -> None:
        self._planned.append(action)

    async def postpone(self) -> None:
        """The slice ended: they are planned again, and counted together, by the slice that ends the comparison."""
        rows = [[waiting(Side.CRM, a.link.crm_id, a.link.kind, Reason.SLICE_ENDED, self._tools)] for a in self._planned]
        await self._tools.ledger.commit_groups(rows)

    async def execute(self, size: int) -> Checkpoint:
        """Brake, delete what may be deleted, return the checkpoint with the rolling count."""
        tools = self._tools
        free = [action for action in self._planned if action.moved]
        groups: dict[tuple[Kind, Side], list[Delete]] = defaultdict(list)
        for action in self._planned:
            if not action.moved:
                groups[(action.link.kind, action.side)].append(action)
        counted: list[Delete] = []
        for (kind, side), actions in groups.items():
            counted += await self._pass(kind, side, actions)
        point = self._count(counted)
        if counted:
            await tools.ledger.save_checkpoint(point)  # before the calls: an upper bound
        allowed = free + counted
        for series, actions in (await cuts(allowed, tools)).items():
            await self._call_off(series, actions)
            allowed = [action for action in allowed if action not in actions]
        allowed, held = await deletions_within_limits(allowed, tools)
        await self._ask(held)
        for start in range(0, len(allowed), size):
            await apply(allowed[start : start + size], tools)
        await decline(self.declined, tools)
        await hand_over(self.unlinked, tools)
        return point

    async def _call_off(self, series: str, actions: Sequence[Delete]) -> None:
        """A series of which nothing is left in the CRM ends in one call, if its mails may leave."""
        held = await whole_series_within_limits(
            series, actions, await cut_cost(series, actions, self._tools), self._tools
        )
        await self._ask(held)
        if not held:
            await cut(series, actions, self._tools)

    async def _ask(self, held: Sequence[Hold]) -> None:
        await self._tools.ledger.commit_groups([[await ask(hold, Kind.EVENT, self._tools)] for hold in held])

    async def _pass(self, kind: Kind, side: Side, actions: Sequence[Delete]) -> list[Delete]:
        """Those that may be executed now; the others become part of a hold, or are given up where it was rejected."""
        everybodys = await self._tools.registry.holds()
        holds = {row.id: row for row in everybodys if row.mailbox == self._mailbox}
        asked = await self._asked_by_sweep(kind, side, everybodys)
        permitted: list[Delete] = []
        rest: list[Delete] = []
        for action in actions:
            if answer := asked.get(action.link.crm_id):
                await self._as_answered(action, answer)
                continue
            row = self._tools.pending.get((Side.CRM, action.link.crm_id))
            hold = holds.get(row.hold) if row and row.shown == shown(action) else None
            if hold and hold.state == "rejected":
                ops = unlink_ops(action.link, Reason.DELETE_LEFT, True, self._tools)
                await self._tools.ledger.commit(ops)
                self.unlinked.append(action.link)
            elif hold and hold.state == "approved" and hold.until > self._tools.at():
                permitted.append(action)
            else:
                rest.append(action)
        recent = self._recent(kind, side)
        population = await self._population(kind) + recent
        if not braked(len(_things(rest)), recent, population, self._tools.context.policy.deletes):
            return permitted + rest
        await self._hold(kind, side, rest, list(holds.values()))
        return permitted

    async def _asked_by_sweep(self, kind: Kind, side: Side, holds: Sequence[HoldRow]) -> dict[str, str]:
        """CRM ids whose deletion a sweep asked an admin about -> open | rejected: a comparison in full must not go round that."""
        asked: dict[str, str] = {}
        for hold in holds:
            if hold.mailbox or hold.kind is not kind or side is not Side.MAILBOX or hold.state == "approved":
                continue
            asked.update(dict.fromkeys(await self._tools.registry.shown_in(hold), hold.state))
        return asked

    async def _as_answered(self, action: Delete, answer: str) -> None:
        link, tools = action.link, self._tools
        if answer == "rejected":
            await tools.ledger.commit(unlink_ops(link, Reason.DELETE_LEFT, True, tools))
            self.unlinked.append(link)
        else:
            await tools.ledger.commit([waiting(Side.CRM, link.crm_id, link.kind, Reason.DELETE_BRAKE, tools)])

    @property
    def _mailbox(self) -> str:
        return self._tools.context.policy.mailbox

    async def _population(self, kind: Kind) -> int:
        if self._links is not None:
            items = {_thing(link) for link in self._links.by_crm.values() if link.kind is kind}
        else:
            items = {_thing(link) async for link in self._tools.ledger.links() if link.kind is kind}
        return len(items)

    def _recent(self, kind: Kind, side: Side) -> int:
        start = (self._tools.now() - DAY).strftime("%Y-%m-%dT%H")
        return sum(
            n
            for key, n in self._point.deletes.items()
            if key.startswith(f"{kind.value}|{side.value}|") and key.rsplit("|", 1)[1] >= start
        )

    def _count(self, actions: Sequence[Delete]) -> Checkpoint:
        start = (self._tools.now() - DAY).strftime("%Y-%m-%dT%H")
        hour = self._tools.now().strftime("%Y-%m-%dT%H")
        deletes = {key: n for key, n in self._point.deletes.items() if key.rsplit("|", 1)[1] >= start}
        for kind, side, _ in {(a.link.kind, a.side, _thing(a.link)) for a in actions}:
            key = f"{kind.value}|{side.value}|{hour}"
            deletes[key] = deletes.get(key, 0) + 1
        return replace(self._point, deletes=deletes)

    async def _hold(self, kind: Kind, side: Side, actions: Sequence[Delete], holds: Sequence[HoldRow]) -> None:
        tools = self._tools
        open_one = next(
            (h for h in holds if (h.kind, h.side, h.because, h.state) == (kind, side, Reason.DELETE_BRAKE, "open")),
            None,
        )
        ids = [action.link.crm_id for action in actions]
        others = [r.id for r in tools.pending.values() if open_one and r.hold == open_one.id and r.id not in set(ids)]
        everything = [*ids, *others]
        hold = await self._asked(open_one, kind, side, actions, everything)
        groups: list[list[Op]] = []
        for action in actions:
            row = Pending(
                Side.CRM,
                action.link.crm_id,
                Reason.DELETE_BRAKE,
                tools.at(),
                hold=hold.id,
                shown=shown(action),
                kind=kind.value,
            )
            tools.pending[(Side.CRM, row.id)] = row
            tools.counts[Reason.DELETE_BRAKE.value] += 1
            groups.append([put_pending(row)])
        await tools.ledger.commit_groups(groups)

    async def _asked(
        self, open_one: HoldRow | None, kind: Kind, side: Side, actions: Sequence[Delete], everything: Sequence[str]
    ) -> HoldRow:
        """The hold about these deletions: the open one, grown by what it did not show yet, or a new one where it was answered meanwhile."""
        tools, seen = self._tools, {"count": len(everything), "items": tuple(everything[:SHOWN])}
        if open_one:
            rows = [(tools.pending.get((Side.CRM, action.link.crm_id)), shown(action)) for action in actions]
            same = all(row and (row.hold, row.shown) == (open_one.id, now) for row, now in rows)
            if same and open_one.count == len(everything):
                return open_one
            grown = replace(open_one, version=open_one.version + 1, **seen)  # type: ignore[arg-type]
            if await tools.registry.change_hold(open_one, grown):
                return grown
        hold = HoldRow(tools.new_id(), self._mailbox, kind, side, Reason.DELETE_BRAKE, tools.at(), **seen)  # type: ignore[arg-type]
        await tools.registry.put_hold(hold)
        return hold


def _things(actions: Sequence[Delete]) -> set[str]:
    """What is deleted, a series counted once however many of its occurrences go."""
    return {_thing(action.link) for action in actions}


def _thing(link: Link) -> str:
    return series_of(link.item_id) if link.kind is Kind.EVENT else link.item_id


def shown(action: Delete) -> str:
    """What an admin was asked about: this very state of the item."""
    return f"{action.because.value}|{action.side.value}|{action.item.version}"

"""The brakes: more deletions (SPEC 7.1) or more mails (SPEC 2.9) than normal wait for a person. Pure.

Per mailbox, kind and side, for one run and for the last 24 hours together; and per sweep for a module of the CRM. Copies that follow their record to
another mailbox are no deletions. Below the limit everything flows; beyond it *all* of them are held: which of 300 deletions are the five
harmless ones cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.policy import MAILBOX_LIMITS, DeleteLimits, MailLimits


def braked(planned: int, recent: int, population: int, limits: DeleteLimits = MAILBOX_LIMITS) -> bool:
    """Are `planned` deletions now, after `recent` ones in the last 24 hours, too many for `population` items?

    `population` counts the items before any of them: those still there and those deleted in the last 24 hours.
    """
    return planned > 0 and planned + recent > limits.allowed(population)


@dataclass(slots=True)
class Budget:
    """What this run, however many slices it takes, may still send. `hours`: hour (ISO) -> mails charged, of the last day."""

    limits: MailLimits
    hours: dict[str, int]
    meetings: int = 0
    mails: int = 0
    changed: bool = False

    def fits(self, cost: int) -> bool:
        today = sum(self.hours.values())
        return (
            self.meetings < self.limits.meetings
            and self.mails + cost <= self.limits.mails
            and today + cost <= self.limits.day
        )

    def charge(self, cost: int, hour: str) -> None:
        self.meetings += 1
        self.mails += cost
        self.hours[hour] = self.hours.get(hour, 0) + cost
        self.changed = True

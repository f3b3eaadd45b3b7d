"""The organisation's consent, as far as we saw it given: by whom and when. A note for people; what Entra grants is Entra's to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.store.base import Put, Rows

PARTITION, KEY = "control", "consent"
ADMIN, POPUP = "admin_consent", "popup"


@dataclass(frozen=True, slots=True)
class Consent:
    """`by`: object id of who gave it, '' = Entra did not say (the page for administrators). `how`: admin_consent | popup."""

    at: str
    by: str
    how: str
    tenant: str


async def read_consent(rows: Rows) -> Consent | None:
    row = await rows.get(PARTITION, KEY)
    if row is None:
        return None
    data = {name: str(value) for name, value in row.data.items()}
    return Consent(data["at"], data["by"], data["how"], data["tenant"])


async def note_consent(rows: Rows, tenant: str, by: str, how: str, now: datetime) -> Consent:
    """The newest one counts."""
    consent = Consent(now.isoformat(timespec="seconds"), by, how, tenant)
    data = {"at": consent.at, "by": by, "how": how, "tenant": tenant}
    await rows.transact(PARTITION, [Put(KEY, data)])
    return consent

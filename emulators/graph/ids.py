"""How ids, change keys and iCal ids are made: opaque to clients, the same again in every run."""

from __future__ import annotations

import base64
import hashlib
from datetime import date


def opaque(owner: str, prefix: str, *parts: object) -> str:
    """An id that says nothing: hash of the mailbox and of `parts` behind the prefix of its form (BEHAVIOUR 5.2)."""
    digest = hashlib.sha256(":".join(map(str, (owner, prefix, *parts))).encode()).digest()
    return prefix + base64.urlsafe_b64encode(digest).decode()


def change_key(*seqs: int) -> str:
    """The change key of a save; several numbers where the item depends on several saves."""
    raw = b"\x11\0\0\0\x16\0\0\0" + b"".join(seq.to_bytes(8, "big") for seq in seqs)
    return base64.b64encode(raw).decode()


def ical_uid(owner: str, number: int, slot: date | None = None) -> str:
    """A GlobalObjectId in hex: the copies of a series' occurrences differ by the date of the slot (BEHAVIOUR 5.2)."""
    day = f"{slot.year:04X}{slot.month:02X}{slot.day:02X}" if slot else "00000000"
    data = hashlib.sha256(f"{owner}:{number}:uid".encode()).hexdigest()[:48].upper()
    return f"040000008200E00074C5B7101A82E008{day}{data[:16]}000000000000000010000000{data[16:]}"

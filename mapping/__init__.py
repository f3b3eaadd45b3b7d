"""What a field is and how it translates: contacts and companies, CRM <-> mailbox. No I/O.

Read model.py (the contract with the engine), contacts.py and companies.py (what is mapped by default), then translate.py.
"""

from __future__ import annotations

from mapping.names import kind_of_card

__all__ = ["kind_of_card"]

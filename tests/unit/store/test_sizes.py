"""What `base.check` may rely on: no row travels as more than five times the bytes that it is stored as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.base import (
    MAX_OPS,
    MAX_TRANSACTION_BYTES,
    Data,
    LimitExceeded,
    Op,
    Put,
    check,
    check_key,
    sent_bytes,
    size_of,
)

NAMES = st.text(st.sampled_from("aéΩ_中𝒳"), min_size=1, max_size=6).filter(str.isidentifier)
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.text(st.sampled_from('\x00\x1f\x7f"\\è🚀'), max_size=8),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_what_travels_is_at_most_five_times_what_is_stored(data: Data) -> None:
    assert sent_bytes(Put("r", data)) <= 1024 + 5 * size_of(data)


def test_a_transaction_that_only_travels_too_large_is_refused() -> None:
    """Below 4 MiB as it is stored, above as it is sent."""
    ops: list[Op] = [Put(f"r{n}", {f"a{i}": "è" * 32000 for i in range(3)}) for n in range(12)]
    assert sum(size_of(op.data) for op in ops if isinstance(op, Put)) < MAX_TRANSACTION_BYTES
    with pytest.raises(LimitExceeded, match="transaction"):
        check("p", ops)
    check("p", ops[:6])


def test_many_small_rows_are_taken() -> None:
    check("p", [Put(f"r{n}", {"a": "x"}) for n in range(MAX_OPS)])


@pytest.mark.parametrize("code", [*range(0x20), 0x23, 0x2F, 0x3F, 0x5C, *range(0x7F, 0xA0)])
def test_no_such_character_is_in_a_key(code: int) -> None:
    with pytest.raises(LimitExceeded):
        check_key(f"a{chr(code)}b")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\#?"), min_size=1, max_size=20))
def test_every_other_key_is_taken(key: str) -> None:
    check_key(key)

"""Canonical forms: any chunking, any bytes, as dkimpy has them."""

import hashlib
import mmap
import tracemalloc
from itertools import pairwise
from unittest.mock import patch

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.dkim import canonical
from filterd.dkim.canonical import BodyForm, BodyHash, RelaxedBody, body_hashes, relaxed_field, trailing_line_ends

WHOLE = [BodyForm(relaxed=True, limit=None), BodyForm(relaxed=False, limit=None)]
BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n", b" \r\n", b"x", b"\x80"]), max_size=40
).map(b"".join)


def expected(body: bytes, form: BodyForm) -> BodyHash:
    """By dkimpy."""
    whole = (Relaxed if form.relaxed else Simple).canonicalize_body(body)
    return BodyHash(hashlib.sha256(whole[: form.limit]).digest(), len(whole))


@given(BODIES, st.integers(0, 80))
@example(b" ", 0)
@example(b"\r\n", 0)
@example(b"\n\r\n", 1)
@example(b"x\r\n \r\n\t\r\n", 2)
def test_same_as_dkimpy(body: bytes, limit: int) -> None:
    """Any body, whole or cut by l=, hashes as in dkimpy."""
    for form in [*WHOLE, BodyForm(relaxed=True, limit=limit), BodyForm(relaxed=False, limit=limit)]:
        assert body_hashes(body, [form])[form] == expected(body, form)


@given(BODIES, st.sampled_from([2, 4, 6, 10]))
def test_block_size_does_not_matter(body: bytes, size: int) -> None:
    """Wherever the blocks are cut in which a body is read, its hashes are the same."""
    with patch.object(canonical, "CHUNK", size):
        assert body_hashes(body, WHOLE) == {form: expected(body, form) for form in WHOLE}


@pytest.mark.threat("MTA-16")
@given(BODIES, st.lists(st.integers(0, 120), max_size=10))
def test_pieces_of_any_length(body: bytes, cuts: list[int]) -> None:
    """A body that comes in pieces has the relaxed form of the whole."""
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    sink = hashlib.sha256()
    relaxed = RelaxedBody([sink])
    for start, end in pairwise(bounds):
        relaxed.update(body[start:end])
    relaxed.finish()
    assert BodyHash(sink.digest(), relaxed.size) == expected(body, WHOLE[0])


@given(st.binary(max_size=30).filter(lambda name: b":" not in name), BODIES)
def test_relaxed_field_as_dkimpy(name: bytes, value: bytes) -> None:
    """A field's relaxed form is dkimpy's, for values as mail has them: folds are CRLF, no other line ends."""
    name = name.strip() or b"x"
    value = value.replace(b"\r\n", b"\0").replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"\r\n ")
    ((lower, form),) = Relaxed.canonicalize_headers([(name, value + b"\r\n")])
    assert relaxed_field(name, value) == lower + b":" + form


def test_a_hashed_body_hashes_each_form_once() -> None:
    """Whoever asks second gets the first one's hash."""
    with patch.object(canonical, "body_hashes", wraps=body_hashes) as hashing:
        hashed = canonical.HashedBody(b"x\r\n")
        for _ in range(2):
            for form in WHOLE:
                assert hashed.hashes([form])[form] == expected(b"x\r\n", form)
    assert [call.args[1] for call in hashing.call_args_list if call.args[1]] == [[form] for form in WHOLE]


@given(BODIES)
def test_trailing_line_ends(data: bytes) -> None:
    """The line ends at the end are counted as by cutting off one after another."""
    count, rest = 0, data
    while rest.endswith(b"\r\n"):
        count, rest = count + 1, rest[:-2]
    assert trailing_line_ends(data) == count


def test_forms_side_by_side() -> None:
    """All forms that the signatures of a message want come from one call, and no form costs nothing."""
    body = b"one  two \r\n\r\nthree\r\n\r\n"
    forms = [*WHOLE, *(BodyForm(relaxed, limit) for relaxed in (True, False) for limit in (0, 5, 10**70))]
    assert body_hashes(body, forms) == {form: expected(body, form) for form in forms}
    assert body_hashes(body, []) == {}


def test_mapped_body() -> None:
    """A body in a memory map is read in place, and the map can be closed afterwards."""
    with mmap.mmap(-1, 1 << 20) as mapped:
        mapped[:] = b"x" * (1 << 20)
        hashes = body_hashes(mapped, WHOLE)
    assert hashes[WHOLE[1]] == expected(b"x" * (1 << 20), WHOLE[1])


@pytest.mark.threat("AUTH-07")
@pytest.mark.parametrize("pattern", [b" ", b"x \r\n", b"\r\n", b"base64 text of some length\r\n"], ids=repr)
def test_memory_does_not_grow_with_the_body(pattern: bytes) -> None:
    """A body of 16 MB takes a few chunks of memory."""
    body = pattern * ((16 << 20) // len(pattern)) + b"x\r\n"
    tracemalloc.start()
    try:
        body_hashes(body, WHOLE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * canonical.CHUNK


@pytest.mark.threat("AUTH-07")
def test_ten_megabytes_of_blanks() -> None:
    """The run that a naive expression takes hours for is one blank."""
    form = WHOLE[0]
    assert body_hashes(b" " * 10_000_000 + b"x\r\n", [form])[form].digest == hashlib.sha256(b" x\r\n").digest()

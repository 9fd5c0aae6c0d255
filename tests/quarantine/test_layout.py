"""Header fields come back out of the raw bytes as the MTA handed them over."""

import pytest

from filterd.model.message import HeaderField, header_block
from filterd.quarantine.layout import LAYOUT, fields_of, layout_note
from tests.quarantine.samples import BODY, FIELDS

ODD: list[tuple[HeaderField, ...]] = [
    ((b"A", b" x\0y"),),
    ((b"no name", b" z"), (b"B", b" 1")),
    ((b"A", b" 1\r\n\r\nBody: no"), (b"B", b"")),
    ((b"A", b" 1\rB: 2"),),
    ((b"", b""),),
    ((b"A", b" bare\nline"),),
    ((b"A:B", b" c"),),
    tuple((b"X-%d" % number, b" y") for number in range(5_000)),
]


def test_an_ordinary_header_needs_no_note() -> None:
    """Its bytes say where each field begins."""
    assert layout_note(FIELDS) == {}
    assert layout_note(()) == {}
    assert fields_of(header_block(FIELDS) + BODY, {}) == (FIELDS, len(header_block(FIELDS)))


@pytest.mark.parametrize("fields", ODD, ids=range(len(ODD)))
def test_an_odd_one_comes_back_exactly(fields: tuple[HeaderField, ...]) -> None:
    """Whatever stands in names and values."""
    found, offset = fields_of(header_block(fields) + BODY, layout_note(fields))
    assert (found, offset) == (fields, len(header_block(fields)))


@pytest.mark.parametrize("note", ["1:2", "x:y", "1", "-1:5", "1:99999", "0:0 0:0"])
def test_a_note_about_other_bytes_is_refused(note: str) -> None:
    """Words instead of fields that were never there."""
    with pytest.raises(ValueError, match=r"."):
        fields_of(header_block(FIELDS) + BODY, {LAYOUT: note})

"""Marks of released mail: what was signed is read back, and nothing else is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.quarantine import Quarantine
from filterd.quarantine import tokens as token
from filterd.quarantine.keys import Key, Keys
from filterd.quarantine.marks import (
    FIELD,
    LIFETIME,
    MAX_MARK,
    MAX_TIMES,
    RETURNED,
    Mark,
    Marker,
    came_back,
    issue,
    note,
    noted,
    read,
    use_of,
)
from tests.quarantine.samples import identifier

pytestmark = pytest.mark.threat("QUA-06")
KEY = Key("0a1b2c3d", bytes(range(32)))
MARK = Mark(1_700_000_900, "n" * 22, identifier(), 2, passes=True, digest="d" * 43)


def known(name: str) -> Key | None:
    """The keys there are."""
    return KEY if name == KEY.name else None


def test_there_and_back() -> None:
    """With blanks and folds around it, as MTAs may leave them."""
    for mark in (MARK, Mark(1, "n" * 22, identifier(1), MAX_TIMES, passes=False, digest="d" * 43)):
        value = issue(mark, KEY).encode()
        for one in (value, b" " + value, b"\r\n\t" + value + b" "):
            assert read(one, known) == mark


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    """Any other byte anywhere in it, and it is no mark of ours."""
    value = issue(MARK, KEY).encode()
    place = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != value[place]))
    assert read(value[:place] + bytes([byte]) + value[place + 1 :], known) is None


@given(st.binary(max_size=700))
def test_any_bytes(value: bytes) -> None:
    """Are no mark, and no exception."""
    assert read(value, known) is None


def test_other_keys_and_lengths() -> None:
    """A key of another name is not there; one of that name with another secret has not signed it."""
    value = issue(MARK, KEY).encode()
    assert read(value, lambda _: None) is None
    assert read(value, lambda _: Key(KEY.name, bytes(32))) is None
    assert read(b" " * MAX_MARK + value, known) is None


def test_a_token_is_no_mark() -> None:
    """Both are signed with one key, and neither passes for the other."""
    given_back = token.Token(1_700_000_900, "n" * 22, "d" * 43, "e" * 43)
    assert read(token.issue(given_back, KEY).encode(), known) is None
    assert token.read(issue(MARK, KEY).encode(), known) is None


def test_marked(tmp_path: Path) -> None:
    """One field on top, over the message as SMTP hands it over; without a key the message is as it was."""
    keys = Keys(tmp_path / "release.key")
    marker = Marker(keys, lambda: 1_700_000_000.5, bytes)
    assert marker.on(b"Subject: x\r\n\r\nHello", identifier(), 1, passes=True) == b"Subject: x\r\n\r\nHello"
    keys.make()
    marked = marker.on(b"Subject: x\r\n\r\nHello", identifier(), 1_000, passes=True)
    field, _, rest = marked.partition(b"\r\n")
    assert rest == b"Subject: x\r\n\r\nHello"
    mark = read(field.removeprefix(FIELD.encode() + b":"), keys.find)
    assert mark is not None
    assert (mark.id, mark.times, mark.expires) == (identifier(), MAX_TIMES, 1_700_000_000 + LIFETIME)
    whole = marker.on(b"Subject: x\r\n\r\nHello\r\n", identifier(), 1_000, passes=True)
    assert whole.partition(b"\r\n")[0] == field


def test_uses_have_no_addresses() -> None:
    """What is written down says nothing of whom it was for, and is another for each mark and recipient."""
    other = Mark(1, "o" * 22, identifier(), 1, passes=True, digest="d" * 43)
    uses = {use_of(MARK, "anna@a.test"), use_of(MARK, "bob@a.test"), use_of(other, "anna@a.test")}
    assert len(uses) == 3
    assert use_of(MARK, "ANNA@a.test") in uses
    assert not any("anna" in use for use in uses)
    assert use_of(MARK, "\udcff@a.test")


def test_all_or_none(tmp_path: Path) -> None:
    """Where one of several was used before none of them is used by that."""
    used = Quarantine(tmp_path, fsync=lambda _: None).redeemed
    assert used.redeem_all(("a", "b"), 5.0)
    assert not used.redeem_all(("c", "b"), 5.0)
    assert used.redeem("c", 5.0)
    assert used.forget(6.0) == 3


@pytest.mark.parametrize("state", ["", "x", "x y z", "01 -1 w", "01"])
def test_no_note(state: str) -> None:
    """What nobody has noted says nothing."""
    assert list(came_back({RETURNED: state})) == []
    assert noted({}) is None


def test_noted() -> None:
    """What was noted comes back, and is said in words."""
    state = {RETURNED: note(MARK, "it was altered on its way")}
    assert noted(state) == (identifier(), 2, "it was altered on its way")
    (line,) = came_back(state)
    assert line.startswith(f"released 2 times, last as {identifier()}, and held again: it was altered on its way;")

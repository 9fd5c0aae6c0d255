"""A queue between processes."""

from pathlib import Path

import pytest

from filterd.model.store import StoreError
from filterd.store.inbox import Inbox


def test_what_is_put_is_taken_in_order_and_once(tmp_path: Path) -> None:
    """Items stay until they are done, whoever looks; then they are gone."""
    one, other = Inbox(tmp_path / "q" / "inbox.sqlite"), Inbox(tmp_path / "q" / "inbox.sqlite")
    assert one.put([b"a", b"b", b"c"]) == 0
    rows = other.first(2)
    assert [item for _, item in rows] == [b"a", b"b"]
    assert one.first(2) == rows
    other.done(rows[-1][0])
    assert [item for _, item in one.first(5)] == [b"c"]
    one.close()
    other.close()


def test_a_full_queue_takes_no_more(tmp_path: Path) -> None:
    """What there is no room for is counted, and what was there stays."""
    inbox = Inbox(tmp_path / "inbox.sqlite", most=2)
    assert inbox.put([b"a", b"b", b"c"]) == 1
    assert inbox.put([b"d"]) == 1
    assert [item for _, item in inbox.first(5)] == [b"a", b"b"]
    inbox.close()


def test_a_file_that_is_no_queue(tmp_path: Path) -> None:
    """Whatever is wrong with it is the store's failure, and nothing else."""
    (tmp_path / "inbox.sqlite").write_bytes(b"no database" * 1_000)
    (tmp_path / "inbox.sqlite").chmod(0o600)
    with pytest.raises(StoreError):
        Inbox(tmp_path / "inbox.sqlite").put([b"a"])

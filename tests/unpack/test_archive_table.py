"""The public archives against the committed table of what each holds, or why it cannot be scanned."""

from pathlib import Path
from typing import Any

import pytest
from libarchive import ffi

from tests.unpack.archive_table import SOURCE, known, rows

WRITTEN_WITH = 3_006_002  # libarchive's version, as Debian 12 has it: newer ones read more


@pytest.fixture(scope="module")
def found(shared: Path) -> dict[str, dict[str, Any]]:
    """What each archive gives now."""
    return rows(shared / SOURCE)


@pytest.mark.threat("ZIP-06")
def test_each_archive_gives_what_the_table_says(found: dict[str, dict[str, Any]]) -> None:
    """Members, sizes, encryption and reasons are those of the table."""
    if ffi.version_number() != WRITTEN_WITH:
        pytest.skip(f"the table was written with libarchive {WRITTEN_WITH}, this is {ffi.version_number()}")
    table = {name: {key: value for key, value in row.items() if key != "note"} for name, row in known().items()}
    assert found == table


@pytest.mark.threat("ZIP-06")
def test_no_archive_is_silent(found: dict[str, dict[str, Any]]) -> None:
    """What gives neither a member nor a reason is explained in the table by hand."""
    silent = {name for name, row in found.items() if not row}
    assert silent == {name for name, row in known().items() if "note" in row}


@pytest.mark.threat("ZIP-01", "ZIP-06")
def test_none_is_beyond_the_limits(found: dict[str, dict[str, Any]]) -> None:
    """397 archives and their licence: no crash, no hang, no more than a thousand members each."""
    assert len(found) == 398
    assert max([len(row.get("holds", ())) for row in found.values()]) <= 1_000

"""What filterd status says of the lists that are not asked."""

from pathlib import Path
from typing import Any

import pytest

from filterd.app.lists import protection_of
from filterd.config import Config
from filterd.dnsbl import load_zones
from filterd.store import SuspendedLists, open_store

SINCE = 1_795_000_000.0


def _config(folder: Path, **tables: object) -> Config:
    return Config.model_validate({"paths": {"state": folder}, **tables})


def _protection(config: Config) -> dict[str, Any]:
    return protection_of(config, load_zones(config.rules_directory / "dnsbl.toml"))


def test_nothing_is_suspended_where_there_is_no_state(tmp_path: Path) -> None:
    """Looking makes none."""
    found = _protection(_config(tmp_path / "none"))
    assert found == {"suspended_lists": {}, "unprotected_since": ""}
    assert not (tmp_path / "none").exists()


@pytest.mark.threat("DNS-03")
def test_suspended_lists_are_named_with_time_and_reason(tmp_path: Path) -> None:
    """By their displayed names; mail is unprotected since the first of them."""
    store = open_store(None, tmp_path)
    lists = SuspendedLists(store, [])
    lists.suspend("spamhaus-zen", "test point 127.0.0.1 is listed", SINCE)
    lists.suspend("spamcop", "answered 127.255.255.254", SINCE - 60)
    store.close()
    assert _protection(_config(tmp_path)) == {
        "suspended_lists": {
            "zen.spamhaus.org": {"since": "2026-11-18 11:06:40 UTC", "reason": "test point 127.0.0.1 is listed"},
            "bl.spamcop.net": {"since": "2026-11-18 11:05:40 UTC", "reason": "answered 127.255.255.254"},
        },
        "unprotected_since": "2026-11-18 11:05:40 UTC",
    }


@pytest.mark.threat("RES-03")
def test_what_is_not_known_is_not_called_well(tmp_path: Path) -> None:
    """A state that cannot be read, and a store that is known not to answer."""
    (tmp_path / "state.sqlite").mkdir()
    unknown = {"suspended_lists": None, "unprotected_since": None}
    assert _protection(_config(tmp_path)) == unknown
    assert protection_of(_config(tmp_path / "none"), None) == unknown

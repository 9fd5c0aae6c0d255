"""From filterd.toml to what counts, forgets and sends: not unasked, not for ever, and without a token outside."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from filterd.app.dmarc_reports import (
    NO_SENDER,
    ReportsError,
    _deliver,
    aggregates_of,
    counting,
    forget_counted,
    reporter_of,
)
from filterd.config import Config
from filterd.model.aggregate import DAY, Evaluated, Sighting
from filterd.quarantine.keys import Keys
from filterd.quarantine.relay import Answer, Fate, Relay
from filterd.quarantine.tokens import FIELD

ROW = Evaluated("192.0.2.7", "pass", dkim=True, spf=True, header_from="a.test")


def config(folder: Path, **reports: object) -> Config:
    """A configuration with that state folder."""
    return Config.model_validate({"paths": {"state": str(folder)}, "dmarc_reports": reports})


def test_off_as_shipped(tmp_path: Path) -> None:
    """A front counts nothing, and makes nothing."""
    assert counting(config(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_old_days_go(tmp_path: Path) -> None:
    """Those that are older than they are kept; forgetting where nothing was counted makes nothing."""
    forget_counted(config(tmp_path))
    assert list(tmp_path.iterdir()) == []
    today = int(time.time() // DAY)
    settings = config(tmp_path, enabled=True, keep=3)
    counted = counting(settings)
    assert counted is not None
    for age in (0, 2, 5, 30):
        counted.record(Sighting(today - age, "a.test", "v=DMARC1; p=none; rua=mailto:r@a.test", ROW))
    counted.close()
    forget_counted(settings)
    with closing(aggregates_of(settings)) as left:
        assert left.days() == [today - 2, today]


def test_who_reports(tmp_path: Path) -> None:
    """Somebody must; what is not said is taken from the address. Nodes that share a ledger are one reporter."""
    with pytest.raises(ReportsError) as caught:
        reporter_of(config(tmp_path))
    assert str(caught.value) == NO_SENDER
    alone = reporter_of(config(tmp_path, sender="dmarc@Mx.test"))
    assert (alone.organization, alone.email, alone.domain) == ("mx.test", "dmarc@Mx.test", "mx.test")
    assert alone.host
    shared = {"quarantine": {"url": "postgresql://u@h/d"}, "dmarc_reports": {"sender": "dmarc@mx.test"}}
    assert reporter_of(Config.model_validate(shared)).host == ""


@pytest.mark.parametrize(("relay", "stamped"), [("", True), ("inet:25@127.0.0.1", False)])
def test_no_token_leaves_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relay: str, *, stamped: bool
) -> None:
    """It is for our own milter, which takes it out: a listener that is named may be anybody's."""
    got: list[bytes] = []

    def deliver(_relay: Relay, _sender: str, _to: Sequence[str], message: bytes) -> Answer:
        got.append(message)
        return Answer(Fate.DELIVERED, "250 ok")

    monkeypatch.setattr(Relay, "deliver", deliver)
    settings = Config.model_validate(
        {
            "paths": {"state": str(tmp_path)},
            "quarantine": {"release_by": "token"},
            "dmarc_reports": {"relay": relay},
        }
    )
    Keys(tmp_path / "release.key").make()
    _deliver(settings)("", ("r@a.test",), b"Subject: x\r\n\r\n")
    assert (FIELD.encode() in got[0]) is stamped

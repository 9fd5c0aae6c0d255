"""What doctor finds wrong with a set-up, and what it says to do about it."""

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from filterd.dns.fake import FakeResolver
from filterd.dns.loop import LoopThread
from filterd.dnsbl import Subject, Zone
from filterd.model.custody import CustodyError
from filterd.model.dns import Question, Resolver, RRType
from filterd.operations.doctor import (
    Diagnosis,
    Level,
    check_folder,
    check_ledger,
    check_milter_socket,
    check_resolver,
    check_store,
)
from filterd.store import MemoryStore
from tests.support.process import free_port

ZONE = Zone(
    "zen",
    "secret.zen.example",
    "zen.example",
    frozenset({Subject.CLIENT}),
    codes={"127.0.0.2": "A"},
    listed="127.0.0.2",
    unlisted="127.0.0.1",
)
LISTED = {"2.0.0.127.secret.zen.example": ["127.0.0.2"]}
LOOPBACK = (("127.0.0.1", 53),)
ORG = Question("org", RRType.NS)


class Roots(FakeResolver):
    """Knows who serves org."""

    def __init__(self, **records: Any) -> None:
        """And what else is given."""
        super().__init__(**records)
        self._records[ORG] = ("a0.org.example",)


class Forgetful(MemoryStore):
    """Takes everything and keeps nothing."""

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """Into the void."""


def _levels(found: Iterable[Diagnosis]) -> list[Level]:
    return [item.level for item in found]


def _resolved(
    loop: LoopThread, resolver: Resolver, servers: tuple[tuple[str, int], ...] = LOOPBACK, *zones: Zone
) -> list[Diagnosis]:
    return list(check_resolver(servers, resolver, zones, loop.call))


def test_a_folder_that_is_ours_and_closed_is_well(tmp_path: Path) -> None:
    """Writable for us, not readable for others."""
    tmp_path.chmod(0o711)
    assert _levels(check_folder(tmp_path)) == [Level.OK]


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    """The remedy is a command."""
    (found,) = check_folder(tmp_path / "none")
    assert (found.level, found.text) == (Level.FAILED, "does not exist")
    assert found.remedy.startswith(f"mkdir -p {tmp_path}/none")


@pytest.mark.threat("QUA-10")
def test_a_folder_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    """Held mail is in it."""
    tmp_path.chmod(0o755)
    (found,) = check_folder(tmp_path)
    assert (found.level, found.remedy) == (Level.WARNING, f"chmod o-rw {tmp_path}")


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing could be held there. Asked of the system, for root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    assert _levels(check_folder(tmp_path)) == [Level.FAILED]


@pytest.mark.integration
def test_a_milter_socket_that_answers(tmp_path: Path) -> None:
    """A unix socket with somebody behind it is all right; without, filterd is not running."""
    path = tmp_path / "m.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert _levels(check_milter_socket(f"unix:{path}", str(path), "", 0)) == [Level.OK]
    (found,) = check_milter_socket(f"unix:{path}", str(path), "", 0)
    assert (found.level, found.remedy) == (Level.FAILED, "start filterd run")


@pytest.mark.integration
def test_tcp_between_mta_and_filter_is_warned_of() -> None:
    """It works, and costs 40 ms and more for each message."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = list(check_milter_socket("inet", "", "127.0.0.1", port))
    assert _levels(found) == [Level.OK, Level.WARNING]
    assert _levels(check_milter_socket("inet", "", "127.0.0.1", free_port())) == [Level.FAILED]


def test_a_good_resolver_and_a_healthy_list(loop: LoopThread) -> None:
    """Near, answering, and not refused by the lists."""
    found = _resolved(loop, Roots(a=LISTED), LOOPBACK, ZONE)
    assert _levels(found) == [Level.OK, Level.OK]


def test_a_public_resolver_is_warned_of(loop: LoopThread) -> None:
    """Block lists refuse it."""
    found = _resolved(loop, Roots(), (("9.9.9.9", 53), ("127.0.0.1", 53)))
    assert [(item.level, item.subject) for item in found] == [
        (Level.WARNING, "resolver 9.9.9.9"),
        (Level.OK, "resolver"),
    ]


def test_a_dead_resolver_is_a_failure_and_lists_are_not_blamed(loop: LoopThread) -> None:
    """Without it nothing can be said of the lists."""
    found = _resolved(loop, FakeResolver(fail=["ns org"]), LOOPBACK, ZONE)
    assert [(item.level, item.subject) for item in found] == [(Level.FAILED, "resolver")]


@pytest.mark.parametrize(
    ("records", "level"),
    [
        (lambda: Roots(a={**LISTED, "1.0.0.127.secret.zen.example": ["127.0.0.2"]}), Level.FAILED),
        (lambda: Roots(a={"2.0.0.127.secret.zen.example": ["127.255.255.254"]}), Level.FAILED),
        (Roots, Level.FAILED),
        (lambda: Roots(fail=["a 2.0.0.127.secret.zen.example"]), Level.WARNING),
    ],
    ids=["lists everything", "refuses us", "lists nothing", "does not answer"],
)
@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-03")
def test_a_list_that_cannot_be_believed_is_named(
    loop: LoopThread, records: Callable[[], Resolver], level: Level
) -> None:
    """By the name without the key in it, with what to do."""
    found = _resolved(loop, records(), LOOPBACK, ZONE)[-1]
    assert (found.level, found.subject) == (level, "block list zen.example")
    assert found.remedy
    assert "secret" not in found.text


def test_a_store_that_works_and_ones_that_do_not() -> None:
    """One that raises and one that forgets are both failures, told apart."""
    broken = MemoryStore()
    broken.fail = True
    assert _levels(check_store("state", MemoryStore())) == [Level.OK]
    assert [item.text for item in check_store("redis", broken)] == ["does not work: told to fail"]
    assert [item.text for item in check_store("redis", Forgetful())] == ["forgets what it was given"]


def test_ledger() -> None:
    """A ledger that does not answer is a failure, in its own words."""

    def broken() -> None:
        raise CustodyError("told to fail")

    assert check_ledger(lambda: None).level is Level.OK
    assert (check_ledger(broken).level, check_ledger(broken).text) == (Level.FAILED, "cannot be used: told to fail")

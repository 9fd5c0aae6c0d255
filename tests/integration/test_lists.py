"""Block lists that go bad, with real packets and a real state: suspended everywhere, and back by themselves."""

import json
import os
import socket
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from filterd.app.front import Resolving
from filterd.app.site import load_config, load_site
from filterd.cli import app
from filterd.dnsbl import ListKeeper, Outside, Zone
from filterd.dnsbl.flood import RUN
from filterd.dnsbl.keeper import LOOK, RETEST
from filterd.store import SuspendedLists, open_store
from tests.store.test_breaker import Clock
from tests.support.dnsserver import DnsServer
from tests.support.lists import healthy_points
from tests.support.process import open_folder, wait_until
from tests.support.redis import redis_server
from tests.support.smtp import Pose
from tests.support.stack import Outcome, Stack
from tests.support.world import LISTED, message

pytestmark = pytest.mark.threat("DNS-03")

ZEN = "spamhaus-zen"
MUST_NOT = "1.0.0.127.zen.spamhaus.org"


@contextmanager
def state(kind: str) -> Iterator[str | None]:
    """The URL of a shared state: None is SQLite in a folder."""
    if kind == "redis":
        with redis_server() as server:
            yield server.url
    else:
        yield None


class Front:
    """What of a front keeps its lists: its own connections to name server and state, its own view of both."""

    def __init__(self, dns: DnsServer, url: str | None, folder: Path, clock: Clock) -> None:
        """Everything real but the clock."""
        site = load_site(load_config(None, nameserver=f"127.0.0.1:{dns.port}"))
        self.zones: tuple[Zone, ...] = site.zones
        self._resolving = Resolving(site)
        self._store = open_store(url, folder)
        self._suspended = SuspendedLists(self._store, [zone.name for zone in site.zones], clock=clock)
        self.shown: Mapping[str, bool] = {}
        ask, forget = self._resolving.ask, self._resolving.resolver.forget
        outside = Outside(ask, clock, clock, os.urandom, forget, self._show, lambda: None)
        self.keeper = ListKeeper(site.zones, self._store, self._suspended, outside)

    def _show(self, lists: Mapping[str, bool]) -> None:
        self.shown = lists

    def suspended(self) -> set[str]:
        """The lists that it must not ask."""
        unusable = self.keeper.unusable()
        return {zone.name for zone in self.zones if zone.name in unusable}

    def close(self) -> None:
        """End what runs."""
        self._resolving.close()
        self._store.close()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_two_fronts_share_a_suspension_and_its_end(kind: str, tmp_path: Path) -> None:
    """One asks, both stop; five minutes after the list is well again, both ask it, and each was said once."""
    clock = Clock()
    clock.now = 1_795_000_000.0
    with ExitStack() as running:
        url = running.enter_context(state(kind))
        dns = running.enter_context(DnsServer(healthy_points()))
        events = running.enter_context(capture_logs())
        fronts = [Front(dns, url, tmp_path, clock) for _ in range(2)]
        for front in fronts:
            running.callback(front.close)

        def rounds(seconds: float) -> list[set[str]]:
            clock.now += seconds
            for front in fronts:
                front.keeper.round()
            return [front.suspended() for front in fronts]

        assert rounds(0) == [set(), set()]
        assert dns.count(MUST_NOT, "A") == 1
        dns.set(MUST_NOT, "A", "127.0.0.2")
        rounds(3_600)
        assert rounds(LOOK) == [{ZEN}, {ZEN}]
        assert [front.shown["zen.spamhaus.org"] for front in fronts] == [True, True]
        assert rounds(RETEST) == [{ZEN}, {ZEN}]
        dns.set(MUST_NOT, "A", ())
        rounds(RETEST)
        assert rounds(LOOK) == [set(), set()]
        assert _said(events) == ["dnsbl_suspended", "dnsbl_resumed"]
        assert events[0]["cause"] == "test point 127.0.0.1 is listed"


def _said(events: list[MutableMapping[str, Any]]) -> list[str]:
    return [str(event["event"]) for event in events if event["event"].startswith("dnsbl")]


# --- the whole daemon


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A daemon of two fronts, all of whose lists are well."""
    with (
        open_folder() as folder,
        Stack({"milter": {"workers": 2}, "metrics": {"listen": f"unix:{folder}/metrics.sock"}}) as running,
    ):
        yield running


def send(stack: Stack, pose: Pose) -> Outcome:
    """A plain message from a client."""
    return stack.send(message("a@b.test", "Hello"), pose, "a@b.test")


def status(stack: Stack) -> dict[str, Any]:
    """What `filterd status` says."""
    done = CliRunner().invoke(app, ["status", "--json", "--config", str(stack.filterd.config)])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(stack: Stack) -> bool:
    """Whether the metrics page shows the list as suspended."""
    address = str(stack.filterd.settings["metrics"]["listen"]).removeprefix("unix:")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(address)
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with client.makefile("rb") as page:
            return b'filterd_dnsbl_suspended{list="zen.spamhaus.org"} 1.0\n' in page.read()


def test_a_list_that_suddenly_lists_everybody(stack: Stack) -> None:
    """While it is well it counts. When it lists everybody it is suspended once many have been, and counts no more.

    The status says since when mail is unprotected by it and why, the metric shows it, one front gives the alarm.
    """
    assert "DNSBL_SPAMHAUS_XBL" in send(stack, LISTED).symbols
    wait_until(lambda: stack.dns.count(MUST_NOT, "A") > 0, "its test at start", 30)
    assert status(stack)["suspended_lists"] == {}
    stack.dns.set(MUST_NOT, "A", "127.0.0.2")
    stack.dns.set("*.zen.spamhaus.org", "A", "127.0.0.2")
    for number in range(4 * RUN):
        send(stack, Pose(f"198.51.100.{number % 256}", f"h{number}.test", f"h{number}.test"))
        if stack.filterd.events("dnsbl_suspended"):
            break
    wait_until(lambda: bool(stack.filterd.events("dnsbl_suspended")), "its suspension", 30)
    wait_until(lambda: not send(stack, LISTED).symbols.keys() & {"DNSBL_SPAMHAUS_XBL"}, "the other front too", 30)
    found = status(stack)
    assert found["suspended_lists"]["zen.spamhaus.org"]["reason"].endswith("listed")
    assert found["unprotected_since"] == found["suspended_lists"]["zen.spamhaus.org"]["since"]
    done = CliRunner().invoke(app, ["status", "--config", str(stack.filterd.config)])
    assert (
        f"unprotected since\t{found['unprotected_since']}: mail is not checked against zen.spamhaus.org" in done.stdout
    )
    wait_until(lambda: shown(stack), "the metric")
    (alarm,) = stack.filterd.events("dnsbl_suspended")
    assert (alarm["list"], alarm["level"]) == ("zen.spamhaus.org", "warning")

"""A daemon and its Redis over TLS: one that does not prove who it is is done without, one behind Sentinels is found."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import uvloop
from typer.testing import CliRunner

from filterd.cli import app
from filterd.model.store import StoreError
from filterd.store.reads import RedisReads
from filterd.store.redis import RedisStore
from tests.milter.wire import greeted, internet, judged, mail
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, wait_until
from tests.support.redis import RedisServer
from tests.support.sentinel import PASSWORD, SENTINEL_PASSWORD, Watched, watched_redis
from tests.support.tls import Authority
from tests.support.world import GOOD, STRANGER, message

pytestmark = [pytest.mark.integration, pytest.mark.threat("OPS-06")]

WITHIN = 15.0  # seconds for what a fail-over takes


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet."""
    with DnsServer(internet()) as server:
        yield server


def settings(dns: DnsServer, redis: Mapping[str, object]) -> Settings:
    """One front with that Redis."""
    return {"milter": {"workers": 1}, "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}, "redis": redis}


def status(daemon: Filterd) -> tuple[int, dict[str, object]]:
    """What `filterd status` exits with and says."""
    done = CliRunner().invoke(app, ["status", "--json", "--config", str(daemon.config)])
    return done.exit_code, json.loads(done.stdout)


def filters(daemon: Filterd) -> None:
    """A good message passes, a spoof is held."""
    for pose, sender, action in ((GOOD, "alice@aligned.test", "accept"), (STRANGER, "ceo@strict.test", "quarantine")):
        with greeted(daemon, pose) as session:
            _, event = judged(daemon, session, mail(message(sender, "Minutes"), sender))
        assert event["action"] == action


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("other authority", "CERTIFICATE_VERIFY_FAILED"),
        ("expired", "certificate has expired"),
        ("other name", "Hostname mismatch"),
        ("plain text", "Redis"),
    ],
)
def test_a_redis_that_proves_nothing_is_done_without(dns: DnsServer, fault: str, words: str) -> None:
    """Mail is filtered, status says degraded and why, and no byte of ours is taken by it; mended, it is used."""
    with open_folder() as folder:
        server, ours, other = RedisServer(folder), Authority(folder, "ours"), Authority(folder, "other")
        pair = (other if fault == "other authority" else ours).certify(
            "redis.test" if fault == "other name" else "localhost", days_ago=int(fault == "expired")
        )
        port = server.listen_tls(pair, ours.file)
        if fault == "plain text":
            server.listen_plainly(port)
        server.start()
        redis = {"url": f"rediss://localhost:{port}/0", "ca_file": str(ours.file)}
        try:
            with Filterd(folder, settings(dns, redis)) as daemon:
                filters(daemon)
                code, found = status(daemon)
                assert (code, found["health"]) == (3, "degraded")
                assert words in str(found["problems"])
                with server.client() as client:
                    assert client.keys("*") == []
                server.kill()
                server.listen_tls(ours.certify("localhost"), ours.file, port=port)
                server.start()
                wait_until(lambda: status(daemon)[0] == 0, "health", WITHIN)
        finally:
            server.kill()


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """A master, a replica, three Sentinels: TLS and passwords everywhere."""
    with watched_redis(secure=True) as servers:
        yield servers


def address(watched: Watched, **change: str) -> str:
    """Where they are, with all that they want, or with something else."""
    more = {"sentinel_password": SENTINEL_PASSWORD, "ssl_ca_certs": str(watched.authority.file)} | change
    scheme, _, rest = watched.url.partition("://")
    query = "&".join([f"{name}={quote(value)}" for name, value in more.items()])
    return f"{scheme}://:{quote(PASSWORD)}@{rest}?{query}"


def test_sentinels_that_want_tls_and_a_password(watched: Watched) -> None:
    """Both kinds of callers find the master, and the next one after it has died."""
    url = address(watched)

    async def story() -> list[bytes | None] | None:
        reads = RedisReads(url, asyncio.get_running_loop())
        reads.start()
        try:
            with closing(RedisStore(url)) as store:
                await asyncio.to_thread(wait_until, lambda: _put(store, b"before"), "a value that is taken", WITHIN)
                assert await _asked(reads) == [b"before"]
                with watched.client() as client:
                    assert client.wait(1, 5_000) == 1
                await asyncio.to_thread(watched.fail_over)
                await asyncio.to_thread(wait_until, lambda: _put(store, b"after"), "a value that is taken", WITHIN)
                return await _asked(reads)
        finally:
            reads.close()

    assert uvloop.run(story()) == [b"after"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sentinel_password": "another"}, "No master found"),
        ({"ssl_ca_certs": "/etc/hostname"}, "SSL"),
    ],
)
def test_sentinels_that_are_not_proved_or_do_not_know_us(watched: Watched, change: dict[str, str], words: str) -> None:
    """StoreError, with the cause in words, and without a password in them."""
    with closing(RedisStore(address(watched, **change))) as store, pytest.raises(StoreError) as caught:
        store.put("key", b"value", 60)
    assert words in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_sentinels_in_the_clear_are_not_asked(watched: Watched) -> None:
    """Nor do these answer who comes in plain text."""
    plain = watched.url.replace("rediss", "redis")
    with closing(RedisStore(plain)) as store, pytest.raises(StoreError):
        store.put("key", b"value", 60)


def _put(store: RedisStore, value: bytes) -> bool:
    with suppress(StoreError):
        store.put("key", value, 60)
        return True
    return False


async def _asked(reads: RedisReads) -> list[bytes | None] | None:
    """What the loop reads, as soon as it reads anything."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        answer: asyncio.Future[list[bytes | None] | None] = asyncio.get_running_loop().create_future()
        if reads.get_many(["key"], answer.set_result):
            found = await answer
            if found is not None:
                return found
        await asyncio.sleep(0.05)
    return None


def test_a_daemon_finds_them(watched: Watched, dns: DnsServer, tmp_path: Path) -> None:
    """By the keys of a configuration: healthy, and what it shares is there."""
    files = {}
    for name, secret in (("server", PASSWORD), ("sentinel", SENTINEL_PASSWORD)):
        files[name] = tmp_path / name
        files[name].touch(0o600)
        files[name].write_text(f"{secret}\n")
    redis = {
        "url": watched.url,
        "password_file": str(files["server"]),
        "sentinel_password_file": str(files["sentinel"]),
        "ca_file": str(watched.authority.file),
    }
    with open_folder() as folder, Filterd(folder, settings(dns, redis)) as daemon:
        wait_until(lambda: status(daemon)[0] == 0, "health", WITHIN)
        filters(daemon)
        with watched.client() as client:
            wait_until(lambda: client.keys("filterd:*"), "something of ours", WITHIN)

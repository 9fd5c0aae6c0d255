"""Redis over TLS: only a server that proves its name, to those who may vouch for it, is spoken to; else StoreError."""

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import uvloop

from filterd.model.store import StoreError
from filterd.store.events import EventStream
from filterd.store.reads import RedisReads
from filterd.store.redis import RedisStore
from tests.support.process import free_port, open_folder, wait_until
from tests.support.redis import RedisServer
from tests.support.tls import Authority

pytestmark = [pytest.mark.integration, pytest.mark.threat("OPS-06")]

WITHIN = 10.0  # seconds for what should take 0.1: a quiet host's, and a loaded one's


class World:
    """A server, our authority and another, and the address to reach it by."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet."""
        self.server = RedisServer(folder)
        self.ours, self.other = Authority(folder, "ours"), Authority(folder, "other")
        self.folder = folder

    def serves(self, *names: str, days_ago: int = 0, asks: bool = False) -> int:
        """Start the server with a certificate of our authority; the port."""
        pair = self.ours.certify(*names, days_ago=days_ago)
        port = self.server.listen_tls(pair, self.ours.file, asks=asks)
        self.server.start()
        return port


@pytest.fixture
def world() -> Iterator[World]:
    """Nothing is started yet."""
    with open_folder() as folder:
        world = World(folder)
        yield world
        world.server.kill()


def refused(world: World, url: str, words: str) -> None:
    """Neither threads nor the loop speak with it, the cause matches, and nothing has come to the server."""
    with closing(RedisStore(url)) as store, pytest.raises(StoreError, match=words):
        store.put("key", b"value", 60)
    with closing(EventStream(url, "lessons")) as stream, pytest.raises(StoreError, match=words):
        stream.append("", "born", [b"one"], 100)

    async def tries() -> str:
        reads = RedisReads(url, asyncio.get_running_loop())
        reads.start()
        try:
            await _happens(lambda: reads.failures > 0)
            assert (reads.ready, reads.get_many(["key"], lambda _: None)) == (False, False)
            return reads.last_error
        finally:
            reads.close()

    assert re.search(words, uvloop.run(tries()))
    with world.server.client() as client:
        assert client.keys("*") == []
        assert not {f"cmdstat_{name}" for name in ("auth", "set", "eval", "mget")} & set(client.info("commandstats"))


async def _happens(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not question():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def puts(store: RedisStore) -> bool:
    """Whether the server has taken a value."""
    with suppress(StoreError):
        store.put("key", b"value", 60)
        return True
    return False


def spoken(url: str) -> None:
    """Threads and the loop both find what was put, if not at the first try of a loaded host."""
    with closing(RedisStore(url)) as store:
        wait_until(lambda: puts(store), "a value that is taken", WITHIN)

    async def asks() -> list[bytes | None] | None:
        reads = RedisReads(url, asyncio.get_running_loop())
        reads.start()
        try:
            await _happens(lambda: reads.ready)
            answer: asyncio.Future[list[bytes | None] | None] = asyncio.get_running_loop().create_future()
            assert reads.get_many(["key"], answer.set_result)
            return await answer
        finally:
            reads.close()

    assert uvloop.run(asks()) == [b"value"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_that_proves_its_name(world: World, host: str) -> None:
    """By the name or the address that the URL has."""
    port = world.serves("localhost", "127.0.0.1")
    spoken(f"rediss://{host}:{port}?ssl_ca_certs={world.ours.file}")


def test_another_authority(world: World) -> None:
    """A certificate that somebody else's authority would have to vouch for is none."""
    port = world.serves("localhost")
    refused(world, f"rediss://localhost:{port}?ssl_ca_certs={world.other.file}", "CERTIFICATE_VERIFY_FAILED")


def test_without_a_file_this_machine_decides(world: World) -> None:
    """Our authority is none of those it trusts."""
    port = world.serves("localhost")
    refused(world, f"rediss://localhost:{port}", "CERTIFICATE_VERIFY_FAILED")


def test_with_a_file_this_machine_has_no_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom this machine trusts may not vouch where one authority is named."""
    port = world.serves("localhost")
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(world.ours.file))
    spoken(f"rediss://localhost:{port}")
    with world.server.client() as client:
        client.flushall()
        client.config_resetstat()
    refused(world, f"rediss://localhost:{port}?ssl_ca_certs={world.other.file}", "CERTIFICATE_VERIFY_FAILED")


def test_an_expired_certificate(world: World) -> None:
    """Since yesterday is too late."""
    port = world.serves("localhost", days_ago=1)
    refused(world, f"rediss://localhost:{port}?ssl_ca_certs={world.ours.file}", "certificate has expired")


def test_a_certificate_for_another_host(world: World) -> None:
    """The name in the URL must stand in it."""
    port = world.serves("redis.test")
    refused(world, f"rediss://localhost:{port}?ssl_ca_certs={world.ours.file}", "Hostname mismatch")


def test_a_server_without_tls(world: World) -> None:
    """It takes what TLS begins with for the beginning of a command, and gets neither password nor value after it."""
    port = free_port()
    world.server.listen_plainly(port)
    world.server.start()
    refused(world, f"rediss://:hunter2@localhost:{port}?ssl_ca_certs={world.ours.file}", "SSL|Timeout")


def test_a_certificate_of_ours_is_shown(world: World) -> None:
    """Where the server wants one; without it, it speaks with nobody."""
    port = world.serves("localhost", asks=True)
    url = f"rediss://localhost:{port}?ssl_ca_certs={world.ours.file}"
    with closing(RedisStore(url)) as store, pytest.raises(StoreError):
        store.put("key", b"value", 60)
    mine = world.ours.certify("mx1.test")
    spoken(f"{url}&ssl_certfile={mine.certificate}&ssl_keyfile={mine.key}")


def test_a_file_that_comes_late(world: World) -> None:
    """A missing file of certificates is StoreError, call after call, until it is there."""
    port = world.serves("localhost")
    late = world.folder / "late.pem"
    with closing(RedisStore(f"rediss://localhost:{port}?ssl_ca_certs={late}")) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match="No such file"):
                store.get_many(["key"])
        late.write_bytes(world.ours.file.read_bytes())
        wait_until(lambda: puts(store), "a value that is taken", WITHIN)

"""Reads for an event loop against a real Redis in trouble: an answer or None soon, and Redis back when it is back."""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import uvloop

from filterd.model.store import StoreError
from filterd.store import MemoryStore, RedisReads, RedisStore, open_reads, open_store
from filterd.store.reads import MAX_OUTSTANDING
from tests.support.process import Process, free_port, open_folder, require_program
from tests.support.redis import RedisServer, redis_server

pytestmark = [pytest.mark.integration, pytest.mark.threat("RES-03")]

WITHIN = 10.0  # seconds until Redis must be used again; a try a second is made
BOUND = 3.0  # seconds; the limit is 0.15, between is noise of the host
Story = Callable[[RedisReads], Awaitable[None]]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of this test's own."""
    with redis_server(maxmemory="3mb") as running:
        yield running


def tell(url: str, story: Story) -> None:
    """Run a test's story in a loop, with reads that are started and closed around it."""

    async def run() -> None:
        reads = RedisReads(url, asyncio.get_running_loop())
        reads.start()
        try:
            await story(reads)
        finally:
            reads.close()
            await asyncio.sleep(0.01)

    uvloop.run(run())


async def happens(question: Callable[[], object]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(WITHIN):
        while not question():  # noqa: ASYNC110  # what is asked about tells nobody
            await asyncio.sleep(0.01)


async def until(reads: RedisReads, *, ready: bool = True) -> None:
    """Wait until it is ready or is so no more."""
    await happens(lambda: reads.ready is ready)


async def get(reads: RedisReads, *keys: str) -> list[bytes | None] | None:
    """The values, or None."""
    future: asyncio.Future[list[bytes | None] | None] = asyncio.get_running_loop().create_future()
    start = time.monotonic()
    assert reads.get_many(keys, future.set_result)
    found = await future
    assert time.monotonic() - start < BOUND
    return found


def test_values_in_order(server: RedisServer) -> None:
    """Many calls on one connection at the same time: each gets its own values, other types read as absent."""
    with server.client() as client:
        client.mset({f"filterd:k{number}": b"%d" % number for number in range(100)})
        client.lpush("filterd:list", "x")

    async def story(reads: RedisReads) -> None:
        await until(reads)
        for _ in range(5):
            calls = [get(reads, f"k{number}", "none", f"k{number + 1}") for number in range(50)]
            found = await asyncio.gather(*calls)
            assert found == [[b"%d" % number, None, b"%d" % (number + 1)] for number in range(50)]
        assert await get(reads, "list", "k1") == [None, b"1"]

    tell(server.url, story)


def test_frozen_and_thawed(server: RedisServer) -> None:
    """No answer within the limit is None for all that wait; then there is nobody to ask until it answers again."""

    async def story(reads: RedisReads) -> None:
        await until(reads)
        server.freeze()
        assert list(await asyncio.gather(get(reads, "a"), get(reads, "b"))) == [None, None]
        assert reads.ready is False
        assert reads.get_many(["a"], print) is False
        server.thaw()
        await until(reads)
        assert await get(reads, "a") == [None]

    tell(server.url, story)


def test_killed_and_started(server: RedisServer) -> None:
    """The same for a server that is gone."""

    async def story(reads: RedisReads) -> None:
        await until(reads)
        assert await get(reads, "a") == [None]
        server.kill()
        await until(reads, ready=False)
        server.start()
        await until(reads)
        assert await get(reads, "a") == [None]

    tell(server.url, story)


def test_killed_with_calls_on_the_way(server: RedisServer) -> None:
    """Each of them is told."""

    async def story(reads: RedisReads) -> None:
        await until(reads)
        server.freeze()
        calls = [asyncio.ensure_future(get(reads, f"k{number}")) for number in range(10)]
        await asyncio.sleep(0)
        server.kill()
        assert await asyncio.gather(*calls) == [None] * 10

    tell(server.url, story)


def test_down_at_start() -> None:
    """A server that comes up later is used."""
    with open_folder() as folder:
        server = RedisServer(folder)

        async def story(reads: RedisReads) -> None:
            await asyncio.sleep(0.1)
            assert reads.ready is False
            server.start()
            await until(reads)

        try:
            tell(server.url, story)
        finally:
            server.kill()


def test_read_only_and_full(server: RedisServer) -> None:
    """Reads are answered as ever."""
    with server.client() as client:
        client.set("filterd:a", b"1")
        client.config_set("maxmemory", "1")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")

    async def story(reads: RedisReads) -> None:
        await until(reads)
        assert await get(reads, "a") == [b"1"]

    tell(server.url, story)


def test_refusals(server: RedisServer) -> None:
    """A replica without its data refuses; a password that is asked for suddenly: nobody knows, at once."""

    async def story(reads: RedisReads) -> None:
        await until(reads)
        with server.client() as client:
            client.config_set("replica-serve-stale-data", "no")
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert await get(reads, "a") is None
        assert reads.ready
        with server.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
            client.config_set("requirepass", "secret")
            for connection in client.client_list():
                client.execute_command("CLIENT", "KILL", "ID", connection["id"], "SKIPME", "yes")
        await until(reads, ready=False)
        await asyncio.sleep(0.2)
        assert reads.ready is False
        assert "Authentication" in reads.last_error

    tell(server.url, story)

    async def with_password(reads: RedisReads) -> None:
        await until(reads)
        assert await get(reads, "a") == [None]

    tell(f"{server.url}?password=secret", with_password)


def test_a_giant_value_is_not_read_to_its_end(server: RedisServer) -> None:
    """What somebody put under our key does not fill this process' memory."""
    with server.client() as client:
        client.config_set("maxmemory", "100mb")
        client.execute_command("SETRANGE", "filterd:a", 30 << 20, "x")

    async def story(reads: RedisReads) -> None:
        await until(reads)
        assert await get(reads, "a") is None
        await until(reads)
        assert await get(reads, "b") == [None]

    tell(server.url, story)


def test_calls_on_the_way_are_bounded(server: RedisServer) -> None:
    """A server that hangs gets no more of them."""

    async def story(reads: RedisReads) -> None:
        await until(reads)
        server.freeze()
        got: list[list[bytes | None] | None] = []
        taken = [reads.get_many([f"k{number}"], got.append) for number in range(MAX_OUTSTANDING + 5)]
        assert taken == [True] * MAX_OUTSTANDING + [False] * 5
        await asyncio.sleep(0.3)
        assert got == [None] * MAX_OUTSTANDING
        server.thaw()

    tell(server.url, story)


def _answers(url: str) -> bool:
    store = RedisStore(url)
    with suppress(StoreError):
        return store.get_many(["a"]) == [None]
    return False


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str, Path]]:
    """The URLs of a server on TCP, in the clear and with TLS, and the certificate it shows."""
    require_program("redis-server", "openssl")
    with open_folder() as folder:
        key, certificate = folder / "key.pem", folder / "cert.pem"
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        argv += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(argv, check=True, capture_output=True)
        plain, secure = free_port(), free_port()
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(plain), "--tls-port", str(secure), "--save", ""]
        argv += [
            "--tls-cert-file",
            str(certificate),
            "--tls-key-file",
            str(key),
            "--tls-ca-cert-file",
            str(certificate),
        ]
        process = Process([*argv, "--tls-auth-clients", "no", "--dir", str(folder)], folder / "redis.log")
        try:
            process.wait_ready(lambda: _answers(f"redis://127.0.0.1:{plain}"))
            yield f"redis://127.0.0.1:{plain}/2", f"rediss://localhost:{secure}/2", certificate
        finally:
            process.kill()


@pytest.mark.parametrize("secure", [False, True])
def test_over_the_network(addresses: tuple[str, str, Path], *, secure: bool) -> None:
    """TCP and TLS, into the database that the URL names; values beyond one packet arrive whole."""
    plain, tls, certificate = addresses
    url = f"{tls}?ssl_ca_certs={certificate}" if secure else plain
    store = RedisStore(url)
    store.put("a", bytes(3_000), 60)
    store.close()

    async def story(reads: RedisReads) -> None:
        await until(reads)
        calls = [get(reads, *["a"] * 64) for _ in range(5)]
        assert list(await asyncio.gather(*calls)) == [[bytes(3_000)] * 64] * 5

    tell(url, story)


def test_a_certificate_that_nobody_vouches_for(addresses: tuple[str, str, Path]) -> None:
    """Nobody to ask."""

    async def story(reads: RedisReads) -> None:
        await happens(lambda: reads.failures)
        assert reads.ready is False
        assert "CERTIFICATE_VERIFY_FAILED" in reads.last_error

    tell(addresses[1], story)


async def _talk(reply: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """PONG, then this to everything."""
    writer.write(b"+PONG\r\n")
    await asyncio.sleep(0.02)
    writer.write(reply)
    await asyncio.sleep(0.2)
    writer.close()


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400\r\n\r\n", b"+OK\r\n", b":1\r\n", b"*1\r\n", b"*-1\r\n", b"$-1\r\n"])
def test_whoever_is_no_redis(reply: bytes) -> None:
    """Nonsense, and replies that nobody asked for: None or nobody to ask, and no exception."""

    async def run() -> None:
        with open_folder() as folder:
            server = await asyncio.start_unix_server(partial(_talk, reply), str(folder / "s"))
            reads = RedisReads(f"unix://{folder}/s", asyncio.get_running_loop())
            reads.start()
            await until(reads)
            assert await get(reads, "a") is None
            reads.close()
            server.close()
            await asyncio.sleep(0.3)

    uvloop.run(run())


@pytest.mark.parametrize("url", ["unix:///nonexistent", "redis://nowhere.invalid", "redis://127.0.0.1:1"])
def test_an_address_that_leads_nowhere(url: str) -> None:
    """Nobody to ask, whatever redis-py makes of it."""

    async def story(reads: RedisReads) -> None:
        await happens(lambda: reads.failures)
        assert reads.ready is False
        assert reads.last_error

    tell(url, story)


def test_which_stores_can_be_read_like_this() -> None:
    """Redis, also one that is found through Sentinel; not the embedded store."""
    loop = asyncio.new_event_loop()
    nowhere = Path("/nonexistent")
    assert isinstance(open_reads(open_store("redis://localhost", nowhere), loop), RedisReads)
    assert open_reads(open_store(None, nowhere), loop) is None
    assert isinstance(open_reads(open_store("redis+sentinel://localhost/mymaster", nowhere), loop), RedisReads)
    assert open_reads(MemoryStore(), loop) is None
    loop.close()

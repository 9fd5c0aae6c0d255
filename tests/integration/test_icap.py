"""A real c-icap, with a scanner behind it that uses a real clamd; and servers on a port that are none."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from filterd.cli import app
from filterd.config.icap import IcapService, parse_service
from filterd.icap import IcapPool, options
from filterd.icap.pool import IcapConnections
from filterd.model.message import HeaderField, RawMessage
from filterd.operations.doctor import Level, check_icap
from filterd.pipeline.body import Body
from filterd.scanners import ScannerError, ScannerRefusedError
from filterd.store.breaker import OPENS_AFTER
from tests.support.clamd import NAME, PAYLOAD
from tests.support.icap import IcapServer, icap_server
from tests.support.process import free_port

MIXED: tuple[HeaderField, ...] = ((b"MIME-Version", b" 1.0"), (b"Content-Type", b" multipart/mixed; boundary=b"))
FOUND = f"{NAME}.UNOFFICIAL"
METHODS = ("RESPMOD", "REQMOD")


def attached(filling: int = 0) -> bytes:
    """A body whose attachment is what the test signature is of, behind so many lines of text."""
    encoded = base64.encodebytes(PAYLOAD).replace(b"\n", b"\r\n")
    head = b"--b\r\n\r\n" + b"line of text\r\n" * filling + b"--b\r\nContent-Type: application/octet-stream\r\n"
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded + b"--b--\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[IcapServer]:
    """One for all: a scan leaves nothing behind."""
    with icap_server() as found:
        yield found


def scan(connections: IcapConnections, fields: tuple[HeaderField, ...], content: bytes, seconds: float = 20.0) -> str:
    """What is said of this message."""
    body = Body()
    body.append(content)
    try:
        return connections.ask(RawMessage(fields, body.fd, body.size), time.monotonic() + seconds)
    finally:
        body.close()


@contextmanager
def opened(service: IcapService, method: str = "RESPMOD") -> Iterator[IcapConnections]:
    """Connections that end with the test."""
    connections = IcapConnections(service, method)
    try:
        yield connections
    finally:
        connections.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("filling", [0, 100, 100_000])
def test_an_attachment_is_found_by_its_signature(server: IcapServer, method: str, filling: int) -> None:
    """In a preview that is the whole message, behind it, and megabytes behind it."""
    with opened(server.service("avscan"), method) as connections:
        for _ in range(2):
            assert scan(connections, MIXED, attached(filling)) == FOUND


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["avscan", "echo", "virus_scan"])
def test_an_honest_message_is_clean(server: IcapServer, name: str, method: str) -> None:
    """By 204, and by services that give it back: of no bytes, some, and more than buffers hold; on one connection."""
    with opened(server.service(name), method) as connections:
        for content in [b"", b"hello\r\n", b"line of text\r\n" * 100, b"line of text\r\n" * 300_000]:
            assert scan(connections, ((b"From", b" a@b.example"),), content) == ""
        assert len(connections._idle) == 1


def test_what_a_service_cuts_off_is_found(server: IcapServer) -> None:
    """virus_scan lets the first part of a file through while it reads the rest, and then ends in the middle."""
    with opened(server.service("virus_scan")) as connections:
        assert scan(connections, MIXED, attached(100)) in ("shorter than it was", FOUND)


def test_a_scanner_that_hangs_is_waited_for_only_so_long(server: IcapServer) -> None:
    """Its options are known, and the kernel takes what fits into its buffers."""
    with opened(server.service("avscan")) as connections:
        scan(connections, (), b"hello\r\n")
        with server.stopped():
            for content in [b"hello\r\n", b"line of text\r\n" * 300_000]:
                with pytest.raises(ScannerError, match="no answer in time"):
                    scan(connections, (), content, 0.2)
        assert scan(connections, (), b"hello\r\n") == ""


def test_a_service_of_another_name_is_an_error(server: IcapServer) -> None:
    """404 is said before any message is sent."""
    with opened(server.service("none")) as connections, pytest.raises(ScannerError, match="404"):
        scan(connections, (), b"hello\r\n")


def test_doctor_says_whether_it_can_be_used(server: IcapServer) -> None:
    """And what to look at where it cannot."""
    assert check_icap(server.service("avscan"), "RESPMOD").level is Level.OK
    found = check_icap(server.service("none"), "RESPMOD")
    assert (found.level, found.text) == (Level.FAILED, "cannot be used: it answered OPTIONS with 404")
    assert "service" in found.remedy


OPTIONS = (
    b'ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: "1"\r\nAllow: 204\r\nPreview: 4\r\n'
    b"Encapsulated: null-body=0\r\n\r\n"
)
CLEAN = b'ICAP/1.0 204 No\r\nISTag: "1"\r\n\r\n'


@dataclass
class Impostor:
    """Something that listens: answers OPTIONS as it should, and every message so."""

    reply: bytes
    hangs_up: bool = True
    options: bytes = OPTIONS
    asked: list[bytes] = field(default_factory=list)  # first words of what came, one for each request

    def serve(self, peer: socket.socket) -> None:
        """One connection."""
        with peer, suppress(OSError):
            while data := peer.recv(1 << 16):
                word = data.partition(b" ")[0]
                self.asked.append(word)
                if word == b"OPTIONS":
                    peer.sendall(self.options)
                    continue
                while not data.endswith(b"0\r\n\r\n") and not data.endswith(b"ieof\r\n\r\n"):
                    data += peer.recv(1 << 16)
                peer.sendall(self.reply)
                if self.hangs_up:
                    return


@contextmanager
def listening(impostor: Impostor) -> Iterator[IcapService]:
    """Its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # what nobody reads must not all fit

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    threading.Thread(target=impostor.serve, args=(peer,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield parse_service(f"icap://127.0.0.1:{listener.getsockname()[1]}/x")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0",
        b"ICAP/1.0 204 No",
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"ICAP/1.0 500 Error\r\n\r\n",
        b"ICAP/1.0 503 Overloaded\r\nEncapsulated: null-body=0\r\n\r\n",
        b"ICAP/1.0 206 Partial\r\nEncapsulated: null-body=0\r\n\r\n",
        b"ICAP/1.0 200 OK\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"ICAP/1.0 204 No\r\nEncapsulated: res-body=0\r\n\r\n0\r\n\r\n",
        b"x" * 1_000_000,
        b"ICAP/1.0 100 Continue\r\n\r\n" * 2,
    ],
)
def test_an_answer_that_is_none_is_an_error(reply: bytes) -> None:
    """Errors, other protocols, a closed connection, halves of answers: none of them says that a message is clean."""
    impostor = Impostor(reply)
    with listening(impostor) as service, opened(service) as connections, pytest.raises(ScannerError):
        scan(connections, (), b"hello\r\n")
    assert b"RESPMOD" in impostor.asked


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (b"ICAP/1.0 200 OK\r\nX-Virus-ID: Some.Name\r\n\r\n", "Some.Name"),
        (b"ICAP/1.0 204 No\r\nX-Infection-Found: Type=0; Resolution=0; Threat=Some.Name;\r\n\r\n", "Some.Name"),
        (
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=26\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n",
            "replaced: HTTP 403",
        ),
    ],
)
@pytest.mark.parametrize("preview", [b"", b"Preview: 0\r\n", b"Preview: 4\r\n", b"Preview: 4096\r\n"])
def test_what_a_service_finds_is_found_at_once(reply: bytes, name: str, preview: bytes) -> None:
    """In its answer to a preview or to the whole, by its fields or by what it puts in the message's place."""
    impostor = Impostor(reply, options=OPTIONS.replace(b"Preview: 4\r\n", preview))
    with listening(impostor) as service, opened(service) as connections:
        assert scan(connections, (), b"hello\r\n" * 100) == name


def test_an_answer_before_the_message_was_sent_is_none() -> None:
    """204 to what was not read whole says nothing of the rest."""
    options_without_preview = OPTIONS.replace(b"Preview: 4\r\n", b"")

    class Hasty(Impostor):
        def serve(self, peer: socket.socket) -> None:
            with peer, suppress(OSError):
                data = peer.recv(100)
                peer.sendall(self.options if data.startswith(b"OPTIONS") else CLEAN)
                time.sleep(0 if data.startswith(b"OPTIONS") else 2)

    hasty = Hasty(CLEAN, options=options_without_preview)
    too_early = pytest.raises(ScannerError, match="before it had the whole message")
    with listening(hasty) as service, opened(service) as connections, too_early:
        scan(connections, (), b"line of text\r\n" * 1_000_000)


def test_options_are_asked_once_and_again_where_the_service_has_changed() -> None:
    """Its tag says so; and a connection serves as many messages as it lasts."""
    now = [0.0]
    impostor = Impostor(CLEAN, hangs_up=False)
    with listening(impostor) as service:
        connections = IcapConnections(service, "RESPMOD", clock=lambda: now[0])
        for _ in range(3):
            assert scan(connections, (), b"hello\r\n") == ""
        assert impostor.asked == [b"OPTIONS", *[b"RESPMOD"] * 3]
        now[0] = 3_601.0
        scan(connections, (), b"hello\r\n")
        assert impostor.asked[4:] == [b"OPTIONS", b"RESPMOD"]
        now[0] += 2
        impostor.reply = CLEAN.replace(b'"1"', b'"2"')
        for _ in range(2):
            scan(connections, (), b"hello\r\n")
        assert impostor.asked[6:] == [b"RESPMOD", b"OPTIONS", b"RESPMOD"]
        connections.close()


def test_a_connection_that_the_service_has_ended_is_no_failure() -> None:
    """The next message goes over a new one."""
    impostor = Impostor(CLEAN)
    with listening(impostor) as service, opened(service) as connections:
        for _ in range(5):
            assert scan(connections, (), b"hello\r\n") == ""
    assert impostor.asked == [b"OPTIONS", *[b"RESPMOD"] * 5]


def test_no_more_connections_are_opened_than_the_service_wants() -> None:
    """Messages wait for their turn, and those that wait too long are unknown."""
    busy, most = [0], [0]

    class Counting(Impostor):
        def serve(self, peer: socket.socket) -> None:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            super().serve(peer)
            busy[0] -= 1

    few = OPTIONS.replace(b"Allow", b"Max-Connections: 2\r\nAllow")
    with listening(Counting(CLEAN, hangs_up=False, options=few)) as service, opened(service) as connections:
        scan(connections, (), b"hello\r\n")
        most[0] = 0
        threads = [threading.Thread(target=scan, args=(connections, (), b"hello\r\n")) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert most[0] <= 3


def _pool(service: IcapService, most: int = 10_000_000) -> IcapPool:
    return IcapPool(service, "RESPMOD", seconds=10.0, most=most)


def _asked(pool: IcapPool, content: bytes) -> tuple[str, str]:
    body = Body()
    body.append(content)
    try:
        found = pool.begin(RawMessage(MIXED, body.fd, body.size), time.monotonic() + 20)()
    finally:
        body.close()
    return found.virus, found.cause


def test_the_pool_gives_names_and_causes(server: IcapServer) -> None:
    """As clamd's does: what was found, nothing, or why nothing is known."""
    pool = _pool(server.service("avscan"), 1_000_000)
    assert _asked(pool, attached()) == (FOUND, "")
    assert _asked(pool, b"hello\r\n") == ("", "")
    assert _asked(pool, bytes(1_000_001)) == ("", "the message is larger than [icap] max_size = 1000000")
    pool.close()
    assert _asked(pool, b"hello\r\n") == ("", "icap is no longer asked")


def test_a_service_that_is_down_is_left_alone_and_said_once() -> None:
    """After a row of failures most messages do not wait."""
    pool = _pool(parse_service(f"icap://127.0.0.1:{free_port()}/x"))
    with capture_logs() as log:
        causes = [_asked(pool, b"hello\r\n")[1] for _ in range(OPENS_AFTER + 2)]
    assert causes == ["icap: Connection refused"] * OPENS_AFTER + ["icap does not answer"] * 2
    assert [line["event"] for line in log] == ["icap_failing"]
    pool.close()


def test_messages_that_it_hangs_up_on_do_not_turn_it_off() -> None:
    """While it answers OPTIONS the next message is sent to it."""
    with listening(Impostor(b"")) as service:
        pool = _pool(service)
        causes = {_asked(pool, b"hello\r\n")[1] for _ in range(OPENS_AFTER + 3)}
        assert causes == {"icap: it closed the connection without an answer"}
        pool.close()


def test_an_error_of_the_service_is_a_refusal() -> None:
    """It lives, and says that it could not scan this message."""
    impostor = Impostor(b"ICAP/1.0 500 Error\r\n\r\n")
    with listening(impostor) as service, opened(service) as connections, pytest.raises(ScannerRefusedError):
        scan(connections, (), b"hello\r\n")


def test_its_sign_of_life_is_options(server: IcapServer) -> None:
    """Bounded in time as everything else."""
    assert options(server.service("echo"), "REQMOD", time.monotonic() + 20).preview == 1024
    with server.stopped(), pytest.raises(ScannerError, match="no answer in time"):
        options(server.service("echo"), "REQMOD", time.monotonic() + 0.2)


def test_scan_asks_it_and_says_when_it_is_down(server: IcapServer, tmp_path: Path) -> None:
    """The whole way: configuration, front, report, verdict."""
    file, mail = tmp_path / "filterd.toml", tmp_path / "m.eml"
    header = b"From: Anna <anna@sender.example>\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    mail.write_bytes(header + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + attached())

    def output(url: str) -> str:
        tables = '[dns]\nnameservers = ["127.0.0.1:1"]\n[actions.on_unknown]\nicap = "defer"\n'
        file.write_text(f'[icap]\nurl = "{url}"\n{tables}')
        return CliRunner().invoke(app, ["scan", "--config", str(file), str(mail)]).output

    found = output(server.url("avscan"))
    assert FOUND in found
    assert "ICAP_VIRUS" in found
    assert "defer" in output(f"icap://127.0.0.1:{free_port()}/avscan")

"""A real clamd with one signature, and servers on its socket that are none."""

import base64
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.clamd import instream, ping
from filterd.cli import app
from filterd.config.listen import Listen, parse_listen
from filterd.model.message import HeaderField, RawMessage
from filterd.operations.doctor import Level, check_clamd
from filterd.pipeline.body import Body
from filterd.scanners import ScannerError, ScannerRefusedError
from tests.support.clamd import NAME, PAYLOAD, STREAM_MAX, ClamdServer, clamd_server
from tests.support.process import open_folder

MIXED: tuple[HeaderField, ...] = ((b"MIME-Version", b" 1.0"), (b"Content-Type", b" multipart/mixed; boundary=b"))
ATTACHED = (
    b"--b\r\n\r\nsee there\r\n--b\r\nContent-Type: application/octet-stream; name=a.bin\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(PAYLOAD).replace(b"\n", b"\r\n") + b"--b--\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ClamdServer]:
    """One for all: a scan leaves nothing behind."""
    with clamd_server() as found:
        yield found


def scan(address: Listen, fields: tuple[HeaderField, ...], content: bytes, seconds: float = 20.0) -> str:
    """What instream says of this message."""
    body = Body()
    body.append(content)
    try:
        return instream(address, RawMessage(fields, body.fd, body.size), time.monotonic() + seconds)
    finally:
        body.close()


def test_an_attachment_is_found_by_its_signature(server: ClamdServer) -> None:
    """Inside of base64: the message is taken for a message, whatever field it begins with."""
    for first in [(b"From", b" a@b.example"), (b"X-Odd", b" 1"), (b"%PDF-1.4", b"")]:
        assert scan(server.address, (first, *MIXED), ATTACHED) == f"{NAME}.UNOFFICIAL"


def test_an_honest_message_has_none(server: ClamdServer) -> None:
    """Of no bytes, of some, and of more than one chunk."""
    for content in [b"", b"hello\r\n", b"line of text\r\n" * 100_000]:
        for address in (server.address, server.tcp):
            assert scan(address, ((b"From", b" a@b.example"),), content) == ""


def test_a_message_above_its_limit_is_refused_and_not_clean(server: ClamdServer) -> None:
    """It hangs up while the message still comes."""
    with pytest.raises(ScannerRefusedError, match="size limit exceeded"):
        scan(server.address, (), b"line of text\r\n" * STREAM_MAX)


def test_a_scanner_that_hangs_is_waited_for_only_so_long(server: ClamdServer) -> None:
    """The kernel accepts for it, and takes what fits into its buffers."""
    server.process.signal(signal.SIGSTOP)
    try:
        for content in [b"hello\r\n", b"line of text\r\n" * 100_000]:
            with pytest.raises(ScannerError, match="no answer in time"):
                scan(server.address, (), content, 0.2)
    finally:
        server.process.signal(signal.SIGCONT)
    assert scan(server.address, (), b"hello\r\n") == ""


def test_it_answers_ping_while_it_lives(server: ClamdServer) -> None:
    """That is how a slow message is told from a scanner that hangs."""
    for address in (server.address, server.tcp):
        ping(address, time.monotonic() + 20)
    server.process.signal(signal.SIGSTOP)
    try:
        with pytest.raises(ScannerError, match="no answer in time"):
            ping(server.address, time.monotonic() + 0.2)
    finally:
        server.process.signal(signal.SIGCONT)


@contextmanager
def impostor(reply: bytes) -> Iterator[Listen]:
    """Something that takes a message and answers so."""
    with open_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "c.sock"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                while not peer.recv(1 << 16).endswith(bytes(4)):
                    pass
                peer.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield parse_listen(f"unix:{folder}/c.sock")
        thread.join(20)


@pytest.mark.parametrize("reply", [b"", b"\0", b"220 mail.example ESMTP\r\n", b"stream: OK and more\0", b"x" * 100_000])
def test_an_answer_that_is_none_is_an_error(reply: bytes) -> None:
    """A server of another protocol, or one that hangs up, has not said that a message is clean."""
    with impostor(reply) as address, pytest.raises(ScannerError):
        scan(address, (), b"hello\r\n")


def test_no_scanner_at_all_is_an_error(tmp_path: Path) -> None:
    """Said with the system's own reason."""
    with pytest.raises(ScannerError, match="No such file"):
        scan(parse_listen(f"unix:{tmp_path}/c.sock"), (), b"")


def test_doctor_says_whether_it_answers(server: ClamdServer, tmp_path: Path) -> None:
    """And what to do where it does not."""
    assert check_clamd(server.address).level is Level.OK
    found = check_clamd(parse_listen(f"unix:{tmp_path}/c.sock"))
    assert (found.level, found.text) == (Level.FAILED, "does not answer: No such file or directory")
    assert "clamav-daemon" in found.remedy


def test_scan_asks_it_and_says_when_it_is_down(server: ClamdServer, tmp_path: Path) -> None:
    """The whole way: configuration, front, report, verdict."""
    file, mail = tmp_path / "filterd.toml", tmp_path / "m.eml"
    header = b"From: Anna <anna@sender.example>\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    mail.write_bytes(header + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + ATTACHED)

    def output(address: str) -> str:
        tables = '[dns]\nnameservers = ["127.0.0.1:1"]\n[actions.on_unknown]\nclamd = "defer"\n'
        file.write_text(f'[clamd]\naddress = "{address}"\n{tables}')
        return CliRunner().invoke(app, ["scan", "--config", str(file), str(mail)]).output

    assert f"{NAME}.UNOFFICIAL" in output(server.configured)
    assert "CLAMD_VIRUS" in output(server.configured)
    assert "clamd" in (down := output(f"unix:{tmp_path}/none"))
    assert "defer" in down

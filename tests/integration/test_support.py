"""The test machinery itself, checked against the real servers before anything else relies on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postfix import Postfix
from tests.support.process import open_folder
from tests.support.sink import Sink
from tests.support.smtp import Pose, SmtpClient, send, wire


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Postfix can pass."""
    with open_folder() as path:
        yield path


@pytest.mark.parametrize(
    "body",
    [b"plain\r\n", b".\r\n..\r\n.x\r\n", b"nul \0 and \xff\xfe\r\n", b"x" * 70_000 + b"\r\n", b" \t\r\n\r\n\r\n"],
    ids=["plain", "dots", "binary", "long line", "blanks"],
)
def test_postfix_and_sink_keep_bytes(folder: Path, body: bytes) -> None:
    """A message goes through Postfix to the sink unchanged, behind one Received field."""
    message = b"Subject: bytes\r\nX-Long: " + b"y" * 3000 + b"\r\n\r\n" + body
    with Sink() as sink, Postfix(folder, sink_port=sink.port) as postfix:
        sent = send(postfix.release_port, message, "a@b.test", ["u@local.test"])
        assert sent.last.code == 250
        (delivered,) = sink.wait(1)
    received, rest = delivered.data.split(b"\r\nSubject:", 1)
    assert received.startswith(b"Received: from client.test")
    assert b"Subject:" + rest == message
    assert (delivered.sender, delivered.recipients) == ("a@b.test", ("u@local.test",))


def test_xclient_poses(folder: Path) -> None:
    """The posed address, name and HELO stand in Postfix' log and Received field, IPv6 too."""
    with Sink() as sink, Postfix(folder, sink_port=sink.port) as postfix:
        for address in ("192.0.2.77", "2001:db8::5"):
            pose = Pose(address, "mail.out.test", "helo.out.test")
            assert send(postfix.port, b"Subject: x\r\n\r\nx\r\n", "a@b.test", ["u@local.test"], pose).last.code == 250
        first, second = sink.wait(2)
    assert b"from helo.out.test (mail.out.test [192.0.2.77])" in first.values("Received")[0]
    assert b"[IPv6:2001:db8::5]" in second.values("Received")[0]


def test_absent_milter_defers(folder: Path) -> None:
    """With a milter that does not answer the client is told 451, and a second listener without milter still works."""
    with Sink() as sink, Postfix(folder, sink_port=sink.port, milter=f"unix:{folder}/none.sock") as postfix:
        refused = send(postfix.port, b"Subject: x\r\n\r\nx\r\n", "a@b.test", ["u@local.test"])
        assert (refused.last.code, refused.stage) == (451, "MAIL")
        with SmtpClient(postfix.release_port) as client:
            assert client.mail(b"Subject: y\r\n\r\n", "a@b.test", ["u@local.test"]).last.code == 250
            assert client.command("RSET").code == 250
            assert client.mail(b"Subject: z\r\n\r\n", "a@b.test", ["u@local.test"]).last.code == 250
        assert len(sink.wait(2)) == 2
        postfix.wait_empty()


def test_wire_stuffs_dots() -> None:
    """Dots at line starts are doubled and nothing else; a missing last CRLF is added."""
    assert wire(b".a\r\n.\r\nb.") == b"..a\r\n..\r\nb.\r\n.\r\n"

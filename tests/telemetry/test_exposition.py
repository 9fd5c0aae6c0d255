import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config import Listen, ListenKind
from filterd.telemetry import Metrics
from filterd.telemetry.exposition import MetricsServer, render

pytestmark = pytest.mark.integration


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A served unix socket."""
    listen = Listen(ListenKind.UNIX, path=str(tmp_path / "m.sock"))
    metrics = Metrics.create(1)
    metrics.front(0).message("accept", 0.1)
    server = MetricsServer(listen, lambda: render(metrics))
    yield listen.path
    server.close()
    assert not Path(listen.path).exists()


def ask(path: str, request: bytes) -> bytes:
    """The whole answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        with contextlib.suppress(OSError):  # the server may have had enough
            client.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while received := client.recv(65536):
                answer += received
        return answer


def test_metrics_are_served_over_http(path: str) -> None:
    """What Prometheus asks, it gets, with a length it can trust."""
    head, body = ask(path, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'filterd_messages_total{action="accept"} 1.0' in body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"\xff\x00\r\n\r\n", b"400"),
        (b"x" * 20_000, b"400"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000, b"405"),
    ],
)
@pytest.mark.threat("OPS-07")
def test_other_requests_are_refused_and_the_next_one_is_served(path: str, request_: bytes, status: bytes) -> None:
    """A wrong or oversized request costs nothing but its own answer."""
    answer = ask(path, request_)
    assert answer == b"" or answer.split(b" ")[1] == status
    assert ask(path, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.threat("OPS-07")
def test_a_slow_request_is_cut_off(path: str) -> None:
    """A client that says nothing does not keep the next one waiting for ever."""
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(path)
        slow.sendall(b"GET ")
        assert ask(path, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_the_socket_is_not_for_everybody(path: str) -> None:
    """Only owner and group may connect."""
    assert Path(path).stat().st_mode & 0o007 == 0


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A socket nobody answers on is left over from a crash."""
    listen = Listen(ListenKind.UNIX, path=str(tmp_path / "m.sock"))
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(listen.path)
    stale.close()
    server = MetricsServer(listen, lambda: b"x 1\n")
    try:
        assert ask(listen.path, b"GET / HTTP/1.1\r\n\r\n").endswith(b"x 1\n")
    finally:
        server.close()


@pytest.mark.threat("OPS-10")
def test_what_is_not_ours_is_left_alone(tmp_path: Path, path: str) -> None:
    """Neither a file nor a socket somebody serves is taken away."""
    other = tmp_path / "file"
    other.write_text("precious")
    for taken in (str(other), path):
        with pytest.raises(OSError, match=os.path.basename(taken)):  # noqa: PTH119  # a pattern, not a path
            MetricsServer(Listen(ListenKind.UNIX, path=taken), lambda: b"")
    assert other.read_text() == "precious"


def test_tcp_is_served_too() -> None:
    """Where the operator asks for it."""
    server = MetricsServer(Listen(ListenKind.INET, host="127.0.0.1", port=0), lambda: b"x 1\n")
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        server.close()

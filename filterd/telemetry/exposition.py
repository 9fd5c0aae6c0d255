"""Metrics for Prometheus: the text format, served over HTTP by a thread of the supervisor."""

import contextlib
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from filterd.config import Listen, ListenKind
from filterd.telemetry.events import Event
from filterd.telemetry.metrics import Metrics
from filterd.telemetry.series import BUCKETS, Family, combinations

MAX_REQUEST: Final = 8192  # bytes of a request's head; a scraper sends 300
REQUEST_SECONDS: Final = 2.0  # for one request, whole: one that drips is cut off
SOCKET_MODE: Final = 0o660
BACKLOG: Final = 16
PREFIX: Final = "filterd_"
BY_FRONT: Final = "filterd_front_"
FRONT: Final = "front"  # the label: a row, which the front after it takes over, counts and all
_log = structlog.get_logger()


class _Totals(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        rows = {"": self._metrics.totals()}
        return [_family(family, rows, self._metrics.layout.cells) for family in self._metrics.layout.families]


class _ByFront(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        rows = {str(row): values for row, values in self._metrics.rows().items()}
        return [_family(family, rows, self._metrics.layout.cells) for family in self._metrics.layout.families]


def _family(family: Family, rows: Mapping[str, list[float]], cells: dict[tuple[str, ...], int]) -> Metric:
    """One metric of some rows: by front, under a name of its own, or of the one row that has no name."""
    apart = "" not in rows
    name = family.name.replace(PREFIX, BY_FRONT, 1) if apart else family.name
    labels = [*([FRONT] if apart else []), *[label for label, _ in family.labels]]
    if family.kind == "histogram":
        return _histogram(HistogramMetricFamily(name, family.help, labels=labels), rows, cells[(family.name,)])
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(name, family.help, labels=labels)
    for row, values in rows.items():
        for combination in combinations(family):
            value = values[cells[(family.name, *combination)]]
            if value or not apart:  # of fronts, what is 0 is left out: most of so many are
                metric.add_metric([*([row] if apart else []), *combination], value)
    return metric


def _histogram(metric: HistogramMetricFamily, rows: Mapping[str, list[float]], start: int) -> Metric:
    for row, values in rows.items():
        bounds, running = [], 0.0
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], values[start:], strict=False):
            running += count
            bounds.append((bound, running))
        metric.add_metric([row] if row else [], bounds, values[start + len(BUCKETS) + 1])
    return metric


def render(metrics: Metrics) -> bytes:
    """All metrics in the Prometheus text format, of all processes together."""
    return _page(_Totals(metrics))


def render_fronts(metrics: Metrics) -> bytes:
    """The same by front, each under a name of its own, so that nothing is summed twice where both are scraped."""
    return _page(_ByFront(metrics))


def _page(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


# What a probe finds wrong, in words; empty where nothing is.
Probe = Callable[[], str]


class MetricsServer:
    """Answers GET /metrics, one request at a time, each bounded in size and time. `close` ends it."""

    def __init__(
        self,
        listen: Listen,
        page: Callable[[], bytes],
        probes: Mapping[str, Probe] | None = None,
        pages: Mapping[str, Callable[[], bytes]] | None = None,
    ) -> None:
        """Bind at once (OSError where that fails) and serve from a daemon thread.

        `pages` are further ones by path; so are `probes`: 200 where all is well, 503 with what is not.
        """
        self._listen = listen
        self._pages = {"/metrics": page, "/": page, **(pages or {})}
        self._probes = dict(probes or {})
        self._socket = _bind(listen)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port, 0 for a unix socket."""
        return 0 if self._listen.kind is ListenKind.UNIX else int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Stop serving; the unix socket's file goes with it."""
        self._closing = True
        with contextlib.suppress(OSError):  # wakes the thread from accept
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._listen.kind is ListenKind.UNIX:
            Path(self._listen.path).unlink(missing_ok=True)
        self._thread.join(REQUEST_SECONDS)

    def _serve(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError as problem:
                if self._closing:
                    return
                _log.warning(Event.METRICS_FAILED, cause=str(problem))
                time.sleep(1.0)  # out of descriptors: try again, but not at full speed
                continue
            with connection:
                try:
                    _answer(connection, self._pages, self._probes)
                except OSError:
                    continue  # the client went away
                except Exception:  # noqa: BLE001  # the border of this thread: one failed page must not end it
                    _log.error(Event.METRICS_FAILED, exc_info=True)


def _answer(connection: socket.socket, pages: Mapping[str, Callable[[], bytes]], probes: Mapping[str, Probe]) -> None:
    head = _head(connection)
    line = head.split(b"\r\n", 1)[0].split(b" ")
    path = line[1].split(b"?", 1)[0].decode("ascii", "replace") if len(line) > 1 else ""
    if len(line) != 3 or not line[2].startswith(b"HTTP/1."):  # noqa: PLR2004  # method, target, version
        status, body = "400 Bad Request", b"bad request\n"
    elif line[0] not in {b"GET", b"HEAD"}:
        status, body = "405 Method Not Allowed", b"GET only\n"
    elif (probe := probes.get(path)) is not None:
        wrong = probe()
        status, body = "503 Service Unavailable" if wrong else "200 OK", (wrong or "ok").encode() + b"\n"
    elif (page := pages.get(path)) is not None:
        status, body = "200 OK", page()
    else:
        status, body = "404 Not Found", b"try /metrics\n"
    kind = "text/plain; version=0.0.4; charset=utf-8"
    answer = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    connection.settimeout(REQUEST_SECONDS)
    connection.sendall(answer.encode("ascii") + (b"" if line[0] == b"HEAD" else body))


def _head(connection: socket.socket) -> bytes:
    """The request's head, or what came of it within the bounds."""
    deadline = time.monotonic() + REQUEST_SECONDS
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_REQUEST:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection.settimeout(left)
        received = connection.recv(MAX_REQUEST - len(head))
        if not received:
            break
        head += received
    return head if b"\r\n\r\n" in head else b""


def _bind(listen: Listen) -> socket.socket:
    if listen.kind is not ListenKind.UNIX:
        return socket.create_server(
            (listen.host, listen.port),
            family=socket.AF_INET6 if listen.kind is ListenKind.INET6 else socket.AF_INET,
            backlog=BACKLOG,
        )
    _clear(listen.path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        server.bind(listen.path)
        server.listen(BACKLOG)
    except OSError:
        server.close()
        raise
    finally:
        os.umask(before)
    return server


def _clear(path: str) -> None:
    """Remove a socket of ours that nobody answers on. OSError where something else is there, or others could put it."""
    folder = Path(path).parent
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise OSError(f"{path}: others may write into {folder}: chmod go-w {folder}")
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(facts.st_mode) or facts.st_uid != os.geteuid():
        raise OSError(f"{path} is there and is no socket of ours")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
    raise OSError(f"{path}: another process serves there")

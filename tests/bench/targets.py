"""The filters under test behind one face: started with a name server, told what they cost and what they asked."""

import re
import socket
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from filterd.telemetry.events import Event
from tests.bench import measure
from tests.bench.measure import Process
from tests.support.daemon import Filterd
from tests.support.dnsserver import ZoneData
from tests.support.process import Process as Server
from tests.support.process import wait_until

DNSSERVER: Final = Path(__file__).parents[1] / "support" / "dnsserver.py"
INSPECTION: Final = "filterd.inspection"
METRICS: Final = "filterd-metrics"
METRICS_LIMIT: Final = 1 << 20
COMPLAINT: Final = 2_000  # characters
ASKED: Final = "filterd_dns_questions_total"
WIRE: Final = "filterd_dns_wire_queries_total"


@dataclass(frozen=True, slots=True)
class Questions:
    """DNS questions so far: asked by messages, and those of them that went on the wire."""

    asked: float
    wire: float


class Target(Protocol):
    """A filter that runs."""

    name: str
    address: str

    def __enter__(self) -> Self:
        """Start it; ready when this returns."""

    def __exit__(self, *problem: object) -> None:
        """Stop it."""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by role."""

    def memory(self) -> dict[str, list[float]]:
        """MB of proportional set size, by role and process."""

    def questions(self) -> Questions:
        """DNS questions so far."""


class NameServer:
    """The fixture DNS as a process of its own, so that its CPU is counted apart."""

    def __init__(self, folder: Path, zone_file: Path, delay: int = 0) -> None:
        """`delay` is milliseconds before every answer."""
        self._log = folder / f"dns{delay}.log"
        self._argv = [sys.executable, str(DNSSERVER), "--zone", str(zone_file), "--delay", str(delay)]
        self.port = 0
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Serving."""
        self._log.unlink(missing_ok=True)
        self._server = Server(self._argv, self._log)
        self._server.wait_ready(lambda: self._log.read_text().endswith("\n"))
        self.port = int(self._log.read_text())
        return self

    def __exit__(self, *problem: object) -> None:
        """Gone."""
        if self._server is not None:
            self._server.kill()

    def cpu(self) -> float:
        """CPU seconds so far."""
        return measure.alone(self._server.pid) if self._server is not None else 0.0


def write_zone(path: Path, zone: ZoneData) -> Path:
    """A zone file as the fixture DNS reads it."""
    lines = []
    for name, sets in zone.items():
        lines.append(f'["{name}"]')
        lines += [f"{kind} = {msgspec.json.encode(records).decode()}" for kind, records in sets.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


class FilterdTarget:
    """filterd as shipped: embedded store, journal, one log line per message; metrics on, to be read."""

    def __init__(self, folder: Path, dns: NameServer, *, redis: str = "", name: str = "filterd") -> None:
        """Prepare it in a folder of its own, which is its state: the same folder again knows what it has learnt."""
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self.name = name
        self._metrics = folder / "metrics.sock"
        settings: dict[str, dict[str, object]] = {
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "metrics": {"listen": f"unix:{self._metrics}"},
        }
        if redis:
            settings["redis"] = {"url": redis}
        self._daemon = Filterd(folder, settings)
        self.address = self._daemon.listen
        self._status = folder / "state" / "status.json"

    def __enter__(self) -> Self:
        """Serving, with every front."""
        self._daemon.start()
        wait_until(self._status.exists, "status file: every front serves")
        return self

    def __exit__(self, *problem: object) -> None:
        """Stopped."""
        self._daemon.stop()

    def complaints(self) -> list[str]:
        """What its log holds of errors and swallowed exceptions, each kind once; the age of Python is not its doing."""
        found: dict[str, str] = {}
        for event in self._daemon.events():
            if event.get("level") not in {None, "info"} and event.get("event") != Event.ENVIRONMENT:
                found.setdefault(str(event.get("event")), str(event)[:COMPLAINT])
        return list(found.values())

    @property
    def milter(self) -> str:
        """Its address as Postfix spells it."""
        return self._daemon.milter

    def waits(self) -> dict[str, float]:
        """Milliseconds from end of message to the verdict, by recipient, of messages with one."""
        return {event["recipients"][0]: float(event["ms"]) for event in self._daemon.events("message")}

    def cpu(self) -> dict[str, float]:
        """By role; inspectors that were recycled count with those that live."""
        return measure.cpu(self._daemon.process.pid, self._roles())

    def memory(self) -> dict[str, list[float]]:
        """By role."""
        return measure.memory(self._daemon.process.pid, self._roles())

    def questions(self) -> Questions:
        """From its metrics."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._metrics))
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")
            page = b""
            while len(page) < METRICS_LIMIT and (more := sock.recv(65_536)):
                page += more
        found = dict(re.findall(r"^(\w+) ([0-9.e+]+)$", page.decode(), re.MULTILINE))
        return Questions(float(found[ASKED]), float(found[WIRE]))

    def _roles(self) -> measure.Role:
        root = self._daemon.process.pid
        nurseries = {one.pid for one in measure.tree(root) if one.parent == root and INSPECTION in one.command}
        return partial(_role, root, nurseries, set(self._fronts()))

    def _fronts(self) -> list[int]:
        status = msgspec.json.decode(self._status.read_bytes())
        return [int(pid) for pid in status["fronts"]]


def _role(root: int, nurseries: set[int], fronts: set[int], one: Process) -> str:
    if one.pid == root:
        return "supervisor"
    if one.pid in nurseries:
        return "nursery"
    if one.parent in nurseries:
        return "inspector"
    if one.command == METRICS:
        return "metrics"
    return "front" if one.pid in fronts or (one.parent == root and not one.pid) else "beside"


def answers(address: str) -> bool:
    """Whether somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.removeprefix("unix:"))
        except OSError:
            return False
        return True

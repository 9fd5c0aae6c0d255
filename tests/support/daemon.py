"""filterd itself as an operator runs it: the command line, a configuration file, a log of JSON lines."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.miltertalk import MilterGoneError, Offer, Session
from tests.support.process import Process

STOPS_WITHIN = 45.0  # seconds; the drain of open sessions may take 30
SHOWN = 40  # crashes, or lines that are no events: a traceback is one of these for each line
Settings = Mapping[str, Mapping[str, object]]


class CrashLoggedError(AssertionError):
    """The daemon logged a swallowed exception: a bug of ours, whatever the test was about."""


class Filterd:
    """`with Filterd(folder, {"dns": {...}}) as filterd`: starts at once, stops at the end, insists on a clean log."""

    def __init__(
        self,
        folder: Path,
        settings: Settings | None = None,
        *,
        crashes_expected: bool = False,
        killed: bool = False,
    ) -> None:
        """Write the configuration: the tests' own defaults, overridden table by table, key by key.

        `killed`: its processes are killed at any moment, also in the middle of a line of the log.
        """
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.log = folder / "filterd.log"
        self.settings = _defaults(folder)
        for table, keys in (settings or {}).items():
            self.settings.setdefault(table, {}).update(keys)
        self.write()
        self._crashes_expected = crashes_expected
        self._killed = killed
        self._process: Process | None = None

    @property
    def listen(self) -> str:
        """The milter address as libmilter spells it."""
        return str(self.settings["milter"]["listen"])

    @property
    def milter(self) -> str:
        """The milter address as Postfix spells it."""
        kind, _, rest = self.listen.partition(":")
        port, at, host = rest.partition("@")
        return f"inet:{host}:{port}" if at else f"{kind}:{rest}"

    @property
    def process(self) -> Process:
        """The running daemon."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def write(self) -> None:
        """Write `settings` to the configuration file."""
        self.config.write_text(toml(self.settings))

    def __enter__(self) -> Self:
        """Start it and wait until it answers a negotiation."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop it; a crash in its log fails the test that had no other failure."""
        self.stop()
        if kind is None and not self._crashes_expected and (crashes := self.crashes()):
            raise CrashLoggedError(json.dumps(crashes[:SHOWN], indent=1))

    def start(self) -> None:
        """Start and wait until every front serves: one that is killed before that ends the whole start."""
        before = self._starts()
        self._process = Process([*COMMAND, "run", "--config", str(self.config)], self.log)
        self._process.wait_ready(lambda: self._starts() > before and self._answers())

    def stop(self) -> int:
        """SIGTERM, drain, and the exit code."""
        return self.process.stop(STOPS_WITHIN)

    def _starts(self) -> int:
        return len(self.events("started")) if self.log.exists() else 0

    def _answers(self) -> bool:
        try:
            Session(self.listen, Offer(), timeout=5).quit()
        except (OSError, MilterGoneError):
            return False
        return True

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """The log's events in order, all or those of one name."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = (self._killed and _behind_a_cut(line)) or {"event": "not_json", "line": line}
            if not name or event.get("event") == name:
                found.append(event)
        return found

    def crashes(self) -> list[dict[str, Any]]:
        """Events of swallowed exceptions, and lines that are no events: tracebacks, a library's complaints."""
        return [e for e in self.events() if str(e.get("event")).endswith("_crashed") or e.get("event") == "not_json"]


def _behind_a_cut(line: str) -> dict[str, Any] | None:
    """The event that another process wrote behind the beginning of one: a kill stops a write where a page ends."""
    start = line.find('{"', 1)
    while start >= 0:
        try:
            event: dict[str, Any] = json.loads(line[start:])
        except ValueError:
            start = line.find('{"', start + 1)
        else:
            return event
    return None


COMMAND = (sys.executable, "-m", "filterd")


def _defaults(folder: Path) -> dict[str, dict[str, object]]:
    return {
        # 0666: the test's Postfix runs under its own user and the folder is the test's own
        "milter": {"listen": f"unix:{folder}/milter.sock", "socket_mode": "0666", "authserv_id": "mx.filterd.test"},
        "paths": {"state": f"{folder}/state"},
        "log": {"format": "json"},
    }


def toml(settings: Settings) -> str:
    """Tables of strings, numbers, booleans, lists and flat tables as TOML."""
    lines = []
    for table, keys in settings.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {_value(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(entry)}" for key, entry in value.items()) + " }"
    return json.dumps(value if not isinstance(value, tuple) else list(value))

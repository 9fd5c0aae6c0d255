"""What the daemon tells of itself: the status file, metrics, the pulse; and reading the first."""

import fcntl
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from filterd.app.beside import Beside
from filterd.config import Config
from filterd.telemetry import Metrics
from filterd.telemetry.pulse import Phase, Pulse

STATUS_FILE: Final = "status.json"
LOCK_FILE: Final = "filterd.lock"
_NO_RELOAD: Final[dict[str, Any]] = {"begun": 0, "ended": 0, "good": True, "cause": "", "at": 0}


class StillStartingError(Exception):
    """There is a daemon, and it has not yet said anything of itself."""


class Teller:
    """The supervisor's observer: writes the status file, counts, and keeps the pulse."""

    def __init__(self, config: Config, metrics: Metrics, pulse: Pulse, beside: Sequence[Beside]) -> None:
        """Nothing is told yet."""
        self._path = config.runtime_directory / STATUS_FILE
        self._metrics = metrics
        self._row = metrics.supervisor()
        self._pulse = pulse
        self._beside = beside
        self._state: dict[str, object] = {}
        self._reload = dict(_NO_RELOAD)

    def changed(self, state: dict[str, object]) -> None:
        """The daemon's state is now this."""
        self._state = state
        fronts = state["fronts"]
        self._row.set("filterd_fronts", float(len(fronts) if isinstance(fronts, list) else 0))
        for name, key in (
            ("filterd_fronts_wanted", "workers"),
            ("filterd_loaded_timestamp_seconds", "loaded"),
            ("filterd_rules_timestamp_seconds", "rules_changed"),
        ):
            value = state.get(key)
            self._row.set(name, float(value) if isinstance(value, int | float) else 0.0)
        self._write()

    def front_ended(self, slot: int, *, lost: bool) -> None:
        """A front's process is gone."""
        self._metrics.release(slot)
        if lost:
            self._row.inc("filterd_front_deaths")

    def reloading(self) -> None:
        """A reload begins."""
        self._reload |= {"begun": self._reload["begun"] + 1}
        self._write()

    def reloaded(self, *, good: bool, cause: str = "") -> None:
        """A reload has ended so."""
        self._row.inc("filterd_reloads", "ok" if good else "failed")
        self._reload |= {"ended": self._reload["begun"], "good": good, "cause": cause, "at": int(time.time())}
        self._write()

    def serving(self, *, yes: bool) -> None:
        """Mail is taken, or no more."""
        self._pulse.enter(Phase.SERVING if yes else Phase.STOPPING)
        self._row.set("filterd_serving", float(yes))

    def beat(self) -> None:
        """The supervisor lives."""
        self._pulse.beat()

    def tick(self) -> None:
        """A second has passed."""
        for process in self._beside:
            process.tend()

    def _write(self) -> None:
        if not self._state:
            return  # it has not begun to serve: who asks is told so
        draft = self._path.with_suffix(f".{os.getpid()}")
        # A disk that is full must not end the daemon: the file before it stays.
        with suppress(OSError):
            draft.write_bytes(orjson.dumps(self._state | {"reload": self._reload}, option=orjson.OPT_APPEND_NEWLINE))
            draft.replace(self._path)


def told(folder: Path) -> dict[str, Any]:
    """What the daemon said last, in its runtime folder. StillStartingError where that is nothing yet."""
    try:
        state: dict[str, Any] = orjson.loads((folder / STATUS_FILE).read_bytes())
    except (OSError, ValueError):
        raise StillStartingError("the daemon is starting: try again in a few seconds") from None
    return state


def running(config: Config) -> bool:
    """Whether a daemon holds the lock of this configuration's runtime folder."""
    try:
        with (config.runtime_directory / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_status(config: Config) -> dict[str, Any] | None:
    """What the running daemon last said of itself; None where none runs. StillStartingError."""
    return told(config.runtime_directory) if running(config) else None

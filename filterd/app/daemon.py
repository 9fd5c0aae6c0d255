"""All processes of the daemon: what `filterd run` starts and `filterd status` reads about."""

import grp
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from filterd import __version__
from filterd.app.beside import Beside
from filterd.app.control import begin_control
from filterd.app.custody import quarantine_of
from filterd.app.environment import warn_of_environment
from filterd.app.folders import NURSERY_PREFIX, StartRefusedError, clear_folders, prepare_folders
from filterd.app.learner import LearnerProcess, Tended
from filterd.app.nursery import nursery_settings
from filterd.app.privileges import become_user
from filterd.app.probes import probes
from filterd.app.serving import Serving
from filterd.app.site import Site, load_config, load_site
from filterd.app.successor import Predecessor, end, places, program, refused, succeed
from filterd.app.telling import Teller
from filterd.app.upkeep import begin_upkeep
from filterd.checks.registry import ALL
from filterd.config import DEFAULT_PATH, Config, ConfigError, Listen
from filterd.control import Roles
from filterd.domains import load_suffixes
from filterd.inspectors import NurseryProcess, start_nursery
from filterd.inspectors.nursery import SOCKET_NAME
from filterd.ipc.listening import ListenError
from filterd.milter.listener import close_listener, listening, open_listener
from filterd.policy.listener import PolicyListener
from filterd.supervisor.generation import Plan
from filterd.supervisor.handover import Handover, LeftGeneration
from filterd.supervisor.supervisor import Supervisor
from filterd.telemetry import Metrics, configure
from filterd.telemetry.events import Event
from filterd.telemetry.exposition import MetricsServer, Probe, render, render_fronts
from filterd.telemetry.pulse import Pulse

# A reload keeps the listening sockets and the state: these keys need a restart.
FIXED: Final = (
    "milter.listen",
    "milter.socket_mode",
    "milter.socket_group",
    "policy.listen",
    "policy.socket_mode",
    "policy.socket_group",
    "control.listen",
    "metrics.listen",
    "paths",
    "quarantine",
    "digest",
)
_log = structlog.get_logger()

__all__ = ["Commanded", "StartRefusedError", "run_daemon"]


@dataclass(frozen=True)
class Commanded:
    """How the configuration is found again at a reload."""

    path: Path | None
    listen: str = ""

    def config(self) -> Config:
        """The configuration as it stands now. ConfigError."""
        return load_config(self.path, listen=self.listen)

    def site(self) -> Site:
        """Configuration and rules as they stand now. ConfigError."""
        config = self.config()
        unknown = Roles.of(config.control.roles).problems
        if unknown:
            raise ConfigError(*[f"{self.path or DEFAULT_PATH}: {problem}" for problem in unknown])
        return load_site(config, self.path)


def run_daemon(commanded: Commanded) -> int:
    """Serve until told to stop; the exit status. ConfigError or StartRefusedError where nothing was started."""
    os.umask(0o077)
    handover = Handover.take(os.environ)
    site = commanded.site()
    config = site.config
    configure(config.log.level, config.log.format)
    if handover is None:  # else the user is the one it was
        become_user(config)
    warn_of_environment()
    before = Predecessor(handover, config)
    lock = prepare_folders(config, before)
    load_suffixes()  # before the fronts are forked: each would read it itself, at its first message
    lists = [zone.display for zone in site.zones]
    metrics, pulse = Metrics.create(config.milter.fronts, tuple(ALL), lists, tuple(config.rates)), Pulse()
    try:
        open_listener(config.milter.address.libmilter, config.milter.mode, _group(config, "milter"), before.milter)
        asked = _policy_listener(config, before.policy)
        beside = _beside(commanded, site, metrics, pulse)
    except (ListenError, OSError) as error:
        raise StartRefusedError(str(error)) from None
    learner = LearnerProcess(config)  # before the nursery, which maps the model
    daemon = _Daemon(commanded, config, metrics, lock, learner, asked, before.plans)
    observer = Teller(config, metrics, pulse, beside)

    def refuse() -> None:
        close_listener()
        if asked is not None:
            asked.close()

    def succeed(left: Sequence[LeftGeneration], beat: Callable[[], None]) -> str:
        return daemon.succeed(left, beat, [*beside, learner])

    try:
        supervisor = Supervisor(
            daemon.reload, Tended(observer, learner), config.limits.drain, refuse, succeed, before.generations
        )
        return supervisor.run(daemon.plan(site))
    finally:
        learner.stop()
        for process in beside:
            process.stop()
        clear_folders(config)


class _Daemon:
    """Makes plans: one configuration each, for the supervisor to run."""

    def __init__(  # what outlives a configuration
        self,
        commanded: Commanded,
        first: Config,
        metrics: Metrics,
        lock: int,
        learner: LearnerProcess,
        asked: PolicyListener | None,
        plans: int,
    ) -> None:
        self._commanded = commanded
        self._first = first
        self._metrics = metrics
        self._lock = lock
        self._learner = learner
        self._asked = asked
        self._started = time.time()
        self._plans = plans

    def reload(self) -> Plan:
        """The plan for what stands in the files now; ValueError says why there is none."""
        try:
            site = self._commanded.site()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        changed = [key for key in FIXED if _value(site.config, key) != _value(self._first, key)]
        if changed:
            raise ValueError(f"{', '.join(changed)} cannot change by a reload: restart filterd")
        configure(site.config.log.level, site.config.log.format)
        self._learner.use(site.config)
        return self.plan(site)

    def succeed(
        self, left: Sequence[LeftGeneration], beat: Callable[[], None], others: Sequence[Beside | LearnerProcess]
    ) -> str:
        """Become the program as it is installed now; returns why that was not to be."""
        command = program()
        if command is None:
            return "it was not started as `filterd run`"
        if cause := refused(command, self._commanded.path, beat):
            return cause
        _log.info(Event.RESTARTING, version=__version__)
        end([one.pid for one in others if one.pid])
        policy = None if self._asked is None else self._asked.socket.fileno()
        handover = Handover(os.getpid(), places(self._first), listening(), policy, self._lock, self._plans, tuple(left))
        try:
            succeed(command, handover)
        except OSError as error:
            return f"cannot start {command[0]}: {error.strerror}"

    def plan(self, site: Site) -> Plan:
        """How to run this site."""
        self._plans += 1
        config = site.config
        for entry in site.indicators.expired(time.time()):
            _log.warning(Event.INDICATOR_EXPIRED, entry=entry.name, owner=entry.owner, expires=str(entry.expires))
        folder = config.runtime_directory.resolve() / f"{NURSERY_PREFIX}{os.getpid()}-{self._plans}"

        def start() -> "_Nursery":
            folder.mkdir(mode=0o711)
            return _Nursery(start_nursery(folder, nursery_settings(config)), folder)

        def build(slot: int) -> Serving:
            os.close(self._lock)  # the supervisor alone holds it: it must go with that one
            return Serving(site, folder / SOCKET_NAME, self._metrics, slot, self._asked)

        summary: dict[str, object] = {
            "version": __version__,
            "listen": config.milter.address.libmilter,
            "policy": config.policy.address.libmilter if config.policy.address else "off",
            "workers": config.milter.fronts,
            "inspectors": config.milter.fronts * config.inspectors.per_front,
            "config_id": site.config_id,
            "rules_id": site.rules_id,
            "rules_changed": int(site.rules_changed),
            "observe": config.actions.observe,
            "store": "redis" if config.redis.url else "embedded",
            "started": int(self._started),
            "began": self._started,
            "loaded": int(time.time()),
        }
        return Plan(config.milter.fronts, start, build, summary)


class _Nursery:
    """A nursery with the folder its sockets live in."""

    def __init__(self, process: NurseryProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder

    def alive(self) -> bool:
        return self._process.alive()

    def restart(self) -> None:
        self._process.restart()

    def stop(self) -> None:
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def left(self) -> tuple[int, str]:
        return self._process.pid, str(self._folder)


def _beside(commanded: Commanded, site: Site, metrics: Metrics, pulse: Pulse) -> tuple[Beside, ...]:
    """The processes beside the fronts. OSError where an address of theirs cannot be served."""
    config = site.config
    begun = [Beside("upkeep", lambda: begin_upkeep(config, quarantine_of(config, upkeep=True), metrics.supervisor()))]
    listen = config.metrics.address
    try:
        begun.append(Beside("control", lambda: begin_control(site, metrics, pulse, commanded.site)))
        if listen is not None:
            asked = probes(pulse, metrics, config.milter.address)
            begun.append(Beside("metrics", lambda: _metrics_server(listen, metrics, asked).close))
    except OSError:
        for process in begun:
            process.stop()
        raise
    return tuple(begun)


def _metrics_server(listen: Listen, metrics: Metrics, asked: Mapping[str, Probe]) -> MetricsServer:
    return MetricsServer(listen, lambda: render(metrics), asked, {"/metrics/fronts": lambda: render_fronts(metrics)})


def _policy_listener(config: Config, inherited: int | None) -> PolicyListener | None:
    """The socket of the policy service, None where it is off. ListenError, StartRefusedError."""
    address = config.policy.address
    if address is None:
        return None
    return PolicyListener(address, config.policy.mode, _group(config, "policy"), inherited)


def _group(config: Config, table: str) -> int:
    """The number of a socket's group, -1 for none. StartRefusedError where there is no such group."""
    name = str(_value(config, f"{table}.socket_group"))
    if not name:
        return -1
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StartRefusedError(f"[{table}] socket_group: expected a group of this machine, got {name!r}") from None


def _value(config: Config, key: str) -> object:
    value: object = config
    for name in key.split("."):
        value = getattr(value, name)
    return value

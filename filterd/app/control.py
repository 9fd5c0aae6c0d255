"""What the daemon's own socket answers: a process beside the fronts, for the supervisor reads no byte of anybody's."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import structlog

from filterd.app.custody import quarantine_of
from filterd.app.front import shared_state
from filterd.app.health import judged
from filterd.app.lists import protection_of
from filterd.app.reviewers import held, release, show
from filterd.app.site import Site
from filterd.app.telling import StillStartingError, told
from filterd.config import Config, ConfigError
from filterd.config.control import Right
from filterd.control import Command, ControlServer, Grant, Peer, Refusal, Request, Roles
from filterd.ipc.listening import ListenError
from filterd.model.custody import CustodyError
from filterd.model.store import StoreError
from filterd.telemetry import Event, Metrics
from filterd.telemetry.pulse import Pulse

OPEN_MODE: Final = 0o666  # who connects is known from the kernel, and roles decide
OWN_MODE: Final = 0o600  # nobody else has a role
RELOAD_SECONDS: Final = 90.0  # reading rules, and what new fronts may take to start
_LOOK: Final = 0.05  # seconds between two looks whether a reload has ended
_log = structlog.get_logger()


def begin_control(site: Site, metrics: Metrics, pulse: Pulse, again: Callable[[], Site]) -> Callable[[], None]:
    """Serve, in threads; what is given back ends it. OSError. `again` reads configuration and rules after a reload."""
    config, control = site.config, _Control(site, metrics, pulse, again)
    try:
        return ControlServer(config.control_socket, _mode(config), control.grant, control.answer).close
    except ListenError as error:
        raise OSError(f"[control] {error}") from None


def _mode(config: Config) -> int:
    return OPEN_MODE if config.control.roles else OWN_MODE


def _single(ids: tuple[str, ...]) -> str:
    if len(ids) != 1:
        raise Refusal("expected the id of one message")
    return ids[0]


class _Control:
    """Answers questions, each in a thread of its own."""

    def __init__(self, site: Site, metrics: Metrics, pulse: Pulse, again: Callable[[], Site]) -> None:
        self._site = site
        self._roles = Roles.of(site.config.control.roles)
        self._metrics = metrics
        self._pulse = pulse
        self._again = again
        self._parent = os.getppid()

    @property
    def _config(self) -> Config:
        return self._site.config

    def grant(self, peer: Peer) -> Grant:
        """What somebody may, by the roles that hold now."""
        self._follow()
        return self._roles.grant(peer)

    def answer(self, peer: Peer, grant: Grant, request: Request) -> dict[str, Any]:
        """Do what is asked. Refusal says why not."""
        if request.command is Command.STATUS:
            return self.status()
        if request.command is Command.HEALTH:
            status = self.status()
            return {
                "health": status["health"],
                **({"problems": status["problems"]} if Right.VIEW in grant.rights else {}),
            }
        if request.command in {Command.RELOAD, Command.RESTART}:
            _log.info(Event.CONTROL_ASKED, who=peer.name, pid=peer.pid, command=str(request.command))
            return self._reload() if request.command is Command.RELOAD else self._restart()
        if request.command is Command.PROGRESS:
            return self._progress()
        return self._review(peer, grant, request)

    def _review(self, peer: Peer, grant: Grant, request: Request) -> dict[str, Any]:
        try:
            if request.command is Command.HELD:
                return {"held": held(self._config, grant, request.most)}
            if request.command is Command.SHOW:
                return {"shown": show(self._site, grant, peer, _single(request.ids))}
            _log.info(Event.CONTROL_ASKED, who=peer.name, pid=peer.pid, command="release", ids=list(request.ids))
            return {"released": release(self._config, grant, peer, request.ids)}
        except (CustodyError, OSError, sqlite3.Error) as error:
            raise Refusal(f"quarantine: {error}") from None

    def status(self) -> dict[str, Any]:
        """All that is known of the daemon. Refusal where it has not said anything yet."""
        state = self._told()
        now = time.time()
        store = self._store()
        fronts = [
            front
            | {
                "age": round(max(0.0, now - front["started"]), 1),
                "sessions": int(self._metrics.value(front["slot"], "filterd_sessions")),
            }
            for front in state["front_processes"]
        ]
        found = state | {
            "alive": self._pulse.alive,
            "phase": self._pulse.phase.name.lower(),
            "front_processes": fronts,
            "inspectors_serving": int(self._metrics.total("filterd_inspectors")),
            "store_state": store,
            "queue": self._queue(),
            "model": self._model(),
            **protection_of(self._config, self._site.zones if store["answers"] else None),
        }
        return found | judged(found)

    def _told(self) -> dict[str, Any]:
        try:
            return told(self._config.runtime_directory)
        except StillStartingError as error:
            raise Refusal(str(error)) from None

    def _follow(self) -> None:
        """Take over what a reload has brought; files that were changed since and do not hold are not looked at."""
        try:
            state = self._told()
            current = state["config_id"], state["rules_id"]
            if current == (self._site.config_id, self._site.rules_id):
                return
            site = self._again()
            if (site.config_id, site.rules_id) != current:
                return
            self._site, self._roles = site, Roles.of(site.config.control.roles)
            site.config.control_socket.chmod(_mode(site.config))
        except (Refusal, ConfigError, OSError):
            return

    def _reload(self) -> dict[str, Any]:
        """Have the supervisor reload and wait for what comes of it. Refusal says why that was not to be."""
        before = self._told()["reload"]["begun"]  # one that began later has read the files as they are now
        self._tell(signal.SIGUSR1)
        until = time.monotonic() + RELOAD_SECONDS
        while time.monotonic() < until:
            state = self._told()
            if state["reload"]["ended"] > before:
                if not state["reload"]["good"]:
                    raise Refusal(f"the old configuration goes on: {state['reload']['cause']}")
                return {name: state[name] for name in ("generation", "config_id", "rules_id", "workers")}
            time.sleep(_LOOK)
        raise Refusal(f"it has not ended within {RELOAD_SECONDS:.0f} s; the log says when it does")

    def _restart(self) -> dict[str, Any]:
        """Have the supervisor begin anew: this process ends with it, so who asked has to ask for its progress."""
        before = self._progress()
        self._tell(signal.SIGUSR2)
        return before

    def _progress(self) -> dict[str, Any]:
        """By which who asked for a restart sees that it has come about (`began`), or been refused."""
        state = self._told()
        return {"began": state["began"], "reload": state["reload"], "version": state["version"]}

    def _tell(self, number: signal.Signals) -> None:
        if os.getppid() != self._parent:
            raise Refusal("the daemon has ended")
        os.kill(self._parent, number)

    def _store(self) -> dict[str, Any]:
        kind = "Redis" if self._config.redis.url else "the embedded state"
        alone = int(self._metrics.total("filterd_store_left_alone"))
        store = shared_state(self._config)
        began = time.monotonic()
        try:
            store.get_many(["control"])
        except StoreError as error:
            return {"kind": kind, "answers": False, "cause": str(error), "left_alone_by": alone}
        finally:
            store.close()
        ms = round((time.monotonic() - began) * 1000, 1)
        return {"kind": kind, "answers": True, "ms": ms, "left_alone_by": alone}

    def _queue(self) -> dict[str, Any]:
        try:
            with closing(quarantine_of(self._config)) as quarantine:
                totals = quarantine.totals().values()
                due = quarantine.releases_due()
        except (CustodyError, OSError, sqlite3.Error) as error:
            return {"trouble": str(error)}
        return {"held": sum(n for n, _ in totals), "bytes": sum(size for _, size in totals), "releases_due": due}

    def _model(self) -> dict[str, str]:
        if not self._config.classifier.enabled:
            return {"state": "off", "text": "[classifier] enabled = false"}
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from filterd.app.learning import look_at_model  # noqa: PLC0415  # numpy: only where somebody asks

        found = look_at_model(self._config)
        return {"state": found.level, "text": found.text}

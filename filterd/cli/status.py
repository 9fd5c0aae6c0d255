"""filterd status, reload, restart: what the running daemon says of itself; having it read its files or begin anew."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

from filterd.app import Health
from filterd.cli.asking import SocketOption, answered, asked
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, print_table, safe
from filterd.control import Command, Request

RELOAD_SECONDS: Final = 100.0  # the daemon gives up before
RESTART_SECONDS: Final = 180.0  # the trial of the configuration, and new fronts with a cold compile of rules
_LOOK: Final = 0.2  # seconds between two looks whether it has come about
EXIT: Final = {Health.OK: 0, Health.FAILED: 1, Health.DEGRADED: 3}
_PLAIN: Final = ("pid", "version", "listen", "policy", "observe", "config_id", "generation")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def reload(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Have the running daemon read its configuration and rules again, and wait for what comes of it.

    Open sessions end undisturbed with what they began with. Exit code 1 where the new configuration or rules cannot be
    used: it is said why, and the old ones go on. For root, the daemon's user, and roles with `reload`.

    Example: filterd reload
    """
    found = asked(config, socket, Request(Command.RELOAD), RELOAD_SECONDS)
    if json:
        print_json(found)
        return
    typer.echo(f"reloaded: configuration {found['config_id']}, rules {found['rules_id']}, {found['workers']} fronts")


def restart(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Have the program begin anew, as it is installed now, while its fronts serve on: no message is deferred for it.

    For a new release. Open sessions end undisturbed with the program they began with. Exit code 1 where that program
    does not accept the configuration: it is said why, and the old one goes on. What systemd sets up (the unit, its
    rights and limits) changes only by `systemctl restart filterd`. For root, the daemon's user, and roles with
    `reload`.

    Example: filterd restart
    """
    before = asked(config, socket, Request(Command.RESTART))
    until = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < until:
        time.sleep(_LOOK)
        found = answered(config, socket, Request(Command.PROGRESS))
        if found is None:
            continue  # its socket is between two programs
        if found["began"] != before["began"]:
            shown = {"version": found["version"]}
            print_json(shown) if json else typer.echo(f"restarted: version {found['version']}")
            return
        if found["reload"]["ended"] > before["reload"]["begun"] and not found["reload"]["good"]:
            fail(f"the old program goes on: {safe(str(found['reload']['cause']))}")
    fail(f"it has not begun anew within {RESTART_SECONDS:.0f} s; the log says why (restart_failed, front_failed)")


def status(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show the running daemon: health, fronts, inspectors and their sandbox, rules, block lists, Redis, held mail.

    Exit code 0 where it is healthy, 3 where it filters mail and something is missing, 1 where it does not, or none
    runs. For root, the daemon's user, and roles with `view`.

    Example: filterd status --json
    """
    found = asked(config, socket, Request(Command.STATUS))
    if json:
        print_json(found)
    else:
        print_table(("what", "value"), list(_rows(found, time.time())))
    raise typer.Exit(EXIT.get(Health(found["health"]), 1))


def _rows(found: Mapping[str, Any], now: float) -> Iterator[tuple[str, str]]:
    """What a person wants to know, what is wrong first."""
    yield "health", str(found["health"])
    for problem in found["problems"]:
        yield "problem", str(problem)
    for name in _PLAIN:
        yield name, str(found[name])
    yield "started", _since(found["started"], now)
    for front in found["front_processes"]:
        draining = ", draining" if front["draining"] else ""
        yield "front", f"{front['pid']}: {front['sessions']} sessions, {_length(front['age'])} old{draining}"
    yield "inspectors", f"{found['inspectors_serving']} of {found['inspectors']}"
    yield "sandbox", ", ".join([f"{name} {level}" for name, level in found["sandbox"].items()]) or "unknown"
    yield "rules", f"{found['rules_id']}, changed {_since(found['rules_changed'], now)}; YARA {found['rule_set']}"
    for name in found["rule_files_left_out"]:
        yield "rules left out", str(name)
    yield "loaded", _since(found["loaded"], now)
    yield from _reload(found["reload"], now)
    yield from _protection(found["suspended_lists"], found["unprotected_since"])
    yield from _state(found)


def _state(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    store, queue = found["store_state"], found["queue"]
    answers = f"answers in {store['ms']} ms" if store["answers"] else f"does not answer: {store['cause']}"
    alone = f"; {store['left_alone_by']} fronts leave it alone" if store["left_alone_by"] else ""
    yield store["kind"], answers + alone
    if "trouble" in queue:
        yield "held mail", str(queue["trouble"])
    else:
        yield "held mail", f"{queue['held']} messages, {queue['bytes'] / 1e6:.1f} MB"
        yield "releases due", str(queue["releases_due"])
    yield "classifier", str(found["model"]["text"])


def _reload(last: Mapping[str, Any], now: float) -> Iterator[tuple[str, str]]:
    if last["begun"] > last["ended"]:
        yield "reload", "under way"
    elif last["ended"]:
        yield "last reload", f"{'good' if last['good'] else 'failed'}, {_since(last['at'], now)}"
        if last["cause"]:
            yield "its cause", str(last["cause"])


def _protection(lists: Mapping[str, Mapping[str, str]] | None, since: str | None) -> Iterator[tuple[str, str]]:
    """What a person should know of block lists that are not asked."""
    if lists is None:
        yield "block lists", "unknown: the shared state or the rules cannot be read"
    elif not lists:
        yield "block lists", "all are asked"
    else:
        yield "unprotected since", f"{since}: mail is not checked against {', '.join(lists)}"
        for name, entry in lists.items():
            yield f"suspended {name}", f"since {entry['since']}: {entry['reason']}"


def _since(moment: float, now: float) -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
    return f"{stamp} ({_length(max(0.0, now - moment))} ago)"


def _length(seconds: float) -> str:
    """A time as a person says it, in its largest unit."""
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

"""Whether the daemon is well, judged from what is known of it. Pure."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from filterd.telemetry.pulse import Phase


class Health(StrEnum):
    """How it is."""

    OK = "ok"
    DEGRADED = "degraded"  # mail is filtered, and something is missing
    FAILED = "failed"  # mail is not filtered


def judged(status: Mapping[str, Any]) -> dict[str, Any]:
    """`health`, and `problems` in words, worst first."""
    failures, lacks = tuple(_failures(status)), tuple(_lacks(status))
    health = Health.FAILED if failures else Health.DEGRADED if lacks else Health.OK
    return {"health": health, "problems": [*failures, *lacks]}


def _failures(status: Mapping[str, Any]) -> Iterator[str]:
    """What keeps mail from being filtered."""
    if not status["alive"]:
        yield "the supervisor hangs: restart filterd"
    if status["phase"] != Phase.SERVING.name.lower():
        yield f"no new mail is taken: {status['phase']}"
        return
    if not any(not front["draining"] for front in status["front_processes"]):
        yield "no front serves: the log says why (front_failed, front_died)"
    if not status["inspectors_serving"]:
        yield "no inspector reads mail: the log says why; messages are deferred"


def _lacks(status: Mapping[str, Any]) -> Iterator[str]:
    """What is missing while mail is filtered."""
    serving = sum([not front["draining"] for front in status["front_processes"]])
    if 0 < serving < status["workers"]:
        yield f"{serving} of {status['workers']} fronts serve"
    if not status["reload"]["good"]:
        # The files are not what is at work: a restart would not come up, or come up as something else.
        cause = str(status["reload"]["cause"]).partition("\n")[0]
        yield f"the last reload failed, what was loaded before goes on: {cause}"
    walls = status.get("sandbox")
    if walls and not walls["landlock"] and not walls["seccomp"]:
        yield "inspectors read hostile mail without Landlock and seccomp: filterd doctor says what this host allows"
    store = status["store_state"]
    if not store["answers"]:
        yield f"{store['kind']} does not answer ({store['cause']}): caches, limits and lists are this node's alone"
    elif store["left_alone_by"]:
        yield f"{store['left_alone_by']} fronts leave {store['kind']} alone after failures: they try once a second"
    if status["suspended_lists"]:
        names = ", ".join(status["suspended_lists"])
        yield f"unprotected since {status['unprotected_since']}: mail is not checked against {names}"
    if status["rule_files_left_out"]:
        yield f"{len(status['rule_files_left_out'])} rule files are left out: filterd rules check says why"
    if "trouble" in status["queue"]:
        yield f"held mail cannot be looked at: {status['queue']['trouble']}"
    if status["model"]["state"] == "failed":
        yield f"the classifier's model: {status['model']['text']}"

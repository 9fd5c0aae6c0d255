"""What the log says when the daemon starts: of Python, of packages, of the user it runs as."""

import os

import structlog

from filterd.operations.doctor import Level
from filterd.operations.environment import check_environment, check_user
from filterd.telemetry.events import Event

_log = structlog.get_logger()


def warn_of_environment() -> None:
    """Say what is not as this release was checked; nothing where all is."""
    for found in (*check_environment(), check_user(os.geteuid())):
        if found.level is not Level.OK:
            _log.warning(Event.ENVIRONMENT, cause=f"{found.subject} {found.text}", remedy=found.remedy)

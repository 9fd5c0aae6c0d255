"""What the log says of Python and its packages when the daemon starts."""

import structlog

from filterd.operations.doctor import Level
from filterd.operations.environment import check_environment
from filterd.telemetry.events import Event

_log = structlog.get_logger()


def warn_of_environment() -> None:
    """Say what is not as this release was checked; nothing where all is."""
    for found in check_environment():
        if found.level is not Level.OK:
            _log.warning(Event.ENVIRONMENT, cause=f"{found.subject} {found.text}", remedy=found.remedy)

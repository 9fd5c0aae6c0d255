"""The composition root: everything live is built here and handed down, nowhere else.

`site` reads configuration and rules, `front` makes what one front process works with, `daemon` runs all processes,
`commands` makes what the commands need. Below this layer nothing opens what it was not given.
"""

from filterd.app.commands import (
    diagnose,
    keep_rule_costs,
    open_bench,
    open_inspectors,
    open_journal,
    open_quarantine,
    open_scanner,
    open_viewers,
    rule_costs,
    rule_uses,
)
from filterd.app.daemon import Commanded, StartRefusedError, run_daemon
from filterd.app.domain import open_examiner
from filterd.app.front import StartError
from filterd.app.health import Health
from filterd.app.limits import open_limits
from filterd.app.lists import open_lists, suspended_lists
from filterd.app.reporting import report_of
from filterd.app.retention import limits_of
from filterd.app.rule_files import around, data_files
from filterd.app.scale import scale_of
from filterd.app.site import Site, load_config, load_site
from filterd.app.telling import StillStartingError, read_status, running
from filterd.app.upkeep import releaser_of
from filterd.config import Config, ConfigError

__all__ = [
    "Commanded",
    "Config",
    "ConfigError",
    "Health",
    "Site",
    "StartError",
    "StartRefusedError",
    "StillStartingError",
    "around",
    "data_files",
    "diagnose",
    "keep_rule_costs",
    "limits_of",
    "load_config",
    "load_site",
    "open_bench",
    "open_examiner",
    "open_inspectors",
    "open_journal",
    "open_limits",
    "open_lists",
    "open_quarantine",
    "open_scanner",
    "open_viewers",
    "read_status",
    "releaser_of",
    "report_of",
    "rule_costs",
    "rule_uses",
    "run_daemon",
    "running",
    "scale_of",
    "suspended_lists",
]

"""The configuration: filterd.toml, read once, checked whole, then frozen.

`load` gives a `Config` or raises one `ConfigError` that lists every problem found, one line each: file and line, key,
what was expected, and a guess for misspelt keys. Nothing is half applied: a file that does not load leaves the
configuration that is running in place.

Rules of the file: unknown keys are errors; a value of the wrong type is an error, never converted; `${...}` is refused
instead of being taken literally; secrets stand in files of their own that others may not read. Relative paths are taken
from the working directory of the daemon. Every key says in its model what it means, in which unit, and what it is when
absent: docs/configuration.md is printed from there (`python -m filterd.config.reference`).
"""

from filterd.config.decisions import Actions, Limits, OnUnknown, Replies
from filterd.config.greylist import Greylist
from filterd.config.listen import Listen, ListenKind
from filterd.config.loading import DEFAULT_PATH, load
from filterd.config.rates import Rate, RateBy
from filterd.config.root import Config, config_id
from filterd.config.secrets import SecretError, read_secret
from filterd.config.toml import ConfigError

__all__ = [
    "DEFAULT_PATH",
    "Actions",
    "Config",
    "ConfigError",
    "Greylist",
    "Limits",
    "Listen",
    "ListenKind",
    "OnUnknown",
    "Rate",
    "RateBy",
    "Replies",
    "SecretError",
    "config_id",
    "load",
    "read_secret",
]

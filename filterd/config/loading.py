"""Where filterd.toml is, and what holds without one."""

from pathlib import Path
from typing import Final

from filterd.config.root import Config
from filterd.config.toml import read_model

DEFAULT_PATH: Final = Path("/etc/filterd/filterd.toml")


def load(path: Path | None = None) -> Config:
    """The checked configuration of a file; None: /etc/filterd/filterd.toml if there is one, else the built-in defaults.

    ConfigError where the file cannot be read, is no TOML, or says something that cannot be meant.
    """
    if path is None:
        if not DEFAULT_PATH.exists():
            return Config()
        path = DEFAULT_PATH
    return read_model(path, Config)

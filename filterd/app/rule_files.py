"""Composites and regex rules for `filterd rules`, and all that they are checked against."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from filterd.app.scores import composite_sources, load_basis, regex_directories, with_regexes
from filterd.config import DEFAULT_PATH, Config
from filterd.operations.rules_data import Around, Files, read
from filterd.score import ScoreRules
from filterd.score.definitions import Known


def data_files(config: Config, path: Path | None, paths: Sequence[Path] | None) -> Files:
    """The files named, or without any the daemon's own with the composites of its configuration. ConfigError."""
    if paths is not None:
        return read(paths)
    files = read([folder for folder in regex_directories(config) if folder.is_dir()])
    sources = tuple([source for source in composite_sources(config, path or DEFAULT_PATH) if source.entries])
    return replace(files, paths=(*files.paths, *[source.path for source in sources]), sources=sources)


def around(config: Config, path: Path | None, files: Files) -> Around:
    """What the configuration puts around them; nothing where there are none, whatever it is. ConfigError."""
    if not files.paths:
        return Around(ScoreRules({}, {}), Known(), ())
    basis = load_basis(config, path or DEFAULT_PATH)
    return Around(with_regexes(basis.scores, files.regexes), basis.known, basis.sources)

"""filterd quarantine review: the reviewer's desk."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filterd.app import releaser_of, scale_of
from filterd.cli.acting import actor
from filterd.cli.allowing import allowed
from filterd.cli.common import ConfigOption, fail, site
from filterd.cli.quarantine import opened
from filterd.model.custody import Evidence
from filterd.operations.explain import explain, lines
from filterd.operations.review import Reviewer

LEARN_SECONDS: Final = 60.0  # one message; inspectors have to start for it


def review(config: ConfigOption = None) -> None:
    """Look through held mail in a full-screen desk: a list, the message in words, a key for each act.

    Works over ssh. Keys stand at the bottom; / searches, a shows what was decided already, q ends it.

    Example: filterd quarantine review
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("the desk needs a terminal; scripts use `filterd quarantine list --json`")
    # Imported here: it takes 0.2 s, which no other command should wait for.
    from filterd.cli.desk import Desk  # noqa: PLC0415

    rules = site(config)

    def words(evidence: Evidence) -> Iterator[str]:
        yield from lines(explain(evidence, scale_of(rules, evidence.verdict.policy)))

    with opened(config) as quarantine:
        releaser = releaser_of(rules.config, quarantine)

        def learn(label: str, raw: bytes) -> str:
            return _learn(config, label, raw)

        def allow(identifier: str) -> str:
            return allowed(rules.config, quarantine, identifier)

        Desk(Reviewer(quarantine, releaser, words, learn, actor(), allow)).run()


def _learn(config: Path | None, label: str, raw: bytes) -> str:
    """In a process of its own: what learning needs is large, and the desk stays as it is whatever happens there."""
    argv = [sys.executable, "-m", "filterd", "learn", label, "-", *(["--config", str(config)] if config else [])]
    try:
        done = subprocess.run(argv, input=raw, capture_output=True, timeout=LEARN_SECONDS, check=False)  # noqa: S603  # ourselves, with words of ours; the message comes by the pipe
    except subprocess.TimeoutExpired:
        return f"not learnt within {LEARN_SECONDS:g} s"
    said = (done.stdout or done.stderr).decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else f"exit status {done.returncode}"

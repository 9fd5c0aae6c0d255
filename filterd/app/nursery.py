"""How inspectors are to be: the configuration's words as a nursery's settings."""

import os
import pwd
from pathlib import Path

from filterd.app.scores import regex_directories
from filterd.config import Config, ConfigError
from filterd.inspectors import NurserySettings, SandboxLevel
from filterd.ipc.messages import NOBODY

MODEL = "model.bin"  # below [paths] state, classifier/; as the classifier calls it, which the daemon does not import
FULL = SandboxLevel(namespaces=True, chroot=True, landlock=1, seccomp=True)


def nursery_settings(config: Config, cache: Path | None = None) -> NurserySettings:
    """The settings; `cache` is where compiled rules are kept, by default below [paths] state. ConfigError."""
    rules = config.rules_directory.resolve()
    inspectors = config.inspectors
    model = config.classifier_directory.resolve() / MODEL
    uid, gid = _ids(inspectors.user)
    return NurserySettings(
        rules=str(rules / "yara"),
        cache=str(cache or config.state_directory.resolve() / "cache"),
        phrases=str(rules / "phrases.toml") if (rules / "phrases.toml").exists() else "",
        languages=config.content.languages,
        regex=tuple([str(folder.resolve()) for folder in regex_directories(config)]),
        classifier=str(rules / "classifier.toml") if (rules / "classifier.toml").exists() else "",
        model=str(model) if config.classifier.enabled and model.exists() else "",
        least=config.classifier.least,
        walls=inspectors.sandbox != "off",
        demand=FULL if inspectors.sandbox == "required" else SandboxLevel(),
        uid=uid,
        gid=gid,
        memory=inspectors.memory,
        cpu_seconds=max(1, int(inspectors.seconds)),
        messages=inspectors.recycle,
        analysed=config.limits.message_bytes,
        passwords=inspectors.passwords,
    )


def _ids(user: str) -> tuple[int, int]:
    """The ids that inspectors of a daemon started by root run with."""
    if not user or os.geteuid() != 0:
        return NOBODY, NOBODY
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"[inspectors] user: expected a user of this machine, got {user!r}") from None
    return entry.pw_uid, entry.pw_gid

"""Started by root, the daemon becomes the user that [paths] user names, before it opens anything."""

import os
import pwd
import sys
from typing import Final

from filterd.config import Config, ConfigError

ROOT: Final = 0
PASSABLE: Final = 0o711  # folders: the MTA passes through to the socket


def become_user(config: Config) -> None:
    """Begin anew as that user; returns where there is nothing to be done. ConfigError.

    The program is executed again: nothing that root has read is left in it, and what it is from then on is what a
    service manager would have started.
    """
    user = config.paths.user
    if os.geteuid() != ROOT or not user:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"[paths] user: expected a user of this machine, got {user!r}") from None
    if entry.pw_uid == ROOT:
        return
    for folder in (config.state_directory, config.runtime_directory):
        if not folder.is_dir():
            folder.mkdir(parents=True, mode=PASSABLE)
            folder.chmod(PASSABLE)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.update({"USER": user, "LOGNAME": user, "HOME": entry.pw_dir})
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # our own command line
    except OSError as error:
        raise ConfigError(f"[paths] user: {user} cannot execute {sys.executable}: {error.strerror}") from None

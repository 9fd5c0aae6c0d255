"""What an MTA in front of us has to meet: our sockets, who may connect to them, and the times that we take."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.config.listen import Listen
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_values import MARGIN_SECONDS

# RFC 5321, section 4.5.3.2: how long a client waits; what an MTA waits longer for us is answered to nobody.
COMMAND_MOST: Final = 300.0  # seconds, for MAIL and RCPT
CONTENT_MOST: Final = 600.0  # seconds, for the reply to the final dot
COMMAND_LEAST: Final = 10.0  # seconds; a front answers at once, but a host that swaps does not


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side. `release` is the port of the listener that takes released mail; 0 where it is not on this host."""

    milter: Listen
    deadline: float
    early_milter: bool
    early_wait: float
    policy: Listen | None
    policy_timeout: float
    analysed: int
    release: int
    tokens: bool
    policies: bool

    @property
    def content_seconds(self) -> int:
        """What we recommend an MTA to wait for a verdict."""
        return int(max(120.0, 2 * self.deadline))


@dataclass(frozen=True, slots=True)
class Reader:
    """Who connects: a user of this host, with all his groups."""

    name: str
    uid: int
    gids: frozenset[int]

    @classmethod
    def of(cls, name: str) -> "Reader | None":
        """A user by name; None where this host has none of that name."""
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            groups = {one.gr_gid for one in grp.getgrall() if name in one.gr_mem}
            return cls(name, user.pw_uid, frozenset({user.pw_gid, *groups}))
        return None

    def may(self, path: Path, wanted: int) -> bool:
        """Whether he has these rights (of rwx as 4, 2, 1) to it. OSError."""
        found = path.stat()
        if self.uid == 0:
            return True
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.gids else 0
        return (found.st_mode >> shift) & wanted == wanted


def check_socket(subject: str, path: Path, reader: Reader | None, table: str) -> Iterator[Diagnosis]:
    """A unix socket must be one that the MTA's user may write to; `table` is where filterd.toml sets its rights."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            yield Diagnosis(Level.FAILED, subject, f"{path} is no socket", f"look at {table} listen in filterd.toml")
            return
        bars = [one for one in reversed(path.parents) if reader is not None and not reader.may(one, 1)]
        closed = reader is not None and not reader.may(path, 2)
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        yield Diagnosis(Level.WARNING, subject, f"{path} cannot be looked at: {why}", "start filterd run")
        return
    name = reader.name if reader is not None else ""
    if bars:
        text = f"{name} cannot get to {path}: {bars[0]} is closed to it"
        yield Diagnosis(Level.FAILED, subject, text, f"chmod o+x {bars[0]}")
    elif closed:
        text = f"{name} may not write to {path} (mode {stat.S_IMODE(path.stat().st_mode):04o}, group {group})"
        yield Diagnosis(Level.FAILED, subject, text, f'in filterd.toml, {table}: socket_group = "{name}"')
    else:
        yield Diagnosis(Level.OK, subject, f"{path} is open to {name or 'the MTA'}")


def content_trouble(wait: float, ours: Ours) -> tuple[Level, str] | None:
    """What is wrong with an MTA's patience at the end of a message."""
    if wait <= ours.deadline:
        text = f"is {wait:g} s, and filterd may take {ours.deadline:g} s ([milter] deadline): slow mail is never taken"
        return Level.FAILED, text
    if wait < ours.deadline + MARGIN_SECONDS:
        text = f"is {wait:g} s, hardly more than filterd may take ({ours.deadline:g} s, [milter] deadline)"
        return Level.WARNING, text
    if wait > CONTENT_MOST:
        text = f"is {wait:g} s: clients give up after 600 s and send again what is then taken twice"
        return Level.WARNING, text
    return None


def command_trouble(wait: float, ours: Ours) -> tuple[Level, str] | None:
    """The same while the client is still talking."""
    if wait < ours.early_wait + MARGIN_SECONDS:
        text = f"is {wait:g} s, and a recipient may take {ours.early_wait:g} s ([early] wait): mail is deferred"
        return Level.FAILED, text
    if wait < COMMAND_LEAST:
        return Level.WARNING, f"is {wait:g} s: a busy moment of this host defers mail"
    if wait > COMMAND_MOST:
        return Level.WARNING, f"is {wait:g} s: clients give up after 300 s"
    return None

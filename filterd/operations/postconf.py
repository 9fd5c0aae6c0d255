"""What the Postfix of this host is set to, as its own `postconf` tells."""

import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.operations.doctor_values import is_loopback, without_blanks, words

SECONDS: Final = 10.0  # one call of postconf; it reads two files
FOLDER: Final = Path("/etc/postfix")
MAIN: Final = FOLDER / "main.cf"  # without it Postfix is installed and not in use
NAMES: Final = (
    "always_add_missing_headers",
    "body_checks",
    "content_filter",
    "enable_original_recipient",
    "header_checks",
    "inet_interfaces",
    "local_header_rewrite_clients",
    "mail_owner",
    "mail_version",
    "message_reject_characters",
    "message_size_limit",
    "milter_command_timeout",
    "milter_connect_timeout",
    "milter_content_timeout",
    "milter_default_action",
    "milter_protocol",
    "mime_header_checks",
    "mynetworks",
    "nested_header_checks",
    "non_smtpd_milters",
    "queue_directory",
    "receive_override_options",
    "smtpd_authorized_xclient_hosts",
    "smtpd_client_restrictions",
    "smtpd_forbid_bare_newline",
    "smtpd_helo_restrictions",
    "smtpd_milter_maps",
    "smtpd_milters",
    "smtpd_policy_service_default_action",
    "smtpd_policy_service_timeout",
    "smtpd_recipient_restrictions",
    "smtpd_relay_before_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_sender_restrictions",
)
_SERVICE: Final = 8  # fields of a line of master.cf: the last one is the program with its arguments
_KINDS: Final = frozenset({"inet", "pass", "unix"})
_SUBMISSION: Final = frozenset({465, 587})
_INTERFACES: Final = frozenset({"loopback-only", "localhost"})

Ask = Callable[[Sequence[str]], str]


class PostconfError(Exception):
    """postconf could not be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where settings hold: in main.cf, or there and with some of its own in one service of master.cf.

    `service` is NAME/TYPE, empty for main.cf itself; `own` are the names that are set there; `folder` is that of a
    configuration that is not the default one.
    """

    settings: Mapping[str, str]
    service: str = ""
    own: frozenset[str] = frozenset()
    folder: str = ""

    def named(self, name: str) -> str:
        """A setting as a finding names it."""
        return f"Postfix {self.service} {name}" if name in self.own else f"Postfix {name}"

    def change(self, *pairs: tuple[str, str]) -> str:
        """The command that sets these here, each where it is set now."""
        main = [f"{name} = {value}" for name, value in pairs if name not in self.own]
        own = [f"{self.service}/{name}={without_blanks(value)}" for name, value in pairs if name in self.own]
        return " && ".join([*self._commands("-e", main), *self._commands("-P", own)])

    def change_here(self, *pairs: tuple[str, str]) -> str:
        """The same for this service alone."""
        return Place({}, self.service, frozenset(dict(pairs)), self.folder).change(*pairs)

    def command(self, *arguments: str) -> str:
        """postconf, told of the folder where it must be."""
        return shlex.join(["postconf", *(["-c", self.folder] if self.folder else []), *arguments])

    def _commands(self, option: str, settings: Sequence[str]) -> Iterator[str]:
        if settings:
            yield self.command(option, *settings)


@dataclass(frozen=True, slots=True)
class Listener(Place):
    """A listener of smtpd: its name in master.cf, and what holds there."""

    name: str = ""
    host: str = ""
    port: int = 0
    chroot: bool = False

    @property
    def filters(self) -> bool:
        """Whether mail that comes in there passes a milter."""
        return bool(self.settings["smtpd_milters"]) and "no_milters" not in self.overrides

    @property
    def overrides(self) -> tuple[str, ...]:
        """What is left out of the usual handling there."""
        return words(self.settings["receive_override_options"])

    @property
    def private(self) -> bool:
        """Whether only this host reaches it."""
        if self.service.endswith("/unix"):
            return True
        if self.host or self.service.endswith("/pass"):
            return is_loopback(self.host)
        interfaces = words(self.settings["inet_interfaces"])
        return bool(interfaces) and all(one in _INTERFACES or is_loopback(one) for one in interfaces)

    @property
    def submission(self) -> bool:
        """Whether it is for users of ours, by its port."""
        return self.port in _SUBMISSION


@dataclass(frozen=True, slots=True)
class Postfix:
    """Settings of main.cf by name, of the cleanup service, and all listeners of smtpd."""

    main: Place
    cleanup: Listener
    services: tuple[Listener, ...]

    @property
    def settings(self) -> Mapping[str, str]:
        """Those of main.cf."""
        return self.main.settings

    def at(self, port: int) -> tuple[Listener, ...]:
        """The listeners on that port."""
        return tuple([one for one in self.services if one.port == port])


def postconf(folder: Path | None = None) -> Ask | None:
    """What asks the Postfix of this host, or about that folder; None where there is none."""
    program = shutil.which("postconf", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None or (folder is None and not MAIN.is_file()):
        return None
    fixed = [program, *(["-c", str(folder)] if folder else []), "-x"]
    return lambda arguments: _run(fixed, arguments)


def read_postfix(ask: Ask, folder: Path | None = None) -> Postfix:
    """What it is set to; `folder` as for `postconf`. PostconfError."""
    known = dict(_pairs(ask(NAMES)))
    # one that this version does not know is not there, which must not look like an empty one
    settings = {name: "" for name in NAMES if name != "smtpd_forbid_bare_newline"} | known
    where = str(folder) if folder else ""
    own: dict[str, dict[str, str]] = {}
    for key, value in _pairs(ask(["-P"])):
        service, _, name = key.rpartition("/")
        own.setdefault(service, {})[name] = value
    cleanup = Listener(settings, "cleanup/unix", folder=where)
    found = []
    for line in ask(["-M"]).splitlines():
        fields = line.split(None, _SERVICE - 1)
        if len(fields) != _SERVICE or fields[1] not in _KINDS:
            continue
        service = f"{fields[0]}/{fields[1]}"
        mine = own.get(service, {})
        host, port = _address(fields[0]) if fields[1] == "inet" else ("", 0)
        one = Listener(settings | mine, service, frozenset(mine), where, fields[0], host, port, fields[4] == "y")
        if fields[7].split()[0] == "smtpd":
            found.append(one)
        elif service == "cleanup/unix":
            cleanup = one
    return Postfix(Place(settings, folder=where), cleanup, tuple(found))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Lines of `name = value`."""
    for line in text.splitlines():
        name, mark, value = line.partition(" =")
        if mark:
            yield name.strip(), value.strip()


def _address(service: str) -> tuple[str, int]:
    """Of HOST:PORT or PORT, by number or by name; port 0 where it is neither."""
    host, _, word = service.rpartition(":")
    if word.isascii() and word.isdigit():
        return host, int(word)
    with suppress(OSError):
        return host, socket.getservbyname(word, "tcp")
    return host, 0


def _run(program: Sequence[str], arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  # an absolute path, words of ours
    except (OSError, subprocess.TimeoutExpired, UnicodeError) as error:
        raise PostconfError(f"{program[0]}: {error}") from None
    if done.returncode:
        raise PostconfError(f"{program[0]}: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")
    return done.stdout

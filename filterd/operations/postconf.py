"""What the Postfix of this host is set to, as its own `postconf` tells."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = 10.0  # one call of postconf; it reads two files
MAIN: Final = Path("/etc/postfix/main.cf")  # without it Postfix is installed and not in use
NAMES: Final = (
    "enable_original_recipient",
    "local_header_rewrite_clients",
    "receive_override_options",
    "smtpd_milters",
)
_SERVICE: Final = 8  # fields of a line of master.cf: the last one is the program with its arguments

Ask = Callable[[Sequence[str]], str]


class PostconfError(Exception):
    """postconf could not be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener of smtpd: its name in master.cf, and what holds there, main.cf's or its own."""

    name: str
    settings: Mapping[str, str]

    @property
    def filters(self) -> bool:
        """Whether mail that comes in there passes a milter."""
        options = self.settings["receive_override_options"].replace(",", " ").split()
        return bool(self.settings["smtpd_milters"]) and "no_milters" not in options


@dataclass(frozen=True, slots=True)
class Postfix:
    """Settings of main.cf by name, and listeners by port."""

    settings: Mapping[str, str]
    listeners: Mapping[int, tuple[Listener, ...]]


def postconf() -> Ask | None:
    """What asks the Postfix of this host; None where there is none."""
    program = shutil.which("postconf", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return None if program is None or not MAIN.is_file() else lambda arguments: _run(program, arguments)


def read_postfix(ask: Ask) -> Postfix:
    """What it is set to. PostconfError."""
    settings = dict.fromkeys(NAMES, "") | dict(_pairs(ask(NAMES)))
    own: dict[str, dict[str, str]] = {}
    for key, value in _pairs(ask(["-P"])):
        service, _, name = key.rpartition("/")
        own.setdefault(service, {})[name] = value
    found: dict[int, list[Listener]] = {}
    for line in ask(["-M"]).splitlines():
        fields = line.split(None, _SERVICE - 1)
        if len(fields) == _SERVICE and fields[1] == "inet" and fields[7].split()[0] == "smtpd":
            port = _port(fields[0])
            if port:
                listener = Listener(fields[0], settings | own.get(f"{fields[0]}/inet", {}))
                found.setdefault(port, []).append(listener)
    return Postfix(settings, {port: tuple(listeners) for port, listeners in found.items()})


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Lines of `name = value`."""
    for line in text.splitlines():
        name, mark, value = line.partition(" =")
        if mark:
            yield name.strip(), value.strip()


def _port(service: str) -> int:
    """Of HOST:PORT or PORT, by number or by name; 0 where it is neither."""
    word = service.rpartition(":")[2]
    if word.isascii() and word.isdigit():
        return int(word)
    with suppress(OSError):
        return socket.getservbyname(word, "tcp")
    return 0


def _run(program: str, arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  # an absolute path, words of ours
    except (OSError, subprocess.TimeoutExpired, UnicodeError) as error:
        raise PostconfError(f"{program}: {error}") from None
    if done.returncode:
        raise PostconfError(f"{program}: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")
    return done.stdout

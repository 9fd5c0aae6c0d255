"""Readers for a nursery under test, named in its settings: a message's body says what the inspector does with it.

Everything here runs inside of an inspector, behind its walls.
"""

import ctypes
import errno
import faulthandler
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filterd.inspection.child import Reader
from filterd.ipc.messages import NurserySettings
from filterd.model.inspection import Inspection, InspectionJob

LISTENING: Final = "FILTERD_TEST_SOCKET"  # in the nursery's environment: a unix socket that somebody listens on
WRITABLE: Final = "FILTERD_TEST_FOLDER"  # a folder that everybody may write to
_libc: Final = ctypes.CDLL(None, use_errno=True)


def obedient(settings: NurserySettings) -> Reader:
    """A reader that does what the body says."""
    del settings

    def inspect(job: InspectionJob, body: memoryview) -> Inspection:
        word, _, rest = bytes(body).decode().partition(" ")
        done = COMMANDS[word](rest) if word else ""
        return Inspection(subject=done, problems=(str(os.getpid()), job.sender))

    return Reader(inspect, rule_set="obedient")


def probing(settings: NurserySettings) -> Reader:
    """A reader that tries every way out and tells how each ended."""
    del settings

    def inspect(job: InspectionJob, body: memoryview) -> Inspection:
        del job, body
        return Inspection(problems=tuple([f"{name}: {_attempt(probe)}" for name, probe in PROBES.items()]))

    return Reader(inspect)


def refusing(settings: NurserySettings) -> Reader:
    """A reader that does not load."""
    raise ValueError(f"no reader today: {settings.messages}")


def _echo(text: str) -> str:
    return text


def _hang(_: str) -> str:
    while True:
        time.sleep(3600)


def _sleep(text: str) -> str:
    time.sleep(float(text))
    return "slept"


def _spin(_: str) -> str:
    while True:
        pass


def _crash(_: str) -> str:
    faulthandler.disable()
    return ctypes.string_at(0).decode()


def _raise(text: str) -> str:
    raise RuntimeError(text + "\udcff")


def _allocate(text: str) -> str:
    held = bytearray(int(text))
    held[:: resource.getpagesize()] = b"x" * len(held[:: resource.getpagesize()])
    return str(len(held))


def _talk(text: str) -> str:
    """Send bytes of our own to the front, as an inspector may that has been taken over."""
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, bytes.fromhex(text))
        except OSError:
            continue
    return _hang("")


def _exit(text: str) -> str:
    os._exit(int(text))


def _kill(text: str) -> str:
    signal.raise_signal(int(text))
    return _hang("")


COMMANDS: Final[dict[str, Callable[[str], str]]] = {
    "echo": _echo,
    "hang": _hang,
    "spin": _spin,
    "crash": _crash,
    "raise": _raise,
    "allocate": _allocate,
    "talk": _talk,
    "exit": _exit,
    "kill": _kill,
    "sleep": _sleep,
}


def _attempt(probe: Callable[[], object]) -> str:
    """How a probe ended: "done", or the error's name."""
    try:
        probe()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except (subprocess.SubprocessError, ValueError) as error:
        return type(error).__name__
    return "done"


def _call(name: str, *arguments: int | bytes | None) -> None:
    """A function of the C library that the standard library does not have."""
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _connect(kind: int, address: object, family: int = socket.AF_INET) -> None:
    with socket.socket(family, kind) as sock:
        sock.settimeout(1)
        sock.connect(address)  # type: ignore[arg-type]  # of that family


def _fork() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _read_memory() -> None:
    """A word of the nursery's, at an address that both have."""
    word = ctypes.create_string_buffer(8)
    piece = struct.pack("PN", ctypes.addressof(word), len(word))
    _call("process_vm_readv", os.getppid(), piece, 1, piece, 1, 0)


def _write_to_body() -> None:
    """Through the descriptor that came with the job: whichever is a regular file."""
    for fd in range(3, 64):
        try:
            regular = stat.S_ISREG(os.fstat(fd).st_mode)
        except OSError:
            continue
        if regular:
            os.pwrite(fd, b"changed", 0)


def _descriptors() -> None:
    """Fails with EMFILE where anything is open that an inspector does not need: its socket, a body, the null device."""
    found = []
    for fd in range(64):
        try:
            found.append(stat.S_IFMT(os.fstat(fd).st_mode))
        except OSError:
            continue
    wanted = [stat.S_IFCHR, stat.S_IFCHR, stat.S_IFCHR, stat.S_IFREG, stat.S_IFSOCK]
    if sorted(found) != sorted(wanted):
        raise OSError(errno.EMFILE, str(found))


PROBES: Final[dict[str, Callable[[], object]]] = {
    "nothing": lambda: None,
    "only what is needed is open": _descriptors,
    "read a secret": lambda: Path("/etc/shadow").read_bytes(),
    "read a file": lambda: Path("/etc/passwd").read_bytes(),
    "see a file": lambda: Path("/etc/shadow").stat(),
    "list a folder": lambda: os.listdir("/etc"),  # noqa: PTH208  # the call itself
    "write a file": lambda: Path(os.environ[WRITABLE], "written").write_bytes(b"x"),
    "write into the root": lambda: Path("/written").write_bytes(b"x"),
    "remove a file": lambda: Path(os.environ[WRITABLE], "keep").unlink(),
    "change a mode": lambda: Path(os.environ[WRITABLE], "keep").chmod(0o777),
    "change the body": _write_to_body,
    "connect by TCP": lambda: _connect(socket.SOCK_STREAM, ("127.0.0.1", 9)),
    "connect by UDP": lambda: _connect(socket.SOCK_DGRAM, ("127.0.0.1", 53)),
    "connect to a unix socket": lambda: _connect(socket.SOCK_STREAM, os.environ[LISTENING], socket.AF_UNIX),
    "connect to an abstract socket": lambda: _connect(socket.SOCK_STREAM, "\0filterd-test", socket.AF_UNIX),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "fork": _fork,
    "exec": lambda: os.execv("/etc/passwd", ["passwd"]),  # noqa: S606  # EACCES where exec itself is not refused
    "run a program": lambda: subprocess.run(["/bin/true"], check=True),
    "kill the nursery": lambda: os.kill(os.getppid(), 0),
    "kill all": lambda: os.kill(1, 0),
    "trace the nursery": lambda: _call("ptrace", 16, os.getppid(), None, None),
    "read another's memory": _read_memory,
    "become root": lambda: _call("setuid", 0),
    "a new user namespace": lambda: _call("unshare", 0x10000000),
    "mount": lambda: _call("mount", b"none", b"/", b"tmpfs", 0, None),
    "a raw system call": lambda: _call("syscall", 425, 8, None),  # io_uring_setup
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
    "open many": lambda: [os.dup(0) for _ in range(100)],
}

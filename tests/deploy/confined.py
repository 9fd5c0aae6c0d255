"""Run filterd under what a unit file forbids, as far as seccomp says it: python -m tests.deploy.confined UNIT run ...

System calls as `SystemCallFilter` names them (systemd-analyze knows its groups), address families, namespaces, and
memory that is written and executed: in the order that systemd applies them, in front of everything else.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pyseccomp

from filterd.cli import main

UNIT: Final = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "filterd.service"
NAMESPACES: Final = {
    "mnt": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
FAMILIES: Final = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
PROT_WRITE, PROT_EXEC = 2, 4
MAX_FAMILY: Final = 45  # AF_MAX


def settings(*files: Path) -> dict[str, list[str]]:
    """The values of every key in unit files, in order; a drop-in's empty value takes what was there away."""
    found: dict[str, list[str]] = {}
    for path in files:
        for line in path.read_text().splitlines():
            name, equals, value = line.partition("=")
            if not equals or line.startswith("#"):
                continue
            if not value:
                found[name] = []
            else:
                found.setdefault(name, []).append(value)
    return found


@cache
def group(name: str) -> frozenset[str]:
    """The calls of one of systemd's groups."""
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    members = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return frozenset([call for member in members for call in (group(member) if member[0] == "@" else {member})])


def allowed(lines: list[str]) -> set[str]:
    """The calls that these values of SystemCallFilter leave: the first one makes it a list of what is allowed."""
    found: set[str] = set()
    for line in lines:
        names = line.removeprefix("~").split()
        calls = {call for name in names for call in (group(name) if name[0] == "@" else {name})}
        found = found - calls if line.startswith("~") else found | calls
    return found | group("@default")


def confine(unit: dict[str, list[str]]) -> None:
    """Forbid it to this process and its children."""
    refuse = pyseccomp.ERRNO(errno.EPERM)
    calls = pyseccomp.SyscallFilter(refuse)
    for name in sorted(allowed(unit["SystemCallFilter"])):
        try:
            calls.add_rule(pyseccomp.ALLOW, name)
        except (OSError, ValueError):
            continue  # of another architecture, or newer than the library
    others = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name, flag in _namespaces(unit["RestrictNamespaces"]):
        others.add_rule(refuse, "unshare", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
        others.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
        assert name in NAMESPACES
    families = {FAMILIES[name] for line in unit["RestrictAddressFamilies"] for name in line.split()}
    for number in set(range(MAX_FAMILY)) - families:
        others.add_rule(pyseccomp.ERRNO(errno.EAFNOSUPPORT), "socket", pyseccomp.Arg(0, pyseccomp.EQ, number))
    both = PROT_WRITE | PROT_EXEC
    others.add_rule(refuse, "mmap", pyseccomp.Arg(2, pyseccomp.MASKED_EQ, both, both))
    others.add_rule(refuse, "mprotect", pyseccomp.Arg(2, pyseccomp.MASKED_EQ, PROT_EXEC, PROT_EXEC))
    others.load()  # the first: the other one need not allow it
    calls.load()


def _namespaces(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Those that may not be made."""
    kept = set() if lines == ["yes"] else {name for line in lines for name in line.split()}
    return ((name, flag) for name, flag in NAMESPACES.items() if name not in kept)


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1].split(os.pathsep)]
    sys.argv = ["filterd", *sys.argv[2:]]
    confine(settings(*files))
    main()

"""From people to rights."""

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from filterd.config.control import Right, Role

ROOT = 0
_ALL = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the kernel says: process, user, and all his groups."""

    pid: int
    uid: int
    groups: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The account's name, or its number where it has none here."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may; `domains` is whose held mail he sees, None for all of it."""

    rights: frozenset[Right] = frozenset()
    domains: frozenset[str] | None = frozenset()

    def covers(self, recipients: Iterable[str]) -> bool:
        """Whether held mail for these recipients is for him: all of them, for he would release it to all."""
        if Right.RELEASE not in self.rights:
            return False
        if self.domains is None:
            return True
        hosts = [one.rpartition("@")[2].lower().rstrip(".") for one in recipients]
        return bool(hosts) and all(self._within(host) for host in hosts)

    def _within(self, host: str) -> bool:
        names = self.domains or ()
        return any(host == name or (name.startswith(".") and host.endswith(name)) for name in names)


@dataclass(frozen=True, slots=True)
class _Member:
    users: frozenset[int]
    groups: frozenset[int]
    rights: frozenset[Right]
    domains: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of a configuration with accounts looked up; `problems` names those that this machine does not have."""

    members: tuple[_Member, ...] = ()
    own: int = ROOT
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, roles: Mapping[str, Role]) -> Self:
        """Look the accounts up. Root and who runs this may all."""
        members, problems = [], []
        for name, role in roles.items():
            users = _ids(role.users, lambda one: pwd.getpwnam(one).pw_uid)
            groups = _ids(role.groups, lambda one: grp.getgrnam(one).gr_gid)
            for kind, found in (("users", users), ("groups", groups)):
                problems += [
                    f"[control.roles.{name}] {kind}: expected accounts of this machine, got {one!r}"
                    for one, number in found.items()
                    if number is None
                ]
            members.append(
                _Member(
                    frozenset([number for number in users.values() if number is not None]),
                    frozenset([number for number in groups.values() if number is not None]),
                    frozenset(role.may),
                    frozenset(role.domains) if role.domains else None,
                )
            )
        return cls(tuple(members), os.geteuid(), tuple(problems))

    def grant(self, peer: Peer) -> Grant:
        """What this one may: all that any of his roles allows, and of held mail all that any of them covers."""
        if peer.uid in {ROOT, self.own}:
            return Grant(_ALL, None)
        his = [one for one in self.members if peer.uid in one.users or peer.groups & one.groups]
        rights = frozenset([right for one in his for right in one.rights])
        scopes = [one.domains for one in his if Right.RELEASE in one.rights]
        domains: frozenset[str] | None = frozenset([name for scope in scopes for name in scope or ()])
        return Grant(rights, None if None in scopes else domains)


def _ids(names: Iterable[str], look: Callable[[str], int]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name in names:
        try:
            found[name] = int(name) if name.isdigit() else look(name)
        except KeyError:
            found[name] = None
    return found

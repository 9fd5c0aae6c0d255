"""The table [control]: who may ask the running daemon what, over its own socket."""

import re
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, field_validator, model_validator

from filterd.config.fields import ListenField, Section, key
from filterd.config.listen import Listen, ListenKind, parse_listen

MAX_ROLES: Final = 50  # of one site; each is looked through for every connection
MAX_MEMBERS: Final = 200  # users or groups of one role
SOCKET_NAME: Final = "control.sock"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?")  # useradd(8); a number is an id
_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


class Right(StrEnum):
    """What somebody may be allowed."""

    VIEW = "view"  # status and health
    RELOAD = "reload"
    RELEASE = "release"  # see and release held mail


def _named(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("expected a name of at most 40 letters, digits, - and _")
    return value


class Role(Section):
    """Some people, and what they may. A user who has several roles may what any of them allows."""

    users: tuple[str, ...] = key((), "", max_length=MAX_MEMBERS)
    groups: tuple[str, ...] = key((), "", max_length=MAX_MEMBERS)
    may: tuple[Right, ...] = key((), "")
    domains: tuple[str, ...] = key((), "")

    @field_validator("users", "groups")
    @classmethod
    def _accounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if _ACCOUNT.fullmatch(one) is None:
                raise ValueError(f"expected names of accounts of this machine, or their numbers, got {one!r}")
        return value

    @field_validator("domains")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if _DOMAIN.fullmatch(one) is None:
                raise ValueError(f"expected domains such as example.org or .example.org (xn--...), got {one!r}")
        return tuple([one.lower() for one in value])

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.users and not self.groups:
            raise ValueError("expected users or groups: nobody has this role")
        if not self.may:
            raise ValueError(f"expected may = one or more of {', '.join(Right)}")
        if self.domains and Right.RELEASE not in self.may:
            raise ValueError("domains: expected release in `may`: they say whose held mail it is for")
        return self


RoleName = Annotated[str, AfterValidator(_named)]


class Control(Section):
    """The running daemon's own socket: `filterd status`, `filterd reload`, `filterd reviewer`. See docs/control.md."""

    listen: ListenField | None = key(
        None,
        "Where the daemon takes commands, unix:PATH; absent: control.sock under [paths] runtime. Who asks is known from"
        " the kernel (SO_PEERCRED).",
    )
    roles: dict[RoleName, Role] = key(
        {},
        'Who may do what besides root and the daemon\'s own user: `[control.roles.desk]`, `users = ["anna"]`, `groups ='
        ' ["reviewers"]`, `may = ["view", "reload", "release"]` (any of them), and for release `domains ='
        ' ["example.org"]` (`.example.org`: all below it, too): then only mail all of whose recipients are there.'
        " Without roles the socket's mode is 0600.",
        max_length=MAX_ROLES,
    )

    @field_validator("listen")
    @classmethod
    def _unix(cls, value: str | None) -> str | None:
        if value is not None and parse_listen(value).kind is not ListenKind.UNIX:
            raise ValueError("expected unix:PATH: who asks is known from the kernel, which knows no one behind TCP")
        return value

    @property
    def address(self) -> Listen | None:
        """`listen`, parsed."""
        return parse_listen(self.listen) if self.listen else None

"""What there is to say of a domain: parts, what was found wrong or strange in each, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Level(StrEnum):
    """How bad a remark is."""

    NOTE = "note"  # worth knowing, nothing to mend
    WARNING = "warning"  # works, but not everywhere, or protects less than it could
    ERROR = "error"  # does not do what it is for


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    ABSENT = "absent"  # there is certainly none
    UNKNOWN = "unknown"  # it could not be found out, which says neither


ORDER: Final = tuple(Level)  # from the mildest
_STATES: Final = {Level.ERROR: State.ERROR, Level.WARNING: State.WARNING, Level.NOTE: State.OK}


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing found, in words, and what to do about it. Texts may quote hostile records."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a domain's posture. `record` is as published, `facts` what it says, as values for JSON.

    `unchecked` names lookups that failed: what rests on them is not known. `differs` says where filterd's own
    evaluation of a message would not come to what checkdmarc found.
    """

    name: str
    state: State
    record: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    unchecked: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Posture:
    """A domain as other mail servers see it, and who was asked."""

    domain: str
    nameservers: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def complete(self) -> bool:
        """Whether everything could be found out."""
        return not any(part.unchecked or part.state is State.UNKNOWN for part in self.parts)

    def reaches(self, level: Level) -> bool:
        """Whether any remark is that bad, or worse."""
        least = ORDER.index(level)
        return any(ORDER.index(remark.level) >= least for part in self.parts for remark in part.remarks)


@dataclass(slots=True)
class Findings:
    """A part in the making.

    `absent`: there is no record; `certain`: what was found holds, whatever lookup failed. `idle` are lookups that
    checkdmarc makes out of courtesy: nothing hangs on them.
    """

    record: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    absent: bool = False
    certain: bool = False
    idle: set[tuple[str, str]] = field(default_factory=set)

    def add(self, level: Level, text: str, remedy: str = "") -> None:
        """Remark something, once."""
        if all(remark.text != text for remark in self.remarks):
            self.remarks.append(Remark(level, text, remedy))

    def part(self, name: str, failed: Mapping[tuple[str, str], str]) -> Part:
        """The part as it is; `failed` are the causes of failed lookups by name and type.

        What seems to be missing or wrong after a failed lookup is not known to be: it may be the failure that shows.
        """
        failures = [f"{key[1]} {key[0]}: {cause}" for key, cause in failed.items() if key not in self.idle]
        unchecked = () if self.certain else tuple(dict.fromkeys([*failures, *self.unchecked]))
        worst = max([remark.level for remark in self.remarks], key=ORDER.index, default=Level.NOTE)
        state = State.ABSENT if self.absent else _STATES[worst]
        remarks = tuple(self.remarks)
        if unchecked and state in (State.ABSENT, State.ERROR):
            state = State.UNKNOWN
            remarks = tuple([Remark(Level.NOTE, f"not certain: {one.text}", one.remedy) for one in remarks])
        return Part(name, state, self.record, self.facts, remarks, unchecked, tuple(self.differs))

"""What the frames say: the values, their kinds, and encoders and decoders built once per process."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import HeaderField

T = TypeVar("T")
Payload: TypeAlias = bytes | bytearray | memoryview

MAX_HEADER: Final = 1_000_000  # bytes of header fields in a job; far beyond what is read as unscannable
MAX_ENVELOPE: Final = 4_000  # characters of sender and HELO name each; RFC 5321 allows some hundreds
_FIELD_COST: Final = 8  # bytes that a field takes beside its name and value
RETIRING: Final = 0x80  # flag in an answer's kind: "replace me, I go on working until then"
NOBODY: Final = 65534  # a uid and gid that own nothing; production gives the inspectors ids of their own


class Kind(IntEnum):
    """The first seven bits of a frame's kind."""

    JOB = 1  # front -> inspector: InspectionJob, with the body's descriptor
    FACTS = 2  # inspector -> front: Inspection
    CRASHED = 3  # inspector -> front: Failure; our bug, the outcome is unknown
    READY = 4  # inspector -> front, once, unasked: Ready
    REFUSED = 5  # inspector -> front, once: Failure; the sandbox is weaker than demanded
    SPAWN = 6  # front -> nursery: nothing
    SPAWNED = 7  # nursery -> front: Spawned, with the inspector's socket
    BURY = 8  # front -> nursery: Bury
    BURIED = 9  # nursery -> front: Buried


@dataclass(frozen=True, slots=True)
class SandboxLevel:
    """Which walls stand around an inspector; as a demand, those that must stand before it may read any mail.

    `landlock` is the kernel's Landlock ABI (0: none; 1 files, 4 TCP ports, 6 signals and abstract sockets).
    """

    namespaces: bool = False
    chroot: bool = False
    landlock: int = 0
    seccomp: bool = False

    def missing(self, demand: "SandboxLevel") -> tuple[str, ...]:
        """The names of the walls that `demand` has and this level has not."""
        found = []
        if demand.namespaces and not self.namespaces:
            found.append("namespaces")
        if demand.chroot and not self.chroot:
            found.append("chroot")
        if demand.landlock > self.landlock:
            found.append(f"landlock ABI {demand.landlock}")
        if demand.seccomp and not self.seccomp:
            found.append("seccomp")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class NurserySettings:
    """What a nursery is started with: paths, limits, walls. Holds no secret: it is on the process's command line.

    `reader` names the factory of what reads a message, as "module:function". `empty` is an empty directory to chroot
    into. Ids are used only where the nursery runs as root. `cpu_seconds` is per message, `messages` the number after
    which an inspector asks to be replaced.
    """

    rules: str = ""
    cache: str = ""
    phrases: str = ""
    languages: tuple[str, ...] = ()  # that are read here; empty: all
    regex: tuple[str, ...] = ()  # directories of regex rules
    classifier: str = ""  # rules/classifier.toml: without it no features are made
    model: str = ""  # the file of the classifier's model, mapped before the walls stand; empty: it is not asked
    least: int = 50  # messages of each kind that the model must have learnt before it is asked
    empty: str = ""
    reader: str = "filterd.inspection.reader:make_reader"
    walls: bool = True  # False: resource limits, other ids and no_new_privs only
    demand: SandboxLevel = SandboxLevel()
    uid: int = NOBODY
    gid: int = NOBODY
    memory: int = 1 << 30  # bytes of address space; the libraries alone take 180 MB
    cpu_seconds: int = 30
    messages: int = 500
    analysed: int = 50_000_000  # bytes of a body that are looked at
    passwords: bool = True  # words of a mail are tried on its encrypted zips
    yara_seconds: int = 10  # per scan of one part; whole seconds, as libyara takes them


@dataclass(frozen=True, slots=True)
class Ready:
    """An inspector's first words: how it is locked in, what it reads with, and which rule files it goes without."""

    level: SandboxLevel
    rule_set: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no facts, in words for the log; may quote hostile text."""

    text: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """A new inspector; `handle` names it towards the nursery and is never used twice."""

    handle: int
    pid: int


@dataclass(frozen=True, slots=True)
class Bury:
    """Kill that inspector if it lives, and say how it ended."""

    handle: int


@dataclass(frozen=True, slots=True)
class Buried:
    """`status` is the exit code, or the number of the signal below zero."""

    status: int


class MessageError(Exception):
    """A payload that is not what its kind says."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_SETTINGS: Final = msgspec.json.Decoder(NurserySettings)
_JOB: Final = msgspec.msgpack.Decoder(InspectionJob)
_FACTS: Final = msgspec.msgpack.Decoder(Inspection)
_READY: Final = msgspec.msgpack.Decoder(Ready)
_FAILURE: Final = msgspec.msgpack.Decoder(Failure)
_SPAWNED: Final = msgspec.msgpack.Decoder(Spawned)
_BURY: Final = msgspec.msgpack.Decoder(Bury)
_BURIED: Final = msgspec.msgpack.Decoder(Buried)

encode: Final = _ENCODER.encode
"""The msgpack bytes of any message here. UnicodeEncodeError where a text holds lone surrogates: see below."""


def encode_job(job: InspectionJob) -> bytes:
    """The bytes of a job, whatever client and header hold: they always fit a frame.

    What an MTA hands over without decoding it ends as "?". A header is cut, in the middle of a field, far behind the
    size from which the inspector calls it unscannable, so that the cut cannot hide anything.
    """
    if sum([len(name) + len(value) + _FIELD_COST for name, value in job.fields]) > MAX_HEADER:
        job = replace(job, fields=_first_bytes(job.fields))
    try:
        if len(job.sender) <= MAX_ENVELOPE and len(job.helo) <= MAX_ENVELOPE:
            return _ENCODER.encode(job)
    except UnicodeEncodeError:
        pass
    return _ENCODER.encode(replace(job, sender=_plain(job.sender), helo=_plain(job.helo)))


def _first_bytes(fields: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
    """The fields up to MAX_HEADER bytes, the last one cut."""
    kept: list[HeaderField] = []
    left = MAX_HEADER
    for name, value in fields:
        kept.append((name[:left], value[: max(left - len(name), 0)]))
        left -= len(name) + len(value) + _FIELD_COST
        if left <= 0:
            break
    return tuple(kept)


def _plain(text: str) -> str:
    """Text of bounded length that can be encoded."""
    return text[:MAX_ENVELOPE].encode("utf-8", "replace").decode()


def encode_facts(facts: Inspection) -> bytes:
    """The bytes of an Inspection whatever text it holds: lone surrogates, which msgpack has no form for, become "?"."""
    try:
        return _ENCODER.encode(facts)
    except UnicodeEncodeError:
        return _ENCODER.encode(_without_surrogates(msgspec.to_builtins(facts, builtin_types=(bytes,))))


def _without_surrogates(value: Any) -> Any:
    """The same tree of builtins with encodable text; as deep as the dataclasses are, not as the mail."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def settings_text(settings: NurserySettings) -> str:
    """The settings as JSON for a command line."""
    return msgspec.json.encode(settings).decode()


def settings_from(text: str) -> NurserySettings:
    """The settings from a command line. MessageError."""
    try:
        return _SETTINGS.decode(text)
    except msgspec.DecodeError as error:
        raise MessageError(f"nursery settings: {error}") from error


def _decode(decoder: msgspec.msgpack.Decoder[T], payload: Payload) -> T:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"broken payload: {error}") from error


def decode_job(payload: Payload) -> InspectionJob:
    """The payload of JOB. MessageError."""
    return _decode(_JOB, payload)


def decode_facts(payload: Payload) -> Inspection:
    """The payload of FACTS. MessageError."""
    return _decode(_FACTS, payload)


def decode_ready(payload: Payload) -> Ready:
    """The payload of READY. MessageError."""
    return _decode(_READY, payload)


def decode_failure(payload: Payload) -> Failure:
    """The payload of CRASHED and REFUSED. MessageError."""
    return _decode(_FAILURE, payload)


def decode_spawned(payload: Payload) -> Spawned:
    """The payload of SPAWNED. MessageError."""
    return _decode(_SPAWNED, payload)


def decode_bury(payload: Payload) -> Bury:
    """The payload of BURY. MessageError."""
    return _decode(_BURY, payload)


def decode_buried(payload: Payload) -> Buried:
    """The payload of BURIED. MessageError."""
    return _decode(_BURIED, payload)

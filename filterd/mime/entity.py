"""What one entity's Content-* fields say, all readings together (RFC 2045, RFC 2183)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filterd.mime import symbols
from filterd.mime.decode import IDENTITY, TOKENS, UUENCODE
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_BOUNDARY, MAX_FILENAME, MAX_FILENAMES, MAX_PARAMETERS
from filterd.mime.parameters import EMPTY, Parameters, names, parse_parameters
from filterd.mime.symbols import finding
from filterd.mime.words import decode_words
from filterd.model.report import Finding

_COMMENT: Final = re.compile(rb"\([^()]*\)")
_KNOWN: Final = (
    {token.encode(): token for token in TOKENS}
    | dict.fromkeys((b"x-uuencode", b"x-uue", b"uue"), UUENCODE)
    | dict.fromkeys((b"base-64", b"gzip64"), "base64")
)
_SLOPPY: Final = {b"8 bit": "8bit", b"7 bit": "7bit", b"7-bit": "7bit", b"8-bit": "8bit", b"8bits": "8bit"}
_LEFT_OUT: Final = b'\\\0"'  # what stands between letters and is not seen by readers of quoted strings
_NAMES: Final = frozenset({"name", "filename"})
_MOST: Final = 4  # fields of one name that are read; more than one is an error already
# A type that other content stands in, as every reader takes it.
_STRUCTURE: Final = re.compile(rb"(?:multipart|message)/[A-Za-z0-9!#$&^_.+-]+[ \t]*(?:;|\Z)", re.IGNORECASE)
_BARE: Final = re.compile(rb";\s*boundary\s*(?:;|\Z)", re.IGNORECASE)
_MOST_BOUNDARIES: Final = 8  # readings of one boundary
# A description that is nothing but a name, and the end of a location's path (RFC 2557).
_INSTEAD: Final = {
    b"content-description": re.compile(rb"([^\s/]{1,200}\.[A-Za-z0-9]{1,8})\Z"),
    b"content-location": re.compile(
        rb"(?:[A-Za-z]+:/{0,3}[^/?#]*/)?(?:[^?#]*/)?([^/?#]{1,200}\.[A-Za-z0-9]{1,8})(?:\Z|[?#])"
    ),
}
_SECTIONS: Final = frozenset({"name*", "filename*", "boundary*"})


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity's declared nature. `boundaries` are candidates, likeliest first, empty unless it is a multipart."""

    types: tuple[str, ...]
    boundaries: tuple[bytes, ...] = ()
    charset: str = ""
    encodings: tuple[str, ...] = ()
    disposition: str = ""
    filenames: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def read_entity(index: Mapping[bytes, tuple[bytes, ...]], default: str) -> Entity:
    """Read Content-Type, Content-Transfer-Encoding and Content-Disposition; `default` is the type where none is given.

    Never raises; what two clients may read differently becomes a finding.
    """
    content_types = index.get(b"content-type", ())
    dispositions = index.get(b"content-disposition", ())
    findings: list[Finding] = []
    if not (content_types or dispositions or b"content-description" in index or b"content-location" in index):
        encodings = _encodings(index.get(b"content-transfer-encoding", ()), findings)
        return Entity((default,), encodings=encodings, findings=tuple(findings))
    kinds = [parse_parameters(value) for value in content_types[:_MOST]] or [EMPTY]
    read = [_types(kind.main, value, default) for kind, value in zip(kinds, content_types, strict=False)]
    types = tuple(dict.fromkeys([one for kind in read for one in kind])) or (default,)
    if max(len(content_types), len(dispositions)) > _MOST:
        findings.append(finding(symbols.AMBIGUOUS_HEADER, f"more than {_MOST} fields of one name"))
    if len(kinds) > 1 and (len(types) > 1 or len({kind.values.get("boundary") for kind in kinds}) > 1):
        findings.append(finding(symbols.AMBIGUOUS_TYPE, "several Content-Type fields", *content_types[:3]))
    elif len(types) > 1:
        findings.append(finding(symbols.AMBIGUOUS_TYPE, "hardly a type", content_types[0]))
    elif any(_BARE.search(unfold(value)) for value in content_types):
        findings.append(finding(symbols.AMBIGUOUS_BOUNDARY, "a boundary without a value"))
    elif "," in types[0]:
        findings.append(finding(symbols.AMBIGUOUS_TYPE, "several values in Content-Type", content_types[0]))
    placed = [parse_parameters(value) for value in dispositions[:_MOST]]
    sources = [*placed, *kinds]
    if len(sources) > 1 and any("*0" in name or "*1" in name for source in sources for name in source.values):
        # A client that collects sections from all fields (RFC 2231 does not foresee it).
        joined = b"; ".join([value.partition(b";")[2] for value in (*dispositions[:_MOST], *content_types[:_MOST])])
        sources.append(parse_parameters(b"x/x; " + joined))
    if any(source.cut for source in sources):
        findings.append(finding(symbols.UNSCANNABLE_HEADER, f"more than {MAX_PARAMETERS} parameters"))
    if any(not _SECTIONS.isdisjoint(source.repeated) for source in sources):
        findings.append(finding(symbols.AMBIGUOUS_NAME, "a section of a parameter given twice"))
    filenames = _filenames(sources, findings)
    return Entity(
        types,
        _boundaries(kinds, findings) if any(kind.startswith("multipart") for kind in types) else (),
        kinds[0].first("charset"),
        _encodings(index.get(b"content-transfer-encoding", ()), findings),
        placed[0].main if placed else "",
        filenames or _instead(index),
        tuple(findings),
    )


def _types(main: str, value: bytes, default: str) -> tuple[str, ...]:
    """RFC 2045 5.2: what is no type and subtype is taken for no Content-Type; what is almost a structure, for both."""
    if main.startswith(("multipart", "message")) and _STRUCTURE.match(unfold(value)) is None:
        return main, default
    kind, _, subtype = main.partition("/")
    return (main,) if kind and subtype else (default, "text/plain")


def _boundaries(kinds: list[Parameters], findings: list[Finding]) -> tuple[bytes, ...]:
    """Candidate boundaries of all readings, without trailing blanks (RFC 2046, section 5.1.1)."""
    found: dict[bytes, None] = {}
    for kind in kinds:
        for value in kind.values.get("boundary", ()):
            boundary = value.encode("latin-1", "replace").rstrip(b" \t")
            if 0 < len(boundary) <= MAX_BOUNDARY:
                found[boundary] = None
            elif boundary or len(kind.values["boundary"]) > 1:
                findings.append(finding(symbols.AMBIGUOUS_BOUNDARY, f"empty, or longer than {MAX_BOUNDARY} bytes"))
        if "boundary" in kind.repeated:
            findings.append(finding(symbols.AMBIGUOUS_BOUNDARY, "boundary given twice", *kind.values["boundary"][:3]))
    if len(found) > _MOST_BOUNDARIES:
        findings.append(finding(symbols.AMBIGUOUS_BOUNDARY, f"more than {_MOST_BOUNDARIES} readings"))
    return tuple(found)[:_MOST_BOUNDARIES]


def _encodings(values: tuple[bytes, ...], findings: list[Finding]) -> tuple[str, ...]:
    """Every transfer encoding that the fields may mean, likeliest first; identity encodings as one."""
    if not values:
        return ()
    if len(values) > _MOST:
        findings.append(finding(symbols.AMBIGUOUS_HEADER, f"more than {_MOST} fields of one name"))
    found: dict[str, None] = {}
    for value in values[:_MOST]:
        _encoding(value, found, findings)
    if len(values) > 1 and len(found) > 1:
        findings.append(finding(symbols.AMBIGUOUS_ENCODING, "several Content-Transfer-Encoding fields", *values[:3]))
    return tuple(found) if found.keys() != {""} else ()


def _encoding(value: bytes, found: dict[str, None], findings: list[Finding]) -> None:
    """Add the encodings that one field may mean."""
    text = unfold(value).lower()
    if b"=?" in text:
        text = decode_words(unfold(value)).encode("utf-8", "replace").lower()
    known = _KNOWN.get(text) or _SLOPPY.get(text)
    if known is not None:
        found[known if known not in IDENTITY else ""] = None
        return
    exact = _KNOWN.get(_COMMENT.sub(b"", text).strip(b" \t\"';,"))
    if exact is not None:
        found[exact if exact not in IDENTITY else ""] = None
    plain = _COMMENT.sub(b"", text).translate(None, _LEFT_OUT)
    inside = [token for key, token in _KNOWN.items() if (key in text or key in plain) and token not in IDENTITY]
    found.update(dict.fromkeys(inside))
    if exact is None:
        found[""] = None
    if inside and exact is None:
        findings.append(finding(symbols.AMBIGUOUS_ENCODING, "odd Content-Transfer-Encoding", value))


def _instead(index: Mapping[bytes, tuple[bytes, ...]]) -> tuple[str, ...]:
    """What some clients take for the name of a part that has none."""
    found: list[str] = []
    for name, pattern in _INSTEAD.items():
        for value in index.get(name, ())[:_MOST]:
            match = pattern.match(unfold(value)[:MAX_FILENAME])
            if match is not None:
                found += names((match[1].decode("latin-1"),))
    return tuple(found)


def _filenames(sources: list[Parameters], findings: list[Finding]) -> tuple[str, ...]:
    """All candidate names; those of the disposition first."""
    raw: dict[str, None] = {}
    for source in sources:
        for name, values in source.values.items():
            if name in _NAMES:
                raw.update(dict.fromkeys(values))
    if not raw:
        return ()
    if len(raw) > MAX_FILENAMES:
        findings.append(finding(symbols.AMBIGUOUS_NAME, f"more than {MAX_FILENAMES} names"))
    found = names(tuple(raw)[:MAX_FILENAMES])
    if len(found) > 1 and len({name.rpartition(".")[2].lower() for name in found if "." in name}) > 1:
        findings.append(finding(symbols.AMBIGUOUS_NAME, *found[:4]))
    return tuple(found[:MAX_FILENAMES])

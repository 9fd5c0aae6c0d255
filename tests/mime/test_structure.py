"""Parts and names as another reader sees them: the public cases of mail-parser, and every difference argued."""

import json
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from filterd.mime.header import split
from filterd.mime.message import Message
from filterd.mime.tree import parse

Leaf: TypeAlias = tuple[str, tuple[str, ...]]  # declared type, empty where none is; names

# Why we read these in another way. Each is there with LF and with CRLF.
DIFFERENCES: Final = {
    "malformed/000": "Parts that are headers without content: it drops them, a client shows them by their type.",
    "malformed/001": "The outer delimiter --ab begins a part: an inner multipart is over there (RFC 2046 5.1.2).",
    "malformed/004": "It takes --ab for the delimiter of boundary a. We read the parts as strays, and say ambiguous.",
    "malformed/005": "The delimiter a------ is longer than the boundary: we read a part behind it, and say ambiguous.",
    "malformed/007": "No empty line ends the header, and two types stand in it: both readings, and ambiguous.",
    "malformed/009": "The delimiter of the outer multipart ends an inner one that was not closed (RFC 2046 5.1.2).",
    "malformed/011": "The same.",
    "malformed/012": "The same, with messages as parts.",
    "malformed/013": "The same boundary inside itself: what stands behind the last delimiter is a part too; ambiguous.",
    "malformed/014": "A delimiter at the very end begins a part without content, which it drops.",
    "malformed/016": "The outer delimiters are longer than the inner ones by a digit: compared whole, they end them.",
    "malformed/020": "Two Content-Type fields where a delimiter is missing: as multipart and as text, and ambiguous.",
    "malformed/021": "The same.",
    "thirdparty/015": "Attached messages that are headers alone: the delimiter around them ends them; ambiguous.",
    "malformed/022": "A message that is none: it falls back to a text with the name, we keep a message; ambiguous.",
}
MESSAGE: Final = "message/"
WHOLE: Final = "multipart/"  # a multipart in which no part is found, which is a text to a client


def wanted(message: dict[str, Any], number: int = 0) -> list[Leaf]:
    """The leaves of an expected structure."""
    part = message["parts"][number]
    ((kind, content),) = part["body"].items()
    if kind == "Multipart" and content:
        return [leaf for child in content for leaf in wanted(message, child)]
    if kind == "Message":
        return wanted(content)
    fields = {field["name"]: field["value"]["ContentType"] for field in part["headers"] if _structured(field)}
    declared = fields.get("content_type", {})
    main = "/".join([declared[key] for key in ("c_type", "c_subtype") if declared.get(key)]).lower()
    both = [fields[name] for name in ("content_disposition", "content_type") if name in fields]
    attributes = [one for field in both for one in field.get("attributes") or ()]
    names = [one["value"] for one in attributes if one["name"] in ("name", "filename")]
    return [(main, tuple([name.strip().rpartition("/")[2] for name in names]))]


def _structured(field: dict[str, Any]) -> bool:
    value = field["value"]
    return (
        field["name"] in ("content_type", "content_disposition") and isinstance(value, dict) and "ContentType" in value
    )


def found(message: Message) -> list[Leaf]:
    """Ours: a multipart without parts is a leaf to it, and a message that was decoded and opened is none."""
    leaves: list[Leaf] = []
    bodies = [part.path for part in message.parts if part.kind == "body"]
    for part in message.parts:
        opened = part.content_type.startswith(MESSAGE) and part.encodings
        if part.kind == "whole" and not any(path.startswith(part.path) for path in bodies):
            leaves.append((WHOLE, part.filenames))
        elif part.kind == "body" and not opened:
            leaves.append((part.content_type, part.filenames))
    return leaves


def agree(theirs: list[Leaf], ours: list[Leaf]) -> bool:
    """The same parts with the same names; undeclared is text, and a letter that it could not decode is any."""
    if len(theirs) != len(ours):
        return False
    for (kind, names), (our_kind, our_names) in zip(theirs, ours, strict=True):
        if kind not in ((our_kind, "") if our_kind == "text/plain" else (our_kind,)) and not (
            our_kind == WHOLE and kind.startswith(WHOLE)
        ):
            return False
        if not all(any(_same(name, our_name) for our_name in our_names) for name in names):
            return False
    return True


def _same(name: str, ours: str) -> bool:
    return len(name) == len(ours) and all(one in ("\ufffd", other) for one, other in zip(name, ours, strict=True))


@pytest.mark.threat("MIME-01", "MIME-03", "MIME-07", "MIME-13")
def test_parts_and_names_agree_with_another_reader(shared: Path) -> None:
    """On 107 legacy, malformed and ordinary messages, with LF and CRLF, except for the differences argued above."""
    folder = shared / "data" / "mime" / "stalwart"
    differing: set[str] = set()
    compared = 0
    for path in sorted(folder.rglob("*.json")):
        stem = path.relative_to(folder).as_posix().removesuffix(".json")
        name = stem.removesuffix(".crlf")
        raw = (folder / f"{name}.eml").read_bytes()
        if stem != name:
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        fields, start = split(raw)
        compared += 1
        if not agree(wanted(json.loads(path.read_text())), found(parse(fields, memoryview(raw)[start:]))):
            differing.add(name)
    assert compared == 214
    assert differing == DIFFERENCES.keys()

"""Evidence as JSON, for ever readable: version 1.

One object with the fields of `model.custody.Evidence`; bytes are base64; each authentication result carries `method`
(spf, dkim, dmarc, iprev, arc). Text that UTF-8 cannot hold (lone surrogates, which is how undecodable header bytes
arrive) is written as NUL and four hexadecimal digits, NUL itself as NUL and 0000: any JSON parser reads it, and it
comes back exactly.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from filterd.model.authentication import ArcResult, DkimResult, DmarcResult, IprevResult, SpfResult
from filterd.model.custody import EVIDENCE_VERSION, Evidence
from filterd.model.report import CheckReport

T = TypeVar("T")

METHODS: Final[Mapping[str, type]] = {
    "spf": SpfResult,
    "dkim": DkimResult,
    "dmarc": DmarcResult,
    "iprev": IprevResult,
    "arc": ArcResult,
}
_NAMES: Final = {kind: name for name, kind in METHODS.items()}
_UNSAFE: Final = re.compile("[\0\ud800-\udfff]")
_ESCAPED: Final = re.compile("\0([0-9a-f]{4})")
_NUL: Final = rb"\u0000"
_TYPES: Final[Mapping[type, dict[str, Any]]] = {kind: get_type_hints(kind) for kind in (Evidence, CheckReport)}


class EvidenceError(ValueError):
    """These bytes are no evidence that this release can read."""


def encode(evidence: Evidence) -> bytes:
    """JSON in UTF-8."""
    plain = _shallow(evidence)
    plain["reports"] = [_with_methods(report) if report.auth_results else report for report in evidence.reports]
    return to_json(plain)


def _with_methods(report: CheckReport) -> dict[str, Any]:
    results = [{**_shallow(value), "method": _NAMES[type(value)]} for value in report.auth_results]
    return {**_shallow(report), "auth_results": results}


def _shallow(value: Any) -> dict[str, Any]:
    """A dataclass' fields, what is in them left as it is: msgspec writes that faster than it makes plain values."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def to_json(plain: Any) -> bytes:
    """Plain values, or what msgspec makes such of, as JSON in UTF-8, whatever their texts hold."""
    try:
        data = msgspec.json.encode(plain)
        if _NUL not in data:
            return data
    except UnicodeEncodeError:
        pass
    return msgspec.json.encode(_mapped(msgspec.to_builtins(plain), _escape))


def from_json(data: bytes) -> Any:
    """The reverse of `to_json`. ValueError (of msgspec, or of UTF-8) or RecursionError for what is no JSON."""
    plain = msgspec.json.decode(data)
    return _mapped(plain, _unescape) if _NUL in data else plain


def decode(data: bytes) -> Evidence:
    """The reverse of `encode`; EvidenceError for anything else."""
    try:
        plain = from_json(data)
        if not isinstance(plain, dict) or plain.get("version") != EVIDENCE_VERSION:
            raise EvidenceError(f"not evidence of version {EVIDENCE_VERSION}")
        return _build(Evidence, plain, {"reports": _reports})
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"{type(error).__name__}: {error}") from error


def _reports(plain: Any) -> tuple[CheckReport, ...]:
    return tuple([_build(CheckReport, report, {"auth_results": _auth_results}) for report in plain])


def _auth_results(plain: Any) -> tuple[Any, ...]:
    return tuple([msgspec.convert(result, METHODS[result["method"]]) for result in plain])


def _build(kind: type[T], plain: dict[str, Any], special: Mapping[str, Callable[[Any], Any]]) -> T:
    """A dataclass from its JSON object; fields that a union keeps msgspec from reading come from `special`."""
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]  # called with dataclasses only
        if field.name not in plain:
            if field.default is MISSING and field.default_factory is MISSING:
                raise KeyError(field.name)
            continue
        value = plain[field.name]
        read = special.get(field.name)
        values[field.name] = read(value) if read else msgspec.convert(value, _TYPES[kind][field.name])
    return kind(**values)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A copy with every text changed. As deep as our own dataclasses are nested."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda match: f"\0{ord(match[0]):04x}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)

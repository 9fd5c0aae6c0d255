"""Reading a TOML file into a model: every problem at once, each with file, line, key and what was expected."""

import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from filterd.config.fields import Section

MAX_FILE: Final = 1 << 20  # bytes; a thousand symbols or networks have 150 kB
S = TypeVar("S", bound=Section)

_MAX_DEPTH: Final = 20  # tables and lists inside each other; our own are three deep
_LARGEST: Final = (1 << 63) - 1
SHOWN: Final = 60  # characters of a refused value that are repeated

_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.\- ]+?)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-]+(?:\s*\.\s*[A-Za-z0-9_\-]+)*)\s*=")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` has a line for each reason, and so has the text."""

    def __init__(self, *problems: str) -> None:
        """Take the lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


def read_model(path: Path, model: type[S]) -> S:
    """The file as a checked model. ConfigError where it cannot be read, is no TOML, or says what cannot be meant."""
    text = read_text(path)
    data = parse_toml(path, text)
    problems = [f"{where(path, text, at)}: {name_of(at)}: {what}" for at, what in _oddities(data, ())]
    if not problems:
        try:
            # Through JSON: strict there means no conversion of types, but strings may still name paths and networks.
            return model.model_validate_json(orjson.dumps(data, default=str), strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
            problems = [_line(path, text, details, model) for details in found]
    raise ConfigError(*problems)


def read_text(path: Path) -> str:
    """The file as text. ConfigError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read: {problem.strerror}") from None
    if len(content) > MAX_FILE:
        raise ConfigError(f"{path}: expected at most {MAX_FILE} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path}: expected UTF-8, got byte {content[problem.start]:#x} at {problem.start}") from None


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """The file's tables. ConfigError, with the line in it, where it is no TOML or says something twice."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(problem))
        line = f":{found[1]}" if found else ""
        what = str(problem)[: found.start()] if found else str(problem)
        # tomllib calls a key that is there twice a value that cannot be overwritten.
        what = "this key stands here twice" if what == "Cannot overwrite a value" else what
        raise ConfigError(f"{path}{line}: not valid TOML: {what}") from None


def suggest(word: str, known: list[str]) -> str:
    """A half sentence with the nearest known word, empty where none is near."""
    near = get_close_matches(word, known, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(sorted(known))}" if known else ""


def _oddities(data: object, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What no key can mean, and what would not pass through JSON."""
    if len(at) > _MAX_DEPTH:
        yield at[:2], "expected less nesting"
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _oddities(value, (*at, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _oddities(value, (*at, index))
    elif isinstance(data, str) and _VARIABLE.search(data):
        # It looks as if the environment would be put in: it is not, and silence would mislead.
        yield at, "expected a plain value: ${...} is not replaced; secrets stand in files"
    elif isinstance(data, int) and not -_LARGEST <= data <= _LARGEST:
        yield at, "expected a number of at most 63 bits"


def _line(path: Path, text: str, details: ErrorDetails, model: type[Section]) -> str:
    at = details["loc"]
    if details["type"] == "extra_forbidden":
        kind = "section" if len(at) == 1 else "key"
        what = f"unknown {kind}{suggest(str(at[-1]), _known(model, at[:-1]))}"
    else:
        what = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        what = what.replace("Input should be ", "expected ", 1)
        # An address may hold a password by mistake.
        shows = at[:1] != ("redis",) and at[1:] not in (("url",), ("upkeep_url",), ("endpoint",))
        if shows and "got " not in what and not isinstance(details["input"], dict):
            shown = repr(details["input"])
            what += f", got {shown if len(shown) <= SHOWN else shown[:SHOWN] + '...'}"
    named = f"{name_of(at)}: " if at else ""  # what several sections must agree on names them itself
    return f"{where(path, text, at)}: {named}{what}"


def _known(model: type[Section], at: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at this place may have; none where it is no table of a model."""
    current: Any = model
    for step in at:
        if isinstance(current, type) and issubclass(current, Section):
            field = current.model_fields.get(str(step))
            current = field.annotation if field is not None else None
        else:
            current = get_args(current)[-1] if get_args(current) else None  # a table whose keys are free
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, Section) else []


def name_of(at: tuple[str | int, ...]) -> str:
    """A key for a person: [section] and what comes below it."""
    section, *rest = [str(step) for step in at] or ["?"]
    return f"[{section}] {'.'.join(rest)}" if rest else f"[{section}]"


def where(path: Path, text: str, at: tuple[str | int, ...]) -> str:
    """The file, and the line of the deepest part of the key that stands in the file by itself."""
    wanted = [str(step) for step in at]
    best, depth = 0, 0
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.fullmatch(line):
            table = [part.strip() for part in found[1].split(".")]
            name = table
        elif found := _KEY.match(line):
            name = table + [part.strip() for part in found[1].split(".")]
        else:
            continue
        if len(name) > depth and wanted[: len(name)] == name:
            best, depth = number, len(name)
    return f"{path}:{best}" if best else str(path)

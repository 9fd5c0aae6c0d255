"""docs/configuration.md, printed from the models: `python -m filterd.config.reference > docs/configuration.md`."""

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo

from filterd.config.fields import Section
from filterd.config.root import Config

WIDTH: Final = 110  # columns of a comment in the printed file

_HEAD = """\
# Configuration

<!-- Printed by `python -m filterd.config.reference`; edit the models in filterd/config/, not this file. -->

filterd reads one file, `/etc/filterd/filterd.toml` or the one named by `--config`; without a file the defaults below
hold. Unknown keys, values of the wrong type and `${...}` are errors: filterd names file, line and key, and does not
start; a reload with such a file leaves the running configuration in place. Relative paths are taken from the working
directory.
`filterd config check` tests a file, `filterd config show` prints what holds, `filterd config default` prints this as
TOML.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A key: its default as TOML, empty where it is absent, its unit, and what it means."""

    key: str
    default: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file; NAME in its title stands for names that a site gives."""

    title: str
    about: str
    rows: tuple[Row, ...]


def markdown() -> str:
    """The reference as Markdown, a table for each section of the file."""
    return _HEAD + "".join([_section(table) for table in tables()])


def tables() -> Iterator[Table]:
    """All that the file may have."""
    for name, field in Config.model_fields.items():
        model = model_of(field)
        rows = [
            Row(key, _toml(_default(model, key)), _unit(entry), entry.description or "")
            for key, entry in model.model_fields.items()
        ]
        yield Table(f"{name}.NAME" if _by_name(field) else name, inspect.cleandoc(model.__doc__ or ""), tuple(rows))


def as_toml(config: Config | None) -> str:
    """A filterd.toml with every key: the values of `config`, or for None the defaults, commented out and explained."""
    values = (config or Config()).model_dump(mode="json")
    lines = (
        [] if config else ["# filterd.toml: every key with its default. Remove the # in front of what you change.\n"]
    )
    for name, field in Config.model_fields.items():
        model = model_of(field)
        if not _by_name(field):
            lines += _table(f"[{name}]", model, values[name], explained=config is None)
        elif config is None:
            lines += _table(f"#[{name}.NAME]", model, model.model_construct().model_dump(mode="json"), explained=True)
        for given, entries in values[name].items() if _by_name(field) else ():
            lines += _table(f"[{name}.{given}]", model, entries, explained=False)
    return "".join(lines).lstrip("\n")


def _table(head: str, model: type[Section], values: Mapping[str, Any], *, explained: bool) -> Iterator[str]:
    about = inspect.cleandoc(model.__doc__ or "")
    yield (
        "\n" + ("".join(f"# {line}".rstrip() + "\n" for line in about.splitlines()) if explained else "") + f"{head}\n"
    )
    for key, entry in model.model_fields.items():
        shown = _toml(values[key])
        if explained:
            unit = f" Unit: {_unit(entry)}." if _unit(entry) else ""
            yield from (f"# {line}\n" for line in wrap(f"{entry.description}{unit}", WIDTH))
        if explained or not shown:
            yield "#"
        yield f"{key} = {shown}\n" if shown else f"{key} is absent\n"


def model_of(field: FieldInfo) -> type[Section]:
    """The model of a table, or of the tables that a site names itself."""
    model = get_args(field.annotation)[1] if _by_name(field) else field.annotation
    if not (isinstance(model, type) and issubclass(model, Section)):
        raise TypeError(f"{model} is no section")
    return model


def _by_name(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _default(model: type[Section], key: str) -> Any:
    return model.model_construct().model_dump(mode="json")[key]  # defaults are not validated either way


def _toml(value: Any) -> str:
    """A JSON value as TOML on one line; empty for null, which TOML does not have."""
    if value is None:
        return ""
    if isinstance(value, dict):
        given = [f"{name} = {_toml(entry)}" for name, entry in value.items() if entry is not None]
        return "{ " + ", ".join(given) + " }" if given else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _section(table: Table) -> str:
    rows = [f"\n## [{table.title}]\n\n{table.about}\n\n| key | default | unit | meaning |\n|---|---|---|---|\n"]
    for row in table.rows:
        meaning = row.meaning.replace("|", "\\|")
        rows.append(f"| `{row.key}` | {f'`{row.default}`' if row.default else 'absent'} | {row.unit} | {meaning} |\n")
    return "".join(rows)


if __name__ == "__main__":
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
    else:
        sys.stdout.write(markdown())

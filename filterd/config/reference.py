"""docs/configuration.md, printed from the models: `python -m filterd.config.reference > docs/configuration.md`."""

import inspect
import json
import sys
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

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


def markdown() -> str:
    """The reference as Markdown, a table for each section of the file."""
    return _HEAD + "".join(_section(name, field) for name, field in Config.model_fields.items())


def as_toml(config: Config | None) -> str:
    """A filterd.toml with every key: the values of `config`, or for None the defaults, commented out and explained."""
    values = (config or Config()).model_dump(mode="json")
    lines = (
        [] if config else ["# filterd.toml: every key with its default. Remove the # in front of what you change.\n"]
    )
    for name, field in Config.model_fields.items():
        model = _model(field)
        explained = f"# {inspect.cleandoc(model.__doc__ or '')}\n" if config is None else ""
        lines.append(f"\n{explained}[{name}]\n")
        for key, entry in model.model_fields.items():
            shown = _toml(values[name][key])
            if config is None:
                unit = f" Unit: {_unit(entry)}." if _unit(entry) else ""
                lines.append("".join(f"# {line}\n" for line in wrap(f"{entry.description}{unit}", WIDTH)))
            if config is None or not shown:
                lines.append("#")
            lines.append(f"{key} = {shown}\n" if shown else f"{key} is absent\n")
    return "".join(lines).lstrip("\n")


def _model(field: FieldInfo) -> type[Section]:
    model = field.annotation
    if not (isinstance(model, type) and issubclass(model, Section)):
        raise TypeError(f"{model} is no section")
    return model


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _default(model: type[Section], key: str) -> Any:
    return model().model_dump(mode="json")[key]


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


def _section(name: str, field: FieldInfo) -> str:
    model = _model(field)
    meaning = inspect.cleandoc(model.__doc__ or "")
    rows = [f"\n## [{name}]\n\n{meaning}\n\n| key | default | unit | meaning |\n|---|---|---|---|\n"]
    for key, entry in model.model_fields.items():
        shown = _toml(_default(model, key))
        meaning = (entry.description or "").replace("|", "\\|")
        rows.append(f"| `{key}` | {f'`{shown}`' if shown else 'absent'} | {_unit(entry)} | {meaning} |\n")
    return "".join(rows)


if __name__ == "__main__":
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
    else:
        sys.stdout.write(markdown())

"""Which decisions apply to mail for an address, and what in them is not as for everybody."""

from collections.abc import Iterator
from typing import Any, Final

from filterd.config import Config
from filterd.pipeline.policies import Policies

OWN: Final = "the site's own ([actions])"
_WIDTH: Final = 14  # columns of the words in front


def policy_of(config: Config, policies: Policies | None, address: str) -> dict[str, Any]:
    """All of it as plain values; `entry` in its normal form, both empty where the site's own decisions apply."""
    found = None if policies is None else policies.of(address)
    table = None if found is None else config.policies[found.name]
    actions = config.actions if table is None else table.over(config.actions)
    return {
        "address": address,
        "policy": "" if found is None else found.name,
        "entry": "" if policies is None else policies.entry_of(address),
        "off": table is not None and table.off,
        **actions.model_dump(mode="json"),
        "scores": {} if table is None else table.model_dump(mode="json", exclude_none=True)["scores"],
    }


def lines(found: dict[str, Any], config: Config) -> Iterator[str]:
    """The same for a person: what is as in [actions] is not repeated."""
    yield _row("address", found["address"])
    yield _row("policy", f"{found['policy']}, for {found['entry']}" if found["policy"] else OWN)
    if found["off"]:
        yield _row("off", "not filtered; only what cannot be read whole is treated as for everybody")
        return
    for name, value in config.actions.model_dump(mode="json").items():
        if found[name] != value:
            yield _row(name, f"{_shown(found[name])}  ([actions] has {_shown(value)})")
    for name, entry in found["scores"].items():
        yield _row(name, ", ".join([f"{key} {_shown(value)}" for key, value in entry.items() if value is not False]))


def _row(name: str, text: str) -> str:
    return f"{name:<{_WIDTH - 1}} {text}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join([f"{name}: {_shown(entry)}" for name, entry in value.items()]) or "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)

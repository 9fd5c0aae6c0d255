"""[policies.NAME]: other decisions for some recipients than [actions] has."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, model_validator

from filterd.config.decisions import Actions, UnknownTable
from filterd.config.fields import Section, key
from filterd.config.results import ResultTable
from filterd.config.rules import SymbolName, SymbolOverride

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")  # it stands in logs, journal and listings
_FOR_FILTERED: Final = ("observe", "reject", "quarantine", "add_header", "dmarc_reject", "on_unknown", "on_result")


def _named(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("expected a name of at most 40 letters, digits, - and _")
    return value


PolicyName = Annotated[str, AfterValidator(_named)]


class Policy(Section):
    """Other decisions for some recipients, as many tables as you like; what one leaves out is as in [actions].

    One message can be held for some of its recipients and be delivered to the others: docs/policies.md. Which policy an
    address has: `filterd config policy ADDRESS`.
    """

    recipients: tuple[str, ...] = key(
        (),
        'Whose mail this is for: "user@example.org", "postmaster@" (at any domain), "example.org", ".example.org" (all'
        " below it). The most specific entry counts, in this order.",
    )
    off: bool = key(
        False,
        "Deliver without filtering. Only what cannot be read whole, or not be judged for a fault of ours, is treated as"
        " for everybody.",
    )
    observe: bool | None = key(None, "As in [actions].")
    reject: float | None = key(None, "As in [actions].", "points", gt=0)
    quarantine: float | None = key(None, "As in [actions].", "points", gt=0)
    add_header: float | None = key(None, "As in [actions].", "points", gt=0)
    dmarc_reject: Literal["reject", "quarantine", "add_header", "score"] | None = key(None, "As in [actions].")
    unscannable: Literal["quarantine", "defer", "reject"] | None = key(None, "As in [actions].")
    on_unknown: UnknownTable = key({}, "As in [actions]; checks that are not named are as there.")
    on_result: ResultTable = key({}, "As in [actions]; checks that are not named are as there.")
    scores: dict[SymbolName, SymbolOverride] = key(
        {},
        'Other weights and floors by symbol, as in [rules.scores]: `CLAMD_VIRUS = { floor = "reject" }`.',
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Policy":
        if not self.recipients:
            raise ValueError('expected recipients = ["user@example.org", "example.org", ...]')
        if self.off and (
            vain := [name for name in (*_FOR_FILTERED, "scores") if getattr(self, name) not in (None, {})]
        ):
            raise ValueError(f"off = true leaves nothing to decide: expected no {vain[0]}")
        return self

    def over(self, actions: Actions) -> Actions:
        """[actions] with what this policy has otherwise; the caller sees whether the thresholds are in order."""
        given: dict[str, Any] = {
            name: getattr(self, name) for name in type(self).model_fields if name in Actions.model_fields
        }
        tables = {name: {**getattr(actions, name), **given[name]} for name in ("on_unknown", "on_result")}
        changes = {name: value for name, value in given.items() if value is not None} | tables
        return actions.model_copy(update=changes)

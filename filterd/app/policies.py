"""What is decided for whom: [actions] for everybody, [policies.NAME] for some recipients."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from filterd.checks.registry import ALL
from filterd.config import Config, ConfigError, OnUnknown
from filterd.config.decisions import Actions
from filterd.config.policies import Policy as Table
from filterd.config.results import OnResult
from filterd.config.toml import name_of, read_text, where
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from filterd.pipeline.decide import DecisionPolicy
from filterd.pipeline.policies import EntryError, Policies, Policy, entry_key
from filterd.score import ScoreRules, problems, with_floors
from filterd.score.definitions import Known
from filterd.score.overrides import with_scores

INSPECTOR: Final = "inspector"  # stands beside the checks' names in on_unknown
UNSCANNABLE: Final = "UNSCANNABLE_"  # of the symbols that go for unfiltered mail, too
_DMARC_REJECT: Final = "DMARC_REJECT"


def decisions(actions: Actions) -> DecisionPolicy:
    """What [actions], or that with a policy over it, makes of results."""
    return DecisionPolicy(
        actions.reject,
        actions.quarantine,
        actions.add_header,
        on_unknown(actions),
        observe=actions.observe,
        on_result=on_result(actions),
    )


def on_unknown(actions: Actions) -> dict[str, dict[TrustClass, Action]]:
    """What becomes of a message where a check could not be made, for every check and trust class."""
    return {name: {trust: _action(actions.unknown(name, trust)) for trust in TrustClass} for name in (*ALL, INSPECTOR)}


def on_result(actions: Actions) -> dict[str, dict[str, dict[TrustClass, Action]]]:
    """What the results of authentication lead to, for every check, result and trust class that is named."""
    return {
        check: {
            result: {trust: Action(word.value) for trust, word in row.items() if word is not OnResult.SCORE}
            for result, row in rows.items()
        }
        for check, rows in actions.on_result.items()
    }


def _action(word: OnUnknown) -> Action:
    return Action.ACCEPT if word is OnUnknown.CONTINUE else Action(word.value)


def load_policies(
    config: Config, path: Path, scores: ScoreRules, known: Known
) -> tuple[Policies | None, tuple[str, ...]]:
    """The policies over these scores, None where there are none, and what is wrong with them.

    `path` is the configuration's.
    """
    if not config.policies:
        return None, ()
    told = _Told(path)
    by_entry: dict[str, Policy] = {}
    for name, table in config.policies.items():
        policy = _policy(config, name, table, scores, known, told)
        for number, entry in enumerate(table.recipients):
            try:
                key = entry_key(entry)
            except EntryError as error:
                told.say((name, "recipients", number), f"{error}, got {entry!r}")
                continue
            if key in by_entry:
                told.say((name, "recipients", number), f"{entry} stands in {by_entry[key].name} already")
            by_entry.setdefault(key, policy)
    return Policies(by_entry, config.milter.recipient_delimiter), tuple(told.problems)


class _Told:
    """Lines about what is wrong, with file, line and key."""

    def __init__(self, path: Path) -> None:
        self.problems: list[str] = []
        self._path = path
        try:
            self._text = read_text(path)
        except ConfigError:  # no file: the configuration was made otherwise
            self._text = ""

    def line(self, key: tuple[str | int, ...], what: str) -> str:
        at = ("policies", *key)
        return f"{where(self._path, self._text, at)}: {name_of(at)}: {what}"

    def say(self, key: tuple[str | int, ...], what: str) -> None:
        self.problems.append(self.line(key, what))


def _policy(config: Config, name: str, table: Table, scores: ScoreRules, known: Known, told: _Told) -> Policy:
    """One policy, and a word about whatever is wrong with it."""
    actions = table.over(config.actions)
    thresholds = (actions.add_header, actions.quarantine, actions.reject)
    if list(thresholds) != sorted(thresholds):
        shown = " <= ".join([f"{points:g}" for points in thresholds])
        told.say((name,), f"expected add_header <= quarantine <= reject, together with [actions]; that is {shown}")
    own = _with_floors(scores, table, actions)
    if table.scores:
        own, wrong = with_scores(own, table.scores, known, lambda key, what: told.line((name, "scores", key), what))
        told.problems += wrong
    if not table.off:
        for problem in problems(own, actions.reject, f"[policies] {name}.reject"):
            told.say((name,), problem)
    laws = _laws(own) if table.off else {}
    decided = replace(decisions(actions), name=name, off=table.off, laws=laws)
    return Policy(decided, own, table.recipients)


def _with_floors(scores: ScoreRules, table: Table, actions: Actions) -> ScoreRules:
    """The scores, the same where the policy says nothing else; it goes before what [rules.scores] says of a floor."""
    if table.dmarc_reject is None and table.unscannable is None:
        return scores
    dmarc = None if actions.dmarc_reject == "score" else Action(actions.dmarc_reject)
    wanted = with_floors(scores, dmarc, Action(actions.unscannable)).symbols
    rows = dict(scores.symbols)
    for name, row in scores.symbols.items():
        told = table.dmarc_reject if name == _DMARC_REJECT else table.unscannable
        if told is not None and (name == _DMARC_REJECT or name.startswith(UNSCANNABLE)) and not row.off:
            rows[name] = wanted[name]
    return replace(scores, symbols=MappingProxyType(rows))


def _laws(scores: ScoreRules) -> Mapping[str, Action]:
    """What goes for unfiltered mail, too: a message that cannot be read whole."""
    rows = scores.symbols.items()
    return {name: row.floor for name, row in rows if name.startswith(UNSCANNABLE) and row.floor and not row.off}

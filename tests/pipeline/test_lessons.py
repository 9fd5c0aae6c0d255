"""An outcome is what a message shows without our opinions of its sender."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.checks.registry import ALL
from filterd.model.report import CheckReport, Finding
from filterd.model.report import Outcome as Done
from filterd.model.verdict import Action
from filterd.pipeline.lessons import OF_CLIENT, OF_SENDER, OPINIONS, PROVERS, judge, without_opinions
from filterd.reputation import Outcome
from filterd.score import GroupRule, Score, ScoreRules, SymbolRule, load_scores, score
from filterd.score.composites import Composite, arrange
from filterd.score.expressions import parse

SHIPPED = load_scores(Path(__file__).resolve().parents[2] / "rules" / "scores.toml")
# Rules of an operator who has put a symbol of reputation among others, and let another hold mail by itself.
MIXED = ScoreRules(
    {
        "CONTENT_ONE": SymbolRule(4.0, group="mixed"),
        "CONTENT_TWO": SymbolRule(3.0, group="mixed"),
        "CONTENT_HELD": SymbolRule(1.0, floor=Action.ADD_HEADER),
        "REPUTATION_ONE": SymbolRule(4.0, group="mixed"),
        "REPUTATION_HELD": SymbolRule(1.0, floor=Action.QUARANTINE),
        "REPUTATION_GOOD": SymbolRule(-1.0, group="alone"),
    },
    {"mixed": GroupRule(5.0), "alone": GroupRule(1.0, -0.5)},
)
# With composites that an opinion makes hold, keeps from holding, or stands for.
_COMPOSITES = arrange(
    [
        Composite("BOTH", parse("CONTENT_ONE & REPUTATION_ONE"), ("CONTENT_ONE",)),
        Composite("UNLESS", parse("CONTENT_TWO & !REPUTATION_GOOD")),
        Composite("OVER", parse("UNLESS & CONTENT_HELD"), ("UNLESS",)),
    ]
)
_ROWS = {
    "BOTH": SymbolRule(6.0),
    "UNLESS": SymbolRule(2.0, floor=Action.REJECT),
    "OVER": SymbolRule(1.0, group="mixed"),
}
COMPOSED = ScoreRules({**MIXED.symbols, **_ROWS}, MIXED.groups, _COMPOSITES)


def check_of(symbol: str) -> str:
    """The check that reports a symbol, as far as it matters here."""
    if symbol in {"KNOWN_CORRESPONDENT", "KNOWN_SENDER", "FIRST_CONTACT"} or symbol.startswith("REPUTATION_"):
        return "reputation"
    return "allow" if symbol == "ALLOWED_SENDER" else "content"


def reports_of(symbols: list[str]) -> dict[str, CheckReport]:
    """Reports in the order in which their first symbol comes."""
    found: dict[str, list[Finding]] = {}
    for symbol in symbols:
        found.setdefault(check_of(symbol), []).append(Finding(symbol))
    return {name: CheckReport(name, Done.OK, tuple(findings)) for name, findings in found.items()}


@pytest.mark.parametrize("rules", [SHIPPED, MIXED, COMPOSED], ids=["shipped", "mixed", "composed"])
@given(data=st.data())
def test_it_is_the_score_without_them(rules: ScoreRules, data: st.DataObject) -> None:
    """Total and floor are what the other checks' reports alone give, however groups and floors are mixed."""
    symbols = data.draw(
        st.lists(st.sampled_from(sorted(rules.symbols.keys() - _ROWS.keys())), unique=True, max_size=20)
    )
    reports = reports_of(symbols)
    found = without_opinions(score(list(reports.values()), rules), reports, rules, ())
    alone = score([report for name, report in reports.items() if name not in OPINIONS], rules)
    assert (found.total, found.floor) == (alone.total, alone.floor)


def report(name: str, outcome: Done) -> dict[str, CheckReport]:
    """One report."""
    return {name: CheckReport(name, outcome)}


@pytest.mark.parametrize(
    ("total", "floor", "outcome"),
    [
        (-5.0, None, Outcome.GOOD),
        (2.9, None, Outcome.GOOD),
        (3.0, None, None),
        (5.9, None, None),
        (6.0, None, Outcome.BAD),
        (0.0, Action.QUARANTINE, None),
        (7.0, Action.QUARANTINE, Outcome.BAD),
    ],
)
def test_thresholds(total: float, floor: Action | None, outcome: Outcome | None) -> None:
    """Bad from the threshold for a tag on, good below half of it; a floor alone proves nothing."""
    assert judge(Score(total, (), floor), {}, 6.0) is outcome


@pytest.mark.parametrize("undone", [Done.UNKNOWN, Done.CRASHED])
@pytest.mark.parametrize("name", ["dnsbl", "uribl", "content", "yara"])
def test_our_own_checks_must_be_done(name: str, undone: Done) -> None:
    """A verdict that lacks what we could not look at is no outcome."""
    assert judge(Score(0.0), report(name, undone), 6.0) is None
    assert judge(Score(20.0), report(name, undone), 6.0) is None


@pytest.mark.parametrize("name", sorted(OF_SENDER))
def test_what_the_sender_can_prevent(name: str) -> None:
    """A check that the sender's own servers can stop keeps him from a good outcome and not from a bad one."""
    assert judge(Score(0.0), report(name, Done.UNKNOWN), 6.0) is None
    assert judge(Score(20.0), report(name, Done.UNKNOWN), 6.0) is Outcome.BAD


def test_reputation_itself_may_be_unknown() -> None:
    """While nothing can be read, what is learnt is as good as ever."""
    assert judge(Score(0.0), report("reputation", Done.UNKNOWN), 6.0) is Outcome.GOOD


def test_the_names_are_those_of_checks() -> None:
    """A check that is renamed must be renamed here."""
    assert OPINIONS | OF_CLIENT | OF_SENDER | set(PROVERS) <= set(ALL)

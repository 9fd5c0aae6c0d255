import pytest

from filterd.model.inspection import RuleHit
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.verdict import Action, ScoredSymbol
from filterd.score import GroupRule, Score, ScoreRules, SymbolRule, problems, score
from filterd.score.composites import Composite, Composites, CycleError, arrange
from filterd.score.expressions import parse


def composites(*replaces: str, **expressions: str) -> Composites:
    """Composites by name; the last one replaces what is named."""
    *others, last = expressions.items()
    made = [Composite(name, parse(text)) for name, text in others]
    return arrange([*made, Composite(last[0], parse(last[1]), replaces)])


def holding(all_of_them: Composites, *present: str) -> list[str]:
    """The names of those that hold."""
    return [found.composite.name for found in all_of_them.found(frozenset(present))]


def test_one_that_uses_another_comes_after_it() -> None:
    """However the file orders them, and over several steps."""
    made = composites(TOP="MID & CC", MID="LOW | DD", LOW="AA & BB")
    assert holding(made, "AA", "BB", "CC") == ["LOW", "MID", "TOP"]
    assert holding(made, "DD", "CC") == ["MID", "TOP"]
    assert holding(made, "AA", "CC") == []


def test_the_absence_of_a_composite_counts_as_of_any_symbol() -> None:
    """It is settled before it is asked for."""
    made = composites(UNLESS="AA & !EXCUSED", EXCUSED="BB & CC")
    assert holding(made, "AA", "BB") == ["UNLESS"]
    assert holding(made, "AA", "BB", "CC") == ["EXCUSED"]


def test_only_those_that_what_was_found_can_make_true_are_looked_at() -> None:
    """Of what "&" joins the first part is enough to know, and what stands behind "!" never is."""
    made = composites(ONE="!ZZ & AA & BB", TWO="CC | DD & EE", THREE="count(FF, GG, HH) >= 2")
    assert made.by_need == {"AA": (0,), "CC": (1,), "DD": (1,), "FF": (2,), "GG": (2,)}
    assert made.members == {"AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "ZZ"}


def test_the_members_that_were_found_are_the_evidence() -> None:
    """Once each, in the order of the expression."""
    (found,) = composites(ONE="count(AA, BB, CC, AA) >= 2 & !DD").found(frozenset({"CC", "AA", "EE"}))
    assert found.members == ("AA", "CC")


@pytest.mark.parametrize(
    ("expressions", "circle"),
    [
        ({"ONE": "AA & ONE"}, "ONE -> ONE"),
        ({"ONE": "AA & TWO", "TWO": "THREE", "THREE": "BB & !ONE"}, "ONE -> TWO -> THREE -> ONE"),
    ],
)
def test_circles(expressions: dict[str, str], circle: str) -> None:
    """Composites that use each other are told by name."""
    with pytest.raises(CycleError) as caught:
        composites(**expressions)
    assert str(caught.value) == circle


def test_a_wide_circle_is_shown_in_part() -> None:
    """Where it begins and ends."""
    with pytest.raises(CycleError) as caught:
        composites(**{f"C{n}": f"C{(n + 1) % 50}" for n in range(50)})
    assert str(caught.value).endswith("C7 -> C8 -> ... -> C0")


def test_a_long_chain() -> None:
    """A thousand composites, each over the one before, neither break nor take square time."""
    chain = {f"C{n}": f"C{n - 1} & AA" for n in range(1, 1000)}
    made = composites(**dict(reversed(chain.items())), C0="AA")
    assert len(holding(made, "AA")) == 1000


ROWS = {
    "AA": SymbolRule(2.0, group="g"),
    "BB": SymbolRule(3.0, group="g"),
    "CC": SymbolRule(-1.0),
    "HELD": SymbolRule(1.0, floor=Action.QUARANTINE),
    "OFF": SymbolRule(0.0, floor=Action.ACCEPT, off=True),
}
GROUPS = {"g": GroupRule(4.0), "authentication": GroupRule(9.0)}


def scored(made: Composites, *symbols: str, hits: tuple[RuleHit, ...] = (), **rows: SymbolRule) -> Score:
    """The score of these findings; composites weigh 5 where nothing else is said."""
    every = ROWS | {one.name: SymbolRule(5.0) for one in made.ordered} | rows
    found = tuple(Finding(symbol) for symbol in symbols)
    return score([CheckReport("check", Outcome.OK, found)], ScoreRules(every, GROUPS, made), hits)


def test_a_composite_counts_beside_its_members() -> None:
    """It is shown with them as evidence, under a check of its own."""
    result = scored(composites(BOTH="AA & CC"), "AA", "CC")
    assert result.total == 6.0
    assert result.symbols[-1] == ScoredSymbol(Finding("BOTH", ("AA", "CC")), "composite", 5.0)


def test_a_composite_counts_in_place_of_members_it_replaces() -> None:
    """They are shown with no weight, and leave their room under a cap to others."""
    made = composites("BB", BOTH="BB & CC")
    result = scored(made, "BB", "AA", "CC")
    assert result.total == 2.0 - 1.0 + 5.0
    assert result.symbols[0] == ScoredSymbol(Finding("BB"), "check", 0.0, replaced="BOTH")
    assert scored(made, "BB", "AA").total == 4.0


def test_a_replaced_symbol_keeps_its_floor() -> None:
    """What holds a message is lifted by nobody's weight."""
    assert scored(composites("HELD", ONE="HELD"), "HELD").floor is Action.QUARANTINE


def test_a_composite_has_group_and_floor_of_its_own() -> None:
    """As any symbol has."""
    result = scored(composites(ONE="AA"), "AA", ONE=SymbolRule(5.0, group="g", floor=Action.REJECT))
    assert (result.total, result.floor, result.floor_symbol) == (4.0, Action.REJECT, "ONE")


def test_rules_that_do_not_count_make_no_composite_count() -> None:
    """One in shadow would otherwise count by another name."""
    made = composites(ONE="YARA_X")
    shadow = RuleHit("x", "file", "YARA_X", "1", meta={"stage": "shadow", "score": "9"})
    counting = RuleHit("x", "file", "YARA_X", "1", meta={"stage": "score", "score": "1"})
    assert scored(made, hits=(shadow,)).total == 0.0
    assert scored(made, hits=(counting,)).total == 6.0


def test_what_is_off_takes_part_in_nothing() -> None:
    """It is shown and weighs nothing; what a rule's author declared does not come back."""
    result = scored(composites(ONE="OFF"), "OFF")
    assert (result.total, result.floor, [one.weight for one in result.symbols]) == (0.0, None, [0.0])
    hit = RuleHit("x", "file", "YARA_OFF", "1", meta={"score": "9", "action": "reject"})
    result = scored(composites(ONE="AA"), hits=(hit,), YARA_OFF=ROWS["OFF"])
    assert (result.total, result.floor) == (0.0, None)


def test_authentication_alone_does_not_escape_its_cap() -> None:
    """RFC 9989: a composite for which SPF, DKIM and DMARC are enough counts in their group, or is refused."""
    rows = {"SPF_FAIL": SymbolRule(3.0, group="authentication"), "AA": SymbolRule(1.0), "ONE": SymbolRule(9.0)}

    def said(expression: str, group: str = "") -> tuple[str, ...]:
        rules = {**rows, "ONE": SymbolRule(9.0, group=group)}
        return problems(ScoreRules(rules, GROUPS, composites(ONE=expression)), reject=15.0)

    assert "SPF_FAIL are enough for it" in said("SPF_FAIL & !AA")[0]
    assert said("SPF_FAIL | AA") != ()
    assert said("SPF_FAIL & AA") == ()
    assert said("SPF_FAIL", "authentication") == ()

from types import MappingProxyType

from filterd.model.inspection import RuleHit
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.verdict import Action
from filterd.score import GroupRule, Score, ScoreRules, SymbolRule, score

RULES = ScoreRules(
    symbols=MappingProxyType(
        {
            "A": SymbolRule(4.0, group="g"),
            "B": SymbolRule(4.0, group="g"),
            "C": SymbolRule(4.0, group="g"),
            "GOOD": SymbolRule(-2.0, group="g"),
            "BETTER": SymbolRule(-2.0, group="g"),
            "FREE": SymbolRule(1.0),
            "ODD": SymbolRule(1.0, floor=Action.QUARANTINE),
            "WORSE": SymbolRule(0.0, floor=Action.REJECT),
            "YARA_EICAR": SymbolRule(2.0),
            "YARA_OVERRIDDEN": SymbolRule(2.0, floor=Action.ACCEPT),
            "TENTH": SymbolRule(0.1),
        }
    ),
    groups=MappingProxyType({"g": GroupRule(cap=9.0, floor=-3.0)}),
)


def of(*symbols: str, hits: tuple[RuleHit, ...] = ()) -> Score:
    """The score of one report with these findings."""
    findings = tuple(Finding(symbol) for symbol in symbols)
    return score([CheckReport("check", Outcome.OK, findings)], RULES, hits)


def hit(symbol: str, **meta: str | int | bool) -> RuleHit:
    """A YARA rule that matched."""
    return RuleHit(symbol.lower(), "test", symbol, "1.2", meta=meta)


def test_nothing_found_is_zero() -> None:
    """No report, no points, no floor."""
    assert score([], RULES) == Score(0.0)


def test_a_symbol_counts_once() -> None:
    """Ten copies of one attachment are not ten times as bad."""
    assert of("FREE", "FREE").total == 1.0
    again = CheckReport("other", Outcome.OK, (Finding("FREE"),))
    assert score([again, again], RULES).total == 1.0


def test_a_group_counts_at_most_its_cap_and_the_last_is_cut() -> None:
    """What the cap takes away is shown at the symbol it was taken from."""
    result = of("A", "B", "C", "FREE")
    assert result.total == 10.0
    assert [(symbol.weight, symbol.capped) for symbol in result.symbols] == [(4, 0), (4, 0), (1, 3), (1, 0)]


def test_a_group_speaks_for_a_message_at_most_to_its_floor() -> None:
    """Good marks of one kind cannot outweigh everything."""
    result = of("GOOD", "BETTER")
    assert result.total == -3.0
    assert result.symbols[1].capped == -1.0


def test_good_marks_do_not_make_room_under_the_cap() -> None:
    """Both sides of a group are bounded by themselves, so the order of reports does not change the total."""
    assert of("A", "B", "C", "GOOD").total == of("GOOD", "A", "B", "C").total == 7.0


def test_the_severest_floor_wins_whatever_the_score() -> None:
    """A floor stands beside the score and names its symbol."""
    assert (of("ODD").floor, of("ODD").floor_symbol) == (Action.QUARANTINE, "ODD")
    result = of("ODD", "WORSE", "FREE")
    assert (result.floor, result.floor_symbol) == (Action.REJECT, "WORSE")


def test_a_symbol_without_a_row_is_shown_and_weighs_nothing() -> None:
    """Nothing found is hidden."""
    result = of("NOVEL")
    assert (result.total, [symbol.finding.symbol for symbol in result.symbols]) == (0.0, ["NOVEL"])


def test_a_rule_without_a_row_weighs_what_its_author_declared() -> None:
    """Metadata `score` and `action` are the default, as number or as text."""
    result = of("YARA_NEW", hits=(hit("YARA_NEW", score="7.5", action="quarantine"),))
    assert (result.total, result.floor) == (7.5, Action.QUARANTINE)
    assert of(hits=(hit("YARA_NEW", score=3),)).total == 3.0


def test_a_row_overrides_a_rule_key_by_key() -> None:
    """A weight in scores.toml does not lift the author's hold; a floor there does."""
    kept = of(hits=(hit("YARA_EICAR", score=9, action="reject"),))
    assert (kept.total, kept.floor) == (2.0, Action.REJECT)
    lifted = of(hits=(hit("YARA_OVERRIDDEN", score=9, action="reject"),))
    assert (lifted.total, lifted.floor) == (2.0, None)


def test_unreadable_metadata_weighs_nothing_and_raises_nothing() -> None:
    """A rule's text is data; no number in it can be infinite."""
    for value in ("lots", "inf", "nan", True, ""):
        assert of(hits=(hit("YARA_NEW", score=value, action="explode"),)) == of(hits=(hit("YARA_NEW"),))
    assert of(hits=(hit("YARA_NEW", score="1e300"),)).total == 100.0


def test_a_hit_that_a_check_has_reported_counts_once() -> None:
    """The report and the hit are the same thing seen twice."""
    result = of("YARA_EICAR", hits=(hit("YARA_EICAR"), hit("YARA_EICAR")))
    assert [symbol.check for symbol in result.symbols] == ["check"]


def test_findings_of_a_check_that_could_not_finish_count() -> None:
    """What one list said stands even where another one was silent."""
    report = CheckReport("dnsbl", Outcome.UNKNOWN, (Finding("FREE"),))
    assert score([report], RULES).total == 1.0


def test_decimal_weights_reach_their_threshold() -> None:
    """0.1 + 0.2 is 0.3 here: a message at exactly the threshold is over it."""
    rules = ScoreRules({f"S{n}": SymbolRule(0.1) for n in range(10)}, {})
    findings = tuple(Finding(f"S{n}") for n in range(10))
    assert score([CheckReport("check", Outcome.OK, findings)], rules).total >= 1.0


def test_a_rule_under_test_weighs_nothing() -> None:
    """Metadata `stage` test or shadow: shown, not counted, whatever a row says; unless another rule counts."""
    silent = hit("YARA_EICAR", score=9, action="reject", stage="shadow")
    result = of(hits=(silent,))
    assert (result.total, result.floor, len(result.symbols)) == (0.0, None, 1)
    assert of(hits=(silent, hit("YARA_EICAR", stage="score"))).total == 2.0


def test_a_hit_under_a_foreign_symbol_does_not_count() -> None:
    """A rule cannot give away the points of an allow list."""
    assert of(hits=(hit("GOOD", score=-9),)) == Score(0.0)

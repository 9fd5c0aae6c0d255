"""What rules say that they match, tried; and what else an author should know of a file."""

from collections.abc import Iterator, Sequence
from typing import Final

from filterd.regex.declarations import RegexRule
from filterd.regex.engine import compile_one, matches

MAX_PROGRAM: Final = (
    5_000  # steps of a pattern; `.{0,200}` has 1,800. A text made for it has the automaton grow with them
)


def check_rules(rules: Sequence[RegexRule]) -> Iterator[tuple[RegexRule, str, str]]:
    """What is wrong with rules that could be read: the rule, "error" or "warning", and words with its place."""
    for rule in rules:
        try:
            size = compile_one(rule).programsize
        except ValueError as error:
            yield rule, "error", rule.problem("pattern", str(error))
        else:
            if size > MAX_PROGRAM:
                yield (
                    rule,
                    "warning",
                    rule.problem("pattern", f"a large repetition of a wide class ({size} steps): slow"),
                )
        for key, samples in (("match", rule.match), ("no_match", rule.no_match)):
            if not samples:
                yield rule, "warning", rule.problem(key, "expected at least one sample")


def try_samples(rules: Sequence[RegexRule]) -> Iterator[str]:
    """In what rules and the samples beside them disagree."""
    for rule in rules:
        try:
            pattern = compile_one(rule)
        except ValueError as error:
            yield rule.problem("pattern", str(error))
            continue
        yield from [
            rule.problem("match", f"does not match {one!r}") for one in rule.match if not matches(rule, pattern, one)
        ]
        yield from [
            rule.problem("no_match", f"matches {one!r}") for one in rule.no_match if matches(rule, pattern, one)
        ]

"""A rule file as one file for each rule, so that each can be timed by itself."""

from collections.abc import Iterator, Mapping

from filterd.yarascan.grammar import Rule, rules_in
from filterd.yarascan.sources import modules


def split(text: str) -> Iterator[tuple[str, str]]:
    """Each rule that is no private one, with a text that holds it and what it stands on: imports and other rules."""
    imports = "".join([f'import "{name}"\n' for name in sorted(modules(text))])
    rules = {rule.name: rule for rule in rules_in(text)}
    order = list(rules)
    always = {name for name, rule in rules.items() if "global" in rule.modifiers}
    for name, rule in rules.items():
        if not rule.private:
            needed = {name} | always | _needed(rule, rules)
            pieces = [text[rules[one].start : rules[one].end] for one in order if one in needed]
            yield name, imports + "\n".join(pieces) + "\n"


def _needed(rule: Rule, rules: Mapping[str, Rule]) -> set[str]:
    """The rules that a rule refers to, and those that they refer to."""
    found: set[str] = set()
    waiting = [rule]
    while waiting:
        new = (waiting.pop().uses & rules.keys()) - found
        found |= new
        waiting += [rules[name] for name in new]
    return found

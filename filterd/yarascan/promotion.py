"""`rules promote|demote`: another stage for a rule, in its source file, and not one other byte changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from filterd.config.rewriting import rewrite
from filterd.score.stages import STAGES, RuleStage, stage_of
from filterd.yarascan.grammar import Rule, rules_in
from filterd.yarascan.sources import RuleFile

INDENT = "        "  # before an entry that has no neighbour to take it from


class PromotionError(ValueError):
    """Nothing was changed; the text says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A rule that has another stage now. `action` and `score` are what its author declared, empty where nothing."""

    file: str
    line: int
    rule: str
    before: str
    after: str
    score: str
    action: str


def move(files: Iterable[RuleFile], name: str, steps: int) -> Moved:
    """Move the rule of that name so many stages on (below zero: back) and write its file. PromotionError, OSError."""
    found = [(file, rule) for file in files for rule in rules_in(file.text) if rule.name == name]
    if not found:
        raise PromotionError(f"no rule {name!r}")
    if len(found) > 1:
        places = ", ".join(f"{file.path}:{rule.line}" for file, rule in found)
        raise PromotionError(f"{name} is in several places: {places}")
    file, rule = found[0]
    if rule.private:
        raise PromotionError(f"{name} is private: it only serves other rules and has no stage")
    before = stage_of({meta.key: meta.value for meta in rule.meta})
    place = STAGES.index(before) + steps
    if not 0 <= place < len(STAGES):
        raise PromotionError(f"{name} is at stage {before} already, the {'last' if steps > 0 else 'first'}")
    after = STAGES[place]
    text = with_stage(file.text, rule, after)
    if [one.value("stage") for one in rules_in(text) if one.name == name] != [after.value]:
        raise PromotionError(f"{file.path}:{rule.line}: the stage cannot be written into this rule")
    rewrite(file.path, text.encode("utf-8", "surrogateescape"))
    return Moved(str(file.path), rule.line, name, before, after, rule.value("score"), rule.value("action"))


def with_stage(text: str, rule: Rule, stage: RuleStage) -> str:
    """The text with that rule's stage; where it declares none, as a new entry behind the last, or in a new section."""
    declared = [meta for meta in rule.meta if meta.key == "stage"]
    if declared:
        for meta in reversed(declared):  # of several the last one counts, and none may contradict it
            text = f'{text[: meta.start]}"{stage}"{text[meta.end :]}'
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    if rule.meta:
        last = rule.meta[-1]
        begin = text.rfind("\n", 0, last.start) + 1
        indent = text[begin : len(text) - len(text[begin:].lstrip(" \t"))]
        return f'{text[: last.end]}{end}{indent or INDENT}stage = "{stage}"{text[last.end :]}'
    if rule.meta_end:
        return f'{text[: rule.meta_end]}{end}{INDENT}stage = "{stage}"{text[rule.meta_end :]}'
    return f'{text[: rule.body]}{end}    meta:{end}{INDENT}stage = "{stage}"{text[rule.body :]}'

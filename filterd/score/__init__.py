"""Findings to a score: numbers live in rules/scores.toml, never in a check.

A symbol counts once per message, however often it was found. Symbols of one group together count at most the group's
cap, and at least its floor where they speak for the message: what came last is cut. SPF, DKIM and DMARC share a group
whose cap lies below the threshold for rejection, as RFC 9989 wants no message rejected on p=reject alone. A symbol may
set a floor under the action, whatever the score. A YARA rule brings weight and floor in its own metadata, and the stage
that says which of them hold (`stages`); a row in scores.toml overrides them key by key. Composites are symbols that
hold where an expression over other symbols does (`expressions`, `composites`). What an operator wants otherwise is laid
over all of it (`overrides`). Pure: the same reports give the same score.
"""

from filterd.score.rules import GroupRule, ScoreRules, SymbolRule, load_scores, problems, with_floors
from filterd.score.scoring import COMPOSITE, Score, score
from filterd.score.stages import settle

__all__ = [
    "COMPOSITE",
    "GroupRule",
    "Score",
    "ScoreRules",
    "SymbolRule",
    "load_scores",
    "problems",
    "score",
    "settle",
    "with_floors",
]

"""Signs of spam, phishing and malware: pure functions over one parsed message, one symbol each.

A heuristic gets the Subject and returns evidence (perhaps empty) where it applies, None where it does not. It gives no
number: weights stand in rules/scores.toml. To add one: a function, a line in its module's table, a weight, a case.
"""

from filterd.heuristics.catalogue import ALL, SYMBOLS, run_all
from filterd.heuristics.phrases import Phrases, load_phrases
from filterd.heuristics.subject import File, Subject
from filterd.heuristics.urls import extract

__all__ = ["ALL", "SYMBOLS", "File", "Phrases", "Subject", "extract", "load_phrases", "run_all"]

"""What a nursery's inspectors read with: `inspect` bound to rules and phrases that were loaded once."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from filterd.classifier import Receiving, load_receiving
from filterd.classifier.judging import Judge
from filterd.classifier.modelfile import Model, ModelFileError
from filterd.config.toml import ConfigError
from filterd.heuristics.phrases import Phrases, PhrasesError, load_phrases
from filterd.inspection.child import Reader
from filterd.inspection.inspect import inspect
from filterd.ipc.messages import NurserySettings
from filterd.model.inspection import InspectionJob
from filterd.regex.engine import load_regexes
from filterd.yarascan.engine import Engine
from filterd.yarascan.load import load_rules

_WARMING: Final = 4.0  # seconds that the first message may take, of which rules get a half


def make_reader(settings: NurserySettings) -> Reader:
    """Load all that is needed to read messages.

    A rule file that does not compile, of YARA or of regular expressions, a file of phrases or of the classifier that
    does not load, or a model that does not fit, is a problem that is told and gone without; a rules directory that is
    not there (OSError) or of which no file can be used (RulesError) is a filter that silently has no rules, and worse
    than none.
    """
    problems: tuple[str, ...] = ()
    phrases = Phrases()
    if settings.phrases:
        try:
            phrases = replace(load_phrases(Path(settings.phrases)), languages=frozenset(settings.languages))
        except PhrasesError as error:
            problems = (str(error),)
    receiving: Receiving | None = None
    if settings.classifier:
        try:
            receiving = load_receiving(Path(settings.classifier))
        except ConfigError as error:
            problems += (str(error),)
    judge: Judge | None = None
    if settings.model:
        try:
            judge = Judge(Model(Path(settings.model)), settings.least)
        except ModelFileError as error:
            problems += (str(error),)
    regexes, wrong = load_regexes([Path(folder) for folder in settings.regex])
    problems += wrong
    read = partial(
        inspect,
        phrases=phrases,
        passwords=settings.passwords,
        receiving=receiving,
        classifier=judge,
        regexes=regexes,
    )
    if not settings.rules:
        return _warmed(Reader(partial(read, scanner=None), "", problems))
    rule_set = load_rules(Path(settings.rules), Path(settings.cache) if settings.cache else None)
    engine = Engine(rule_set, timeout=settings.yara_seconds)
    return _warmed(Reader(partial(read, scanner=engine), engine.rule_set, rule_set.problems + problems))


def _warmed(reader: Reader) -> Reader:
    """Have it read a message: tables and patterns made at first use are then there in all inspectors, and shared."""
    fields = (
        (b"From", b" Alice <alice@example.org>"),
        (b"Subject", b" =?utf-8?q?Warm?="),
        (b"Content-Type", b" multipart/alternative; boundary=b"),
    )
    body = b"--b\r\n\r\nSee http://www.example.org/\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    body += b"<a href='http://www.example.org/'>www.example.org</a>\r\n--b--\r\n"
    reader.inspect(InspectionJob("", fields, len(body), _WARMING, 0.0), memoryview(body))
    return reader

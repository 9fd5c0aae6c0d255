"""What an inspector makes of a model."""

from dataclasses import replace
from pathlib import Path

import pytest

from filterd.classifier.digest import digest_of
from filterd.classifier.judging import Judge
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import Lesson
from filterd.classifier.modelfile import NAME, Model
from filterd.inspection.inspect import inspect
from filterd.inspection.reader import make_reader
from filterd.ipc.messages import NurserySettings
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from tests.classifier.lessons import features, lesson

MAIL = b"From: a@x.test\r\nTo: b@y.test\r\nSubject: Hello\r\n\r\nSome words of a message.\r\n"
DATA = Path(__file__).parents[2] / "rules" / "classifier.toml"


def judge(folder: Path, least: int = 3) -> Judge:
    """A judge with the model of that folder."""
    return Judge(Model(folder / NAME), least)


def test_a_model_that_knows_too_little_says_nothing(tmp_path: Path) -> None:
    """Before enough of both kinds was learnt there is no opinion; then there is, without opening the file again."""
    learner = Learner(tmp_path)
    learner.learn([lesson(number) for number in range(5)])
    ours = judge(tmp_path)
    assert ours.classify(features(100, spam=True)) is None
    learner.learn([lesson(5)])
    learner.settle()
    found = ours.classify(features(100, spam=True))
    assert found is not None
    assert (found.spam, found.ham) == (3, 3)
    assert found.probability > 0.5
    assert found.model.startswith("3-")
    learner.close()


def test_a_model_that_knows_too_little_costs_nothing(tmp_path: Path) -> None:
    """No features are made for it: the stage is not entered before it knows enough."""
    learner = Learner(tmp_path)
    learner.learn([lesson(number) for number in range(5)])
    learner.close()
    settings = NurserySettings(classifier=str(DATA), model=str(tmp_path / NAME), least=3)
    assert not judge(tmp_path).ready()
    assert "classifier" not in read(MAIL, settings)[0].ms
    assert "classifier" in read(MAIL, replace(settings, least=2))[0].ms


def test_a_domains_layer_counts_for_that_domain(tmp_path: Path) -> None:
    """The margin says how much of it is the recipient domain's own; others' mail is judged without."""
    learner = Learner(tmp_path)
    learner.learn([lesson(number) for number in range(40)])
    learner.learn([lesson(number, spam=number % 4 == 1, domain="shop.test") for number in range(200, 280)])
    learner.settle()
    ours = judge(tmp_path)
    probe = features(100, spam=True)
    shop, other = ours.classify(probe, "shop.test"), ours.classify(probe, "other.test")
    assert shop is not None
    assert other is not None
    assert other.layer == 0.0
    assert shop.layer < 0
    assert shop.margin == pytest.approx(other.margin + shop.layer)
    learner.close()


def read(raw: bytes, settings: NurserySettings, *, wanted: bool = False) -> tuple[Inspection, tuple[str, ...]]:
    """What a reader with these settings finds, and its problems."""
    reader = make_reader(settings)
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0, features=wanted)
    return reader.inspect(job, memoryview(raw)[start:]), reader.problems


def test_an_inspector_asks_the_model(tmp_path: Path) -> None:
    """With a model there is an opinion in the facts, and features only where the job wants them."""
    learner = Learner(tmp_path)
    learner.learn([lesson(number) for number in range(6)])
    learner.close()
    settings = NurserySettings(classifier=str(DATA), model=str(tmp_path / NAME), least=3)
    facts, problems = read(MAIL, settings)
    assert facts.classified is not None
    assert (facts.features, facts.digest, problems) == (b"", b"", ())
    assert read(MAIL, settings, wanted=True)[0].features
    assert len(read(MAIL, settings, wanted=True)[0].digest) == 32


def test_an_inspector_says_why_where_it_is_asked(tmp_path: Path) -> None:
    """What weighed most comes as lines with its place, and only for a job that wants them."""
    learner = Learner(tmp_path)
    for number, word in enumerate([b"casino", b"meeting"] * 5):
        raw = MAIL.replace(b"Some words", word + b" and b%d" % number)
        facts, _ = read(raw, NurserySettings(classifier=str(DATA)), wanted=True)
        learner.learn([Lesson(facts.digest, word == b"casino", facts.features)])
    learner.settle()
    settings = NurserySettings(classifier=str(DATA), model=str(tmp_path / NAME), least=3)
    fields, start = split(MAIL.replace(b"Some words", b"casino"))
    body = memoryview(MAIL.replace(b"Some words", b"casino"))[start:]
    job = InspectionJob("x", fields, len(body), 60, 0.0, reasons=3)
    reader = make_reader(settings)
    found = reader.inspect(job, body).classified
    assert found is not None
    assert any("casino" in line for line in found.reasons)
    silent = reader.inspect(replace(job, reasons=0), body).classified
    assert silent == replace(found, reasons=())
    learner.close()


def test_a_model_that_does_not_fit_is_told_and_gone_without(tmp_path: Path) -> None:
    """No opinion, a problem in words, and everything else as ever."""
    (tmp_path / NAME).write_bytes(b"something else")
    facts, problems = read(MAIL, NurserySettings(classifier=str(DATA), model=str(tmp_path / NAME)))
    assert facts.classified is None
    assert facts.subject == "Hello"
    assert len(problems) == 1
    assert "bytes where" in problems[0]


def test_a_message_has_one_name_before_and_after_delivery() -> None:
    """What the receiving side adds, folds, and appends to a message does not make it another one."""
    settings = NurserySettings(classifier=str(DATA))
    names = {
        read(raw, settings, wanted=True)[0].digest
        for raw in (
            MAIL,
            b"Return-Path: <a@x.test>\r\nDelivered-To: b@y.test\r\nReceived: from x by y\r\nX-Spam-Flag: YES\r\n"
            + MAIL,
            MAIL.replace(b"Subject: Hello", b"Subject:\r\n\tHello") + b"\r\n\r\n",
        )
    }
    assert len(names) == 1
    assert read(MAIL + b"more\r\n", settings, wanted=True)[0].digest not in names


def test_a_body_of_empty_lines_costs_little() -> None:
    """Where the text ends is found in large steps, over however many empty lines."""
    head = ((b"Subject", b" x"),)
    lines = b"\r\n" * 5_000_000
    assert digest_of(head, memoryview(b"text" + lines)) == digest_of(head, memoryview(b"text"))
    assert digest_of(head, memoryview(lines)) == digest_of(head, memoryview(b""))


def test_without_data_or_model_nothing_is_asked() -> None:
    """The stage is left out where there is nothing to ask."""
    fields, start = split(MAIL)
    facts = inspect(InspectionJob("x", fields, len(MAIL) - start, 60, 0.0), memoryview(MAIL)[start:], None)
    assert "classifier" not in facts.ms

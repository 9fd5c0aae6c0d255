"""Evaluating: which messages, in which order, what is learnt when, and what it comes to."""

from pathlib import Path

import numpy as np
import pytest

from filterd.classifier import Features
from filterd.classifier.features import SLOTS
from filterd.inspectors import InspectorDied
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.report import Finding
from filterd.operations.learn_evaluate import Evaluation, Layers, Plan, Result, read_index, shuffled
from filterd.operations.rules_backtest import Labelled
from filterd.score import ScoreRules, SymbolRule

ACTIONS = {"add_header": 6.0, "reject": 15.0}


class Inspector:
    """Gives features after the subject's first word, a finding where it says so, and dies where it says so."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.jobs: list[InspectionJob] = []

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:  # noqa: ARG002  # the pool's arguments
        """The facts."""
        self.jobs.append(job)
        kind, *more = dict(job.fields)[b"Subject"].decode().split()
        if "die" in more:
            raise InspectorDied("it died")
        if "nothing" in more:
            return Inspection(problems=("classifier: our bug",))
        slots = np.random.default_rng(kind == "spam").integers(0, SLOTS, 500)
        findings = (Finding("SUBJECT_SPAM_WORDS", ()),) if "words" in more else ()
        return Inspection(features=Features(np.unique(slots).astype(np.uint32)).pack(), findings=findings)


def index(folder: Path, *subjects: str) -> list[Labelled]:
    """Messages of the kind that their subjects begin with."""
    lines = []
    for number, subject in enumerate(subjects):
        (folder / f"{number}.eml").write_bytes(f"Subject: {subject}\n\nhello\n".encode())
        lines.append(f"{subject.split()[0]} {number}.eml\n")
    (folder / "index").write_text("".join(lines))
    return read_index(folder / "index")


def evaluated(messages: list[Labelled], plan: Plan) -> tuple[Result, Inspector]:
    """The result of a run with one worker, and who was asked."""
    rules = ScoreRules({"SUBJECT_SPAM_WORDS": SymbolRule(7.0)}, {})
    evaluation, inspector = Evaluation(plan, rules, ACTIONS), Inspector()
    assert list(evaluation.run(inspector, messages, 1)) == messages
    return evaluation.result(1.0), inspector


def test_an_index_as_trec_writes_it(tmp_path: Path) -> None:
    """Kind and path, parted by a blank or by tabs with others between them; paths are relative to the index."""
    path = tmp_path / "index"
    path.write_text("spam ../data/inmail.1\n\nHAM\tsource\ta b.eml\n")
    assert read_index(path) == [
        Labelled(tmp_path / "../data/inmail.1", "spam"),
        Labelled(tmp_path / "a b.eml", "ham"),
    ]
    path.write_text("ham a\nmaybe b\n")
    with pytest.raises(ValueError, match=":2: expected spam or ham and a path"):
        read_index(path)


def test_an_order_can_be_had_again() -> None:
    """The same seed gives the same order of the same messages; another gives another."""
    messages = [Labelled(Path(str(number)), "ham") for number in range(50)]
    assert shuffled(messages, 1) == shuffled(messages, 1) != messages
    assert shuffled(messages, 2) != shuffled(messages, 1)
    assert sorted(shuffled(messages, 1), key=lambda one: one.name) == sorted(messages, key=lambda one: one.name)


def test_it_judges_before_it_learns(tmp_path: Path) -> None:
    """The first of each kind is judged by nothing, the others by what came before."""
    result, inspector = evaluated(index(tmp_path, "spam", "ham", "spam", "ham", "ham", "spam"), Plan())
    assert (result.measures.messages, result.measures.ham, result.measures.spam) == (6, 3, 3)
    assert result.measures.one_minus_auc_percent < 50
    assert result.curve[-1].ham_errors_percent == result.curve[-1].spam_errors_percent == 0.0
    assert all(job.features for job in inspector.jobs)


def test_messages_to_train_with_are_not_judged(tmp_path: Path) -> None:
    """Nor is anything learnt after them, unless a delay is named."""
    messages = index(tmp_path, "spam", "ham", "spam", "ham")
    result, _ = evaluated(messages, Plan(delay=None, train=2))
    assert result.measures.messages == 2
    assert result.measures.one_minus_auc_percent == 0.0


def test_nothing_learnt_is_nothing_known(tmp_path: Path) -> None:
    """Without feedback and training all messages are alike."""
    result, _ = evaluated(index(tmp_path, "spam", "ham", "spam"), Plan(delay=None))
    assert result.measures.one_minus_auc_percent == 50.0


def test_rules_alone_are_their_score(tmp_path: Path) -> None:
    """What was learnt has no part in it; thresholds are told in percent of each kind."""
    messages = index(tmp_path, "spam words", "spam", "ham", "ham words")
    result, _ = evaluated(messages, Plan(layers=Layers.RULES, delay=None))
    assert result.thresholds == {"add_header": (50.0, 50.0), "reject": (0.0, 100.0)}


def test_all_layers_count_together(tmp_path: Path) -> None:
    """What the rules do not see the classifier may; it counts once it has learnt enough of both kinds."""
    messages = index(tmp_path, *["spam", "ham"] * 20)
    result, _ = evaluated(messages, Plan(layers=Layers.ALL, least=5))
    assert result.measures.one_minus_auc_percent < 5
    assert result.as_json()["thresholds"]["add_header"]["ham_percent"] == 0.0


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """An inspector that dies, one that makes no features, a file that is not there: none of them ends the run."""
    messages = [*index(tmp_path, "spam", "ham die", "ham nothing", "ham"), Labelled(tmp_path / "none", "ham")]
    result, _ = evaluated(messages, Plan())
    assert result.unread == 3
    assert result.measures.messages == 2


def test_names_that_scripts_rely_on(tmp_path: Path) -> None:
    """They are there."""
    result, _ = evaluated(index(tmp_path, "spam", "ham"), Plan())
    pinned = ("messages", "spam", "ham", "one_minus_auc_percent", "recall_at_fpr_0_1_percent")
    assert {*pinned, "recall_at_fpr_1_percent", "seconds"} <= result.as_json().keys()

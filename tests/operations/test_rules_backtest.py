"""Backtests: what a corpus is, what becomes of messages that cannot be read, and what a state file holds."""

from pathlib import Path

import pytest

from filterd.inspectors import InspectorDied
from filterd.model.inspection import Inspection, InspectionJob, RuleHit
from filterd.operations.rules_backtest import Labelled, Row, State, StateError, Summary, corpus, resumed, run


class Inspector:
    """Answers as told, or not at all."""

    def __init__(self, *rules: str, problem: str = "", fails: bool = False) -> None:
        """The rules that hit every message."""
        self.jobs: list[InspectionJob] = []
        hits = tuple([RuleHit(rule, "f", f"YARA_{rule.upper()}", "1") for rule in rules])
        problems = (problem,) if problem else ()
        self._facts = Inspection(hits=hits, problems=problems, ms={"yara": 2.0, "file:f": 1.5})
        self._fails = fails

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:  # noqa: ARG002  # the pool's arguments
        """The facts."""
        self.jobs.append(job)
        if self._fails:
            raise InspectorDied("it died")
        return self._facts


def messages(folder: Path, *names: str) -> list[Labelled]:
    """Messages with that label and name."""
    for name in names:
        (folder / name).write_bytes(b"Subject: x\n\nhello\n")
    return [Labelled(folder / name, name[0]) for name in names]


def test_what_a_corpus_is(tmp_path: Path) -> None:
    """A folder, a message, an index with tabs or a blank; paths in an index are relative to it."""
    mail = [message.path for message in messages(tmp_path, "a", "b")]
    assert corpus(tmp_path) == [Labelled(path) for path in mail]
    assert corpus(mail[0]) == [Labelled(mail[0])]
    index = tmp_path / "index.tsv"
    index.write_text("ham\tsource\ta\nspam b\n\n")
    assert corpus(index) == [Labelled(mail[0], "ham"), Labelled(mail[1], "spam")]
    index.write_text("ham\ta\nnothing\n")
    with pytest.raises(ValueError, match=":2: expected a label and a path, got 'nothing'"):
        corpus(index)


def test_a_mailbox_is_its_messages(tmp_path: Path) -> None:
    """Parted by lines that begin with From behind a blank one; one message begins with none."""
    mailbox = tmp_path / "mbox"
    mailbox.write_bytes(b"From a Mon\nSubject: 1\n\none\nFrom here on\n\nFrom b Tue\r\nSubject: 2\r\n\r\ntwo, more\r\n")
    inspector = Inspector("one")
    rows = list(run(inspector, corpus(mailbox), 1))
    assert [row.file for row in rows] == [f"{mailbox}:1", f"{mailbox}:2"]
    assert [job.body_size for job in inspector.jobs] == [len(b"one\r\nFrom here on\r\n\r\n"), len(b"two, more\r\n")]
    assert [job.fields for job in inspector.jobs] == [((b"Subject", b" 1"),), ((b"Subject", b" 2"),)]
    mailbox.write_bytes(b"")
    assert corpus(mailbox) == [Labelled(mailbox)]


def test_a_message_is_read_as_it_would_have_come(tmp_path: Path) -> None:
    """With the line ends of SMTP; rules, parts and costs are kept."""
    inspector = Inspector("one", "one", "two")
    (row,) = run(inspector, messages(tmp_path, "a"), 1)
    assert row == Row(str(tmp_path / "a"), "a", {"one": ["1", "1"], "two": ["1"]}, 2.0, "", {"f": 1.5})
    assert inspector.jobs[0].body_size == len(b"hello\r\n")


def test_what_could_not_be_asked_is_a_problem_and_no_miss(tmp_path: Path) -> None:
    """An inspector that dies, rules cut short, a file that is not there."""
    asked = messages(tmp_path, "a")
    summary = Summary()
    for inspector, wanted in (
        (Inspector(fails=True), "it died"),
        (Inspector(problem="yara: 1: too slow: f"), "yara: 1: too slow: f"),
    ):
        (row,) = run(inspector, asked, 1)
        assert row.problem == wanted
        summary.add(row)
    (row,) = run(Inspector(), [Labelled(tmp_path / "none")], 1)
    assert row.problem == "cannot be read: No such file or directory"
    summary.add(row)
    assert summary.as_json() == {
        "messages": 3,
        "hit": 0,
        "problems": 3,
        "labels": {"": {"messages": 1, "hit": 0}, "a": {"messages": 2, "hit": 0}},
        "rules": {},
        "ms": {"total": 2.0, "mean": 0.667, "p99": 0.0, "max": 2.0},
    }


def test_what_is_in_the_state_is_not_asked_again(tmp_path: Path) -> None:
    """Nor is a line that was cut off believed."""
    asked = messages(tmp_path, "a", "b")
    path = tmp_path / "state"
    state = State(path, "this")
    first = list(resumed(Inspector("one"), asked, 1, state))
    state.close()
    path.write_bytes(path.read_bytes()[:-5])
    inspector = Inspector("one")
    state = State(path, "this")
    assert list(resumed(inspector, asked, 1, state)) == first
    state.close()
    assert [job.id for job in inspector.jobs] == [str(tmp_path / "b")]
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"asked":"that"}\n', "is of other rules or messages"), (b"x\n", "is no state of a backtest")],
)
def test_a_state_of_something_else_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """And left as it is: it may be an afternoon's work."""
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(StateError, match=words):
        State(path, "this")
    assert path.read_bytes() == content

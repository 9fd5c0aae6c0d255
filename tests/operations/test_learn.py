"""Teaching from files: which messages there are, what is read of them, and what becomes of each."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from filterd.classifier.lesson import Lesson
from filterd.classifier.memory import Became
from filterd.inspectors import InspectorDied
from filterd.model.inspection import Inspection, InspectionJob
from filterd.operations.learn import BATCH, Row, School, Summary, messages
from filterd.operations.rules_backtest import Labelled
from tests.classifier.lessons import features

FEATURES = features(1, spam=True).pack()


class Inspector:
    """Gives the subject's hash as the digest, and always the same features."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.jobs: list[InspectionJob] = []

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:  # noqa: ARG002  # the pool's arguments
        """The facts; it dies where the subject says so."""
        self.jobs.append(job)
        subject = dict(job.fields)[b"Subject"].strip()
        if subject == b"die":
            raise InspectorDied("it died")
        if subject == b"nothing":
            return Inspection(problems=("classifier: our bug",))
        features = b"nonsense" if subject == b"nonsense" else FEATURES
        return Inspection(features=features, digest=hashlib.sha256(subject).digest())


class Teacher:
    """Keeps what it is taught."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.batches: list[Sequence[Lesson]] = []
        self.forgotten: list[bytes] = []

    def learn(self, lessons: Sequence[Lesson]) -> list[Became]:
        """What was there before is known."""
        known = {lesson.digest for batch in self.batches for lesson in batch}
        self.batches.append(lessons)
        return [Became.KNOWN if lesson.digest in known else Became.LEARNT for lesson in lessons]

    def forget(self, digests: Sequence[bytes]) -> list[Became]:
        """All of it."""
        self.forgotten += digests
        return [Became.FORGOTTEN for _ in digests]


def school() -> tuple[School, Inspector, Teacher]:
    """A school and who teaches there."""
    inspector, teacher = Inspector(), Teacher()
    return School(inspector, 2, teacher, lambda: 5.0), inspector, teacher


def write(path: Path, subject: str) -> Path:
    """A message."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"Subject: {subject}\n\ntext\n".encode())
    return path


def test_a_maildir_is_its_messages(tmp_path: Path) -> None:
    """What an IMAP server keeps beside them and what is just being delivered is left out."""
    mail = [write(tmp_path / "cur" / f"{number}:2,S", "x") for number in (1, 2)]
    mail.append(write(tmp_path / ".Junk" / "new" / "3", "x"))
    for beside in ("dovecot.index.log", "maildirfolder", "tmp/4", "cur/.hidden"):
        write(tmp_path / beside, "x")
    assert {message.path for message in messages([tmp_path])} == set(mail)


def test_an_index_among_messages_is_no_instruction(tmp_path: Path) -> None:
    """A file beside the mail cannot name other files: what is learnt is what was named."""
    write(tmp_path / "mail" / "1", "x")
    index = tmp_path / "mail" / "index.tsv"
    index.write_text(f"ham\t{write(tmp_path / 'elsewhere', 'x')}\n")
    assert [message.path.name for message in messages([tmp_path / "mail"])] == ["1", "index.tsv"]


def test_a_mailbox_is_read_without_its_quoting(tmp_path: Path) -> None:
    """Each message by itself, and lines that a mailbox has to quote as they were."""
    box = tmp_path / "mbox"
    box.write_bytes(b"From a Mon\nSubject: 1\n\n>From x\n\nFrom b Tue\nSubject: 2\n\ntwo\n")
    taught, inspector, _ = school()
    rows = list(taught.learn(list(messages([box])), spam=True))
    assert rows == [Row(f"{box}:1", "learnt"), Row(f"{box}:2", "learnt")]
    assert sorted([job.body_size for job in inspector.jobs]) == [len(b"two\r\n"), len(b"From x\r\n\r\n")]


def test_what_an_inspector_says_is_learnt(tmp_path: Path) -> None:
    """Features and digest with label, domain and time; features are asked for."""
    taught, inspector, teacher = school()
    list(taught.learn([Labelled(write(tmp_path / "a", "one"))], spam=False, domain="x.test"))
    assert inspector.jobs[0].features
    assert teacher.batches == [[Lesson(hashlib.sha256(b"one").digest(), False, FEATURES, "x.test", at=5.0)]]


def test_a_message_that_cannot_be_read_holds_nothing_up(tmp_path: Path) -> None:
    """Each problem is said at its message; the others are learnt, each with its own outcome."""
    taught, _, _ = school()
    mail = [Labelled(write(tmp_path / subject, subject)) for subject in ("one", "die", "nothing", "nonsense", "two")]
    mail += [Labelled(tmp_path / "gone"), Labelled(tmp_path / "empty")]
    (tmp_path / "empty").touch()
    assert [(row.became, row.problem) for row in taught.learn(mail, spam=True)] == [
        ("learnt", ""),
        ("", "it died"),
        ("", "classifier: our bug"),
        ("", "has features that cannot be learnt"),
        ("learnt", ""),
        ("", "cannot be read: No such file or directory"),
        ("", "is no message: it has no header"),
    ]


def test_a_run_can_be_started_again(tmp_path: Path) -> None:
    """What was learnt before is known, batch by batch."""
    taught, _, teacher = school()
    mail = [Labelled(write(tmp_path / f"{number:03}", f"{number}")) for number in range(BATCH + 5)]
    rows = taught.learn(mail, spam=True)
    for _ in range(3):
        next(rows)
    rows.close()  # type: ignore[attr-defined]  # a generator, which a signal ends
    assert [len(batch) for batch in teacher.batches] == [BATCH]
    summary = Summary()
    for row in taught.learn(mail, spam=True):
        summary.add(row)
    assert summary.as_json() == {"messages": BATCH + 5, "problems": 0, "known": BATCH, "learnt": 5}


def test_forgetting_goes_by_digest(tmp_path: Path) -> None:
    """The message itself says what is to be forgotten, from standard input too."""
    taught, _, teacher = school()
    assert list(taught.forget([Labelled(write(tmp_path / "a", "one"))])) == [Row(str(tmp_path / "a"), "forgotten")]
    assert list(taught.forget([Labelled(Path("-"))], raw=b"Subject: two\n\nx\n")) == [Row("-", "forgotten")]
    assert teacher.forgotten == [hashlib.sha256(text).digest() for text in (b"one", b"two")]

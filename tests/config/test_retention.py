"""Classes of held mail in filterd.toml: what is read, and what is said where that cannot be meant."""

from pathlib import Path

import pytest

from filterd.config import ConfigError, load
from filterd.config.reference import as_toml
from filterd.config.retention import MAX_CLASSES

CLASSES = """
[quarantine.classes.malware]
reasons = ["yara-*", "malware"]
keep = 90
[quarantine.classes.spam]
reasons = ["score"]
most_messages = 1000
"""


def test_read_and_shown(tmp_path: Path) -> None:
    """Each has its own bounds, and `config show` prints what can be read again."""
    path = tmp_path / "filterd.toml"
    path.write_text(CLASSES)
    config = load(path)
    malware, spam = config.quarantine.classes["malware"], config.quarantine.classes["spam"]
    assert (malware.keep, malware.most_messages, spam.keep, spam.most_messages) == (90, 0, None, 1000)
    path.write_text(as_toml(config))
    assert load(path) == config


@pytest.mark.parametrize(
    ("was", "is_", "says"),
    [
        ("classes.spam", "classes.'../spam'", "at most 40 letters"),
        ('["score"]', "[]", "classes.spam.reasons: expected reasons as"),
        ('["score"]', '["Score"]', "beginning of reasons and *, got 'Score'"),
        ('["score"]', '["sc*re"]', "beginning of reasons and *"),
        ('["score"]', '["yara-*"]', "'yara-*' stands in malware already"),
        ("most_messages = 1000", "", "expected one of keep, most_messages, most_bytes"),
        ("keep = 90", "keep = 0", "[quarantine] classes.malware.keep: expected"),
        ("keep = 90", "kept = 90", 'classes.malware.kept: unknown key; did you mean "keep"'),
        ("most_messages = 1000", "most_messages = -1", ":7: [quarantine] classes.spam.most_messages"),
    ],
)
def test_refused(tmp_path: Path, was: str, is_: str, says: str) -> None:
    """The error names the key, and the line where it has one of its own."""
    path = tmp_path / "filterd.toml"
    path.write_text(CLASSES.replace(was, is_))
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert says in str(refused.value)


def test_too_many(tmp_path: Path) -> None:
    """Each class is looked for by itself: they are bounded."""
    path = tmp_path / "filterd.toml"
    path.write_text(
        "".join([f'[quarantine.classes.c{n}]\nreasons=["a-{n}"]\nkeep=1\n' for n in range(MAX_CLASSES + 1)])
    )
    with pytest.raises(ConfigError, match=r"\[quarantine\] classes: .*at most 20"):
        load(path)

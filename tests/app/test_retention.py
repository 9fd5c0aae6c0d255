"""From filterd.toml to bounds and signs: reasons that there are, and a class that is full without the rest."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.app.bounds import Bounded
from filterd.app.retention import limits_of, sign_of, signs_of
from filterd.app.site import load_config, load_site
from filterd.config import Config, ConfigError
from filterd.model.custody import CustodyError
from filterd.operations.retention import ALL, DAY, class_of
from filterd.operations.upkeep import sweep
from filterd.quarantine import Actor, Quarantine
from tests.quarantine.samples import NOW, evidence, identifier, raw, whole

CLASSES = {
    "malware": {"reasons": ["yara-*", "malware"], "keep": 90},
    "spam": {"reasons": ["score", "listed"], "most_messages": 2},
    "rest": {"reasons": ["*"], "most_bytes": 100},
    "loud": {"reasons": ["yara-eicar"], "keep": 1},
    "long": {"reasons": ["yara-eicar-*"], "keep": 2},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """With classes that lie in each other."""
    return Config.model_validate({"quarantine": {"keep": 10, "classes": CLASSES}, "paths": {"state": tmp_path}})


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("score", "spam"),
        ("yara-other", "malware"),
        ("yara-eicar", "loud"),
        ("yara-eicar-test", "long"),
        ("yara", "rest"),
        ("dmarc-reject", "rest"),
        ("", "rest"),
    ],
)
def test_the_longest_counts(config: Config, code: str, name: str) -> None:
    """Whatever the order they stand in; a whole word before its beginnings."""
    classes = limits_of(config).classes
    assert [class_of(code, classes), class_of(code, classes[::-1])] == [name, name]


def test_of_no_class(config: Config) -> None:
    """Where no pattern fits, the bounds for all do."""
    assert class_of("score", limits_of(config).classes[:1]) == ALL


def test_what_is_left_out(config: Config) -> None:
    """A class without `keep` has that of all mail."""
    keeps = {one.name: one.bound.keep / DAY for one in limits_of(config).classes}
    assert keeps == {"malware": 90, "spam": 10, "rest": 10, "loud": 1, "long": 2}


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("sorce", "nothing is held for the reason 'sorce'; did you mean 'score'?"),
        ("zara-*", "nothing is held for the reason 'zara-*'"),
        *[(reason, "") for reason in ("score", "yara-of-mine", "unscannable-*", "dmarc-unknown", "spf-fail", "*")],
    ],
)
@pytest.mark.threat("OPS-05")
def test_reasons_there_are(tmp_path: Path, reason: str, problem: str) -> None:
    """A reason that nothing is held for is an error with file, line and key: its class would never be bounded."""
    path = tmp_path / "filterd.toml"
    path.write_text(f'[quarantine.classes.mine]\nreasons = ["malware", "{reason}"]\nkeep = 1\n')
    config = load_config(path)
    if not problem:
        assert load_site(config, path).config == config
        return
    with pytest.raises(ConfigError) as refused:
        load_site(config, path)
    (line,) = refused.value.problems
    assert line.startswith(f"{path}:2: [quarantine] classes.mine.reasons.1: {problem}")


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Three messages that are held for their score, and kept."""
    with closing(Quarantine(tmp_path / "quarantine", clock=lambda: NOW, fsync=lambda _: None)) as found:
        for number in range(3):
            hold(found, number)
            found.keep(identifier(number), Actor("me"), on=True)
        yield found


def hold(place: Quarantine | Bounded, number: int, code: str = "score") -> None:
    """Hold one."""
    given = evidence(number, whole(b"%d" % number))
    with raw(b"%d" % number) as message:
        place.hold(replace(given, verdict=replace(given.verdict, code=code)), message)


@pytest.mark.threat("QUA-13")
def test_one_class_is_full(config: Config, quarantine: Quarantine) -> None:
    """Where nothing of a class may expire, mail of that class alone is put off, and why is said."""
    done = sweep(quarantine, limits_of(config), NOW + 5)
    assert done.full == ("spam",)
    for name in (ALL, *CLASSES):
        sign_of(config, name).put(up=name in done.full)
    bounded = Bounded(quarantine, signs_of(config))
    with pytest.raises(CustodyError, match=r"most_messages.*quarantine-full\.spam"):
        hold(bounded, 7)
    hold(bounded, 8, "yara-eicar")
    sign_of(config, ALL).put(up=True)
    with pytest.raises(CustodyError, match="most_messages"):
        hold(bounded, 9, "yara-eicar")
    assert [number for number in range(10) if quarantine.entry(identifier(number))] == [0, 1, 2, 8]

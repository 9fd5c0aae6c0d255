"""TOML files of the operator. Invariant: any bytes are a checked value, or one error whose every line names the file.

An operator's file is not hostile, but it may be anything: the wrong file, half of one, or one that says nonsense at
length. A traceback would be no help.
"""

import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from filterd.config import Config, ConfigError, config_id, load
from filterd.config.toml import MAX_FILE, parse_toml
from filterd.dnsbl import load_zones
from filterd.heuristics import load_phrases
from filterd.heuristics.phrases import PhrasesError
from filterd.indicators import load_indicators
from filterd.regex.declarations import read_file
from filterd.score import load_scores
from filterd.score.definitions import read_composites
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

RULES: Final = Path(__file__).parent.parent.parent / "rules"
SEEDS: Final = (
    b'[milter]\nlisten = "unix:/run/filterd.sock"\nworkers = 2\ndeadline = 30\n[dns]\nnameservers = ["127.0.0.1:53"]\n',
    b'[actions]\nreject = 15\nquarantine = 10.5\nadd_header = 6\n[actions.on_unknown]\nspf = "defer"\n',
    b'[trust]\nrelays = ["192.0.2.0/24", "2001:db8::1"]\nnetworks = []\n[trust.skip]\nlocal = ["spf"]\n',
    b'[redis]\nurl = "redis://:secret@h/0"\n[quarantine]\nurl = ""\n[log]\nlevel = "info"\n[metrics]\nlisten = ""\n',
    b"# nothing\n",
    b'[symbols.X]\nweight = 1.0\ndescription = "x"\ngroup = "g"\nfloor = "quarantine"\n[groups.g]\ncap = 5.0\n',
    (
        b'[lists.x]\nzone = "x.test"\nsubjects = ["client"]\nlisted = "127.0.0.2"\nunlisted = "127.0.0.1"\n'
        b'[lists.x.codes]\nDNSBL_X = ["127.0.0.2-9"]\n'
    ),
    b'spam = ["free money", "click"]\nshorteners = ["x.test"]\n',
    b'[composites.X]\nexpression = "A & !B"\nweight = 1.0\ndescription = "x"\nmatch = [["A"]]\nreplaces = ["A"]\n',
    (
        b'[rules.REGEX_X]\ntarget = "header"\nheader = "X-Y"\npattern = "a"\nweight = 1\ndescription = "x"\n'
        b'match = ["a"]\nexpires = "2030-01-01"\nstage = "shadow"\n'
    ),
    b'[rules.scores.A1]\nweight = 1\nfloor = "reject"\n[rules.groups.g]\ncap = 1\n',
)
TOKENS: Final = (
    b"=",
    b"\n",
    b"[",
    b"]",
    b"[[",
    b"{",
    b"}",
    b'"',
    b'"""',
    b"'",
    b",",
    b".",
    b"#",
    b"\\u0000",
    b"\\ud800",
    b"99999999999999999999",
    b"-1",
    b"1e999",
    b"nan",
    b"-inf",
    b"true",
    b"0x10",
    b"1979-05-27T07:32:00Z",
    b"07:32:00",
    b"[]",
    b"{}",
    b"[" * 300,
    b"${HOME}",
    b"\0",
    b"\xff",
    b"\r",
    b"[milter]\n",
    b"workers = ",
    b"listen = ",
    b"a.b.c = 1\n",
    b"reject",
)


PRINTABLE: Final = re.compile(r"[^\0-\x08\x0a-\x1f\ud800-\udfff]*")


@contextmanager
def checker() -> Any:
    """The check with a file of its own to write into."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "filterd.toml"

        def check(data: bytes) -> None:
            path.write_bytes(data)
            for reader, error in READERS:
                refused(path, reader, error)
            try:
                config = load(path)
            except ConfigError:
                return
            assert config == load(path)
            assert config_id(config) == config_id(Config.model_validate(config.model_dump()))

        yield check


READERS: Final[tuple[tuple[Callable[[Path], object], type[Exception]], ...]] = (
    (load, ConfigError),
    (load_scores, ConfigError),
    (load_zones, ConfigError),
    (load_indicators, ConfigError),
    (load_phrases, PhrasesError),
    (read_composites, ConfigError),
    (read_file, ConfigError),
)


def refused(path: Path, reader: Callable[[Path], object], expected: type[Exception]) -> None:
    """Read; a refusal is of one kind, and names the file in every line."""
    try:
        reader(path)
    except expected as error:
        lines = error.problems if isinstance(error, ConfigError) else (str(error),)
    else:
        return
    assert lines
    for line in lines:
        assert line.startswith(str(path)), line[:200]
        assert PRINTABLE.fullmatch(line), repr(line[:200])


TARGET: Final = Target("config", lambda _: None, SEEDS, TOKENS, runs=300, largest=20_000)


@pytest.mark.threat("OPS-05")
def test_any_bytes() -> None:
    """The invariant over mutants of all kinds of files."""
    with checker() as check:
        fuzz(replace(TARGET, check=check))


@pytest.mark.threat("OPS-05")
def test_mutants_of_the_shipped_files() -> None:
    """The same over mutants of the rules as they are shipped."""
    seeds = tuple([path.read_bytes() for path in sorted(RULES.glob("*.toml"))])
    with checker() as check:
        fuzz(replace(TARGET, name="config-rules", check=check, seeds=seeds, runs=25, largest=MAX_FILE // 4))


@pytest.mark.parametrize("pattern", [b"[", b"a=1\n", b"x", b'"', b"#", b"a.", b"{", b"[a]\n", b" "], ids=repr)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Brackets, keys and quotes without end cost time by their length, as far as that is in our hands."""

    def work(data: bytes) -> None:
        try:
            parse_toml(Path("x"), data.decode())
        except ConfigError:
            return

    assert_linear(work, fill(pattern, b"a="), 4_000)

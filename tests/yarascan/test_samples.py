"""Samples beside rules: every disagreement is told."""

import base64
import gzip
import tarfile
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path

import pytest
import yara
import yara_x

from filterd.config.rules import SYMBOL
from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from filterd.yarascan.engine import Engine
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.lint import lint
from filterd.yarascan.load import load_rules
from filterd.yarascan.samples import MAX_SAMPLE, check_samples
from filterd.yarascan.sources import read_files
from tests.support.growth import LINEAR, growth
from tests.support.unpacked import unpacked

RULES = Path(__file__).resolve().parents[2] / "rules" / "yara"
RULE = 'rule needle { strings: $a = "needle" condition: $a and size > 3 and filename != "skipped" }'
HAM_STEP = 10  # of 5,650 messages every tenth
PIECES = (
    b"powershell -e ",
    b"new Blob(",
    b"document.write(atob(",
    b'"' + b"A" * 199,
    b"/OpenAction /S /JavaScript ",
    b"/AA",
    b"Sub " + b" " * 19,
    b'Target = "http:' + b"a" * 480,
    b"certutil" + b" " * 20,
    b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-",
    b"<script",
    b"%PDF",
    b"a",
    b"\0",
)


def family(root: Path, rule: str = RULE, **samples: str) -> tuple[str, ...]:
    """What is wrong with a family of that rule and samples (`hit_NAME`, `miss_NAME`), without the directory."""
    (root / "a.yar").write_text(rule)
    for name, text in samples.items():
        kind, _, file = name.partition("_")
        path = root / "a.samples" / kind / file.replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tuple(problem.replace(f"{root}/", "") for problem in check_samples(root))


def test_rules_and_samples_that_agree(tmp_path: Path) -> None:
    """Text, base64 and external variables, which default to what a scan would say."""
    encoded = base64.b64encode(b"a needle").decode() + "\n"
    assert family(tmp_path, hit_needle="needle", hit_needle_more_b64=encoded, miss_hay="hay") == ()
    assert family(tmp_path, miss_other="needle", miss_other_externals="filename = skipped\n") == ()


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        ({"miss_hay": "hay"}, "a.yar: needle has no sample that it matches: expected a.samples/hit/needle"),
        ({"hit_needle": "needle"}, "a.yar: expected samples that its rules do not match in a.samples/miss"),
        ({"hit_needle": "needle", "miss_hay": "needle"}, "a.samples/miss/hay: needle matches"),
        ({"hit_needle": "needle", "hit_x": "", "miss_hay": ""}, "a.samples/hit/x: a.yar has no rule 'x'"),
        ({"hit_needle": "needle", "hit_needle_b": "", "miss_hay": ""}, "a.samples/hit/needle.b: needle does not match"),
    ],
)
def test_every_disagreement_is_told(tmp_path: Path, samples: dict[str, str], problem: str) -> None:
    """A rule without a hit, a family without a miss, a wrong hit, a wrong miss, a sample of no rule."""
    assert family(tmp_path, **samples) == (problem,)


def test_a_broken_family_is_told(tmp_path: Path) -> None:
    """The compiler's words, and a private rule wants no samples of its own."""
    assert family(tmp_path, "rule x {")[0].startswith("a.yar: line ")
    rule = "private rule p { condition: true } " + RULE
    assert family(tmp_path, rule, hit_needle="needle", miss_hay="hay") == ()


def test_a_variable_that_is_none_is_an_error(tmp_path: Path) -> None:
    """A typing error in a companion file would otherwise test nothing."""
    (problem,) = family(tmp_path, hit_needle="needle", hit_needle_externals="file_name = x")
    assert "expected `name = value`" in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"a needle"), ""),
        (b"a needle", "is no gzip"),
        (gzip.compress(b"a needle")[:-9], "is cut short, or larger than"),
        (gzip.compress(bytes(MAX_SAMPLE + 1)), "is cut short, or larger than"),
    ],
    ids=["whole", "none", "cut", "large"],
)
def test_a_compressed_sample(tmp_path: Path, content: bytes, words: str) -> None:
    """Small in the checkout, and bounded; what cannot be unpacked is a disagreement."""
    found = family(tmp_path, hit_needle_gz_b64=base64.b64encode(content).decode(), miss_hay="hay")
    assert [words in problem for problem in found] == ([True] if words else [])


def test_the_shipped_rules_agree_with_their_samples() -> None:
    """Each has something it must match, each family something it must not."""
    assert check_samples(RULES) == ()


def test_the_shipped_rules_load_and_declare_themselves() -> None:
    """Every rule says symbol, score, severity, description, owner and stage, and no symbol stands for two rules."""
    found = load_rules(RULES)
    assert found.problems == ()
    symbols = [rule.meta["symbol"] for rule in found.rules]
    assert len(set(symbols)) == len(symbols)
    for rule in found.rules:
        assert SYMBOL.fullmatch(rule.meta["symbol"])
        assert {"score", "severity", "description", "owner", "stage"} <= rule.meta.keys()
        assert rule.meta.get("action") in {None, "quarantine", "reject"}


def test_nothing_is_to_be_said_of_the_shipped_rules() -> None:
    """What `rules check` complains of, they have not: not even warnings."""
    assert list(lint(read_files(RULES)[0], date(2026, 1, 1))) == []


def test_the_compiler_warns_of_no_shipped_rule() -> None:
    """A string that begins with a class of characters slows every scan down, up to twelve times."""
    sources = {path.stem: path.read_text() for path in RULES.glob("*.yar")}
    assert yara.compile(sources=sources, externals=EXTERNALS).warnings == []


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yar")), ids=lambda path: path.stem)
def test_yara_x_takes_the_shipped_rules(path: Path) -> None:
    """YARA's successor is stricter, and teams move to it: it has nothing to say either."""
    compiler = yara_x.Compiler()
    for name, value in EXTERNALS.items():
        compiler.define_global(name, value)
    compiler.add_source(path.read_text(), origin=path.name)
    assert compiler.warnings() == []


@pytest.mark.threat("RES-10")
@pytest.mark.parametrize("piece", PIECES)
def test_the_shipped_rules_are_linear(piece: bytes) -> None:
    """Text made to keep their expressions busy costs what its length costs."""
    engine = Engine(load_rules(RULES))

    def build(size: int) -> Callable[[], object]:
        data = piece * (size // len(piece))
        return lambda: engine.scan(data, {"extension": "js", "size": size}, 60)

    assert growth(build, 400_000) <= LINEAR


def ham_hit(shared: Path, engine: Engine) -> tuple[int, list[tuple[str, str]]]:
    """How many messages of ham were looked at, and what was hit in them: their parts, and each as one piece."""
    hits = []
    count = 0
    with tarfile.open(shared / "data" / "mail" / "dev-mail.tar.xz") as archive:
        ham = (member for member in archive if member.isfile() and "ham/" in member.name)
        for member in islice(ham, 0, None, HAM_STEP):
            file = archive.extractfile(member)
            raw = file.read() if file is not None else b""
            fields, start = split(raw)
            job = InspectionJob(member.name, fields, len(raw) - start, 60, 0.0)
            facts = inspect(job, memoryview(raw)[start:], engine)
            whole = engine.scan(raw, {"filepath": "raw", "size": len(raw)}, 60)
            count += 1
            hits += [(member.name, hit.rule) for hit in (*facts.hits, *whole.hits)]
            assert [problem for problem in facts.problems if problem.startswith("yara")] == []
            assert whole.cut == ""
    return count, hits


def test_the_shipped_rules_hit_no_ham(shared: Path) -> None:
    """Mailing lists and private mail of twenty years: not one hit, and every part scanned to its end."""
    count, hits = ham_hit(shared, Engine(load_rules(RULES)))
    assert count > 500
    assert hits == []


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """742 public files with 5,918 rules, in `rules`, beside a `cache`."""
    folder = tmp_path_factory.mktemp("real")
    unpacked(shared / "data" / "yara" / "signature-base.tar.xz", folder / "rules")
    return folder


def test_a_real_rule_set_loads_and_scans(real: Path) -> None:
    """No file is left out, and a second start takes them from the cache."""
    first = load_rules(real / "rules", real / "cache")
    assert (first.problems, len(first.alone)) == ((), 742)
    assert sum(1 for _ in first.rules) > 5_000
    second = load_rules(real / "rules", real / "cache")
    assert second.id == first.id
    assert Engine(second).scan(b"The quick brown fox " * 1_000, {"filepath": "1"}, 30).cut == ""


def test_a_real_rule_set_hits_next_to_no_ham(real: Path, shared: Path) -> None:
    """With the externals that it expects, set for each part; it does hit what it is made for."""
    engine = Engine(load_rules(real / "rules", real / "cache"))
    count, hits = ham_hit(shared, engine)
    assert len({name for name, _ in hits}) <= count / 100
    assert engine.scan(b"<?php eval($_POST['x']); ?>", {"filepath": "1", "extension": "php"}, 30).hits


def test_one_broken_file_leaves_all_others(real: Path) -> None:
    """741 of 742 go on, and the broken one is named with its line."""
    path = sorted((real / "rules").rglob("*.yar"))[100]
    text = path.read_bytes()
    path.write_bytes(text + b"\nrule broken { condition: nothing }\n")
    try:
        found = load_rules(real / "rules")
    finally:
        path.write_bytes(text)
    assert len(found.alone) == 741
    (problem,) = found.problems
    assert problem.startswith(f"{path}: line ")

"""Content-hiding tricks against the whole inspection: seen, or said to be doubtful, and never missed in silence."""

from pathlib import Path

import pytest

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from filterd.yarascan.engine import Engine
from filterd.yarascan.load import load_rules
from tests.conftest import ROOT
from tests.fuzz.engine import base_seed, factor
from tests.mime.hiding.generate import Variant, pairs, renamed, variants

COUNT = 480  # of single tricks: seven of each
PAIRS = 160
SEEN = {"ATTACH_EXECUTABLE", "ATTACH_SCRIPT", "ATTACH_DOUBLE_EXTENSION", "YARA_EICAR", "YARA_PROGRAM_IN_ARCHIVE"}
DETECTED = 0.94  # of all variants; the rest must be doubtful


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The rules that are shipped."""
    return Engine(load_rules(ROOT / "rules" / "yara"))


def look(raw: bytes, engine: Engine | None = None) -> Inspection:
    """Inspect a whole message."""
    fields, start = split(raw)
    return inspect(InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0), memoryview(raw)[start:], engine)


def doubtful(facts: Inspection) -> bool:
    """Whether the message would be held."""
    return any(found.symbol.startswith(("AMBIGUOUS_", "UNSCANNABLE_")) for found in facts.findings)


def outcome(variant: Variant, engine: Engine) -> str:
    """What becomes of one variant."""
    facts = look(variant.raw, engine)
    assert facts.problems == (), variant.name
    if SEEN & ({found.symbol for found in facts.findings} | {hit.symbol for hit in facts.hits}):
        return "detected"
    return "doubtful" if doubtful(facts) else "silent"


@pytest.mark.threat("MIME-01", "MIME-02", "MIME-03", "MIME-04", "MIME-05", "MIME-06", "MIME-07", "MIME-08", "MIME-13")
def test_nothing_hides_in_silence(engine: Engine) -> None:
    """Of single tricks, pairs of them and spellings of names nearly all are seen through, and the others are held."""
    seed, times = base_seed(), factor()
    hidden = [*variants(COUNT * times, seed), *pairs(PAIRS * times, seed), *renamed(seed)]
    outcomes = {variant.name: outcome(variant, engine) for variant in hidden}
    assert [name for name, found in outcomes.items() if found == "silent"] == []
    assert list(outcomes.values()).count("detected") >= DETECTED * len(hidden)


def test_variants_are_reproducible() -> None:
    """The seed and the number make a variant, nothing else does."""
    assert list(variants(80, 3)) == list(variants(80, 3))
    assert list(variants(80, 3)) != list(variants(80, 4))


@pytest.mark.threat("MIME-01")
def test_no_hidden_file_name_passes_in_silence(shared: Path) -> None:
    """Of 176 messages that hide a file's name, each one's is listed with a part, or the message would be held.

    Two of them carry an honestly named picture: there the name itself is what must be seen.
    """
    paths = sorted((shared / "data" / "mime" / "hide-filename" / "cur").iterdir())
    silent = []
    for path in paths:
        raw = path.read_bytes()
        facts = look(raw)
        honest = raw.splitlines()[0]
        wanted = ".png" if b"fname-cdisp.png" in honest or b"fname-ctype.png" in honest else ".zip"
        listed = any(wanted in part.filename.lower() for part in facts.parts)
        if not listed and not doubtful(facts):
            silent.append(path.name)
    assert len(paths) == 176
    assert silent == []

"""Composites and regex rules as `filterd rules` sees them."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from filterd.operations import rules_data
from filterd.operations.rules_data import Around, Row, kind_of, read
from filterd.score import GroupRule, ScoreRules, SymbolRule
from filterd.score.definitions import Known, read_composites

REGEX = '[rules.REGEX_A]\ntarget = "subject"\npattern = "x"\nweight = 1\ndescription = "y"\nmatch = ["x"]\n'
COMPOSITE = '[composites.ONE]\nexpression = "SPF_FAIL"\nweight = 1\ndescription = "y"\nmatch = [["SPF_FAIL"]]\n'
AROUND = Around(ScoreRules({"SPF_FAIL": SymbolRule(1.0)}, {"g": GroupRule(5.0)}), Known(), ())


def written(tmp_path: Path, **files: str) -> list[Path]:
    """Files by the name without suffix; "__" stands for "/"."""
    paths = [tmp_path / f"{name.replace('__', '/')}.toml" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths


def complaints(tmp_path: Path, **files: str) -> list[tuple[str, str, int, str]]:
    """What is said of these files."""
    return said(rules_data.check(read(written(tmp_path, **files)), AROUND))


def said(found: Iterable[Row]) -> list[tuple[str, str, int, str]]:
    """Complaints in short."""
    rows = list(found)
    assert rows[-1].keys() == {"files", "rules"}
    return [(row["severity"], Path(row["path"]).name, row["line"], row["text"]) for row in rows[:-1]]


def test_of_a_folder_the_files_with_rules_are_read(tmp_path: Path) -> None:
    """Those whose tables say so, and in regex/ all of them: one with a mistyped table must not be passed over."""
    written(tmp_path, a=REGEX, composites=COMPOSITE, scores="[symbols]\n", regex__b="[rule.REGEX_A]\n", yara__c="x = 1")
    assert [path.name for path in read([tmp_path]).paths] == ["a.toml", "composites.toml", "b.toml"]
    assert kind_of("# [rules.A]\n  [ composites . B ]") == "composites"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"a": REGEX.replace('"x"\nw', '"("\nw') + 'no_match = ["y"]\n'}, ("error", "a.toml", 1, "missing )")),
        ({"a": REGEX + 'no_match = ["y"]\ngroup = "h"\n'}, ("warning", "a.toml", 1, "no group 'h'")),
        ({"a": REGEX + 'no_match = ["y"]\nexpires = "2020-01-31"\n'}, ("warning", "a.toml", 1, "expired on 2020")),
        ({"a": REGEX}, ("warning", "a.toml", 1, "no_match: expected at least one sample")),
        ({"a": "[rules\n"}, ("error", "a.toml", 1, "not valid TOML")),
        ({"c": COMPOSITE}, ("warning", "c.toml", 1, "no_match: expected at least one case")),
        ({"c": COMPOSITE.replace('"SPF_FAIL"\n', '"SPF_FIAL"\n')}, ("error", "c.toml", 2, "at 1: unknown symbol")),
    ],
)
def test_complaints(tmp_path: Path, files: dict[str, str], complaint: tuple[str, str, int, str]) -> None:
    """With severity, file, line and words, as those of YARA rules."""
    found = complaints(tmp_path, **files)[0]
    assert found[:3] == complaint[:3]
    assert complaint[3] in found[3]


def test_a_symbol_that_two_rules_have(tmp_path: Path) -> None:
    """The second is an error: the daemon leaves it out."""
    found = complaints(tmp_path, a=REGEX + 'no_match = ["y"]\n', b=REGEX + 'no_match = ["y"]\n')
    assert [(row[0], row[1]) for row in found] == [("error", "b.toml")]


def test_a_file_that_is_in_force_already_is_no_clash_with_itself(tmp_path: Path) -> None:
    """A file of the daemon's own can be checked by name; one that takes its names cannot be right."""
    (path,) = written(tmp_path, c=COMPOSITE + 'no_match = [["ONE"]]\n')
    around = Around(AROUND.scores, AROUND.known, (read_composites(path),))
    assert said(rules_data.check(read([path]), around)) == []
    other = written(tmp_path, d=path.read_text())
    assert [row[1] for row in said(rules_data.check(read(other), around))] == ["d.toml"]


def test_samples_and_cases_are_tried(tmp_path: Path) -> None:
    """File by file, with their number and what disagrees."""
    wrong = COMPOSITE.replace('[["SPF_FAIL"]]', '[["SPF_FAIL"], []]')
    files = read(written(tmp_path, a=REGEX + 'no_match = ["ax"]\n', b="[rules\n", c=wrong))
    rows = list(rules_data.test(files, AROUND))
    assert [(Path(row["path"]).name, row["samples"], len(row["problems"])) for row in rows] == [
        ("b.toml", 0, 1),
        ("a.toml", 2, 1),
        ("c.toml", 2, 1),
    ]
    assert "does not hold for nothing" in rows[2]["problems"][0]


def test_rows(tmp_path: Path) -> None:
    """The same keys for both kinds; what has expired is in shadow."""
    files = read(written(tmp_path, a=REGEX + 'owner = "o"\nexpires = "2020-01-31"\n', c=COMPOSITE))
    one, two = rules_data.rows(files)
    assert one.keys() == two.keys()
    assert (one["kind"], one["rule"], one["stage"], one["expired"], one["owner"]) == (
        "regex",
        "REGEX_A",
        "shadow",
        True,
        "o",
    )
    assert (two["kind"], two["rule"], two["line"], two["score"]) == ("composite", "ONE", 1, "1")

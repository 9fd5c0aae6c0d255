"""Rule files in a directory: which are read, and what they may ask for."""

import os
from pathlib import Path

import pytest

from filterd.yarascan.sources import MAX_FILE, foreign_modules, read_files

SMUGGLED = (
    'import "console"',
    'import\n\t"console"',
    'import"console"',
    'import /* "pe" */ "console"',
    'import // "pe"\n"console"',
    'rule a { strings: $a = /"/ condition: $a } import "console"',
    'rule a { strings: $a = /x\\/"/ condition: $a }\nimport "console"',
    'rule a { condition: "\\\\" == "\\"" } import "console"',
    '/* "*/ import "console"',
    'import "pe" import "c\\x6fnsole"',
    'import "console',
)


@pytest.mark.threat("OPS-04")
@pytest.mark.parametrize("text", SMUGGLED)
def test_a_foreign_module_is_found_however_it_is_written(text: str) -> None:
    """Comments, strings and regular expressions do not hide an import."""
    assert len(foreign_modules(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        'import "pe" import "math"',
        '// import "console"\nimport "pe"',
        '/* import "console" */',
        '/* unclosed import "console"',
        'rule a { strings: $a = "import \\"console\\"" condition: $a }',
        'rule a { strings: $a = /import "console"/ condition: $a }',
        'rule important_ { condition: filename == "console" }',
        "",
    ],
)
def test_what_only_looks_like_an_import_is_none(text: str) -> None:
    """Modules that rules may have, and the word in comments, strings and expressions."""
    assert foreign_modules(text) == ()


@pytest.mark.parametrize("piece", ['import "a" ', "/*", "//\n", '"', "/", "import ", 'import /*"', "\\"])
def test_any_text_is_read_to_its_end(piece: str) -> None:
    """Unclosed comments, strings and expressions by the thousand raise nothing and end."""
    foreign_modules(piece * 20_000)


def test_every_file_below_the_directory_in_a_stable_order(tmp_path: Path) -> None:
    """Both suffixes at any depth; the namespace is the path without suffix; samples are passed over."""
    for name in ("b.yar", "deep/er/a.yara", "a.yar", "notes.txt", "a.yarc", "a.samples/hit/a.yar"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    files, problems = read_files(tmp_path)
    assert [(file.namespace, file.text) for file in files] == [
        ("a", "a.yar"),
        ("b", "b.yar"),
        ("deep/er/a", "deep/er/a.yara"),
    ]
    assert problems == ()


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A pipe is not waited for; a dangling link, a folder and a giant are named."""
    os.mkfifo(tmp_path / "pipe.yar")
    (tmp_path / "link.yar").symlink_to(tmp_path / "gone")
    with (tmp_path / "giant.yar").open("wb") as file:
        file.truncate(MAX_FILE + 1)
    files, _ = read_files(tmp_path)
    assert {file.namespace: file.problem.removeprefix(f"{file.path}: ") for file in files} == {
        "giant": f"larger than {MAX_FILE} bytes",
        "link": "No such file or directory",
        "pipe": "is no regular file",
    }


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Its file is left out: neither the compiler nor a log could name it."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yar")).write_text("")
    files, problems = read_files(tmp_path)
    assert (files, len(problems)) == ((), 1)


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    """Its rules would be missing without a word."""
    _, problems = read_files(tmp_path / "gone")
    assert problems == (f"{tmp_path}/gone: No such file or directory",)

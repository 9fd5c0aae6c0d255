"""Manual pages and completion: they have everything, troff takes them without a word, twice they are the same."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from filterd.cli import app, manual
from filterd.config import Config
from filterd.config.reference import model_of

_OVERSTRUCK = re.compile(r".\x08")  # how a printer makes letters bold


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """All pages."""
    return manual.pages()


def _commands(command: Any, words: str = "filterd") -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
    for name, child in (children or {}).items():
        yield from _commands(child, f"{words} {name}")


def test_every_command_and_option_is_on_one_page(pages: dict[str, str]) -> None:
    """With all its options but those that all commands have, on the page of its group."""
    for words, command in _commands(typer.main.get_command(app)):
        group = "-".join(words.split()[:2]) if len(words.split()) > 2 else "filterd"
        head = re.compile(rf"^\.SS {re.escape(words)}(?= \[| [A-Z]|$)(.*?)(?=^\.S|\Z)", re.MULTILINE | re.DOTALL)
        found = {name: head.findall(text.replace("\\-", "-")) for name, text in pages.items()}
        assert [name for name, sections in found.items() if sections] == [f"{group}.8"]
        (section,) = found[f"{group}.8"]
        for option in command.params:
            if option.param_type_name == "option" and "--help" not in option.opts:
                assert f".B {', '.join(sorted([*option.opts, *option.secondary_opts], key=len))}" in section


def test_every_key_has_its_place(pages: dict[str, str]) -> None:
    """Under its table."""
    page = pages["filterd.toml.5"].replace("\\-", "-")
    for name, field in Config.model_fields.items():
        (section,) = [part for part in page.split("\n.SH ")[1:] if part.startswith((f"[{name}]", f"[{name}.NAME]"))]
        assert [key for key in model_of(field).model_fields if f"\n.B {key}\n" not in section] == []


def test_troff_takes_them_without_a_word(pages: dict[str, str], tmp_path: Path) -> None:
    """All warnings on, and what a reader gets has the words."""
    if not shutil.which("groff"):
        pytest.skip("no groff on this host")
    for name, text in pages.items():
        path = tmp_path / name
        path.write_text(text, encoding="ascii")
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", str(path)], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stderr == ""
        assert "SEE ALSO" in _OVERSTRUCK.sub("", done.stdout)


def test_twice_they_are_the_same(pages: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And dated only where the build says of when it is."""
    assert manual.pages() == pages
    assert '.TH "FILTERD" "8" "" ' in pages["filterd.8"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert '"2023-11-14"' in manual.pages()["filterd.8"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (".so /etc/passwd", "\\&.so /etc/passwd"),
        ("'br", "\\(aqbr"),
        ("a\\fBb", "a\\efBb"),
        ("--json", "\\-\\-json"),
        ("caf\u00e9", "caf\\[u00E9]"),
    ],
)
def test_texts_are_no_requests(text: str, written: str) -> None:
    """Whatever a help text begins with."""
    assert manual._text(text) == written


def test_they_are_written_where_man_looks(tmp_path: Path) -> None:
    """By section, with the completion scripts beside them."""
    done = subprocess.run(
        [sys.executable, "-m", "filterd.cli.manual", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "man/man8/filterd-quarantine.8" in done.stdout
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"man/man8/filterd.8", "man/man5/filterd.toml.5"} <= found
    assert {f"share/{place}" for place in manual.SCRIPTS.values()} <= found
    wrong = subprocess.run([sys.executable, "-m", "filterd.cli.manual"], capture_output=True, check=False, timeout=60)
    assert wrong.returncode == 1


def test_the_shell_is_told_how_to_complete() -> None:
    """Bash takes the script, and asks filterd for words."""
    script = manual.scripts()[manual.SCRIPTS["bash"]]
    if shutil.which("bash"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=60)
    assert f"{manual.VARIABLE}=complete_bash" in script


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("filterd quaran", {"quarantine"}),
        ("filterd quarantine rel", {"release"}),
        ("filterd quarantine list --state ", {"held", "releasing", "delivered", "failed", "deleted", "expired"}),
    ],
)
def test_commands_and_values_are_completed(line: str, words: set[str]) -> None:
    """As the shell's function asks for it."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'filterd'; from filterd.cli import main; main()"],
        env=os.environ | {manual.VARIABLE: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert set(done.stdout.split()) == words

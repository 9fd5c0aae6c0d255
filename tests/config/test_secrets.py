"""Where secrets may stand, and that nothing shows them."""

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import structlog
import typer

from filterd import cli
from filterd.cli import common
from filterd.config import SecretError, read_secret
from filterd.config.secrets import SHOWN, masked, masked_line, masked_name, remember, remember_label
from filterd.telemetry import configure

SECRET = 'hunter2 "ä/@'


def written(folder: Path, mode: int = 0o600, text: str = SECRET) -> Path:
    """A file with it."""
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def owned(monkeypatch: pytest.MonkeyPatch, *, uid: int, gid: int, mode: int, euid: int, egid: int) -> None:
    """Have the next file seem to belong to somebody, and this process to be somebody."""
    facts = os.stat_result((stat.S_IFREG | mode, 0, 0, 1, uid, gid, len(SECRET), 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda _fd: facts)
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(os, "getegid", lambda: egid)


@pytest.mark.threat("OPS-05")
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "words"),
    [
        (1000, 1000, 0o600, ""),
        (0, 0, 0o640, ""),
        (0, 1000, 0o640, ""),
        (0, 100, 0o640, r"a group of others \(gid 100\) may read it; expected mode 0600"),
        (1000, 1000, 0o660, "its group may write it; expected mode 0600 or 0640"),
        (1001, 1000, 0o640, r"it belongs to another user \(uid 1001\)"),
        (1000, 1000, 0o604, "other users may read or write it"),
    ],
    ids=["own", "root's", "root and our group", "another group", "group may write", "another owner", "world"],
)
def test_who_else_could_read_or_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, gid: int, mode: int, words: str
) -> None:
    """A secret is root's or ours, and of no group but ours; anything else is refused in words without it."""
    path = written(tmp_path)
    owned(monkeypatch, uid=uid, gid=gid, mode=mode, euid=1000, egid=1000)
    if not words:
        assert read_secret(path) == SECRET
        return
    with pytest.raises(SecretError, match=words) as caught:
        read_secret(path)
    assert "hunter2" not in str(caught.value)


def test_root_takes_the_group_of_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run as root, the daemon does not: a group that lists nobody is a service's own."""
    path = written(tmp_path)
    owned(monkeypatch, uid=0, gid=42, mode=0o640, euid=0, egid=0)
    monkeypatch.setattr("grp.getgrgid", lambda _gid: SimpleNamespace(gr_mem=[]))
    assert read_secret(path) == SECRET
    monkeypatch.setattr("grp.getgrgid", lambda _gid: SimpleNamespace(gr_mem=["anna"]))
    with pytest.raises(SecretError, match="a group of others"):
        read_secret(path)


def test_a_credential_of_systemds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, from the unit's folder; its access list looks like group rights, and others are still refused."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path, 0o440)
    assert read_secret(Path("credential:secret")) == SECRET
    written(tmp_path, 0o644)
    with pytest.raises(SecretError, match=r"^credential:secret: other users may read"):
        read_secret(Path("credential:secret"))


@pytest.mark.parametrize("name", ["", "..", "a/b", "absent"])
def test_a_credential_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is said what the unit needs; no name leads out of the folder."""
    (tmp_path / "a").mkdir()
    written(tmp_path / "a").rename(tmp_path / "a" / "b")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretError, match="LoadCredential="):
        read_secret(Path(f"credential:{name}"))


@pytest.mark.threat("OPS-05")
@pytest.mark.parametrize(
    "form",
    [str, repr, lambda text: orjson.dumps(text).decode(), lambda _: "redis://:hunter2%20%22%C3%A4%2F%40@host/0"],
    ids=["plain", "repr", "JSON", "URL"],
)
def test_what_was_read_is_masked_in_every_form(tmp_path: Path, form: Callable[[str], str]) -> None:
    """As it is, in a repr, in JSON, in a URL."""
    read_secret(written(tmp_path))
    for found in (masked(form(SECRET)), masked_line(form(SECRET).encode()).decode()):
        assert "hunter2" not in found
        assert SHOWN in found


def test_what_is_too_short_is_no_secret() -> None:
    """It would take ordinary words apart."""
    remember("mail")
    assert masked("mail") == "mail"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("2.0.0.127.k3yk3y.zen.dq.test", "2.0.0.127.[secret].zen.dq.test"),
        ("k3yk3yx.zen.dq.test", "k3yk3yx.zen.dq.test"),
        ("example.org", "example.org"),
    ],
)
def test_a_lists_key_is_taken_out_of_names_as_a_label(name: str, kept: str) -> None:
    """Whole labels only: other names stay what was asked."""
    remember_label("K3YK3Y")
    assert masked_name(name) == kept


@pytest.mark.threat("OPS-05")
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_line_of_the_log_has_one(tmp_path: Path, form: str) -> None:
    """Neither in a field nor in a traceback, of a library's exception."""
    read_secret(written(tmp_path, text="canary-0451"))
    out = io.BytesIO()
    configure("info", "json" if form == "json" else "console", out)
    log = structlog.get_logger()
    log.error("failed", cause="AUTH canary-0451")
    log.error("failed", cause="ä AUTH canary-0451")
    log.error("failed", exc_info=ConnectionError("redis://:canary-0451@host"))
    assert b"canary-0451" not in out.getvalue()
    assert out.getvalue().count(SHOWN.encode()) >= 3


@pytest.mark.threat("OPS-05")
def test_no_command_prints_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it fails with, tables, JSON, and the traceback of a bug."""
    read_secret(written(tmp_path, text="canary-0451"))
    with pytest.raises(typer.Exit):
        common.fail("AUTH canary-0451")
    common.print_table(("a",), [("canary-0451",)])
    error = RuntimeError("canary-0451")
    cli._tell(RuntimeError, error, None)
    shown = capsys.readouterr()
    assert "canary-0451" not in shown.out + shown.err
    assert (shown.out + shown.err).count(SHOWN) == 3


def test_json_of_a_command_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes past the text layer."""
    read_secret(written(tmp_path, text="canary-0451"))
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    common.print_json({"cause": "canary-0451"})
    assert orjson.loads(out.getvalue()) == {"cause": SHOWN}

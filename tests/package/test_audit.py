"""`make audit`, against a PyPI of our own: pip-audit's real questions, over TLS, to a server in pypi.org's place."""

import json
import ssl
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.package import audit
from tests.support.process import free_port
from tests.support.tls import Authority

pytestmark = pytest.mark.threat("OPS-08")

HASH = "sha256:" + "0" * 64
HOLE: Mapping[str, Any] = {
    "id": "PYSEC-2026-7",
    "aliases": ["CVE-2026-70007"],
    "summary": "Reads more than it should.",
    "fixed_in": ["1.4.1", "1.3.9"],
    "withdrawn": None,
}
WELL: Mapping[str, Any] = {"vulnerabilities": []}


def locked(folder: Path, *pins: str, hashed: bool = True) -> Path:
    """A lock with these pins."""
    path = folder / "requirements.lock"
    path.write_text("".join([f"{pin} \\\n    --hash={HASH}\n" if hashed else f"{pin}\n" for pin in pins]))
    return path


def accepted(folder: Path, text: str = "") -> Path:
    """What is accepted."""
    path = folder / "accepted.toml"
    path.write_text(text)
    return path


class Proxy(BaseHTTPRequestHandler):
    """Takes CONNECT pypi.org:443, shows a certificate for it, and answers as PyPI does."""

    known: Mapping[str, Mapping[str, Any]] = {}
    context: ssl.SSLContext

    def do_CONNECT(self) -> None:  # the name that http.server calls
        """One connection, any number of questions."""
        assert self.path == "pypi.org:443"
        self.send_response(200)
        self.end_headers()
        with self.context.wrap_socket(self.connection, server_side=True) as secured:
            self.rfile, self.wfile = secured.makefile("rb"), secured.makefile("wb")
            while line := self.rfile.readline():
                _, path, _ = line.decode().split(" ")
                while self.rfile.readline().strip():
                    pass
                self._answer(path)
        self.close_connection = True

    def _answer(self, path: str) -> None:
        _, kind, name, version, form = path.split("/")
        assert (kind, form) == ("pypi", "json")
        found = self.known.get(f"{name}=={version}")
        body = json.dumps({"message": "Not Found"} if found is None else found).encode()
        head = f"HTTP/1.1 {200 if found is not None else 404} x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def pypi(folder: Path, monkeypatch: pytest.MonkeyPatch, known: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Whoever asks pypi.org is answered from `known`."""
    authority = Authority(folder)
    pair = authority.certify("pypi.org")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    handler = type("Handler", (Proxy,), {"known": known, "context": context})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        asked_through(monkeypatch, server.server_port)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def asked_through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Nothing else than this port of this machine is asked."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def asked(folder: Path, *pins: str, accepts: str = "", within: float = 60.0) -> audit.Outcome:
    """What the audit of these pins comes to."""
    cache = ("--cache-dir", str(folder / "cache"))
    return audit.audit(locked(folder, *pins), accepted(folder, accepts), cache, within)


@pytest.mark.integration
def test_a_known_hole_fails_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its other names and what mends it; a hole that was withdrawn is none."""
    withdrawn = {**HOLE, "id": "PYSEC-2026-8", "withdrawn": "2026-01-01T00:00:00Z"}
    known = {"bad==1.0": {"vulnerabilities": [HOLE, withdrawn]}, "good==2.0": WELL}
    with pypi(tmp_path, monkeypatch, known):
        outcome = asked(tmp_path, "bad==1.0", "good==2.0", "private==3.0")
    assert outcome == audit.Outcome(
        failed=True,
        lines=(
            "known holes in what requirements.lock pins: 1",
            "bad 1.0: PYSEC-2026-7, CVE-2026-70007; mended in 1.3.9, 1.4.1",
        ),
    )


@pytest.mark.integration
def test_an_accepted_hole_is_said_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any of its names, with the reason."""
    with pypi(tmp_path, monkeypatch, {"bad==1.0": {"vulnerabilities": [HOLE]}}):
        outcome = asked(tmp_path, "bad==1.0", accepts='CVE-2026-70007 = "only in tests"')
    assert outcome == audit.Outcome(
        failed=False,
        lines=(
            "audited: no known holes in 1 packages",
            "bad 1.0: PYSEC-2026-7, CVE-2026-70007; accepted: only in tests",
        ),
    )


@pytest.mark.integration
def test_what_pypi_does_not_know_is_not_called_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some are not: they are named. None is, as behind a mirror: nothing was audited, and that is said."""
    with pypi(tmp_path, monkeypatch, {"good==2.0": WELL}):
        some = asked(tmp_path, "good==2.0", "private==3.0")
        none = asked(tmp_path, "private==3.0", "other==1.0")
    assert some.lines == (
        "audited: no known holes in 1 packages",
        "not audited, for PyPI does not know them: private",
    )
    assert none == audit.Outcome(False, ("not audited: PyPI's answers know none of the 2 packages",))


@pytest.mark.integration
def test_nobody_to_ask_is_said_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No route, or no answer in time: one line, which does not say audited otherwise, and exit code 0."""
    asked_through(monkeypatch, free_port())
    nowhere = asked(tmp_path, "good==2.0")
    late = asked(tmp_path, "good==2.0", within=0.001)
    assert [nowhere.failed, late.failed] == [False, False]
    assert nowhere.lines == ("not audited: PyPI cannot be asked (requests.exceptions.ProxyError)",)
    assert late.lines == ("not audited: PyPI has not answered within 0 s",)


@pytest.mark.integration
def test_a_lock_that_cannot_be_audited_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin without a hash is our mistake, not the network's."""
    asked_through(monkeypatch, free_port())
    outcome = audit.audit(locked(tmp_path, "bad==1.0", hashed=False), accepted(tmp_path))
    assert outcome.failed
    assert "bad==1.0 does not contain a hash" in outcome.lines[0]


def test_what_is_accepted_has_reasons() -> None:
    """Ids of the usual kinds, each with some words."""
    for name, reason in tomllib.loads(audit.ACCEPTED.read_text()).items():
        assert name.startswith(("PYSEC-", "CVE-", "GHSA-"))
        assert len(str(reason)) > 10

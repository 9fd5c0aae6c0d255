"""Scanning files: judged as if they had come by SMTP, in the JSON form that people script against."""

from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest

from filterd.checks.contract import View
from filterd.model.authentication import (
    ArcResult,
    ArcStatus,
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Plan
from filterd.model.inspection import Inspection, PartFacts
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.operations.scan import Session, messages_in, scan
from filterd.operations.scan_json import as_json
from filterd.pipeline.policies import Policies, Policy
from tests.pipeline.fakes import POLICY, SCORES, FakeCheck, FakeInspectors, Front

RAW = b"Subject: x\r\n folded\r\nFrom: anna@sender.test\r\n\r\nHello\r\n\r\nthere\r\n"
SESSION = Session(
    "198.51.100.7", "mail.sender.test", "helo.sender.test", "anna@sender.test", ("a@local.test", "b@local.test")
)
DMARC = DmarcResult(DmarcStatus.FAIL, "sender.test", "sender.test", policy=DmarcPolicy.REJECT)


@dataclass(frozen=True)
class Reporting:
    """A check with ready results."""

    results: tuple[AuthResult, ...]
    name: str = "auth"
    stage: Stage = Stage.EOM
    foresees: frozenset[Stage] = frozenset()
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset({"REFUSED"})

    def foresee(self, _view: View, _stage: Stage) -> Plan[None] | None:
        """Nothing."""
        return None

    def run(self, _view: View) -> Plan[CheckReport]:
        """The results and one symbol."""
        yield from ()
        return CheckReport(self.name, Outcome.OK, (Finding("REFUSED", ("seen", "there")),), self.results)


def test_a_file_goes_the_way_of_a_message(front: Front) -> None:
    """Session, header and body reach the inspector as an MTA would have handed them over."""
    check = FakeCheck("spf", Stage.MAIL)
    found = scan(replace(front, checks=(check,)).parts(), "x.eml", RAW, SESSION)
    job = front.inspectors.jobs[0][0]
    assert job.fields == ((b"Subject", b" x\r\n folded"), (b"From", b" anna@sender.test"))
    assert (job.client_address, job.helo, job.sender) == ("198.51.100.7", "helo.sender.test", "anna@sender.test")
    assert job.body_size == len(b"Hello\r\n\r\nthere\r\n")
    assert [one.address for one in found.transaction.envelope.recipients] == ["a@local.test", "b@local.test"]
    assert check.saw == [("anna@sender.test", {})]


@pytest.mark.parametrize(
    "raw",
    [RAW.replace(b"\r\n", b"\n"), RAW.replace(b"\r\n", b"\n", 2), RAW.replace(b"Hello\r\n", b"Hello\n")],
    ids=["all", "header", "body"],
)
def test_line_ends_of_files_become_those_of_smtp(front: Front, raw: bytes) -> None:
    """A file with LF line ends is the message that was sent: with any other bytes no signature would verify."""
    for one in (RAW, raw):
        scan(front.parts(), "x.eml", one, SESSION)
    rows = front.journal.rows
    assert (rows[0].sha256, rows[0].size) == (rows[1].sha256, rows[1].size)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\n", b"no header at all", b"\0\xff" * 1_000, b"A" * 3_000_000])
def test_anything_can_be_scanned(front: Front, raw: bytes) -> None:
    """A file that is no message gets a verdict, no exception."""
    assert scan(front.parts(), "x", raw, Session()).verdict.code == "clean"


def test_nothing_stays_open(front: Front) -> None:
    """A folder of messages must not use up the descriptors."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        scan(front.parts(), "x", RAW, SESSION)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_files_and_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    """What is named is taken as it is named, also where it does not exist; folders are walked."""
    for name in ("b/2.eml", "b/1.eml", "b/sub/0.eml", "a.eml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    wanted = [tmp_path / "b", tmp_path / "missing.eml", tmp_path / "a.eml", Path("-")]
    expected = ["b/1.eml", "b/2.eml", "b/sub/0.eml", "missing.eml", "a.eml"]
    assert list(messages_in(wanted)) == [*[tmp_path / name for name in expected], Path("-")]


def test_the_json_form_has_the_pinned_names(front: Front) -> None:
    """Exactly these keys with these values: people script against them."""
    part = PartFacts("1.2/a.exe", "application/zip", "application/x-dosexec", "a.exe", 5, "ff", 2, rules=("YARA_A",))
    results = (
        SpfResult(SpfStatus.NONE, "helo.sender.test", SpfScope.HELO),
        SpfResult(SpfStatus.FAIL, "sender.test", SpfScope.MAILFROM, "-all"),
        DkimResult(DkimStatus.PASS, "sender.test", "s1", "rsa-sha256", key_bits=2048),
        DMARC,
    )
    parts = replace(
        front.parts(),
        schedule=replace(front, checks=(Reporting(results),)).parts().schedule,  # type: ignore[arg-type]  # any check
        inspectors=FakeInspectors(Inspection(parts=(part,))),
    )
    found = scan(parts, "x.eml", RAW, SESSION)
    plain = orjson.loads(orjson.dumps(as_json(found)))
    assert plain.pop("reply").startswith("550 5.7.1 Message refused; ask postmaster about ")
    assert plain["checks"][0].pop("ms") >= 0
    assert plain == {
        "file": "x.eml",
        "action": "reject",
        "score": 20.0,
        "reason": {"code": "score", "text": "score 20.0 of 15: REFUSED"},
        "symbols": [{"name": "REFUSED", "score": 20.0, "evidence": ["seen", "there"], "check": "auth"}],
        "auth": {
            "spf": {"result": "fail", "domain": "sender.test", "scope": "mailfrom"},
            "dkim": [
                {
                    "result": "pass",
                    "domain": "sender.test",
                    "selector": "s1",
                    "algorithm": "rsa-sha256",
                    "key_bits": 2048,
                    "reason": "",
                }
            ],
            "dmarc": {
                "result": "fail",
                "domain": "sender.test",
                "policy_domain": "sender.test",
                "policy": "reject",
                "disposition": "reject",
                "override": "",
                "comment": "",
                "rfc7489": None,
            },
            "arc": None,
        },
        "checks": [{"name": "auth", "outcome": "ok"}],
        "parts": [
            {
                "path": "1.2/a.exe",
                "content_type": "application/zip",
                "detected_type": "application/x-dosexec",
                "filename": "a.exe",
                "size": 5,
                "sha256": "ff",
                "depth": 2,
                "encrypted": False,
                "rules": ["YARA_A"],
            }
        ],
        "recipients": {"a@local.test": "reject", "b@local.test": "reject"},
        "policy": "",
        "shares": [],
    }


def test_what_was_not_evaluated_is_null(front: Front) -> None:
    """The keys are there without results too: a script need not ask whether they are."""
    plain = as_json(scan(front.parts(), "x.eml", RAW, Session()))
    assert plain["auth"] == {"spf": None, "dkim": [], "dmarc": None, "arc": None}
    assert (plain["reply"], plain["parts"], plain["recipients"]) == (None, [], {})


@pytest.mark.parametrize(
    ("result", "disposition"),
    [
        (DMARC, "reject"),
        (replace(DMARC, policy=DmarcPolicy.NONE), "none"),
        (replace(DMARC, override=DmarcOverride.TRUSTED_FORWARDER), "none"),
        (replace(DMARC, status=DmarcStatus.PASS), "none"),
    ],
)
def test_the_disposition_is_what_was_done_for_dmarc(front: Front, result: DmarcResult, disposition: str) -> None:
    """Only where DMARC failed under a policy that asks for something."""
    schedule = replace(front, checks=(Reporting((result,)),)).parts().schedule  # type: ignore[arg-type]  # any check
    plain = as_json(scan(replace(front.parts(), schedule=schedule), "x", RAW, SESSION))
    assert plain["auth"]["dmarc"]["disposition"] == disposition


@pytest.mark.parametrize("status", ArcStatus)
def test_the_chain_and_its_newest_instance(front: Front, status: ArcStatus) -> None:
    """Result and instance, whatever the result is."""
    checks = (Reporting((ArcResult(status, 2, ("list.test",)),)),)
    schedule = replace(front, checks=checks).parts().schedule  # type: ignore[arg-type]  # any check
    plain = as_json(scan(replace(front.parts(), schedule=schedule), "x", RAW, SESSION))
    assert plain["auth"]["arc"] == {"result": status.value, "instance": 2}


def test_recipients_with_policies_have_their_own_outcomes(front: Front) -> None:
    """What the MTA would be told, and beside it what becomes of the message for whom."""
    named = Policies({"local.test": Policy(replace(POLICY, name="hard", reject=5.0, quarantine=4.0), SCORES)}, "+")
    tagged = replace(front, checks=(FakeCheck("content", symbols=frozenset({"TAGGED"})),), policies=named)
    session = replace(SESSION, recipients=("a@local.test", "b@other.test"))
    found = scan(tagged.parts(), "x.eml", RAW, session)
    plain = orjson.loads(orjson.dumps(as_json(found)))
    assert (plain["action"], plain["policy"]) == ("add_header", "")
    assert plain["recipients"] == {"a@local.test": "quarantine", "b@other.test": "add_header"}
    assert [(one["policy"], one["action"], one["recipients"]) for one in plain["shares"]] == [
        ("hard", "quarantine", ["a@local.test"]),
        ("", "add_header", ["b@other.test"]),
    ]
    assert found.worst.policy == "hard"

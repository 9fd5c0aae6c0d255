"""An operator's own rules, from the files to the verdict: nursery, inspector, checks and score are real."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.support.dnsserver import DnsServer
from tests.support.world import message, zone

pytestmark = pytest.mark.integration

REGEX = """
[rules.REGEX_OWN]
target = "subject"
pattern = '^Minutes of (?:May|June)$'
weight = 2.5
group = "words"
description = "x"

[rules.REGEX_WATCHED]
target = "subject"
pattern = 'Minutes'
weight = 9
stage = "shadow"
description = "x"
"""
CONFIG = """
[rules]
local = "{folder}/own"
[rules.scores]
SPF_PASS = {{ weight = 0.5 }}
DKIM_NONE = {{ off = true }}
[rules.composites.OWN_BOTH]
expression = "REGEX_OWN & SPF_PASS & !DKIM_NONE"
weight = 4
floor = "add_header"
replaces = ["REGEX_OWN"]
description = "x"
[rules.composites.OWN_SILENT]
expression = "any(REGEX_WATCHED, DKIM_NONE)"
weight = 9
description = "x"
"""


def test_own_rules_count(tmp_path: Path) -> None:
    """Late results are members, what replaces counts instead, what is silent or off counts nowhere.

    A broken file disarms no other.
    """
    (tmp_path / "own" / "regex").mkdir(parents=True)
    (tmp_path / "own" / "regex" / "own.toml").write_text(REGEX)
    (tmp_path / "own" / "regex" / "broken.toml").write_text(REGEX.replace("OWN", "BAD").replace("(?:", "(?:("))
    config, mail = tmp_path / "filterd.toml", tmp_path / "mail.eml"
    config.write_text(CONFIG.format(folder=tmp_path))
    mail.write_bytes(message("alice@aligned.test", "Minutes of June"))
    session = ("--client-ip", "192.0.2.10", "--helo", "mail.aligned.test", "--mail-from", "alice@aligned.test")
    with DnsServer(zone()) as dns:
        command = [
            "scan",
            "--nameserver",
            f"127.0.0.1:{dns.port}",
            "--config",
            str(config),
            "--json",
            *session,
            str(mail),
        ]
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.stderr
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    points = {symbol["name"]: (symbol["check"], symbol["score"]) for symbol in found["symbols"]}
    assert points["REGEX_OWN"] == ("regex", 0.0)
    assert points["OWN_BOTH"] == ("composite", 4.0)
    assert points["SPF_PASS"] == ("spf", 0.5)
    assert points["DKIM_NONE"] == ("dkim", 0.0)
    assert points["REGEX_WATCHED"] == ("regex", 0.0)
    assert "OWN_SILENT" not in points
    assert "REGEX_BAD" not in points
    assert (found["action"], found["reason"]["code"]) == ("add_header", "own-both")
    assert {check["name"]: check["outcome"] for check in found["checks"]}["regex"] == "ok"

"""[dmarc_reports]: what is wrong in it is told by its key; as shipped nothing is counted."""

from typing import Any

import pytest
from pydantic import ValidationError

from filterd.config import Config
from filterd.config.dmarc_reports import DmarcReports


def test_off_as_shipped() -> None:
    """Nobody's mail is counted unasked."""
    assert not Config().dmarc_reports.enabled
    assert Config().dmarc_reports.domain == ""


def test_a_whole_one() -> None:
    """Names in lower case; the domain of the sender is the reporter's."""
    found = DmarcReports.model_validate(
        {"sender": "dmarc@Mx.Test", "dkim_selector": "S1", "dkim_key_file": "/nowhere", "relay": "inet:25@127.0.0.1"}
    )
    assert (found.domain, found.dkim_selector) == ("mx.test", "s1")
    assert found.listener is not None
    assert found.listener.port == 25


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sender": "nobody"}, "expected a plain address"),
        ({"bounces": "a b@c.test"}, "expected a plain address"),
        ({"organization": "Caf\u00e9"}, "expected one line of printable ASCII"),
        ({"contact": "a\nb"}, "expected one line of printable ASCII"),
        ({"dkim_domain": "a..b"}, "expected a name"),
        ({"dkim_selector": "s1"}, "belong together"),
        ({"dkim_key_file": "/nowhere"}, "belong together"),
        ({"relay": "unix:/run/x"}, "handed over by SMTP over TCP"),
        ({"keep": 1}, "greater than or equal to 2"),
        ({"most": 0}, "greater than or equal to 1"),
        ({"max_size": 100}, "greater than or equal to 10000"),
        ({"recipients": []}, "Extra inputs"),
    ],
)
def test_what_is_wrong(given: dict[str, Any], words: str) -> None:
    """It is refused in words."""
    with pytest.raises(ValidationError, match=words):
        DmarcReports.model_validate(given)

"""What an answer means: clean is only what is clearly said to be so."""

import pytest

from filterd.icap.response import Head
from filterd.icap.verdict import MAX_PREVIEW, Options, judge, read_options
from filterd.scanners import ScannerError, ScannerRefusedError


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"x-infection-found": "Type=0; Resolution=2; Threat=Eicar-Test; "}, "Eicar-Test"),
        ({"x-infection-found": "something else"}, "something else"),
        ({"x-infection-found": ""}, "?"),
        ({"x-virus-id": '"Win.Trojan"'}, "Win.Trojan"),
        ({"x-virus-id": "a\x1b[31m\xff"}, "a [31m"),
        ({"x-violations-found": "1\n-\nSome.Name\n0\n0"}, "Some.Name"),
        ({"x-violations-found": "2"}, "2"),
        ({"x-violations-found": "0"}, ""),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("status", [200, 204])
def test_what_is_named_is_found_whatever_the_status(fields: dict[str, str], name: str, status: int) -> None:
    """Also behind 204: a service in a mode that only reports says so. The name is printable ASCII."""
    assert judge(Head(status, fields), "") == name


def test_what_was_given_back_changed_is_found() -> None:
    """A service need not say what it has found."""
    assert judge(Head(200), "replaced: HTTP 403") == "replaced: HTTP 403"
    assert judge(Head(200, {"x-virus-id": "Name"}), "changed") == "Name"


@pytest.mark.parametrize("status", [100, 101, 201, 206, 301, 400, 403, 404, 405, 408, 500, 502, 503, 505])
def test_every_other_status_is_no_answer(status: int) -> None:
    """A service that is overloaded, or does not know its name, has not called the message clean."""
    with pytest.raises(ScannerRefusedError, match=str(status)):
        judge(Head(status, {}), "")


def test_options_say_what_the_service_wants() -> None:
    """Bounded; what is not said or is no number is not known."""
    fields = {"methods": "REQMOD, RESPMOD", "preview": "1024", "max-connections": "20", "istag": '"x"'}
    assert read_options(Head(200, fields), "RESPMOD") == Options(1024, 20, '"x"', 3_600)
    odd = {"methods": "RESPMOD", "preview": "999999", "max-connections": "0", "options-ttl": "1"}
    assert read_options(Head(200, odd), "RESPMOD") == Options(MAX_PREVIEW, None, "", 60)
    assert read_options(Head(200, {"methods": "respmod", "preview": "many"}), "RESPMOD").preview is None


@pytest.mark.parametrize("head", [Head(404), Head(200), Head(200, {"methods": "REQMOD"})])
def test_a_service_that_cannot_be_used_is_an_error(head: Head) -> None:
    """Another name, or another method."""
    with pytest.raises(ScannerError):
        read_options(head, "RESPMOD")

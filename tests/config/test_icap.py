"""Where an ICAP service is: its URL, and what is none."""

import pytest
from pydantic import ValidationError

from filterd.config.icap import Icap, parse_service
from filterd.config.listen import Listen, ListenKind


@pytest.mark.parametrize(
    ("text", "url", "address"),
    [
        ("icap://127.0.0.1/avscan", "icap://127.0.0.1:1344/avscan", Listen(ListenKind.INET, "", "127.0.0.1", 1_344)),
        (
            "icap://av.example:99/a/b?c=d&e",
            "icap://av.example:99/a/b?c=d&e",
            Listen(ListenKind.INET, "", "av.example", 99),
        ),
        (
            "icap://[2001:db8::1]:1344/x",
            "icap://[2001:db8::1]:1344/x",
            Listen(ListenKind.INET6, "", "2001:db8::1", 1_344),
        ),
    ],
)
def test_a_service_is_known_by_its_url(text: str, url: str, address: Listen) -> None:
    """Port 1344 where none is named; what is sent as its name says the port."""
    found = parse_service(text)
    assert (found.url, found.address) == (url, address)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1/x",
        "icaps://127.0.0.1/x",
        "icap://127.0.0.1",
        "icap://127.0.0.1/",
        "icap://127.0.0.1:0/x",
        "icap://127.0.0.1:65536/x",
        "icap://user@host/x",
        "icap://host/a b",
        "icap://host/a\r\nX: y",
        "icap://2001:db8::1/x",
        "icap://host/\u00e9",
    ],
)
def test_what_is_no_url_of_a_service_is_refused(text: str) -> None:
    """Nothing that could end a line of the protocol, and nothing that would be sent elsewhere than it says."""
    with pytest.raises(ValidationError, match="expected icap://HOST:PORT/SERVICE"):
        Icap(url=text)


def test_it_is_off_where_no_url_is_given() -> None:
    """As shipped."""
    assert Icap().service is None
    assert Icap(url="icap://127.0.0.1/x").service is not None

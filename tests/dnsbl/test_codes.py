import pytest

from filterd.dnsbl.codes import MAX_CODES, addresses_of, written_out


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("127.0.0.2", ["127.0.0.2"]),
        ("127.0.0.4-6", ["127.0.0.4", "127.0.0.5", "127.0.0.6"]),
        ("127.1.2.3", ["127.1.2.3"]),
    ],
)
def test_codes_are_written_as_addresses_and_ranges(pattern: str, expected: list[str]) -> None:
    """One address, or a range of the last octet."""
    assert list(addresses_of(pattern)) == expected


def test_any_octet_can_be_a_range() -> None:
    """DNSWL puts the kind of sender into the third."""
    assert len(list(addresses_of("127.0.2-20.1"))) == 19


@pytest.mark.parametrize(
    "pattern",
    ["10.0.0.1", "127.0.0", "127.0.0.256", "127.0.0.7-4", "127.0.300.1", "127.0-255.0-255.1", "127.0.0.*", "x"],
)
def test_what_is_no_list_code_is_refused(pattern: str) -> None:
    """Answers of lists lie in 127.0.0.0/8, and a table has bounds."""
    with pytest.raises(ValueError, match="expected"):
        addresses_of(pattern)


@pytest.mark.parametrize("patterns", [["127.0.0.2", "127.0.0.1-3"], ["127.0.0-15.0-255", "127.0.16.0"]])
def test_a_table_has_each_address_once_and_not_too_many(patterns: list[str]) -> None:
    """Two meanings of one address would depend on their order."""
    with pytest.raises(ValueError, match=f"at most {MAX_CODES} addresses, each declared once"):
        written_out(patterns)

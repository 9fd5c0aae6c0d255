"""URLs found and read as browsers read them."""

from pathlib import Path

import pytest

from filterd.domains.urls import parse_url
from filterd.heuristics import extract, load_phrases
from filterd.heuristics.phrases import PhrasesError, PhraseSet
from filterd.heuristics.urls import MAX_URLS


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://Example.ORG/a", "example.org"),
        ("https:\\\\example.org\\a", "example.org"),
        ("http:///example.org", "example.org"),
        ("//example.org/x", "example.org"),
        ("www.example.org/x", "www.example.org"),
        ("http://user:pw@evil.test/", "evil.test"),
        ("http://a@b@evil.test/", "evil.test"),
        ("http://evil.test:8080/", "evil.test"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("http://ex%61mple.org/", "example.org"),
        ("http://exa\tmple.org/", "example.org"),
        ("http://192.0.2.7/", "192.0.2.7"),
        ("http://3221225991/", "192.0.2.7"),
        ("http://0xC0000207/", "192.0.2.7"),
        ("http://0300.0.2.7/", "192.0.2.7"),
        ("http://[2001:db8::7]:80/", "2001:db8::7"),
    ],
)
@pytest.mark.threat("DNS-08")
def test_hosts(text: str, host: str) -> None:
    """The host is the one that a click would reach."""
    url = parse_url(text)
    assert url is not None
    assert url.host == host


@pytest.mark.parametrize(
    "text", ["mailto:a@b.test", "http://", "#x", "", "http://localhost/", "javascript:x", "http://..../"]
)
def test_no_urls(text: str) -> None:
    """What leads to no host is none."""
    assert parse_url(text) is None


def test_extracted_from_text_and_links() -> None:
    """Links come first, duplicates once, punctuation behind a URL is not part of it."""
    urls, cut = extract(["See (http://a.test/x). Or HTTPS://b.test/!"], ["http://c.test/", "http://a.test/x"])
    assert [url.text for url in urls] == ["http://c.test/", "http://a.test/x", "https://b.test/"]
    assert not cut


@pytest.mark.threat("DNS-08")
def test_url_limit() -> None:
    """Beyond the limit nothing is kept, and that is said."""
    urls, cut = extract([" ".join([f"http://x.test/{number}" for number in range(MAX_URLS + 5)])], [])
    assert len(urls) == MAX_URLS
    assert cut


def test_phrases_match_whole_words_across_lines() -> None:
    """Case and white space do not matter, word boundaries do."""
    phrases = PhraseSet({"act now": "hurry", "adult": ""})
    assert phrases.find("ACT\r\n  now, or never") == ("act now",)
    assert phrases.find("adulthood; react nowhere") == ()
    assert phrases.by_kind("Act  Now") == {"hurry": ("act now",)}


@pytest.mark.parametrize("text", ["bogus = []", "body = [1]", "body = ", "roles = ['']", "[body]\na = [1]"])
def test_broken_phrase_file_is_named(text: str, tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "phrases.toml"
    path.write_text(text)
    with pytest.raises(PhrasesError, match=r"phrases\.toml"):
        load_phrases(path)

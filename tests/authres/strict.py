"""A strict reader of Authentication-Results (RFC 8601, section 2.2): what does not follow the grammar is an error."""

import re
from dataclasses import dataclass, field
from typing import Final

FWS: Final = re.compile(r"(?:[ \t]*\r\n)?[ \t]+")
CTEXT: Final = re.compile(r"[\x21-\x27\x2a-\x5b\x5d-\x7e]|\\[\x20-\x7e\t]")
TOKEN: Final = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
QUOTED: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\t]|\\[\x20-\x7e\t])*)"')
KEYWORD: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
DOT_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
DOMAIN: Final = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
ENDS: Final = re.compile(r"[ \t\r\n;(]|\Z")


@dataclass
class Result:
    """One resinfo; property values are unquoted."""

    method: str
    result: str
    reason: str = ""
    properties: list[tuple[str, str]] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What matches here, consumed."""
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    def need(self, literal: str) -> None:
        """The literal, or an error."""
        if not self.text.startswith(literal, self.position):
            raise ValueError(f"expected {literal!r} at {self.text[self.position :]!r}")
        self.position += len(literal)

    def has(self, literal: str) -> bool:
        """Whether the literal follows; consumed if so."""
        found = self.text.startswith(literal, self.position)
        self.position += len(literal) * found
        return found

    def cfws(self) -> bool:
        """Skip blanks and comments; whether there were any."""
        start = self.position
        while self.take(FWS) or self.comment():
            pass
        return self.position > start

    def comment(self) -> bool:
        """Skip one comment."""
        if not self.has("("):
            return False
        while self.take(FWS) or self.take(CTEXT) or self.comment():
            pass
        self.need(")")
        return True

    def keyword(self) -> str:
        """A Keyword of RFC 5321."""
        match = self.take(KEYWORD)
        if not match:
            raise ValueError(f"expected a keyword at {self.text[self.position :]!r}")
        return match[0]

    def value(self) -> str:
        """A value: token or quoted-string, which must end here."""
        match = self.take(QUOTED)
        found = re.sub(r"\\(.)", r"\1", match[1]) if match else None
        if found is None:
            token = self.take(TOKEN)
            if not token:
                raise ValueError(f"expected a value at {self.text[self.position :]!r}")
            found = token[0]
        return found

    def pvalue(self) -> str:
        """A value, or a mailbox or domain."""
        start = self.position
        local: str | None = None
        if match := self.take(QUOTED):
            local = re.sub(r"\\(.)", r"\1", match[1])
        elif match := self.take(DOT_ATOM):
            local = match[0]
        if self.has("@"):
            domain = self.take(DOMAIN)
            if not domain or not ENDS.match(self.text, self.position):
                raise ValueError(f"expected a domain at {self.text[self.position :]!r}")
            return f"{local or ''}@{domain[0]}"
        self.position = start
        found = self.value()
        if not ENDS.match(self.text, self.position):
            raise ValueError(f"a value runs on at {self.text[self.position :]!r}")
        return found


def read(text: str) -> tuple[str, list[Result]]:
    """The authserv-id and the results; ValueError where the text leaves the grammar."""
    reader = _Reader(text)
    reader.cfws()
    authserv_id = reader.value()
    results: list[Result] = []
    reader.cfws()
    while reader.has(";"):
        reader.cfws()
        if not results and reader.text[reader.position :].strip() == "none":
            return authserv_id, []
        results.append(_result(reader))
    if reader.position != len(text) or not results:
        raise ValueError(f"expected a result at {text[reader.position :]!r}")
    return authserv_id, results


def _result(reader: _Reader) -> Result:
    method = reader.keyword()
    reader.need("=")
    result = Result(method, reader.keyword())
    while reader.cfws():
        if reader.position == len(reader.text) or reader.text[reader.position] == ";":
            break
        word = reader.keyword()
        if word == "reason" and not result.properties and reader.has("="):
            result.reason = reader.value()
            continue
        reader.need(".")
        name = f"{word}.{reader.keyword()}"
        reader.need("=")
        result.properties.append((name, reader.pvalue()))
    return result

"""Our Authentication-Results field from the results of a message (RFC 8601, section 2.2 and 2.7)."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from filterd.authres.quoting import mailbox, name, value
from filterd.model.authentication import (
    ArcResult,
    ArcStatus,
    AuthResult,
    DkimResult,
    DmarcResult,
    DmarcStatus,
    IprevResult,
    SpfResult,
    SpfScope,
    SpfStatus,
)

MAX_LINE: Final = 78  # characters; RFC 5322, section 2.1.1: what a line should not exceed
_FOLD: Final = "\r\n\t"
_TAB: Final = 8  # columns
NAME: Final = "Authentication-Results"


def render(authserv_id: str, results: Sequence[AuthResult], *, sender: str, helo: str) -> str:
    """The field's value, without the blank behind the colon, folded with CRLF and tab.

    `sender` and `helo` are as the client gave them. Every text may be hostile: none can add or end anything.
    """
    words = [value(authserv_id)]
    if not results:
        return f"{words[0]}; none"
    for result in results:
        words[-1] += ";"
        words += _words(result, sender, helo)
    return folded(words)


def _words(result: AuthResult, sender: str, helo: str) -> Iterator[str]:
    """One result, in pieces between which the line may be folded."""
    match result:
        case SpfResult():
            yield f"spf={result.status}"
            yield from _reason("" if result.status is SpfStatus.PASS else result.cause)
            if result.scope is SpfScope.HELO:
                yield f"smtp.helo={name(helo)}"
            else:
                # RFC 7208, section 2.4: the null sender is the postmaster of the HELO name.
                yield f"smtp.mailfrom={mailbox(sender or f'postmaster@{result.domain or helo}')}"
        case DkimResult():
            yield f"dkim={result.status}"
            yield from _reason(result.reason)
            yield from _dkim_properties(result)
        case DmarcResult():
            yield f"dmarc={result.status}"
            spared = f"; {result.override}: {result.override_comment}" if result.override else ""
            yield from _reason(result.cause + spared)
            if result.status in {DmarcStatus.PASS, DmarcStatus.FAIL}:
                yield f"policy.dmarc={result.policy}"
            if result.domain:
                yield f"header.from={name(result.domain)}"
        case IprevResult():
            yield f"iprev={result.status}"
            yield f"policy.iprev={value(result.address)}"
        case ArcResult():
            yield f"arc={result.status}"
            yield from _reason(result.cause)
            yield from _arc_properties(result)
        case _:
            assert_never(result)


def _dkim_properties(result: DkimResult) -> Iterator[str]:
    """Section 2.7.1, and RFC 6008 for header.b. What could not be read is left out."""
    if result.domain:
        yield f"header.d={name(result.domain)}"
    if result.identity:
        yield f"header.i={mailbox(result.identity)}"
    for tag, text in (("s", result.selector), ("a", result.algorithm), ("b", result.tag)):
        if text:
            yield f"header.{tag}={value(text)}"


def _arc_properties(result: ArcResult) -> Iterator[str]:
    """RFC 8617, section 10.2, and the last sealer, whom the reader of a pass has to know."""
    if result.oldest_pass is not None:
        yield f"header.oldest-pass={result.oldest_pass}"
    if result.status is ArcStatus.PASS and result.domain:
        yield f"header.d={name(result.domain)}"
    if result.status is not ArcStatus.NONE and result.remote_ip:
        yield f"smtp.remote-ip={value(result.remote_ip)}"


def _reason(cause: str) -> Iterator[str]:
    if cause:
        yield f"reason={value(cause)}"


def folded(words: list[str], *, field: str = NAME, apart: bool = True) -> str:
    """A new line where one would grow too long, and behind each semicolon where they are to stand `apart`."""
    lines: list[str] = []
    line, width = words[0], len(field) + len(": ") + len(words[0])
    for word in words[1:]:
        if (apart and line.endswith(";")) or width + 1 + len(word) > MAX_LINE:
            lines.append(line)
            line, width = word, _TAB + len(word)
        else:
            line, width = f"{line} {word}", width + 1 + len(word)
    return _FOLD.join([*lines, line])

"""Marks by which a released message that an alias or a forward brings back to our filter is known for what it is.

    X-Filterd-Return: m=1; k=KEY; e=EXPIRES; n=NONCE; i=ID; t=TIMES; p=PASSES; d=DIGEST; b=MAC

The field stands on top of what is handed over, below the token where there is one, and stays: who forwards the message
hands it on, and each hop that comes back to us is one more look at it. `i` is the entry that was released, `t` how many
times the message has been released by now, `p` whether it may pass (it was released to those it was held for), `d` is
over the message below the field, `b` is HMAC-SHA256 over all before it, with a key of keys.py. Whoever gets the message
gets the mark: it is good for these very bytes alone, and pipeline/returning.py asks for more than that.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from filterd.quarantine.keys import Key, KeyFileError, Keys
from filterd.quarantine.tokens import NONCE, base64url, content_digest, mac_of

FIELD: Final = "X-Filterd-Return"
LIFETIME: Final = 5 * 86_400  # seconds; as long as MTAs keep what they cannot deliver
MAX_MARK: Final = 600  # bytes of the field's value that are looked at: ours have 220
MAX_TIMES: Final = 999
RETURNED: Final = "returned"  # in Evidence.state: what `note` says
_CRLF: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_MARK: Final = re.compile(
    rb"\s*(?P<signed>m=1; k=(?P<key>[0-9a-f]{8}); e=(?P<expires>[0-9]{1,12}); n=(?P<nonce>[A-Za-z0-9_-]{22});"
    rb" i=(?P<id>[0-9A-Z]{26}); t=(?P<times>[0-9]{1,3}); p=(?P<passes>[01]); d=(?P<digest>[A-Za-z0-9_-]{43}); )"
    rb"b=(?P<mac>[A-Za-z0-9_-]{43})\s*"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says; only `read` makes one from a message, and only where it is ours.

    `expires` is in epoch seconds; `nonce` and `digest` are base64url of 16 and 32 bytes; `id` is an entry's ULID.
    """

    expires: int
    nonce: str
    id: str
    times: int
    passes: bool
    digest: str


def issue(mark: Mark, key: Key) -> str:
    """The field's value."""
    facts = f"i={mark.id}; t={mark.times}; p={int(mark.passes)}; d={mark.digest}"
    signed = f"m=1; k={key.name}; e={mark.expires}; n={mark.nonce}; {facts}; "
    return f"{signed}b={mac_of(signed.encode(), key)}"


def read(value: bytes, key_of: Callable[[str], Key | None]) -> Mark | None:
    """The mark in a field's value; None where it is none, or not ours."""
    found = _MARK.fullmatch(value) if len(value) <= MAX_MARK else None
    if found is None:
        return None
    key = key_of(found["key"].decode())
    if key is None or not hmac.compare_digest(mac_of(found["signed"], key).encode(), found["mac"]):
        return None
    nonce, identifier, digest = (found[name].decode() for name in ("nonce", "id", "digest"))
    return Mark(int(found["expires"]), nonce, identifier, int(found["times"]), found["passes"] == b"1", digest)


@dataclass(frozen=True, slots=True)
class Marker:
    """Puts a mark on what is released. `clock` gives epoch seconds, `randomness` random bytes."""

    keys: Keys
    clock: Callable[[], float]
    randomness: Callable[[int], bytes]

    def on(self, message: bytes, identifier: str, times: int, *, passes: bool) -> bytes:
        """The message with a mark on top; as it is where there is no key: nothing that is released waits for that."""
        try:
            key = self.keys.first()
        except KeyFileError:
            return message
        whole = message if message.endswith(_CRLF) else message + _CRLF  # as SMTP hands it over
        head, _, body = whole.partition(_END)
        mark = Mark(
            int(self.clock()) + LIFETIME,
            base64url(self.randomness(NONCE)),
            identifier,
            min(times, MAX_TIMES),
            passes,
            content_digest(head + _END, hashlib.sha256(body).digest()),
        )
        return f"{FIELD}: {issue(mark, key)}".encode() + _CRLF + message


def use_of(mark: Mark, recipient: str) -> str:
    """What is written down where a marked message passes for somebody: nothing of the address can be read from it."""
    framed = f"{mark.nonce} {recipient.lower()}".encode("utf-8", "surrogatepass")
    return f"m{base64url(hashlib.sha256(framed).digest())}"


def note(mark: Mark, why: str) -> str:
    """For the state of a message that came back: of which entry, how many times released, why it does not pass."""
    return f"{mark.id} {mark.times} {why}"


def noted(state: Mapping[str, str]) -> tuple[str, int, str] | None:
    """What `note` has written; None of a message that did not come back."""
    identifier, _, rest = state.get(RETURNED, "").partition(" ")
    times, _, why = rest.partition(" ")
    return (identifier, int(times), why) if times.isdecimal() else None


def came_back(state: Mapping[str, str]) -> Iterator[str]:
    """What is said of a message that came back, and what to do; nothing of any other."""
    known = noted(state)
    if known is not None:
        identifier, times, why = known
        often = "once" if times == 1 else f"{times} times"
        yield f"released {often}, last as {identifier}, and held again: {why}; look where aliases and forwards lead"

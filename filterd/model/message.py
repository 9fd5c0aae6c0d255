"""A message as it was received: ordered raw header fields and a body behind a file descriptor."""

from dataclasses import dataclass
from typing import TypeAlias

HeaderField: TypeAlias = tuple[bytes, bytes]
"""Name and value as sent: the value begins right after the colon (blank kept), folds are CRLF, no final CRLF."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """The header fields in order and the body in an open descriptor, readable at any offset with pread.

    Whoever made it owns the descriptor and closes it; nobody else moves its file offset.
    """

    fields: tuple[HeaderField, ...]
    body_fd: int
    body_size: int

    def header_block(self) -> bytes:
        """The header as it stood on the wire, with the empty line that ends it."""
        return header_block(self.fields)


def header_block(fields: tuple[HeaderField, ...]) -> bytes:
    """Join fields into bytes, each ended by CRLF, and the empty line behind them."""
    return b"".join([name + b":" + value + b"\r\n" for name, value in fields]) + b"\r\n"

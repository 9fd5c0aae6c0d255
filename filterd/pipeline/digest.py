"""The content hash of a message: names its blob, counts its strikes, recognises a retry."""

import hashlib
import mmap
import os
from typing import Final

from filterd.model.message import RawMessage

READ_UP_TO: Final = 256 * 1024  # bytes; more is mapped: below, a copy costs less than the page faults


def identify(message: RawMessage) -> tuple[str, int]:
    """SHA-256 over header block and body as lower-case hex, and the bytes of both. Reads the body in place."""
    block = message.header_block()
    digest = hashlib.sha256(block)
    if message.body_size <= READ_UP_TO:
        digest.update(os.pread(message.body_fd, message.body_size, 0))
    else:
        with mmap.mmap(message.body_fd, message.body_size, prot=mmap.PROT_READ) as body:
            digest.update(body)
    return digest.hexdigest(), len(block) + message.body_size


def body_sha256(message: RawMessage) -> bytes:
    """SHA-256 over the body alone. Reads it in place."""
    if message.body_size <= READ_UP_TO:
        return hashlib.sha256(os.pread(message.body_fd, message.body_size, 0)).digest()
    with mmap.mmap(message.body_fd, message.body_size, prot=mmap.PROT_READ) as body:
        return hashlib.sha256(body).digest()

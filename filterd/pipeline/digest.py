"""The content hash of a message: names its blob, counts its strikes, recognises a retry."""

import hashlib
import mmap

from filterd.model.message import RawMessage


def sha256_of(message: RawMessage) -> str:
    """SHA-256 over header block and body, as lower-case hex. Reads the body in place, outside the interpreter lock."""
    digest = hashlib.sha256(message.header_block())
    if message.body_size:
        with mmap.mmap(message.body_fd, message.body_size, prot=mmap.PROT_READ) as body:
            digest.update(body)
    return digest.hexdigest()

"""Objects in a store that speaks S3's protocol, by obstore.

An object that was put is there once the store has acknowledged it, and until then nobody sees it, nor any part of it:
what is larger than a chunk goes up in parts, which the store joins at the end. Each request carries the SHA-256 of what
it sends. obstore's threads do not survive a fork, so a process that has used it must not fork one that uses it: that is
refused instead of waited for.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import BinaryIO, Final, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from filterd.model.custody import CustodyError

PART: Final = 8 * 1024 * 1024  # bytes sent at once; S3 wants 5 MiB or more of all parts but the last
CONCURRENT: Final = 2  # parts under way at the same time: what one large message costs in memory
CONNECT: Final = "2s"
ANSWER: Final = "15s"  # for one request, its body included
RETRIES: Final = 2  # of a request that the store refused for the moment, or that was lost
RETRY_WITHIN: Final = timedelta(seconds=10)  # since the first attempt

_used_by = [0]  # the process that has used obstore


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the store is; `secret` belongs to `key`. An empty endpoint is Amazon's for the region."""

    url: str
    endpoint: str
    region: str
    key: str
    secret: str


class S3Objects:
    """See ObjectStore. Connects at the first use."""

    def __init__(self, place: S3Place) -> None:
        """`place.url` is s3://BUCKET or s3://BUCKET/PREFIX."""
        parts = urlsplit(place.url)
        prefix = parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._store = S3Store(
            parts.netloc,
            endpoint=place.endpoint or f"https://s3.{place.region}.amazonaws.com",
            region=place.region,
            access_key_id=place.key,
            secret_access_key=place.secret,
            virtual_hosted_style_request=False,
            checksum_algorithm="SHA256",
            client_options={
                "allow_http": place.endpoint.startswith("http://"),
                "connect_timeout": CONNECT,
                "timeout": ANSWER,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_WITHIN},
        )

    def prepare(self) -> None:
        """Nothing: a bucket is the site's to make, and who starts the fronts must not use the store before them."""

    def put(self, name: str, chunks: Callable[[], Iterable[bytes]], *, new: bool = False) -> None:
        """As ObjectStore.put. Some stores do not look at `new`."""
        parts = iter(chunks())
        first = _first(parts)
        with _errors(name):
            if len(first) < PART:
                mode: Literal["create", "overwrite"] = "create" if new else "overwrite"
                obstore.put(self._store, self._prefix + name, first, mode=mode, use_multipart=False)
                return
            obstore.put(
                self._store,
                self._prefix + name,
                chain((first,), parts),
                use_multipart=True,
                chunk_size=PART,
                max_concurrency=CONCURRENT,
            )

    def open(self, name: str) -> BinaryIO:
        """As ObjectStore.open; it is in memory as a whole."""
        with _errors(name):
            return io.BytesIO(obstore.get(self._store, self._prefix + name).bytes())

    def holds(self, name: str, size: int | None) -> bool:
        """As ObjectStore.holds; a key that may only put is not told."""
        try:
            with _errors(name):
                return size in {None, int(obstore.head(self._store, self._prefix + name)["size"])}
        except FileNotFoundError:
            return False
        except PermissionError:
            return True

    def delete(self, name: str) -> None:
        """As ObjectStore.delete."""
        with suppress(FileNotFoundError), _errors(name):
            obstore.delete(self._store, self._prefix + name)

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """As ObjectStore.names."""
        with _errors(prefix):
            for page in obstore.list(self._store, prefix=self._prefix + prefix):
                for one in page:
                    yield one["path"].removeprefix(self._prefix), one["last_modified"].timestamp()


def _first(parts: Iterator[bytes]) -> bytes:
    """A part, or all there is; an error of the iterator is the caller's."""
    found = []
    size = 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size >= PART:
            break
    return b"".join(found)


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """What obstore raises as OSError, in one line; CustodyError where its threads were lost in a fork."""
    if _used_by[0] not in (0, os.getpid()):
        raise CustodyError("quarantine: the object store was used before a fork")
    _used_by[0] = os.getpid()
    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError(name) from None
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise PermissionError(_line(name, error)) from None
    except BaseError as error:
        raise OSError(_line(name, error)) from None


def _line(name: str, error: BaseError) -> str:
    """The first line; what follows is for who debugs obstore."""
    return f"{name}: {str(error).partition(chr(10))[0].strip()}"

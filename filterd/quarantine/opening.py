"""From the configuration's words to a quarantine. psycopg and obstore are loaded only where they are asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.model.custody import CustodyError
from filterd.quarantine.aggregate_places import FILE, AggregateFile, Aside
from filterd.quarantine.coding import Coding, require
from filterd.quarantine.custodian import Quarantine
from filterd.quarantine.objects import DirectoryObjects, ObjectStore
from filterd.quarantine.shared import SharedFiles

SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = ("postgresql://", "postgres://")
S3: Final = "s3://"


@dataclass(frozen=True, slots=True)
class Place:
    """Where held mail is kept; an empty `url` is a folder of this host, an empty `blobs` a folder beside the ledger.

    `secret` belongs to `key`, `password` to the user in `url`.
    """

    url: str = ""
    password: str = ""
    blobs: str = ""
    endpoint: str = ""
    region: str = ""
    key: str = ""
    secret: str = ""
    compress: bool = False  # messages that come from now on


def open_quarantine(place: Place, folder: Path) -> Quarantine:
    """The quarantine of that place; `folder` is this host's own. Nothing is opened or connected before the first use.

    CustodyError where the packages are not installed that it needs.
    """
    coding = Coding.ZSTD if place.compress else Coding.NONE
    require(coding)
    if not place.url.startswith(POSTGRESQL):
        return Quarantine(Path(place.url.removeprefix(SQLITE)) if place.url else folder, coding=coding)
    try:
        from filterd.quarantine.postgres import PostgresDatabase  # noqa: PLC0415  # an extra, and slow to load

        objects = _objects(place, folder)
    except ImportError as error:
        raise CustodyError(f"quarantine: {error}: install filterd[postgresql,s3]") from None

    database = PostgresDatabase(place.url, password=place.password)
    return Quarantine(folder, shared=(database, SharedFiles(database, objects, coding)))


def open_aside(place: Place, state: Path) -> Aside:
    """Where what is counted for DMARC reports is: beside a ledger that nodes share, else a file in the state folder."""
    if not place.url.startswith(POSTGRESQL):
        return AggregateFile(state / FILE)
    try:
        from filterd.quarantine.postgres import PostgresDatabase  # noqa: PLC0415  # as above
    except ImportError as error:
        raise CustodyError(f"quarantine: {error}: install filterd[postgresql]") from None
    return PostgresDatabase(place.url, password=place.password)


def _objects(place: Place, folder: Path) -> ObjectStore:
    """Where the files are."""
    if not place.blobs.startswith(S3):
        return DirectoryObjects(Path(place.blobs) if place.blobs else folder)
    from filterd.quarantine.s3 import S3Objects, S3Place  # noqa: PLC0415  # an extra, and slow to load

    return S3Objects(S3Place(place.blobs, place.endpoint, place.region, place.key, place.secret))

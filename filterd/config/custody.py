"""The table of filterd.toml that says where held mail is kept, and for how long."""

from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from filterd.config.fields import ListenField, PathField, Section, key
from filterd.config.listen import Listen, ListenKind, parse_listen
from filterd.config.retention import MAX_CLASSES, Classes
from filterd.config.secrets import readable

POSTGRESQL: Final = ("postgresql", "postgres")


class Quarantine(Section):
    """Held mail."""

    url: str = key(
        "",
        "Where held mail is kept: sqlite:///FOLDER (ledger and messages), or, for more than one node, the ledger in"
        " postgresql://USER@HOST/DATABASE?sslmode=verify-full; empty: quarantine/ under [paths] state.",
    )
    password_file: Path | None = key(
        None,
        "File whose first line is the password of the user in `url`; others must not be able to read it. A password in"
        " `url` is refused.",
    )
    upkeep_url: str = key(
        "",
        "As `url`, with the user that expires, removes and releases (deploy/postgresql/roles.sql), so that the"
        " processes that face the network may only add; empty: `url`.",
    )
    upkeep_password_file: Path | None = key(None, "File whose first line is the password of the user in `upkeep_url`.")
    blobs: str = key(
        "",
        "With PostgreSQL: where messages and evidence are kept. s3://BUCKET or s3://BUCKET/PREFIX, or a folder that all"
        " nodes have mounted; empty: quarantine/ under [paths] state.",
    )
    endpoint: str = key("", "The S3 store's address, https://HOST:PORT; empty: Amazon's of the region.")
    region: str = key("us-east-1", "The S3 store's region, as its requests are signed.")
    access_key: str = key("", "The id of the key that the S3 store knows.")
    secret_file: Path | None = key(None, "File whose first line is the secret that belongs to `access_key`.")
    compress: Literal["off", "zstd"] = key(
        "off",
        "What is done to messages that come from now on, so that they take half the space; those that are there are"
        " read either way. `zstd` needs filterd[zstd] below Python 3.14, here and wherever this mail is read.",
    )
    mode: Literal["store", "mta-hold"] = key(
        "store",
        "`store`: held mail is kept here. `mta-hold`: the MTA keeps it, in its hold queue, until postsuper -H lets it"
        " go or -d deletes it; nothing but the journal's row is kept here then, and what is held for some of several"
        " recipients only still comes here (docs/quarantine.md).",
    )
    release: ListenField = key(
        "inet:10026@127.0.0.1",
        "The MTA's listener that takes released mail: one that does not filter it again (deploy/postfix/master.cf), or,"
        " with `release_by` token, any other.",
    )
    release_by: Literal["listener", "token"] = key(
        "listener",
        "Why released mail is not filtered again. `listener`: it comes in where nothing filters. `token`: through the"
        " milter, with a signed token of 15 minutes for one message and its recipients, good once, which filterd checks"
        " and takes out; for clients of [trust] networks and relays alone.",
    )
    token_file: PathField | None = key(
        None,
        "The keys of those tokens, and of what marks released mail, made by the daemon, mode 0600; a copy on each node"
        " that releases for others. Empty: release.key under [paths] state.",
    )
    release_timeout: float = key(
        60.0, "How long that listener may take for one answer; it is asked again later.", "s", gt=0, le=600
    )
    keep: float = key(30.0, "How long a message waits for a reviewer before it expires.", "d", gt=0, le=3650)
    undo: float = key(
        7.0,
        "How long what was delivered, deleted or has expired keeps its files, so that it can be restored.",
        "d",
        ge=0,
    )
    most_messages: int = key(
        0, "Waiting messages at most: beyond it the oldest expire; 0: as many as come.", "messages", ge=0
    )
    most_bytes: int = key(
        0, "Bytes of waiting messages at most: beyond it the oldest expire; 0: as many as come.", "bytes", ge=0
    )
    classes: Classes = key(
        {},
        "Other bounds for mail held for some reasons, by names of yours: `[quarantine.classes.malware]`, `reasons ="
        ' ["yara-*", "clamd-*"]` (as `filterd quarantine list` shows them, `*` at the end for anything; of several the'
        " longest counts), with `keep`, `most_messages`, `most_bytes` of that class alone; what it leaves out is as for"
        " all. `filterd quarantine expire --dry-run` shows what a file would have go.",
        max_length=MAX_CLASSES,
    )

    @field_validator("url", "upkeep_url")
    @classmethod
    def _known(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not value.startswith("sqlite:///") and parts.scheme not in POSTGRESQL:
            raise ValueError("expected sqlite:///path or postgresql://user@host/database")
        if parts.password or "password=" in parts.query:
            raise ValueError("expected no password here: put it into a file and name that as password_file")
        return value

    @field_validator("password_file", "upkeep_password_file", "secret_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        return readable(value)

    @field_validator("blobs")
    @classmethod
    def _place(cls, value: str) -> str:
        if value and not value.startswith("/") and not (value.startswith("s3://") and urlsplit(value).netloc):
            raise ValueError("expected s3://bucket/prefix or a folder by its absolute path")
        return value

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not (urlsplit(value).scheme in {"https", "http"} and urlsplit(value).hostname):
            raise ValueError("expected https://host:port")
        if urlsplit(value).username is not None:
            raise ValueError("expected no user or password here: access_key and secret_file have them")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.blobs or self.upkeep_url) and not self.shared:
            raise ValueError("blobs and upkeep_url need url to be postgresql://...")
        if self.blobs.startswith("s3://") and not (self.access_key and self.secret_file):
            raise ValueError("an S3 store needs access_key and secret_file")
        return self

    @property
    def shared(self) -> bool:
        """Whether it is one for several nodes."""
        return urlsplit(self.url).scheme in POSTGRESQL

    @field_validator("release")
    @classmethod
    def _by_tcp(cls, value: str) -> str:
        if parse_listen(value).kind is ListenKind.UNIX:
            raise ValueError("expected inet:PORT@HOST or inet6:PORT@HOST: mail is given back by SMTP over TCP")
        return value

    @property
    def listener(self) -> Listen:
        """`release`, parsed."""
        return parse_listen(self.release)

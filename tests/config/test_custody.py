"""Where held mail is kept, as a configuration says it."""

from pathlib import Path

import pytest

from filterd.config import Config, ConfigError, load

PLACES = """
[quarantine]
url = "postgresql://mx1@db.test/filterd"
password_file = "{secret}"
blobs = "s3://held/mail"
access_key = "mx1"
secret_file = "{secret}"
"""


def loaded(tmp_path: Path, text: str) -> Config:
    """A configuration with this table."""
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    secret.chmod(0o600)
    path = tmp_path / "filterd.toml"
    path.write_text(text.replace("{secret}", str(secret)))
    return load(path)


def test_several_nodes(tmp_path: Path) -> None:
    """A ledger in PostgreSQL and messages in an S3 store, each with its secret in a file."""
    held = loaded(tmp_path, PLACES).quarantine
    assert (held.shared, held.blobs, held.region) == (True, "s3://held/mail", "us-east-1")


@pytest.mark.parametrize(
    ("was", "is_", "says"),
    [
        ("//mx1@", "//mx1:geheim@", "no password here"),
        ("/filterd", "/filterd?password=geheim", "no password here"),
        ("postgresql://mx1@db.test/filterd", "mysql://mx1@db.test", "postgresql://"),
        ("postgresql://mx1@db.test/filterd", "sqlite:///held", "need url to be postgresql"),
        ("s3://held/mail", "s3://", "s3://bucket"),
        ("s3://held/mail", "held", "absolute path"),
        ('access_key = "mx1"', "", "access_key and secret_file"),
        ('access_key = "mx1"', 'endpoint = "s3.test"', "https://host:port"),
        ('secret_file = "{secret}"', 'secret_file = "/nowhere"', "/nowhere"),
    ],
)
def test_refused(tmp_path: Path, was: str, is_: str, says: str) -> None:
    """What cannot be meant is an error that says what is expected, and shows no password."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, PLACES.replace(was, is_))
    assert says in str(refused.value)
    assert "geheim" not in str(refused.value)

"""[redis]: where it is, by whom it must be vouched for, and what is refused there."""

from pathlib import Path

import pytest

from filterd.app.redis import redis_url
from filterd.config import ConfigError, load
from filterd.store.address import Address, Certificates


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "filterd.toml"
    path.write_text(text)
    return path


def secret(tmp_path: Path, name: str, text: str) -> Path:
    """A file that nobody else can read."""
    path = tmp_path / name
    path.touch(0o600)
    path.write_text(text)
    return path


def test_sentinels_and_password(tmp_path: Path) -> None:
    """All Sentinels are asked, the password from the file is the server's, the name what they watch."""
    password = secret(tmp_path, "password", "a b:c@d/e\n")
    url = "redis+sentinel://one:26379,two,[::1]:7/filterd"
    config = load(written(tmp_path, f'[redis]\nurl = "{url}"\npassword_file = "{password}"\n'))
    address = Address.of(redis_url(config))
    assert address.sentinels == (("one", 26379), ("two", 26379), ("::1", 7))
    assert (address.service, address.options["password"], address.tls) == ("filterd", "a b:c@d/e", None)
    assert address.asking == {"username": None, "password": None}


@pytest.mark.threat("OPS-06")
def test_all_that_tls_needs(tmp_path: Path) -> None:
    """Both passwords, both names, and the files, each where it belongs."""
    files = {name: secret(tmp_path, name, f"{name} ä&=%\n") for name in ("ca", "cert", "key", "server", "sentinel")}
    text = f"""[redis]
url = "rediss+sentinel://us@one,two:7/mail?db=3&sentinel_username=watch"
password_file = "{files["server"]}"
sentinel_password_file = "{files["sentinel"]}"
ca_file = "{files["ca"]}"
certificate_file = "{files["cert"]}"
key_file = "{files["key"]}"
"""
    address = Address.of(redis_url(load(written(tmp_path, text))))
    assert address.sentinels == (("one", 26379), ("two", 7))
    assert address.options == {"db": 3, "username": "us", "password": "server ä&=%"}
    assert address.asking == {"username": "watch", "password": "sentinel ä&=%"}
    assert address.tls == Certificates(*[str(files[name]) for name in ("ca", "cert", "key")])


def test_a_password_on_a_socket(tmp_path: Path) -> None:
    """A unix socket's URL keeps its path and its options."""
    password = secret(tmp_path, "password", "pass?&word\n")
    text = f'[redis]\nurl = "unix:///run/redis.sock?db=2"\npassword_file = "{password}"\n'
    options = Address.of(redis_url(load(written(tmp_path, text)))).options
    assert options == {"path": "/run/redis.sock", "db": 2, "password": "pass?&word"}


@pytest.mark.parametrize("url", ["redis+sentinel://", "redis+sentinel://one:26379", "rediss+sentinel:///filterd"])
def test_half_a_url(tmp_path: Path, url: str) -> None:
    """Sentinels without a name, and a name without Sentinels, are said to be that when the file is read."""
    with pytest.raises(ConfigError, match="the name that Sentinel watches"):
        load(written(tmp_path, f'[redis]\nurl = "{url}"\n'))


@pytest.mark.threat("OPS-06")
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rediss://h?ssl_cert_reqs=none", "unknown option 'ssl_cert_reqs'"),
        ("rediss://h?ssl_check_hostname=false", "unknown option 'ssl_check_hostname'"),
        ("rediss://h?ssl_ca_certs=/ca.pem", "expected no ssl_ca_certs here: name the file as ca_file"),
        ("redis+sentinel://h/mail?sentinel_password=x", "expected no password here"),
        ("redis://h?db=many", "db: expected a number"),
        ("redis://h?socket_timeout=1.2.3", "socket_timeout: expected a number"),
        ("redis://h/many", "db a number"),
        ("redis://h:0", "redis://host:port/db"),
        ("redis://h:port", "Port could not be cast"),
        ("redis+sentinel://h:port/mail", "expected Sentinels as HOST:PORT,HOST:PORT"),
        ("http://h", "expected unix:///path, redis://host:port/db"),
    ],
)
def test_what_no_url_may_say(tmp_path: Path, url: str, words: str) -> None:
    """Nothing there turns the proof of a name off, hides a secret, or fails only when mail comes."""
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, f'[redis]\nurl = "{url}"\n'))


@pytest.mark.threat("OPS-06")
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('url = "redis://h"\nca_file = "FILE"', r"\[redis\]: ca_file is for TLS: expected a url of rediss://"),
        ('ca_file = "FILE"', "ca_file is for TLS"),
        ('url = "rediss://h"\ncertificate_file = "FILE"', "certificate_file and key_file belong together"),
        ('url = "rediss://h"\nca_file = "/nowhere.pem"', r"ca_file: /nowhere\.pem: No such file or directory"),
        ('url = "rediss://h"\nsentinel_password_file = "FILE"', "sentinel_password_file is for Sentinels"),
    ],
)
def test_keys_that_would_mean_nothing(tmp_path: Path, keys: str, words: str) -> None:
    """Whoever names an authority and forgets the second s of rediss would be in plain text: it is refused."""
    file = secret(tmp_path, "file", "something\n")
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, f"[redis]\n{keys.replace('FILE', str(file))}\n"))


@pytest.mark.threat("OPS-05", "OPS-06")
def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    """Our private key is a secret as passwords are."""
    file = secret(tmp_path, "key", "key\n")
    file.chmod(0o644)
    keys = f'url = "rediss://h"\ncertificate_file = "{file}"\nkey_file = "{file}"'
    with pytest.raises(ConfigError, match=r"key_file: .* other users may read or write it"):
        load(written(tmp_path, f"[redis]\n{keys}\n"))


@pytest.mark.threat("OPS-06")
@pytest.mark.parametrize(
    "url", ["redis://h?ssl_ca_certs=/ca.pem", "rediss://h?ssl_check_hostname=false", "rediss://h?ssl_cert_reqs=none"]
)
def test_a_store_takes_no_more_than_the_file(url: str) -> None:
    """Where a URL comes from elsewhere, it is as strict."""
    with pytest.raises(ValueError, match=r"unknown options|certificates are for rediss"):
        Address.of(url)

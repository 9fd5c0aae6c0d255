"""[redis] url, where Sentinel knows the server."""

from pathlib import Path

import pytest

from filterd.app.front import redis_url
from filterd.config import ConfigError, load
from filterd.store.redis import options_of


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "filterd.toml"
    path.write_text(text)
    return path


def test_sentinels_and_password(tmp_path: Path) -> None:
    """All Sentinels are asked, the password from the file is the server's, the name what they watch."""
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("a b:c@d/e\n")
    url = "redis+sentinel://one:26379,two,[::1]:7/filterd"
    config = load(written(tmp_path, f'[redis]\nurl = "{url}"\npassword_file = "{secret}"\n'))
    options = options_of(redis_url(config))
    assert options["sentinels"] == [("one", 26379), ("two", 26379), ("::1", 7)]
    assert (options["service"], options["password"]) == ("filterd", "a b:c@d/e")


@pytest.mark.parametrize("url", ["redis+sentinel://", "redis+sentinel://one:26379", "redis+sentinel:///filterd"])
def test_half_a_url(tmp_path: Path, url: str) -> None:
    """Sentinels without a name, and a name without Sentinels, are said to be that when the file is read."""
    with pytest.raises(ConfigError, match="the name that Sentinel watches"):
        load(written(tmp_path, f'[redis]\nurl = "{url}"\n'))

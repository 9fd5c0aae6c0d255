"""Which ways to Redis doctor warns of."""

import pytest

from filterd.operations.doctor import Level
from filterd.operations.doctor_redis import check_redis_way

pytestmark = pytest.mark.threat("OPS-06")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "unix:///run/redis.sock",
        "redis://localhost/0",
        "redis://127.0.0.1:6379/0",
        "redis://[::1]:6379/0",
        "rediss://redis.example.org/0",
        "rediss+sentinel://one,two/mail",
        "redis+sentinel://127.0.0.1:1,localhost/mail",
    ],
)
def test_nothing_is_said_of_tls_and_of_this_machine(url: str) -> None:
    """Nobody else can listen, or he would have to prove a name."""
    assert list(check_redis_way(url)) == []


@pytest.mark.parametrize(
    ("url", "hosts", "remedy"),
    [
        ("redis://redis.example.org/0", "redis.example.org:", "rediss://"),
        ("redis://192.0.2.7/0", "192.0.2.7:", "rediss://"),
        ("redis+sentinel://one,127.0.0.1,two:7/mail", "one, two:", "rediss+sentinel://"),
    ],
)
def test_who_could_be_listened_to_is_named(url: str, hosts: str, remedy: str) -> None:
    """With the scheme that would mend it."""
    (found,) = check_redis_way(url)
    assert (found.level, found.subject) == (Level.WARNING, "redis")
    assert found.text.startswith(hosts)
    assert found.remedy.startswith(remedy)

"""The address of Redis with its secrets: only ever in memory."""

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from filterd.config import Config, read_secret
from filterd.config.redis import UNIX
from filterd.config.secrets import place_of


def redis_url(config: Config) -> str:
    """Where Redis is, with passwords and files as `filterd.store.address` reads them; empty where none is configured.

    SecretError where a password cannot be read.
    """
    redis = config.redis
    if not redis.url:
        return ""
    parts = urlsplit(redis.url)
    more = {
        "ssl_ca_certs": redis.ca_file,
        "ssl_certfile": redis.certificate_file,
        "ssl_keyfile": redis.key_file and place_of(redis.key_file),
        "sentinel_password": redis.sentinel_password_file and read_secret(redis.sentinel_password_file),
    }
    netloc = parts.netloc
    if redis.password_file is not None:
        secret = read_secret(redis.password_file)
        if parts.scheme == UNIX:
            more["password"] = secret
        else:
            user, _, host = netloc.rpartition("@")
            netloc = f"{user}:{quote(secret, safe='')}@{host}"
    query = urlencode({name: str(value) for name, value in more.items() if value is not None}, quote_via=quote, safe="")
    query = "&".join(filter(None, [parts.query, query]))
    if parts.scheme == UNIX:
        # Not urlunsplit: it leaves out the slashes of an empty host, and Redis' client takes such a URL for no one's.
        return f"unix://{parts.path}{'?' if query else ''}{query}"
    return urlunsplit(parts._replace(netloc=netloc, query=query))

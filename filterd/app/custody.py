"""The quarantine that a configuration names."""

from pathlib import Path

from filterd.config import Config, SecretError, read_secret
from filterd.model.custody import CustodyError
from filterd.quarantine import Place, Quarantine, open_quarantine


def quarantine_of(config: Config, *, upkeep: bool = False) -> Quarantine:
    """The quarantine that the configuration names, with `upkeep` as the user who may remove. CustodyError."""
    return open_quarantine(place_of(config, upkeep=upkeep), config.state_directory / "quarantine")


def place_of(config: Config, *, upkeep: bool = False) -> Place:
    """Where it is. CustodyError where a secret cannot be read."""
    held = config.quarantine
    apart = upkeep and held.upkeep_url
    try:
        return Place(
            url=held.upkeep_url if apart else held.url,
            password=_secret(held.upkeep_password_file if apart else held.password_file),
            blobs=held.blobs,
            endpoint=held.endpoint,
            region=held.region,
            key=held.access_key,
            secret=_secret(held.secret_file),
            compress=held.compress == "zstd",
        )
    except SecretError as error:
        raise CustodyError(f"quarantine: {error}") from None


def _secret(path: Path | None) -> str:
    return read_secret(path) if path is not None else ""

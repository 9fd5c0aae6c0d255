"""Public messages for all fuzz targets, read once."""

from pathlib import Path

import pytest

from tests.fuzz.corpus import attachments, messages


@pytest.fixture(scope="session")
def mail(shared: Path) -> tuple[bytes, ...]:
    """Real messages, good and bad."""
    return messages(shared)


@pytest.fixture(scope="session")
def files(shared: Path) -> tuple[bytes, ...]:
    """Real archives and documents, good and bad."""
    return attachments(shared)

"""The allow and block lists as the commands see them."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from filterd.app.front import lists_copy, shared_state
from filterd.config import Config
from filterd.model.store import StoreError
from filterd.operations.allowing import Allower
from filterd.operations.ownlists import ListError, Who
from filterd.ownlists import ChangeError, Document, DocumentError, change, read
from filterd.ownlists.keeper import read_copy
from filterd.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class Shown:
    """The lists, and in words what is wrong with where they come from; empty where nothing is."""

    document: Document
    trouble: str = ""


def own_lists(config: Config) -> Shown:
    """The lists as the shared state has them, else as this machine's fronts have kept them. Looking makes nothing."""
    copy = read_copy(lists_copy(config))
    if not (config.redis.url or config.state_directory.is_dir()):
        return Shown(Document())
    store = shared_state(config)
    try:
        found = read(store)
    except (StoreError, DocumentError) as error:
        return Shown(copy or Document(), f"the shared state cannot be read ({error}): shown is this machine's copy")
    finally:
        store.close()
    if copy is not None and (found is None or copy.version > found.version):
        return Shown(
            copy, "the shared state has lost the lists: shown is this machine's copy, which the daemon restores"
        )
    return Shown(found or Document())


def change_own_lists(config: Config, make: Callable[[Document], Document]) -> Document:
    """Change them for all fronts and nodes. ChangeError; what `make` raises."""
    config.state_directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    store = shared_state(config)
    try:
        return change(store, read_copy(lists_copy(config)), make)
    finally:
        store.close()


def freemail_domains(config: Config) -> frozenset[str]:
    """Domains where anybody gets an address, as the rules name them. ListError where they cannot be read.

    Were there none then, an entry for one address would become one for a million.
    """
    path = config.rules_directory / "freemail.toml"
    try:
        found = tomllib.loads(path.read_text())["domains"]
        return frozenset([str(name).lower() for name in found])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ListError(f"{path}: expected a list of domains: {type(error).__name__}: {error}") from None


def open_allower(config: Config, quarantine: Quarantine, who: Who) -> Allower:
    """What makes allow entries of released messages. ListError where that cannot be done safely now."""
    shown = own_lists(config)
    if shown.trouble:
        raise ListError(shown.trouble)
    return Allower(quarantine, shown.document, partial(change_own_lists, config), freemail_domains(config), who)


__all__ = ["ChangeError", "Shown", "change_own_lists", "freemail_domains", "open_allower", "own_lists"]

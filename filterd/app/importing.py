"""What an import from another filter needs to know of this site."""

from filterd.app.ownlists import freemail_domains
from filterd.app.site import load_site
from filterd.config import Config
from filterd.model.verdict import Action
from filterd.operations.importing import Context


def import_context(config: Config) -> Context:
    """The site's symbols and freemail domains. ConfigError, ListError."""
    rules = load_site(config).scores
    weights = {name: row.weight for name, row in rules.symbols.items()}
    floors = frozenset([name for name, row in rules.symbols.items() if row.floor is not Action.ACCEPT])
    return Context(freemail_domains(config), weights, floors)

"""What scores mean at a site: for whoever explains a verdict."""

from filterd.app.site import Site
from filterd.operations.explain import Scale


def scale_of(site: Site, policy: str = "") -> Scale:
    """What scores mean under this configuration for the recipients of a policy; of one that is gone: for all."""
    named = site.policies.named(policy) if site.policies and policy else None
    own = site.config.actions if named is None else named.decision
    thresholds = {"add_header": own.add_header, "quarantine": own.quarantine, "reject": own.reject}
    return Scale(site.scores if named is None else named.scores, thresholds, site.config_id)

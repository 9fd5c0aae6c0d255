"""What judges recipients before their content, and the policy service that Postfix asks."""

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from math import inf

from filterd.app.site import Site
from filterd.config import Config
from filterd.model.early import EarlyGate
from filterd.model.identity import Identities
from filterd.pipeline.early import Early, EarlyPolicy, early_checks
from filterd.pipeline.parts import Parts
from filterd.policy.listener import PolicyListener
from filterd.policy.server import PolicyServer
from filterd.policy.service import PolicyService
from filterd.reputation import Memory
from filterd.telemetry.metrics import FrontMetrics


def early_of(
    site: Site, parts: Parts, metrics: FrontMetrics, memory: Memory | None, gates: Sequence[EarlyGate]
) -> Early:
    """The judge of one front; the store is read for it where what is remembered there can count."""
    config = site.config
    policy = early_policy(config)
    counts = bool(gates) or min(policy.reject_score, policy.defer_score) < inf
    named = any(name.startswith("REPUTATION_") for name in policy.reject | policy.defer)
    return Early(
        policy,
        site.scores,
        parts.replies.reply,
        metrics,
        awaited=frozenset([check.name for check in early_checks(parts.schedule.checks)]),
        gates=gates,
        allow=Identities(config.trust.allow),
        memory=memory if counts or named else None,
        exempt=lambda recipient: _judged_otherwise(parts, recipient),
    )


def early_policy(config: Config) -> EarlyPolicy:
    """What [early] asks for."""
    early = config.early
    return EarlyPolicy(
        reject=frozenset(early.reject),
        defer=frozenset(early.defer),
        reject_score=early.reject_score or inf,
        defer_score=early.defer_score or inf,
        spared=frozenset(early.spare),
        observe=config.actions.observe,
    )


def policy_server(
    config: Config, parts: Parts, metrics: FrontMetrics, loop: AbstractEventLoop, listener: PolicyListener | None
) -> PolicyServer | None:
    """The policy service of a front, None where Postfix does not ask."""
    if listener is None or parts.early is None:
        return None
    service = PolicyService(parts, parts.early, metrics, loop, config.policy.timeout)
    return PolicyServer(listener.socket, service, loop)


def _judged_otherwise(parts: Parts, recipient: str) -> bool:
    """Whether a policy spares this recipient what the checks find, or only watches."""
    policy = parts.policies.of(recipient) if parts.policies is not None else None
    return policy is not None and (policy.decision.off or policy.decision.observe)

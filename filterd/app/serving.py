"""A front of the daemon: what `filterd run` puts around the checks of a message."""

from dataclasses import replace
from pathlib import Path

from filterd.app.bounds import Bounded
from filterd.app.custody import quarantine_of
from filterd.app.dmarc_reports import counting
from filterd.app.early import policy_server
from filterd.app.front import LiveFront, shared_state
from filterd.app.learner import autolearn
from filterd.app.releasing import door_of
from filterd.app.retention import signs_of
from filterd.app.site import Site
from filterd.policy.listener import PolicyListener
from filterd.quarantine import Journal
from filterd.telemetry import Metrics


class Serving(LiveFront):
    """A front of the daemon: with quarantine and journal of its own."""

    def __init__(self, site: Site, nursery: Path, metrics: Metrics, slot: int, asked: PolicyListener | None) -> None:
        """`slot` is its row of the metrics; `asked` the policy service's socket, where there is one."""
        row = metrics.front(slot)
        row.set("filterd_policy_connections", 0.0)
        row.set("filterd_sessions", 0.0)  # what a front killed before on this row had open
        self._quarantine = quarantine_of(site.config)
        self._journal = Journal(site.config.state_directory / "journal.sqlite")
        store = shared_state(site.config)
        super().__init__(
            site,
            nursery=nursery,
            inspectors=site.config.inspectors.per_front,
            store=store,
            custodian=Bounded(self._quarantine, signs_of(site.config)),
            journal=self._journal,
            metrics=row,
            remembers=site.config.reputation.enabled,
            throttles=True,
            pupil=autolearn(site.config, store),
        )
        door, self._aggregates = door_of(site.config, self._quarantine), counting(site.config)
        self.parts = replace(
            self.parts, door=door, mta_hold=site.config.quarantine.mode == "mta-hold", aggregates=self._aggregates
        )
        self.lists.start()
        self.own_lists.start()
        self._policy = policy_server(site.config, self.parts, row, self.loop, asked)
        if self._policy is not None:
            self._policy.start()

    @property
    def busy(self) -> bool:
        """Whether the policy service is at work."""
        return self._policy is not None and self._policy.busy > 0

    def retire(self) -> None:
        """Accept no more policy connections, and close those that wait for nothing."""
        if self._policy is not None:
            self._policy.retire()

    def close(self) -> None:
        """End what runs and write what is queued."""
        if self._policy is not None:
            self._policy.close()
        super().close()
        if self._aggregates is not None:
            self._aggregates.close()
        self._journal.close()
        self._quarantine.close()

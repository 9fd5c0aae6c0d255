"""The whole configuration."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Final

import orjson
from pydantic import model_validator

from filterd.config.classifier import Classifier
from filterd.config.content import Content
from filterd.config.control import SOCKET_NAME, Control
from filterd.config.custody import Quarantine
from filterd.config.decisions import Actions, Limits, Replies
from filterd.config.digest import Digest
from filterd.config.dmarc_reports import DmarcReports
from filterd.config.early import Early, PolicyService
from filterd.config.fields import Section, key
from filterd.config.greylist import Greylist
from filterd.config.icap import Icap
from filterd.config.policies import Policy, PolicyName
from filterd.config.rates import MAX_RATES, Rate, RateName
from filterd.config.redis import Redis
from filterd.config.rules import Rules
from filterd.config.sections import (
    Clamd,
    Dmarc,
    Dns,
    Inspectors,
    Log,
    Metrics,
    Milter,
    Paths,
    Reputation,
    Spf,
    Trust,
)

ID_LENGTH: Final = 12  # hexadecimal digits; 48 bits tell the configurations of one site apart


class Config(Section):
    """filterd.toml, one attribute per table (of `policies` and `rates` by name); `Config()` is the built-in default."""

    milter: Milter = key(Milter(), "")
    policy: PolicyService = key(PolicyService(), "")
    early: Early = key(Early(), "")
    dns: Dns = key(Dns(), "")
    redis: Redis = key(Redis(), "")
    quarantine: Quarantine = key(Quarantine(), "")
    digest: Digest = key(Digest(), "")
    paths: Paths = key(Paths(), "")
    rules: Rules = key(Rules(), "")
    inspectors: Inspectors = key(Inspectors(), "")
    content: Content = key(Content(), "")
    clamd: Clamd = key(Clamd(), "")
    icap: Icap = key(Icap(), "")
    trust: Trust = key(Trust(), "")
    spf: Spf = key(Spf(), "")
    dmarc: Dmarc = key(Dmarc(), "")
    dmarc_reports: DmarcReports = key(DmarcReports(), "")
    actions: Actions = key(Actions(), "")
    policies: dict[PolicyName, Policy] = key({}, "")
    replies: Replies = key(Replies(), "")
    limits: Limits = key(Limits(), "")
    greylist: Greylist = key(Greylist(), "")
    rates: dict[RateName, Rate] = key({}, "", max_length=MAX_RATES)
    reputation: Reputation = key(Reputation(), "")
    classifier: Classifier = key(Classifier(), "")
    control: Control = key(Control(), "")
    metrics: Metrics = key(Metrics(), "")
    log: Log = key(Log(), "")

    @model_validator(mode="after")
    def _greylisted_before_held(self) -> "Config":
        early = self.greylist.early_score
        held = self.actions.quarantine
        if early is not None and early >= held:
            raise ValueError(
                f"[greylist] early_score: expected a score below [actions] quarantine ({held:g}), got {early:g}: what"
                " is held need not come again"
            )
        return self

    @property
    def authserv_id(self) -> str:
        """The name in our Authentication-Results fields."""
        return self.milter.authserv_id or os.uname().nodename.lower()

    @property
    def state_directory(self) -> Path:
        """What must survive lives here."""
        return self.paths.state

    @property
    def runtime_directory(self) -> Path:
        """Sockets and the pid file live here."""
        return self.paths.runtime or self.paths.state

    @property
    def control_socket(self) -> Path:
        """Where the running daemon takes commands."""
        address = self.control.address
        return Path(address.path) if address is not None else self.runtime_directory / SOCKET_NAME

    @property
    def classifier_directory(self) -> Path:
        """The classifier's model and what it was made from."""
        return self.state_directory / "classifier"

    @property
    def rules_directory(self) -> Path:
        """The directory of scores.toml, composites.toml, dnsbl.toml, regex/ and yara/."""
        return self.rules.path or shipped_rules()


def shipped_rules() -> Path:
    """The rules directory beside the package: in a checkout, or installed under the same prefix's share/filterd."""
    beside = Path(__file__).resolve().parents[2] / "rules"
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "filterd" / "rules"


def config_id(config: Config) -> str:
    """A short name for these values: the same values give the same id in every process and on every machine."""
    canonical = orjson.dumps(config.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:ID_LENGTH]

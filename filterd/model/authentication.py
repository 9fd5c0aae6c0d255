"""Results of the authentication protocols. Status words are those of RFC 8601, section 2.7."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class SpfStatus(StrEnum):
    """RFC 7208, section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105  # a result word, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"  # a later attempt may succeed
    PERMERROR = "permerror"  # the domain's records cannot be read as they stand


class SpfScope(StrEnum):
    """Which identity was checked (RFC 7208, section 2.3 and 2.4)."""

    HELO = "helo"
    MAILFROM = "mailfrom"


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`cause` names the mechanism that matched or what went wrong; `explanation` is the domain's own, on fail only."""

    status: SpfStatus
    domain: str
    scope: SpfScope
    cause: str = ""
    explanation: str = ""


class DkimStatus(StrEnum):
    """RFC 8601, section 2.7.1."""

    NONE = "none"
    PASS = "pass"  # noqa: S105  # a result word, not a password
    FAIL = "fail"
    POLICY = "policy"  # verifies, but is not acceptable here: rsa-sha1, a short key
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """One DKIM-Signature as the inspector read it: all that is needed but the key.

    `status` and `reason` are set where no key can change the outcome (malformed, expired, wrong body hash).
    `header_digest` is SHA-256 over the canonicalised signed fields (RFC 6376, section 3.7).
    """

    domain: str
    selector: str
    algorithm: str
    identity: str = ""
    header_digest: bytes = b""
    signature: bytes = b""
    signed_fields: tuple[str, ...] = ()
    uncovered: int = 0  # body bytes behind l=
    oversigned: bool = False  # From, Subject, To, Date cannot be added unseen
    timestamp: int | None = None
    expires: int | None = None
    tag: str = ""  # first 8 characters of b=, for header.b (RFC 6008)
    status: DkimStatus | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DkimResult:
    """One signature's outcome; `key_bits` is 0 where no key was read; `testing` is the key's t=y."""

    status: DkimStatus
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    identity: str = ""
    key_bits: int = 0
    reason: str = ""
    tag: str = ""
    testing: bool = False
    covers_body: bool = True
    oversigned: bool = False


class DmarcStatus(StrEnum):
    """RFC 9989; `none` means that no policy record was found."""

    NONE = "none"
    PASS = "pass"  # noqa: S105  # a result word, not a password
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class DmarcPolicy(StrEnum):
    """What the domain owner asks for: p=, sp= or np=."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class DmarcOverride(StrEnum):
    """Why a failing message is treated otherwise than the author's domain asks, in the words of DMARC's reports."""

    NONE = ""
    LOCAL_POLICY = "local_policy"
    MAILING_LIST = "mailing_list"
    TRUSTED_FORWARDER = "trusted_forwarder"


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`domain` is the author domain, `policy_domain` where the record stood, `policy` what applies after t= and np=.

    `override` is set where a failing message is spared what `policy` asks, `override_comment` says whose word that is.
    """

    status: DmarcStatus
    domain: str = ""
    policy_domain: str = ""
    organizational_domain: str = ""
    policy: DmarcPolicy = DmarcPolicy.NONE
    spf_aligned: bool = False
    dkim_aligned: bool = False
    cause: str = ""
    override: DmarcOverride = DmarcOverride.NONE
    override_comment: str = ""


class IprevStatus(StrEnum):
    """RFC 8601, section 2.7.3."""

    PASS = "pass"  # noqa: S105  # a result word, not a password
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class IprevResult:
    """Whether the client's reverse name leads back to its address."""

    status: IprevStatus
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReportedResult:
    """One result as another server reports it (RFC 8601, section 2.2). Nothing here was checked by us.

    All names are in lower case; `properties` are (ptype.property, value) pairs in order, each name once, values without
    quotes and as written.
    """

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str:
        """The value of a property such as header.from, empty where it is absent."""
        return next((value for key, value in self.properties if key == name), "")


class ArcStatus(StrEnum):
    """Chain validation status (RFC 8617, section 5.2)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105  # a result word, not a password
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class ArcFacts:
    """A message's ARC sets as the inspector read them: all that is needed but the keys.

    `status` and `reason` are set where no key can change the outcome; otherwise every signature must verify. `instance`
    is the highest one. `message` is the newest ARC-Message-Signature; `seals` are the ARC-Seals and `results` the raw
    ARC-Authentication-Results from the newest set down (empty: too long to pass on). `whole` says that the newest
    signature covers every From field and all of the body.
    """

    status: ArcStatus | None = ArcStatus.NONE
    reason: str = ""
    instance: int = 0
    message: SignatureFacts | None = None
    seals: tuple[SignatureFacts, ...] = ()
    results: tuple[bytes, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class ArcVoucher:
    """What a sealer that the operator trusts says it found when it received the message."""

    instance: int
    sealer: str
    results: tuple[ReportedResult, ...]


@dataclass(frozen=True, slots=True)
class ArcResult:
    """The outcome of the chain; `sealers` are the ARC-Seals' domains from the newest down, verified where it passes.

    `oldest_pass` is as in RFC 8617, section 5.2, step 5; None where it was not determined. `trusted` says that a
    listed sealer vouches for the message as it is: only then may policy look at `vouchers`, newest first, which are
    those of the listed sealers that nobody unlisted came after.
    """

    status: ArcStatus
    instance: int = 0
    sealers: tuple[str, ...] = ()
    cause: str = ""
    remote_ip: str = ""
    oldest_pass: int | None = None
    trusted: bool = False
    vouchers: tuple[ArcVoucher, ...] = ()

    @property
    def domain(self) -> str:
        """The last sealer's domain, empty where there is none."""
        return self.sealers[0] if self.sealers else ""


AuthResult: TypeAlias = SpfResult | DkimResult | DmarcResult | IprevResult | ArcResult

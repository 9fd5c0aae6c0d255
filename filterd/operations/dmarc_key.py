"""The key that signs reports: in a form that dkimpy reads, and published for those who will verify them."""

import base64
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from filterd.dkim.key import key_question, parse_key
from filterd.model.dns import Answer, Question

MIN_KEY: Final = 1024  # bits; RFC 8301, section 3.2: less is not verified
# What a reader goes by; RFC 6376, section 5.4.1.
_SIGNED: Final = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"auto-submitted",
)


class SigningError(Exception):
    """The key cannot sign. The text never has anything of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """Signs mails for a domain. `pem` is the key as PKCS #1, `public` its other half."""

    selector: str
    domain: str
    pem: bytes
    public: RSAPublicKey

    @classmethod
    def of(cls, key: bytes, selector: str, domain: str) -> Self:
        """From a private key as openssl writes it. SigningError where it is none that dkimpy signs with."""
        try:
            loaded = serialization.load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SigningError("expected a private key in PEM without a passphrase") from None
        if not isinstance(loaded, RSAPrivateKey) or loaded.key_size < MIN_KEY:
            raise SigningError(f"expected an RSA key of {MIN_KEY} bits or more: not everybody verifies another")
        form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        pem = loaded.private_bytes(serialization.Encoding.PEM, form, none)
        return cls(selector, domain, pem, loaded.public_key())

    def sign(self, message: bytes) -> bytes:
        """The message with a signature before it."""
        import dkim  # noqa: PLC0415  # 0.2 seconds that only who sends needs

        signature: bytes = dkim.sign(
            message,
            self.selector.encode(),
            self.domain.encode(),
            self.pem,
            canonicalize=(b"relaxed", b"simple"),
            include_headers=list(_SIGNED),
        )
        return signature + message

    @property
    def question(self) -> Question:
        """Where verifiers look for the key. SigningError where that is no name."""
        found = key_question(self.domain, self.selector)
        if found is None:
            raise SigningError(f"{self.selector}._domainkey.{self.domain} is no name that DNS could hold")
        return found

    def published(self, answer: Answer) -> None:
        """SigningError where the answer says for certain that nobody could verify what is signed."""
        if answer.failed:
            return  # nobody knows; the reports are worth the try
        keys = [parse_key(text).key for text in answer.records]
        if any(isinstance(key, RSAPublicKey) and key.public_numbers() == self._numbers for key in keys):
            return
        raise SigningError(
            f"{answer.question.name} has another key, or none: nobody could verify these reports."
            f" Publish as TXT: {self.record}"
        )

    @property
    def _numbers(self) -> object:
        return self.public.public_numbers()

    @property
    def record(self) -> str:
        """What publishes the key."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        text = base64.b64encode(self.public.public_bytes(serialization.Encoding.DER, form)).decode()
        return f"v=DKIM1; k=rsa; p={text}"

"""Policies of MTA-STS are fetched as RFC 8461, section 3.3 says, from hosts that may do whatever they like."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.operations.domain_fetch import MAX_POLICY, FetchError, PolicyFetcher

pytestmark = pytest.mark.integration

HOST = "mta-sts.p.test"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
POLICY = b"version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for HOST alone, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


Serve = Callable[[ssl.SSLSocket], None]


@contextlib.contextmanager
def serving(identity: Path, serve: Serve) -> Iterator[int]:
    """A host that takes one connection after the other; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as client:
                client.recv(4096)
                serve(client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def saying(data: bytes) -> Serve:
    """One that sends this and hangs up."""
    return lambda client: client.sendall(data)


def answers(*addresses: str, status: AnswerStatus = AnswerStatus.NOERROR) -> Callable[..., tuple[Answer, ...]]:
    """Name servers that know these addresses, whoever is asked for."""

    def ask(questions: tuple[Question, ...], seconds: float) -> tuple[Answer, ...]:
        assert seconds > 0
        found: list[Answer] = []
        for question in questions:
            version = 4 if question.rtype is RRType.A else 6
            own = tuple([text for text in addresses if ipaddress.ip_address(text).version == version])
            nothing = AnswerStatus.NODATA if status is AnswerStatus.NOERROR else status
            found.append(Answer(question, status if own else nothing, own, cause="servfail"))
        return tuple(found)

    return ask


def fetcher(port: int, identity: Path, *addresses: str) -> PolicyFetcher:
    """One that believes the host's certificate, and may go to loopback."""
    context = ssl.create_default_context(cafile=str(identity))
    return PolicyFetcher(answers(*addresses or ("127.0.0.1",)), context, port=port, public=lambda _: True)


def test_a_policy(identity: Path) -> None:
    """Its text comes back as it is."""
    length = f"Content-Length: {len(POLICY)}\r\n\r\n".encode()
    with serving(identity, saying(HEAD + length + POLICY)) as port:
        fetched = fetcher(port, identity)("p.test", 5.0)
    assert (fetched.text, fetched.strange) == (POLICY.decode(), ())


def test_the_next_address_is_tried(identity: Path) -> None:
    """As a sending server does: one that does not answer is not the end."""
    with serving(identity, saying(HEAD + b"\r\n" + POLICY)) as port:
        assert fetcher(port, identity, "127.0.0.2", "127.0.0.1")("p.test", 5.0).text == POLICY.decode()


def test_chunks_and_odd_types(identity: Path) -> None:
    """Any transfer coding will do; another media type is remarked (section 3.2)."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(identity, saying(head + b"3\r\nabc\r\n0\r\n\r\n")) as port:
        fetched = fetcher(port, identity)("p.test", 5.0)
    assert fetched.text == "abc"
    assert fetched.strange == ("Content-Type is text/html, expected text/plain",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answers 404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\n\r\n", "answers 301"),
        (HEAD + b"\r\n" + b"a" * (MAX_POLICY + 1), f"larger than {MAX_POLICY} bytes"),
    ],
)
def test_what_is_no_policy_is_so_for_certain(identity: Path, data: bytes, said: str) -> None:
    """Another status than 200, a redirect, more than 64 KB: others get the same."""
    with serving(identity, saying(data)) as port, pytest.raises(FetchError, match=said) as caught:
        fetcher(port, identity)("p.test", 5.0)
    assert caught.value.certain


@pytest.mark.parametrize("data", [b"", b"junk\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 200_000, HEAD + b"x: y\r\n" * 200])
def test_what_is_no_http(identity: Path, data: bytes) -> None:
    """It ends with words, whatever comes."""
    with serving(identity, saying(data)) as port, pytest.raises(FetchError) as caught:
        fetcher(port, identity)("p.test", 5.0)
    assert not caught.value.certain


def test_the_certificate_must_be_the_hosts(identity: Path) -> None:
    """Section 3.3: for mta-sts. below the domain, from an authority that is believed."""
    with serving(identity, saying(HEAD + b"\r\n" + POLICY)) as port:
        with pytest.raises(FetchError, match=r"certificate.*Hostname mismatch") as other:
            fetcher(port, identity)("other.test", 5.0)
        unknown = PolicyFetcher(answers("127.0.0.1"), ssl.create_default_context(), port=port, public=lambda _: True)
        with pytest.raises(FetchError, match=r"certificate.*self-signed") as caught:
            unknown("p.test", 5.0)
    assert (other.value.certain, caught.value.certain) == (True, True)


def test_a_host_that_drips(identity: Path) -> None:
    """A byte now and then keeps no timeout from running out."""

    def drip(client: ssl.SSLSocket) -> None:
        client.sendall(HEAD)
        for _ in range(100):
            client.sendall(b"a")
            time.sleep(0.05)

    with serving(identity, drip) as port:
        began = time.monotonic()
        with pytest.raises(FetchError, match="it took too long"):
            fetcher(port, identity)("p.test", 0.5)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.1"])
def test_no_host_of_this_network_is_asked(address: str) -> None:
    """A domain may name whatever address it likes: it is not connected to."""
    fetch = PolicyFetcher(answers(address), ssl.create_default_context(), port=1)
    with pytest.raises(FetchError, match="no public address"):
        fetch("p.test", 5.0)


def test_without_an_address() -> None:
    """That there is none is certain; that it could not be found out is not."""
    none = PolicyFetcher(answers(), ssl.create_default_context())
    with pytest.raises(FetchError, match="no A or AAAA") as caught:
        none("p.test", 5.0)
    failing = PolicyFetcher(answers(status=AnswerStatus.TEMPFAIL), ssl.create_default_context())
    with pytest.raises(FetchError, match="servfail") as failed:
        failing("p.test", 5.0)
    assert (caught.value.certain, failed.value.certain) == (True, False)

"""All that checkdmarc asks goes to the configured name servers, within a time and a number of questions."""

from collections.abc import Callable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from dns.nameserver import Nameserver

from filterd.dns.nameserver import Nameserver as Address
from filterd.operations.domain_dns import MAX_QUESTIONS, NOBODY, OUT_OF_TIME, TOO_MANY, NameServers

Say = Callable[[dns.message.QueryMessage, bool], dns.message.Message]


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Fake(Nameserver):
    """A name server of dnspython's that says what it is told, or is silent."""

    def __init__(self, say: Say | None, clock: Clock) -> None:
        """`say` None is silence."""
        super().__init__()  # type: ignore[no-untyped-call]  # dnspython has not written its type down
        self._say = say
        self._clock = clock
        self.asked = 0

    def query(  # dnspython's signature
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,  # noqa: FBT001  # the same
        one_rr_per_rrset: bool = False,  # noqa: ARG002, FBT001, FBT002  # the same
        ignore_trailing: bool = False,  # noqa: ARG002, FBT001, FBT002  # the same
    ) -> dns.message.Message:
        """An answer, or the time is over."""
        del source, source_port
        self.asked += 1
        if self._say is None:
            self._clock.now += timeout
            raise dns.exception.Timeout(timeout=timeout)  # type: ignore[no-untyped-call]  # the same
        return self._say(request, max_size)


def answer(request: dns.message.QueryMessage, _tcp: bool) -> dns.message.Message:  # noqa: FBT001  # dnspython's
    """One address."""
    made = dns.message.make_response(request)
    made.answer.append(dns.rrset.from_text(request.question[0].name, 60, "IN", "A", "192.0.2.1"))
    return dns.message.from_wire(made.to_wire())


def refused(request: dns.message.QueryMessage, _tcp: bool) -> dns.message.Message:  # noqa: FBT001  # dnspython's
    """No."""
    made = dns.message.make_response(request)
    made.set_rcode(dns.rcode.REFUSED)
    return made


def cut(request: dns.message.QueryMessage, tcp: bool) -> dns.message.Message:  # noqa: FBT001  # dnspython's
    """Only over TCP."""
    if not tcp:
        raise dns.message.Truncated(message=dns.message.make_response(request))  # type: ignore[no-untyped-call]  # as above
    return answer(request, tcp)


def servers(*says: Say | None, seconds: float = 60.0) -> tuple[NameServers, Sequence[Fake]]:
    """Name servers in that order, in a part of that many seconds."""
    clock = Clock()
    fakes = [Fake(say, clock) for say in says]
    addresses = [Address(f"192.0.2.{number}") for number in range(len(says))]
    made = NameServers(
        addresses, seconds=5.0, try_seconds=1.0, clock=clock, make=lambda host, _: fakes[int(host.rpartition(".")[2])]
    )
    made.begin(seconds)
    return made, fakes


def look(made: NameServers, name: str = "a.test") -> list[str]:
    """What dnspython's resolver has of it."""
    return [record.to_text() for record in made.resolver().resolve(name, "A")]


def test_an_answer() -> None:
    """The resolver reads no file of the system's; what was found is remembered."""
    made, _ = servers(answer)
    assert look(made) == ["192.0.2.1"]
    assert (made.failed, made.answered) == ({}, {("a.test", "A")})


@pytest.mark.parametrize("first", [None, refused])
def test_the_next_server_is_asked(first: Say | None) -> None:
    """Silent or unwilling: a failure is one only where it is everybody's."""
    made, fakes = servers(first, answer)
    assert look(made) == ["192.0.2.1"]
    assert made.failed == {}
    assert [fake.asked for fake in fakes] == [1, 1]


def test_what_was_cut_comes_over_tcp() -> None:
    """RFC 7766."""
    made, _ = servers(cut)
    assert look(made) == ["192.0.2.1"]


@pytest.mark.parametrize(("say", "cause"), [(None, "timeout"), (refused, "refused")])
def test_a_failure_is_remembered_with_its_cause(say: Say | None, cause: str) -> None:
    """The resolver gives up at once: what there is to try was tried. Another part begins without it."""
    made, _ = servers(say)
    with pytest.raises(dns.resolver.NoNameservers):
        look(made)
    assert made.failed == {("a.test", "A"): cause}
    made.begin(60.0)
    assert made.failed == {}


def test_nobody_waits_for_servers_that_have_never_answered() -> None:
    """After two questions in vain the rest costs nothing."""
    made, (fake,) = servers(None)
    for number in range(10):
        with pytest.raises(dns.resolver.NoNameservers):
            look(made, f"n{number}.test")
    assert fake.asked == 4
    assert made.failed["n9.test", "A"] == NOBODY


def test_the_time_of_a_part() -> None:
    """What comes after it is not asked."""
    made, (fake,) = servers(answer, seconds=0.0)
    with pytest.raises(dns.resolver.NoNameservers):
        look(made)
    assert (fake.asked, made.failed) == (0, {("a.test", "A"): OUT_OF_TIME})


def test_the_number_of_questions_of_a_part() -> None:
    """A domain can name any number of hosts."""
    made, (fake,) = servers(answer)
    for number in range(MAX_QUESTIONS):
        look(made, f"n{number}.test")
    with pytest.raises(dns.resolver.NoNameservers):
        look(made)
    assert (fake.asked, made.failed) == (MAX_QUESTIONS, {("a.test", "A"): TOO_MANY})


def test_the_type_that_is_no_more() -> None:
    """Checkdmarc asks for the type SPF, some servers refuse it, and nothing hangs on it."""
    made, _ = servers(refused)
    with pytest.raises(dns.resolver.NoNameservers):
        made.resolver().resolve("a.test", "SPF")
    assert made.failed == {}

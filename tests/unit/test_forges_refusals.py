"""What each forge's refusals, and what is no answer of a forge at all, are told as."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from forges import access, github
from forges.access import Access
from forges.connect import connect
from forges.forge import ForgeAway, ForgeError, LoggedOut, NotAllowed, Status
from tests.unit.conftest import Server
from tests.unit.forge_servers import Answer, ForgeServer, GitHubServer, GitLabServer, NoGitea

HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx\nis sorry</body></html>"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "SECONDS_BETWEEN_WRITES", 0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=[GitHubServer, GitLabServer, NoGitea])
def forges(request: pytest.FixtureRequest) -> Iterator[ForgeServer]:
    made: ForgeServer = request.param()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(401, {"message": "Bad credentials"}), LoggedOut, "401 Bad credentials; the token has ended"),
        (Answer(403, {"message": "Not for you"}), NotAllowed, "403 Not for you; the token may not do that: it needs"),
        (Answer(404, {"message": "Not Found"}), NotAllowed, "404 Not Found; there is no such thing, or"),
        (Answer(429, {"message": "Slow down"}, {"Retry-After": "3600"}), ForgeAway, "429 Slow down; try again later"),
        (Answer(500, {"message": "Oops"}), ForgeAway, "500 Oops; try again later"),
        (Answer(502, HTML), ForgeAway, "502 502 Bad Gateway; try again later"),
        (Answer(200, HTML), ForgeError, "an answer of another shape; is this its API?"),
        (Answer(200, {}), ForgeError, "an answer of another shape; is this its API?"),
        (Answer(200, []), ForgeError, "an answer of another shape; is this its API?"),
        (Answer(200, "{"), ForgeError, "an answer of another shape; is this its API?"),
        (Answer(409, {"message": "Not\x1b[31m so"}), ForgeError, "409 Not [31m so"),
        (Answer(400, {"message": "alice " + "x" * 1000}), ForgeError, "400 (the token) " + "x" * 288),
        ("close", ForgeAway, "without"),
    ],
)  # fmt: skip
def test_refusals(forges: ForgeServer, answer: Any, kind: type[ForgeError], said: str) -> None:
    forges.trouble = answer
    host = forges.url.removeprefix("http://")
    with pytest.raises(ForgeError) as caught:
        forges.forge("alice").pull_request(7)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.startswith(f"{host}: can't read ")
    assert said in message
    assert "\n" not in message
    assert "alice" not in message
    assert len(forges.asked) <= 2


def test_every_question_is_told_of(forges: ForgeServer) -> None:
    forges.trouble = Answer(403, {"message": "no"})
    forge, sha = forges.forge("alice"), "0" * 40
    for ask in (
        lambda: forge.pull_requests("x"),
        lambda: list(forge.open_pull_requests()),
        lambda: forge.pull_request(1),
        lambda: forge.pull_request_of(sha),
        lambda: forge.open(branch="x", base="main", title="x", body=""),
        lambda: forge.edit(1, title="x", body=""),
        lambda: forge.close(1),
        lambda: forge.comment(1, "x"),
        lambda: forge.approvals(1),
        lambda: forge.statuses(sha),
        lambda: forge.set_status(sha, Status(context="x", outcome="success")),
    ):
        with pytest.raises(
            NotAllowed, match=r": can't .*: 403 no; the token may not do that: it needs "
        ):
            ask()


def test_lists_of_something_else(forges: ForgeServer) -> None:
    for body in (HTML, {"message": "hello"}, [{"a": 1}], ["x"]):
        forges.trouble = Answer(200, body)
        with pytest.raises(ForgeError, match="another shape"):
            forges.forge("alice").pull_requests("x")


def test_no_answer(forges: ForgeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SECONDS", 1)
    monkeypatch.setattr("forges.patience.SECONDS", 1)
    forges.trouble = "hang"
    with pytest.raises(ForgeAway, match="no answer within 1 s"):
        forges.forge("alice").pull_request(1)
    assert len(forges.asked) == 1


def test_a_read_is_tried_twice_and_a_write_once(forges: ForgeServer) -> None:
    forge = forges.forge("alice")
    asked: list[str] = []

    def once(what: str) -> Answer | None:
        asked.append(what)
        return Answer(503, {"message": "busy"}) if len(asked) == 1 else None

    forges.trouble = once
    assert forge.whoami() == "alice"
    assert len(asked) == 2
    asked.clear()
    with pytest.raises(ForgeAway, match="503 busy"):
        forge.comment(1, "x")
    assert len(asked) == 1


def test_nobody_there(forges: ForgeServer) -> None:
    forge = forges.forge("alice")
    forges.close()
    forges.close = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ForgeAway, match="connection refused"):
        forge.pull_request(1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(forges: ForgeServer, status: int) -> None:
    other = type(forges)()
    try:
        forges.trouble = Answer(status, {}, {"Location": f"{other.url}/api/v4/user"})
        forge = forges.forge("alice")
        for ask in (lambda: forge.pull_request(1), lambda: forge.comment(1, "x")):
            with pytest.raises(ForgeError, match=rf"it redirects to {other.url}.*isn't sent on"):
                ask()
        assert other.asked == []
    finally:
        other.close()


def test_no_token_in_a_log(forges: ForgeServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(LoggedOut):
        forges.forge("canary-token").pull_request(1)
    assert forges.tokens == ["canary-token"]
    assert "canary" not in caplog.text
    assert "canary" not in repr(Access("gitea", "https://git.example.com", "canary-token"))


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_a_certificate_that_nobody_knows(server: Server, kind: str) -> None:
    """That passes by no waiting: it is no ForgeAway."""
    with pytest.raises(ForgeError, match="its certificate isn't accepted") as caught:
        connect(kind, f"{server.url}/o/r.git", "", "canary").pull_request(1)
    assert type(caught.value) is ForgeError


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_a_certificate_of_ones_own_ca(
    server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the person's environment names it, as their other programs have it."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, server.ca_file)
    server.status, server.body = 401, b'{"message": "no"}'
    with pytest.raises(LoggedOut):
        connect(kind, f"{server.url}/o/r.git", "", "canary").pull_request(1)


@pytest.mark.parametrize("server_of", [GitLabServer, NoGitea])
def test_no_proxy_leads_to_this_machine(
    server_of: type[ForgeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = server_of()
    try:
        assert server.forge("alice").whoami() == "alice"
    finally:
        server.close()


def test_a_server_without_pages() -> None:
    """One that gives the same again and again ends the listing."""
    server = NoGitea()
    try:
        server.trouble = Answer(200, [{"id": 1}])
        with pytest.raises(ForgeError, match="another shape"):
            server.forge("alice").statuses("0" * 40)
        assert len(server.asked) == 2
    finally:
        server.close()

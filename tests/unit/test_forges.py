from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from forges import access, connect, github
from forges.access import Access
from forges.forge import ForgeAway, ForgeError, LoggedOut, NotAllowed, Status
from tests.unit.forge_contract import keeps_the_contract
from tests.unit.forge_servers import Answer, ForgeServer, GitHubServer, GitLabServer

HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx\nis sorry</body></html>"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "SECONDS_BETWEEN_WRITES", 0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def github_server() -> Iterator[GitHubServer]:
    server = GitHubServer()
    yield server
    server.close()


@pytest.fixture
def gitlab_server() -> Iterator[GitLabServer]:
    server = GitLabServer()
    yield server
    server.close()


@pytest.fixture(params=[GitHubServer, GitLabServer])
def server(request: pytest.FixtureRequest) -> Iterator[ForgeServer]:
    made: ForgeServer = request.param()
    yield made
    made.close()


def test_the_contract(server: ForgeServer) -> None:
    keeps_the_contract(server)


def test_a_fork_has_no_branch_here(server: ForgeServer) -> None:
    server.commit("x")
    forge = server.forge("alice")
    forge.open(branch="x", base="main", title="x", body="")
    server.pulls[0].fork = True
    assert forge.pull_requests("x") == []
    assert [it.branch for it in forge.open_pull_requests()] == [""]


@pytest.mark.parametrize("how", ["squash", "ff"])
def test_merged_otherwise(server: ForgeServer, how: str) -> None:
    server.commit("x")
    forge = server.forge("alice")
    forge.open(branch="x", base="main", title="x", body="")
    commit = server.merge(1, how)
    found = forge.pull_request_of(commit)
    assert found is not None
    assert found.merged_as == commit


def test_of_several_the_one_that_made_the_commit(server: ForgeServer) -> None:
    forge = server.forge("alice")
    for branch in ("x", "y"):
        server.commit(branch)
        forge.open(branch=branch, base="main", title=branch, body="")
        server.merge(len(server.pulls))
    second = server.pulls[1]
    server.branches["x"] = second.merged_as  # the first has that commit on its branch
    found = forge.pull_request_of(second.merged_as)
    assert found is not None
    assert found.number == 2


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
        ("close", ForgeAway, "Remote end closed connection without response"),
    ],
)  # fmt: skip
def test_refusals(server: ForgeServer, answer: Any, kind: type[ForgeError], said: str) -> None:
    server.trouble = answer
    start = time.monotonic()
    host = server.url.removeprefix("http://")
    with pytest.raises(ForgeError) as caught:
        server.forge("alice").pull_request(7)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.startswith(f"{host}: can't read ")
    assert said in message
    assert "\n" not in message
    assert "alice" not in message
    assert time.monotonic() - start < 3


def test_every_question_is_told_of(server: ForgeServer) -> None:
    server.trouble = Answer(403, {"message": "no"})
    forge, sha = server.forge("alice"), "0" * 40
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


def test_lists_of_something_else(server: ForgeServer) -> None:
    for body in (HTML, {"message": "hello"}, [{"a": 1}], ["x"]):
        server.trouble = Answer(200, body)
        with pytest.raises(ForgeError, match="another shape"):
            server.forge("alice").pull_requests("x")


def test_no_answer(server: ForgeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SECONDS", 1)
    monkeypatch.setattr("forges.patience.SECONDS", 1)
    server.trouble = "hang"
    start = time.monotonic()
    with pytest.raises(ForgeAway, match="no answer within 1 s"):
        server.forge("alice").pull_request(1)
    assert time.monotonic() - start < 3
    assert len(server.asked) == 1


def test_a_read_is_tried_twice_and_a_write_once(server: ForgeServer) -> None:
    forge = server.forge("alice")
    server.commit("x")
    forge.open(branch="x", base="main", title="x", body="")
    failed: list[str] = []

    def once(asked: str) -> Answer | None:
        failed.append(asked)
        return Answer(503, {"message": "busy"}) if len(failed) == 1 else None

    server.trouble = once
    assert forge.pull_request(1).number == 1
    failed.clear()
    with pytest.raises(ForgeAway, match="503 busy"):
        forge.comment(1, "x")
    assert len(failed) == 1


def test_nobody_there(server: ForgeServer) -> None:
    forge = server.forge("alice")
    server.close()
    server.close = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ForgeAway, match="connection refused"):
        forge.pull_request(1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: ForgeServer, status: int) -> None:
    other = type(server)()
    try:
        server.trouble = Answer(status, {}, {"Location": f"{other.url}/api/v4/user"})
        forge = server.forge("alice")
        for ask in (lambda: forge.pull_request(1), lambda: forge.comment(1, "x")):
            with pytest.raises(ForgeError, match=rf"it redirects to {other.url}.*isn't sent on"):
                ask()
        assert other.asked == []
    finally:
        other.close()


def test_a_next_page_elsewhere_is_not_asked_for(server: ForgeServer) -> None:
    other = type(server)()
    try:
        for index in range(3):
            server.commit(f"b{index}")
            server.forge("alice").open(branch=f"b{index}", base="main", title="x", body="")
        link = {"Link": f'<{other.url.replace("127.0.0.1", "localhost")}/x>; rel="next"'}
        page = server.answer("GET", _list_of(server), {"state": "open"}, None, "alice").body
        server.trouble = Answer(200, page[:1], link)
        with pytest.raises(ForgeError):
            list(server.forge("alice").open_pull_requests())
        assert other.asked == []
    finally:
        other.close()


def _list_of(server: ForgeServer) -> str:
    if isinstance(server, GitHubServer):
        return f"/api/v3/repos/{server.repo}/pulls"
    return f"/api/v4/projects/{server.repo.replace('/', '%2F')}/merge_requests"


def test_no_token_in_a_log(server: ForgeServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(LoggedOut):
        server.forge("canary-token").pull_request(1)
    assert server.tokens == ["canary-token"]
    assert "canary" not in caplog.text
    assert "canary" not in repr(Access("gitea", "https://git.example.com", "canary-token"))


def test_reviews_on_github(github_server: GitHubServer) -> None:
    """Of each person the last one that judges."""
    github_server.commit("x")
    forge = github_server.forge("alice")
    forge.open(branch="x", base="main", title="x", body="")
    for person, *states in (
        ("stays", "APPROVED", "COMMENTED", "PENDING"),
        ("changed", "APPROVED", "CHANGES_REQUESTED"),
        ("came-round", "CHANGES_REQUESTED", "APPROVED"),
        ("dismissed", "APPROVED", "DISMISSED"),
        ("again", "DISMISSED", "APPROVED"),
        ("only-talks", "COMMENTED"),
    ):
        for state in states:
            github_server.review(1, person, state)
    assert [it.person for it in forge.approvals(1)] == ["stays", "came-round", "again"]


def test_errors_on_github_are_failures(github_server: GitHubServer) -> None:
    nothing = {"creator": None, "description": None, "target_url": None}
    github_server.set_statuses.append(
        {"context": "x", "state": "error", "sha": "0" * 40, **nothing}
    )
    assert github_server.forge("alice").statuses("0" * 40) == [
        Status(context="x", outcome="failure")
    ]


def test_few_requests_on_github(github_server: GitHubServer) -> None:
    github_server.commit("x")
    forge = github_server.forge("alice")
    forge.open(branch="x", base="main", title="x", body="")
    for ask in (
        lambda: forge.pull_requests("x"),
        lambda: list(forge.open_pull_requests()),
        lambda: forge.pull_request(1),
        lambda: forge.comment(1, "x"),
        lambda: forge.approvals(1),
        lambda: forge.statuses("0" * 40),
        lambda: forge.set_status("0" * 40, Status(context="x", outcome="success")),
        lambda: forge.edit(1, title="y", body="y"),
        lambda: forge.close(1),
    ):
        github_server.asked.clear()
        ask()
        assert len(github_server.asked) == 1, github_server.asked


def test_the_token_of_an_app_is_nobodys(github_server: GitHubServer) -> None:
    github_server.trouble = Answer(403, {"message": "Resource not accessible by integration"})
    assert github_server.forge("alice").whoami() == ""
    github_server.trouble = Answer(401, {"message": "Bad credentials"})
    with pytest.raises(LoggedOut):
        github_server.forge("alice").whoami()


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("API rate limit exceeded for user ID 1.", {}),
        ("You have exceeded a secondary rate limit.", {"Retry-After": "60"}),
        ("Forbidden", {"X-RateLimit-Remaining": "0"}),
    ],
)
def test_rate_limits_of_github(
    github_server: GitHubServer, message: str, headers: dict[str, str]
) -> None:
    github_server.trouble = Answer(403, {"message": message}, headers)
    start = time.monotonic()
    with pytest.raises(ForgeAway, match="try again later"):
        github_server.forge("alice").whoami()
    assert time.monotonic() - start < 3


def test_statuses_of_jobs_on_gitlab(gitlab_server: GitLabServer) -> None:
    sha = "0" * 40
    for number, state in enumerate(("running", "canceled", "skipped", "manual", "success")):
        body = {"sha": sha, "id": number, "name": state, "status": state}
        gitlab_server.set_statuses.append({**body, "author": None, "target_url": None})
    # A newer one of a name counts, wherever it is in the list.
    gitlab_server.set_statuses.append({"sha": sha, "id": -1, "name": "success", "status": "failed"})
    found = {it.context: it.outcome for it in gitlab_server.forge("alice").statuses(sha)}
    assert found == {
        "running": "pending",
        "canceled": "failure",
        "skipped": "pending",
        "manual": "pending",
        "success": "success",
    }


def test_a_job_token_of_gitlab(gitlab_server: GitLabServer) -> None:
    with pytest.raises(
        ForgeError, match=r"this is a CI_JOB_TOKEN.*make a project access token"
    ) as it:
        gitlab_server.forge("glcbt-64_canary")
    assert "canary" not in str(it.value)


def test_a_subgroup_of_gitlab_by_its_api_address(gitlab_server: GitLabServer) -> None:
    for api in (gitlab_server.url, f"{gitlab_server.url}/", f"{gitlab_server.url}/api/v4"):
        repo = f"git@gitlab.invalid:{gitlab_server.repo}.git"
        assert connect.connect("gitlab", repo, api, "bob").whoami() == "bob"


@pytest.mark.parametrize(
    ("url", "web", "path", "kind"),
    [
        ("git@github.com:o/r.git", "https://github.com", "o/r", "github"),
        ("ssh://git@gitlab.com:22/a/b/c.git", "https://gitlab.com", "a/b/c", "gitlab"),
        ("https://Codeberg.org/o/r", "https://codeberg.org", "o/r", "gitea"),
        ("https://me:canary@git.example.com:8443/o/r.git/", "https://git.example.com:8443", "o/r", None),
        ("http://127.0.0.1:3000/o/r.git", "http://127.0.0.1:3000", "o/r", None),
        ("ssh://git@[::1]:22/o/r", "https://[::1]", "o/r", None),
        ("https://github.com.evil.example/o/r", "https://github.com.evil.example", "o/r", None),
        ("https://github.com@evil.example/o/r", "https://evil.example", "o/r", None),
    ],
)  # fmt: skip
def test_addresses(url: str, web: str, path: str, kind: str | None) -> None:
    assert (connect.web_url(url), connect.path_of(url), connect.kind_of(url)) == (web, path, kind)


@pytest.mark.parametrize(
    "url",
    ["", "/srv/repo.git", "file:///srv/r.git", "../x", "https://h:canary/o/r", "https:///o/r"],
)
def test_no_address_of_a_forge(url: str) -> None:
    with pytest.raises(ForgeError, match="leads to no forge") as caught:
        connect.web_url(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "o", "o/..", "../r", "o/r%2Fx", "o/r?x", "o//r"])
def test_no_owner_and_name(path: str) -> None:
    with pytest.raises(ForgeError, match="no owner and name"):
        connect.path_of(f"git@github.com:{path or '/'}")


@pytest.mark.parametrize(
    ("kind", "url", "api"),
    [
        ("github", "git@github.com:o/r.git", "https://api.github.com"),
        ("github", "git@ghe.example.com:o/r.git", "https://ghe.example.com/api/v3"),
        ("gitlab", "git@gitlab.com:o/r.git", "https://gitlab.com"),
        ("gitea", "git@git.example.com:o/r.git", "https://git.example.com/api/v1"),
    ],
)
def test_where_the_api_is(kind: str, url: str, api: str) -> None:
    made: Any = connect.connect(kind, url, "", "canary")
    assert made._to.api == api


def test_where_no_token_is_sent() -> None:
    for api, said in (
        ("http://git.example.com/api/v1", "no token is sent by plain http"),
        ("http://127.0.0.1.example.com", "no token is sent by plain http"),
        ("ftp://git.example.com", "no http"),
        ("https://me:pw-canary@git.example.com", "must be without credentials"),
    ):
        for kind in ("github", "gitlab", "gitea"):
            with pytest.raises(ForgeError, match=said) as caught:
                connect.connect(kind, "git@git.example.com:o/r.git", api, "canary")
            assert "canary" not in str(caught.value)
    for token in ("", "canary\n", "can ary", "canarü"):
        with pytest.raises(ForgeError, match="is there a line break in it") as caught:
            connect.connect("gitea", "git@git.example.com:o/r.git", "", token)
        assert "can" not in str(caught.value)
    with pytest.raises(ForgeError, match='no such kind of forge: "bitbucket"'):
        connect.connect("bitbucket", "git@bitbucket.org:o/r.git", "", "x")


def test_which_token() -> None:
    everything = {
        "FLEET_FORGE_TOKEN": " ours\n",
        "GH_TOKEN": "gh",
        "GITHUB_TOKEN": "actions",
        "GITLAB_TOKEN": "lab",
        "FORGEJO_TOKEN": "forgejo",
    }
    for kind in ("github", "gitlab", "gitea"):
        assert connect.token_of(kind, everything, "https://evil.example/o/r") == "ours"
    rest = {**everything, "FLEET_FORGE_TOKEN": ""}
    assert connect.token_of("github", rest) == "gh"
    assert connect.token_of("github", {**rest, "GH_TOKEN": ""}) == "actions"
    assert connect.token_of("gitlab", rest) == "lab"
    assert connect.token_of("gitea", rest) == "forgejo"
    with pytest.raises(ForgeError, match="set FLEET_FORGE_TOKEN or GITEA_TOKEN or FORGEJO_TOKEN"):
        connect.token_of("gitea", {"GITHUB_TOKEN": "x"})
    with pytest.raises(ForgeError, match="a CI_JOB_TOKEN doesn't do"):
        connect.token_of("gitlab", {"CI_JOB_TOKEN": "x"})


def test_a_token_goes_to_its_host_only() -> None:
    given = {"GITHUB_TOKEN": "canary"}
    assert connect.token_of("github", given, "git@github.com:o/r.git") == "canary"
    assert connect.token_of("github", given, "https://api.github.com") == "canary"
    with pytest.raises(ForgeError, match=r"GITHUB_TOKEN isn't sent to evil\.example") as caught:
        connect.token_of("github", given, "https://evil.example/o/r")
    assert "canary" not in str(caught.value)
    enterprise = {**given, "GITHUB_SERVER_URL": "https://ghe.example.com"}
    assert connect.token_of("github", enterprise, "git@ghe.example.com:o/r.git") == "canary"
    lab = {"GITLAB_TOKEN": "canary", "GITLAB_HOST": "git.example.com"}
    assert connect.token_of("gitlab", lab, "https://git.example.com/a/b/c.git") == "canary"
    # Nothing says where Gitea's is for, unless this does.
    assert connect.token_of("gitea", {"GITEA_TOKEN": "x"}, "https://git.example.com/o/r") == "x"
    named = {"GITEA_TOKEN": "x", "GITEA_SERVER_URL": "https://codeberg.org"}
    with pytest.raises(ForgeError, match="isn't sent to"):
        connect.token_of("gitea", named, "https://git.example.com/o/r")

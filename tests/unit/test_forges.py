from __future__ import annotations

from collections.abc import Iterator

import pytest

from forges import connect, github
from forges.forge import ForgeAway, ForgeError, LoggedOut, Status
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
    with pytest.raises(ForgeAway, match="try again later"):
        github_server.forge("alice").whoami()
    assert len(github_server.asked) == 1


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

from __future__ import annotations

from typing import Any

import pytest

from forges import connect
from forges.forge import ForgeError


@pytest.mark.parametrize(
    ("url", "web", "path", "kind"),
    [
        ("git@github.com:o/r.git", "https://github.com", "o/r", "github"),
        ("ssh://git@ssh.github.com:443/o/r.git", "https://github.com", "o/r", "github"),
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

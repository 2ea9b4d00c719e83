"""What Argo CD's cluster Secrets say, and what a spoke says to the credential in one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet import registrations
from fleet.facts import Registration
from live.cluster_api import ClusterAPI, NotFound, Refused, Unreachable
from stacks.model.fleet import Fleet

SERVER = "https://one.example:6443"
CHANGED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_fleet(**spoke: Any) -> Fleet:
    one = {"name": "one", "environment": "dev", "region": "r1", "server": SERVER, **spoke}
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example/gitops-config"},
            "spokes": [one],
        }
    )


def cluster_secret(config: Any, name: str = "one", server: str = SERVER) -> dict[str, Any]:
    text = config if isinstance(config, str) else json.dumps(config)
    data = {"name": name, "server": server, "config": text}
    return {
        "metadata": {
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "pulumi-1", "time": "2026-01-02T03:04:05Z"}, {}],
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


class Hub:
    """A hub with these cluster Secrets."""

    def __init__(self, *items: Any, config: dict[str, str] | None = None) -> None:
        self._items, self._config = items, config

    def items(self, path: str, selector: str) -> list[Any]:
        assert path == "/api/v1/namespaces/argocd/secrets"
        assert selector == "argocd.argoproj.io/secret-type=cluster"
        return list(self._items)

    def json(self, path: str) -> Any:
        if self._config is None:
            raise NotFound(path)
        return {"data": self._config}


class Spoke:
    """What the spoke answers to whoever comes with the cluster Secret's credential."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.came, self.asked = answer, [], []  # type: ignore[var-annotated]

    def api(self, kubeconfig: Any, context: str) -> Spoke:
        self.came.append((kubeconfig.clusters[context], kubeconfig.users[context]))
        return self

    def post(self, path: str, document: Any) -> Any:
        assert path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        self.asked.append(document["spec"]["resourceAttributes"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"status": {"allowed": self.answer}}


def asked(
    monkeypatch: pytest.MonkeyPatch, answer: Any, config: Any, **spoke: Any
) -> tuple[Registration, Spoke]:
    there = Spoke(answer)
    monkeypatch.setattr(registrations, "ClusterAPI", there.api)
    found = registrations.ask(_hub(cluster_secret(config)), a_fleet(**spoke))
    assert found is not None
    return found["one"], there


def _hub(*items: Any, config: dict[str, str] | None = None) -> ClusterAPI:
    return Hub(*items, config=config)  # type: ignore[return-value]


TOKEN = {"bearerToken": "t0ken", "tlsClientConfig": {"caData": "Q0E=", "serverName": "inside"}}


def test_the_spoke_is_asked_as_argo_cd_comes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found, there = asked(monkeypatch, True, TOKEN)
    assert found == Registration(CHANGED, tried=True)
    assert there.came == [
        (
            {
                "server": SERVER,
                "certificate-authority-data": "Q0E=",
                "tls-server-name": "inside",
            },
            {"token": "t0ken"},
        )
    ]


@pytest.mark.parametrize(
    ("config", "user"),
    [
        (
            {"username": "u", "password": "p", "tlsClientConfig": {}},
            {"username": "u", "password": "p"},
        ),
        (
            {"tlsClientConfig": {"certData": "Yw==", "keyData": "aw=="}},
            {"client-certificate-data": "Yw==", "client-key-data": "aw=="},
        ),
    ],
)
def test_passwords_and_certificates(
    monkeypatch: pytest.MonkeyPatch, config: Any, user: dict[str, str]
) -> None:
    _, there = asked(monkeypatch, True, config)
    assert there.came[0][1] == user


def test_a_refused_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = asked(monkeypatch, Refused("/apis: 401 Unauthorized"), TOKEN)
    assert (found.tried, found.trouble) == (True, "/apis: 401 Unauthorized")


def test_rights_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = asked(monkeypatch, False, TOKEN)
    assert found.trouble == "403 it may not list deployments"
    found, there = asked(monkeypatch, True, TOKEN, rbac={"namespaces": ["shop", "pay"]})
    assert (found.trouble, there.asked[0]["namespace"]) == ("", "shop")


def test_the_rights_of_another_identity_are_not_ours_to_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, _ = asked(monkeypatch, False, TOKEN, auth={"kind": "token"})
    assert found == Registration(CHANGED, tried=True)


def test_a_spoke_that_only_the_hub_may_reach_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = asked(monkeypatch, Unreachable("no answer within 3 s"), TOKEN)
    assert found == Registration(CHANGED)


@pytest.mark.parametrize(
    "config",
    [
        {"execProviderConfig": {"command": "argocd-k8s-auth"}, "tlsClientConfig": {}},
        {"awsAuthConfig": {"clusterName": "one"}},
        {**TOKEN, "proxyUrl": "http://proxy.example:3128"},
        {**TOKEN, "tlsClientConfig": {"insecure": True}},
        {"tlsClientConfig": {"insecure": False}},
        "no JSON",
        "[]",
        "null",
    ],
)
def test_what_this_machine_cannot_or_should_not_try(
    monkeypatch: pytest.MonkeyPatch, config: Any
) -> None:
    found, there = asked(monkeypatch, True, config)
    assert (found, there.came) == (Registration(CHANGED), [])


def test_no_credential_goes_anywhere_for_the_hub_itself_or_in_quarantine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for spoke in ({"quarantine": "its disks died"}, {"auth": {"kind": "inCluster"}}):
        found, there = asked(monkeypatch, True, TOKEN, **spoke)
        assert (found, there.came) == (Registration(CHANGED), [])


def test_other_clusters_and_strange_secrets_are_left_alone() -> None:
    strange = {"metadata": {}, "data": {"name": "/w=="}}
    hub = _hub(cluster_secret(TOKEN, name="of-another-stack"), strange, {"metadata": {}})
    assert registrations.ask(hub, a_fleet()) == {}


def test_cluster_secrets_that_may_not_be_read() -> None:
    class Closed:
        def items(self, *_: str) -> Any:
            raise Refused("/api/v1: 403 forbidden")

    assert registrations.ask(Closed(), a_fleet()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "within"),
    [
        (None, 180),
        ({}, 180),
        ({"timeout.reconciliation": "30s", "timeout.reconciliation.jitter": "0s"}, 30),
        ({"timeout.reconciliation": "1h"}, 3660),
        ({"timeout.reconciliation": "300"}, 360),
        ({"timeout.reconciliation": "0s"}, 0),
        ({"timeout.reconciliation": "0"}, 0),
        ({"timeout.reconciliation": "soon"}, 180),
    ],
)
def test_how_often_argo_cd_compares(config: dict[str, str] | None, within: float) -> None:
    assert registrations.reconciles_within(_hub(config=config), "argocd") == within

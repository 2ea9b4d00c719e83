"""Asking a fleet how it is, against small HTTP servers that answer as API servers do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fleet.facts import Hub, Readiness, Spoke
from fleet.observe import Observer, application_of, ask_spoke, secret_of, set_error
from live import cluster_api
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.fleet import Fleet

ROOT = Path(__file__).parents[2]
READY = {"type": "Ready", "status": "True"}
STORES = ["vault-backend"]
STORE = "/apis/external-secrets.io/v1/clustersecretstores/vault-backend"
SECRETS = "/apis/external-secrets.io/v1/externalsecrets"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


class FakeCluster:
    """An HTTP server on loopback. `answers` maps a path to (status, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "/readyz": (200, "ok"),
            "/version": (200, {"gitVersion": "v1.36.3"}),
        }
        self.authorization = ""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.authorization = self.headers.get("Authorization", "")
                url = urlsplit(self.path)
                status, body = owner.answers.get(url.path, (404, {"message": "not found"}))
                if isinstance(body, list):
                    page = int(parse_qs(url.query).get("continue", ["0"])[0])
                    following = str(page + 1) if page + 1 < len(body) else ""
                    body = {"items": body[page : page + 1], "metadata": {"continue": following}}
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    fake = FakeCluster()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def kubeconfig(**servers: str) -> Kubeconfig:
    return Kubeconfig(
        source="test",
        contexts={name: {"cluster": name, "user": "me"} for name in servers},
        clusters={name: {"server": server} for name, server in servers.items()},
        users={"me": {"token": "t0ken"}},
    )


@pytest.fixture
def api(cluster: FakeCluster) -> ClusterAPI:
    return ClusterAPI(kubeconfig(one=cluster.url), "one")


def test_a_reachable_cluster_tells_its_version_and_gets_the_contexts_token(
    cluster: FakeCluster, api: ClusterAPI
) -> None:
    assert api.version() == "v1.36.3"
    assert cluster.authorization == "Bearer t0ken"


def test_lists_are_read_page_by_page(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers["/things"] = (200, [{"n": 1}, {"n": 2}, {"n": 3}])
    assert [item["n"] for item in api.items("/things")] == [1, 2, 3]


def test_errors_of_the_server_are_one_line(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers["/forbidden"] = (403, {"message": 'things is forbidden: User "x" cannot list'})
    cluster.answers["/html"] = (200, "<html>")
    with pytest.raises(
        Unreachable, match=r'^/forbidden: 403 things is forbidden: User "x" cannot list$'
    ):
        api.json("/forbidden")
    with pytest.raises(NotFound):
        api.json("/nothing")
    with pytest.raises(Unreachable, match="no JSON"):
        api.json("/html")


def test_a_token_that_is_no_header_is_not_told(cluster: FakeCluster) -> None:
    config = kubeconfig(one=cluster.url)
    config.users["me"]["token"] = "canary\n"  # type: ignore[index]
    with pytest.raises(Unreachable, match="is there a line break in it") as told:
        ClusterAPI(config, "one").version()
    assert "canary" not in str(told.value)


def test_a_closed_port_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match=r"^connection refused$"):
        ClusterAPI(kubeconfig(one=f"http://127.0.0.1:{port}"), "one").version()


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_api, "READ_SECONDS", 0.1)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(Unreachable, match=r"^connected, but no answer within"):
            ClusterAPI(kubeconfig(one=f"http://127.0.0.1:{deaf.getsockname()[1]}"), "one").version()


def test_a_missing_context() -> None:
    with pytest.raises(Unreachable, match=r'^no context "two" in test$'):
        ClusterAPI(kubeconfig(one="http://127.0.0.1:1"), "two").version()


def external_secret(name: str, *conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "payment", "name": name},
        "status": {"conditions": list(conditions)},
    }


def test_a_good_spoke(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers[STORE] = (200, {"status": {"conditions": [READY]}})
    cluster.answers[SECRETS] = (200, [external_secret("db", READY)])
    assert ask_spoke("prod-1", api, STORES) == Spoke(
        "prod-1",
        True,
        "v1.36.3",
        stores=(Readiness("vault-backend", True),),
        secrets=(Readiness("payment/db", True),),
    )


def test_every_store_is_asked(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers[STORE] = (200, {"status": {"conditions": [READY]}})
    assert ask_spoke("prod-1", api, ["vault-backend", "team-a"]).stores == (
        Readiness("vault-backend", True),
        Readiness("team-a", False, "does not exist"),
    )


def test_a_store_that_is_not_ready(cluster: FakeCluster, api: ClusterAPI) -> None:
    sealed = {"type": "Ready", "status": "False", "message": "unable to log in:\n  Vault is sealed"}
    cluster.answers[STORE] = (200, {"status": {"conditions": [sealed]}})
    cluster.answers[SECRETS] = (200, [])
    assert ask_spoke("prod-1", api, STORES).stores == (
        Readiness("vault-backend", False, "unable to log in: Vault is sealed"),
    )


def test_a_store_that_has_not_been_looked_at_yet(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers[STORE] = (200, {"metadata": {}})
    (store,) = ask_spoke("prod-1", api, STORES).stores
    assert store.trouble == "vault-backend: not Ready yet"


def test_a_spoke_without_a_store(api: ClusterAPI) -> None:
    spoke = ask_spoke("prod-1", api, STORES)
    assert (spoke.reachable, spoke.error) == (True, "")
    assert spoke.stores == (Readiness("vault-backend", False, "does not exist"),)


def test_a_spoke_that_this_machine_does_not_talk_to() -> None:
    assert ask_spoke("prod-1", None, STORES) == Spoke("prod-1", reachable=False, asked=False)


def test_a_spoke_that_is_not_ready_is_not_reachable(cluster: FakeCluster, api: ClusterAPI) -> None:
    cluster.answers["/readyz"] = (500, "[-]etcd failed")
    spoke = ask_spoke("prod-1", api, STORES)
    assert (spoke.reachable, spoke.error) == (False, "/readyz: 500 [-]etcd failed")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {
                "status": {
                    "conditions": [{"type": "Ready", "status": "True", "message": "secret synced"}]
                }
            },
            (True, ""),
        ),
        (
            {
                "status": {
                    "conditions": [{"type": "Ready", "status": "False", "message": "no such key"}]
                }
            },
            (False, "no such key"),
        ),
        ({}, (False, "")),
        ({"status": {"conditions": None}}, (False, "")),
    ],
)
def test_external_secrets(item: dict[str, Any], expected: tuple[bool, str]) -> None:
    secret = secret_of({"metadata": {"namespace": "n", "name": "s"}, **item})
    assert (secret.name, secret.ready, secret.message) == ("n/s", *expected)


def argo_application(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "ownerReferences": [{"kind": "ApplicationSet", "name": "set"}]},
        "spec": {"destination": {"server": "https://one:6443/"}},
        "status": status,
    }


DESTINATIONS = {"https://one:6443": "one", "one": "one"}


def test_an_application_is_read() -> None:
    item = argo_application(
        sync={"status": "Synced", "revision": "abc"}, health={"status": "Healthy"}
    )
    application = application_of(item, DESTINATIONS)
    assert (application.name, application.spoke, application.application_set) == ("p", "one", "set")
    assert application.good
    assert application.message == ""


def test_an_application_by_destination_name_with_several_sources() -> None:
    item = argo_application(
        sync={"status": "Synced", "revisions": ["", "def"]}, health={"status": "Healthy"}
    )
    item["spec"]["destination"] = {"name": "one"}
    application = application_of(item, DESTINATIONS)
    assert (application.spoke, application.revision) == ("one", "def")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            {"conditions": [{"type": "ComparisonError", "message": "path\nnot found"}]},
            "path not found",
        ),
        ({"operationState": {"phase": "Failed", "message": "forbidden"}}, "forbidden"),
        ({"operationState": {"phase": "Succeeded", "message": "successfully synced"}}, ""),
        ({"health": {"status": "Degraded", "message": "crash loop"}}, "crash loop"),
        ({}, ""),
    ],
)
def test_why_an_application_is_not_well(status: dict[str, Any], message: str) -> None:
    assert application_of(argo_application(**status), DESTINATIONS).message == message


def test_application_set_errors() -> None:
    assert (
        set_error(
            {
                "status": {
                    "conditions": [{"type": "ErrorOccurred", "status": "False", "message": "fine"}]
                }
            }
        )
        == ""
    )
    assert (
        set_error(
            {
                "status": {
                    "conditions": [
                        {"type": "ErrorOccurred", "status": "True", "message": "no repo"}
                    ]
                }
            }
        )
        == "no repo"
    )
    assert set_error({}) == "Argo CD has not looked at it yet"


def a_fleet(spoke: dict[str, Any] | None = None, **sections: Any) -> Fleet:
    """A fleet with one spoke, as loading fills it in."""
    one = {"name": "one", "environment": "dev", "region": "r1", "server": "https://one:6443"}
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "argocd": {"manifest": "install.yaml"},
            "gitops": {"repo": "https://git.example/gitops-config"},
            "vault": {"address": "https://vault.example"},
            "externalSecrets": {"crds": "crds.yaml", "chart": "chart"},
            "spokes": [{**one, "context": "one", **(spoke or {})}],
            "applicationSets": [{"name": "set", "layout": "services"}],
            **sections,
        }
    )


def ask(cluster: FakeCluster, fleet: Fleet | None = None) -> tuple[Hub, dict[str, Spoke]]:
    observer = Observer(fleet or a_fleet(), kubeconfig(hub=cluster.url, one=cluster.url))
    return observer.ask()


@pytest.fixture
def argo(cluster: FakeCluster) -> FakeCluster:
    """A cluster with Argo CD, an Application of the spoke `one` and its set."""
    cluster.answers[f"{ARGO}/applications"] = (200, [argo_application()])
    cluster.answers[f"{ARGO}/applicationsets"] = (200, [{"metadata": {"name": "set"}}])
    return cluster


def test_the_whole_fleet_is_asked(argo: FakeCluster) -> None:
    hub, spokes = ask(argo)
    assert hub.reachable
    assert [application.spoke for application in hub.applications] == ["one"]
    assert hub.application_sets == {"set": "Argo CD has not looked at it yet"}
    assert (hub.stores, hub.credentials) == ((), ())
    assert spokes["one"].reachable


def test_a_fleet_without_spokes(argo: FakeCluster) -> None:
    hub, spokes = ask(argo, a_fleet(spokes=[], applicationSets=[]))
    assert (hub.error, spokes) == ("", {})


FAR = {"delivery": "argocd", "auth": {"kind": "vault", "store": "credentials"}}


def test_a_spoke_out_of_reach_is_not_asked_but_its_credential_is(argo: FakeCluster) -> None:
    store = STORE.replace("vault-backend", "credentials")
    argo.answers[store] = (200, {"status": {"conditions": [READY]}})
    secrets = []
    for name in ("cluster-one", "cluster-of-another-stack"):
        secret = external_secret(name)
        secret["metadata"]["namespace"] = "argocd"
        secrets.append(secret)
    argo.answers["/apis/external-secrets.io/v1/namespaces/argocd/externalsecrets"] = (200, secrets)
    hub, spokes = ask(argo, a_fleet(FAR))
    assert spokes["one"] == Spoke("one", reachable=False, asked=False)
    assert [application.spoke for application in hub.applications] == ["one"]
    assert hub.stores == (Readiness("credentials", True),)
    assert hub.credentials == (Readiness("argocd/cluster-one", False),)


def test_a_hub_without_the_store_of_its_credentials(argo: FakeCluster) -> None:
    hub, _ = ask(argo, a_fleet(FAR))
    assert hub.error == ""
    assert hub.stores == (Readiness("credentials", False, "does not exist"),)
    assert hub.credentials == (Readiness("argocd/cluster-one", False, "does not exist"),)


def test_the_credential_of_a_spoke_in_quarantine_is_not_asked_for(argo: FakeCluster) -> None:
    hub, _ = ask(argo, a_fleet({**FAR, "quarantine": "its disks died"}))
    assert hub.credentials == ()


def test_applications_of_the_hub_as_a_spoke_are_its_own(argo: FakeCluster) -> None:
    here = "https://kubernetes.default.svc"
    item = argo_application()
    item["spec"]["destination"] = {"server": here}
    argo.answers[f"{ARGO}/applications"] = (200, [item])
    hub, spokes = ask(
        argo, a_fleet({"auth": {"kind": "inCluster"}, "server": here, "context": "hub"})
    )
    assert [application.spoke for application in hub.applications] == ["one"]
    assert spokes["one"].reachable


def test_a_hub_without_argo_cd(cluster: FakeCluster) -> None:
    hub, _ = ask(cluster)
    assert hub == Hub("hub", True, "v1.36.3", "Argo CD is not installed (no Applications API)")


def test_dead_clusters_are_facts() -> None:
    dead = kubeconfig(hub="http://127.0.0.1:1", one="http://127.0.0.1:1")
    hub, spokes = Observer(a_fleet(), dead).ask()
    assert (hub.reachable, hub.error) == (False, "connection refused")
    assert (spokes["one"].reachable, spokes["one"].error) == (False, "connection refused")


def test_a_fresh_process_asks_in_parallel() -> None:
    """The official client imports its parts when named; threads that do so at the same time deadlock."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "from live.cluster_api import ClusterAPI\n"
        "from fleet.observe import ask_spoke\n"
        "from stacks.loading.kubeconfig import Kubeconfig\n"
        "names = [str(n) for n in range(16)]\n"
        "config = Kubeconfig('x', {n: {'cluster': 'c'} for n in names}, {'c': {'server': 'http://127.0.0.1:1'}}, {})\n"
        "with Pool(16) as pool:\n"
        "    print({s.error for s in pool.map(lambda n: ask_spoke(n, ClusterAPI(config, n), []), names)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", "{'connection refused'}\n")

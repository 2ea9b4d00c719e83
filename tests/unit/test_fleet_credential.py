"""`fleet credential`: a spoke's API server, the hub and Vault are small servers that answer as the real ones do."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from fleet.commands import app

TOKEN = "header.payload.signature-of-the-test"
VAULT_TOKEN = "vault-token-of-the-test"
ACCOUNT = "/api/v1/namespaces/kube-system/serviceaccounts/argocd-manager"
ACCOUNT_TOKEN = "/api/v1/namespaces/kube-system/secrets/argocd-manager-token"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
STORE = "/apis/external-secrets.io/v1/clustersecretstores/fleet-clusters"
LOOKUP, CAPABILITIES = "/v1/auth/token/lookup-self", "/v1/sys/capabilities-self"
DAY = 86400


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: Message


@dataclass
class Fake:
    """A server that keeps what it is asked. `answers` maps a path to (status, body) where the default won't do."""

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    longest: int = 10**9
    """What it grants at most, as `--service-account-max-token-expiration` does."""

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path.endswith("/serviceaccounts/argocd-manager/token"):
            granted = min(request.body["spec"]["expirationSeconds"], self.longest)
            status = {"token": TOKEN, "expirationTimestamp": "2027-01-02T03:04:05Z"}
            return 201, {"spec": {"expirationSeconds": granted}, "status": status}
        if request.path == "/v1/sys/capabilities-self":
            return 200, {"capabilities": ["create", "update"], "data": {}}
        if request.path.endswith(("/secrets/argocd-manager-token", "/secrets/cluster-prod-1")):
            return 404, {}
        if request.method == "GET":
            return 200, {"items": []}
        return 200, {}

    def of(self, *methods: str) -> list[Request]:
        return [request for request in self.requests if request.method in methods]


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Fake]:
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            url = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            request = Request(
                self.command, url.path, query, json.loads(text or "null"), self.headers
            )
            fake.requests.append(request)
            status, body = fake.answer(request)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if certificate:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trust.load_cert_chain(certificate)
            server.socket = trust.wrap_socket(server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        fake.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield fake
        server.shutdown()


@dataclass
class World:
    """A stack with a spoke in reach, its hub and its Vault."""

    folder: Path
    hub: Fake
    spoke: Fake
    vault: Fake
    stack: dict[str, Any]

    def run(self, *words: str) -> Result:
        path = self.folder / "stacks" / "Pulumi.production.yaml"
        path.write_text(yaml.safe_dump({"config": self.stack}))
        return CliRunner().invoke(app, ["credential", *words])

    def own_the_hub(self) -> None:
        """Let the stack be the one that makes the hub's store, and have other words for it."""
        store = {"namespace": "here", "mount": "kv", "readPaths": ["production/*"]}
        self.stack["fleet:hub"]["secretStore"] = store
        self.stack["fleet:argocd"] = {"manifest": "https://argocd.example/install.yaml"}

    @property
    def entry(self) -> Request:
        """The one entry that was written."""
        (written,) = [one for one in self.vault.requests if "/data/" in one.path]
        return written

    @property
    def applied(self) -> dict[str, Request]:
        return {request.path: request for request in self.spoke.of("PATCH")}


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path, pem_files: Path
) -> Iterator[World]:
    with serving(certificate) as hub, serving(certificate) as spoke, serving(certificate) as vault:
        ca = base64.b64encode((pem_files / "ca.pem").read_bytes()).decode()
        provider = {"path": "platform-kv", "namespace": "platform", "version": "v2"}
        hub.answers[STORE] = (200, {"spec": {"provider": {"vault": provider}}})
        clusters = {"hub": hub.url, "prod-1": spoke.url, "prod-2": spoke.url}
        kubeconfig = {
            "clusters": [
                {"name": n, "cluster": {"server": url, "certificate-authority-data": ca}}
                for n, url in clusters.items()
            ],
            "contexts": [{"name": n, "context": {"cluster": n, "user": "me"}} for n in clusters],
            "users": [{"name": "me", "user": {"token": "admin-token-of-the-test"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        one = {"environment": "production", "region": "r1", "delivery": "argocd"}
        auth = {"kind": "vault", "path": "{environment}/{cluster}"}
        stack = {
            "fleet:hub": {"context": "hub"},
            "fleet:gitops": {"repo": "https://git.example/gitops-config"},
            "fleet:vault": {"address": vault.url, "caFile": str(pem_files / "ca.pem")},
            "fleet:externalSecrets": {"chart": "oci://charts.example/eso", "version": "0.19.2"},
            "fleet:rbac": {"rules": [{"resources": ["secrets"], "verbs": ["get"]}]},
            "fleet:spokes": [
                {**one, "name": "prod-1", "server": "https://prod-1:6443", "auth": auth},
                {**one, "name": "prod-2", "server": "https://prod-2:6443"},
            ],
            "fleet:applicationSets": [{"name": "set", "layout": "services"}],
        }
        (tmp_path / "stacks").mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setenv("VAULT_TOKEN", VAULT_TOKEN)
        monkeypatch.delenv("PULUMI_STACK", raising=False)
        yield World(tmp_path, hub, spoke, vault, stack)


def test_the_spoke_gets_the_account_with_its_rights(world: World) -> None:
    assert world.run("prod-1").exit_code == 0
    role, binding = (
        f"{RBAC}/clusterroles/argocd-manager-role",
        f"{RBAC}/clusterrolebindings/argocd-manager-role-binding",
    )
    assert list(world.applied) == [ACCOUNT, role, binding]
    for request in world.applied.values():
        assert request.query == {"fieldManager": "fleet", "force": "true"}
        assert request.headers["Content-Type"] == "application/apply-patch+yaml"
        assert request.headers["Authorization"] == "Bearer admin-token-of-the-test"
    assert world.applied[role].body["rules"][-1] == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get"],
    }
    assert world.applied[binding].body["roleRef"]["name"] == "argocd-manager-role"
    assert world.applied[binding].body["subjects"] == [
        {"kind": "ServiceAccount", "name": "argocd-manager", "namespace": "kube-system"}
    ]


def test_the_token_goes_to_where_the_hubs_store_reads(world: World) -> None:
    assert world.run("prod-1", "--expires", "720h").exit_code == 0
    (request,) = world.spoke.of("POST")
    assert request.path == f"{ACCOUNT}/token"
    assert request.body["spec"] == {"expirationSeconds": 720 * 3600}
    assert world.entry.path == "/v1/platform-kv/data/production/prod-1"
    assert world.entry.headers["X-Vault-Namespace"] == "platform"
    assert world.entry.headers["X-Vault-Token"] == VAULT_TOKEN
    assert world.entry.body["data"] == {
        "bearerToken": TOKEN,
        "expires": "2027-01-02T03:04:05+00:00",
    }


def test_it_says_until_when_and_how_soon_the_hub_follows(world: World) -> None:
    output = world.run("prod-1").output
    assert "valid until 2027-01-02T03:04:05+00:00 (2160h)" in output
    assert "follows within 1h (refreshInterval)" in output
    assert "annotate externalsecret cluster-prod-1 " in output
    assert "before 2027-01-02T02:04:05+00:00: fleet credential prod-1 --stack production" in output
    assert "API server gave" not in output


def test_it_says_where_less_was_given_than_asked(world: World) -> None:
    world.spoke.longest = DAY
    result = world.run("prod-1")
    assert result.exit_code == 0
    assert "(24h)" in result.output
    assert "Asked 2160h, the API server gave 24h" in result.output


def test_it_warns_where_the_hub_reads_too_seldom(world: World) -> None:
    world.spoke.longest = 1800
    output = world.run("prod-1").output
    assert "WARNING: the token ends before the hub reads the next" in output


def test_it_warns_of_an_account_that_pulumi_will_delete(world: World) -> None:
    world.spoke.answers[ACCOUNT_TOKEN] = (200, {"data": {"token": "b2xk"}})
    (warning,) = json.loads(world.run("prod-1", "--dry-run", "--json").stdout)["warnings"]
    assert "`pulumi up` that changes the kind deletes it" in warning
    del world.spoke.answers[ACCOUNT_TOKEN]
    assert "WARNING" not in world.run("prod-1").output


def test_it_says_where_the_hub_reads_only_when_told(world: World) -> None:
    world.stack["fleet:spokes"][0]["auth"]["refreshInterval"] = "0s"
    assert "The hub reads it only when told" in world.run("prod-1").output


@pytest.mark.parametrize("words", [[], ["--json"], ["--dry-run"]])
def test_no_token_is_ever_shown(world: World, words: list[str]) -> None:
    result = world.run("prod-1", *words)
    assert result.exit_code == 0
    for secret in (TOKEN, VAULT_TOKEN, "admin-token-of-the-test"):
        assert secret not in result.output


def test_a_dry_run_changes_nothing(world: World) -> None:
    result = world.run("prod-1", "--dry-run")
    assert result.exit_code == 0
    assert "Nothing was changed" in result.output
    assert len(world.applied) == 3
    assert {request.query.get("dryRun") for request in world.applied.values()} == {"All"}
    assert world.spoke.of("POST") == []
    assert [request.path for request in world.vault.requests] == [LOOKUP, CAPABILITIES]


def test_in_a_namespace_of_the_stack_file_s(world: World) -> None:
    world.stack["fleet:rbac"] = {"accountNamespace": "argocd-access"}
    assert world.run("prod-1").exit_code == 0
    account = ACCOUNT.replace("kube-system", "argocd-access")
    assert account in world.applied
    assert [request.path for request in world.spoke.of("POST")] == [f"{account}/token"]
    assert not [one for one in world.spoke.requests if "kube-system/" in one.path]


def test_json(world: World) -> None:
    world.spoke.longest = DAY
    result = world.run("prod-1", "--json")
    assert json.loads(result.stdout) == {
        "spoke": "prod-1",
        "context": "prod-1",
        "dryRun": False,
        "applied": [
            "ServiceAccount kube-system/argocd-manager",
            "ClusterRole argocd-manager-role",
            "ClusterRoleBinding argocd-manager-role-binding",
        ],
        "deleted": [],
        "vault": {
            "address": world.vault.url,
            "namespace": "platform",
            "mount": "platform-kv",
            "path": "production/prod-1",
        },
        "asked": 90 * DAY,
        "granted": DAY,
        "expires": "2027-01-02T03:04:05+00:00",
        "refreshInterval": "1h",
        "warnings": [],
    }
    dry = json.loads(world.run("prod-1", "--json", "--dry-run").stdout)
    assert (dry["dryRun"], dry["granted"], dry["expires"]) == (True, None, None)


def role_on(kind: str, name: str, namespace: str = "", manager: str = "fleet") -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": manager}}
    return {"metadata": {**metadata, **({"namespace": namespace} if namespace else {})}}


def test_a_namespaced_spoke_has_roles_there_and_none_for_the_cluster(world: World) -> None:
    world.stack["fleet:spokes"][0] |= {
        "rbac": {"namespaces": ["shop", "cart"]},
        "delivery": "pulumi",
    }
    world.spoke.answers |= {
        f"{RBAC}/clusterroles": (
            200,
            {"items": [role_on("ClusterRole", "argocd-manager-role"), role_on("", "view")]},
        ),
        f"{RBAC}/clusterrolebindings": (
            200,
            {"items": [role_on("", "argocd-manager-role-binding", manager="Helm")]},
        ),
        f"{RBAC}/roles": (
            200,
            {
                "items": [
                    role_on("", "argocd-manager-role", "shop"),
                    role_on("", "argocd-manager-role", "old"),
                ]
            },
        ),
    }
    result = world.run("prod-1")
    assert result.exit_code == 0
    assert list(world.applied)[1:] == [
        f"{RBAC}/namespaces/shop/roles/argocd-manager-role",
        f"{RBAC}/namespaces/shop/rolebindings/argocd-manager-role-binding",
        f"{RBAC}/namespaces/cart/roles/argocd-manager-role",
        f"{RBAC}/namespaces/cart/rolebindings/argocd-manager-role-binding",
    ]
    assert [request.path for request in world.spoke.of("DELETE")] == [
        f"{RBAC}/clusterroles/argocd-manager-role",
        f"{RBAC}/namespaces/old/roles/argocd-manager-role",
    ]
    assert "delete  ClusterRole argocd-manager-role, no longer wanted" in result.output


def test_a_namespace_that_does_not_exist(world: World) -> None:
    world.stack["fleet:spokes"][0] |= {"rbac": {"namespaces": ["shop"]}, "delivery": "pulumi"}
    path = f"{RBAC}/namespaces/shop/roles/argocd-manager-role"
    world.spoke.answers[path] = (404, {"message": "not found"})
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert "Role shop/argocd-manager-role: namespace shop does not exist" in result.stderr
    assert world.spoke.of("POST") == []


def test_a_spoke_out_of_reach(world: World) -> None:
    path = world.folder / "kubeconfig"
    path.write_text(path.read_text().replace(world.spoke.url, "https://127.0.0.1:1"))
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert 'spoke "prod-1" by context "prod-1": connection refused. Run this where' in result.stderr
    assert "nothing was changed" in result.stderr


HERE, THERE = "0b6c5b1e-6e2b-4a5c-9d53-2f9e55e0c1a7", "7c1e4b52-90c6-4d29-8a14-7b0d3d5a9f10"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
CLUSTER_SECRET = "/api/v1/namespaces/argocd/secrets/cluster-prod-1"


@pytest.mark.parametrize("said_by", ["the stack file", "the hub"])
def test_a_context_that_leads_to_another_cluster(world: World, said_by: str) -> None:
    world.spoke.answers[KUBE_SYSTEM] = (200, {"metadata": {"uid": THERE}})
    if said_by == "the hub":
        told = {"metadata": {"annotations": {"fleet_identity": HERE}}}
        world.hub.answers[CLUSTER_SECRET] = (200, told)
    else:
        world.stack["fleet:spokes"][0]["identity"] = HERE
    result = world.run("prod-1")
    assert result.exit_code == 2
    assert f'"prod-1" is the cluster {HERE}, and its context leads to {THERE}' in result.stderr
    assert "nothing was changed" in result.stderr
    assert world.spoke.of("PATCH", "POST") == []
    assert not [one for one in world.vault.requests if "/data/" in one.path]
    world.spoke.answers[KUBE_SYSTEM] = (200, {"metadata": {"uid": HERE}})
    assert world.run("prod-1").exit_code == 0


def test_a_hub_that_is_not_the_one(world: World) -> None:
    world.stack["fleet:hub"]["identity"] = HERE
    world.hub.answers[KUBE_SYSTEM] = (200, {"metadata": {"uid": THERE}})
    result = world.run("prod-1")
    assert result.exit_code == 2
    assert f"the hub is the cluster {HERE}, and its context leads to {THERE}" in result.stderr
    assert (world.spoke.requests, world.vault.requests) == ([], [])


def test_a_hub_that_fails_is_no_hub_without_a_record(world: World) -> None:
    world.hub.answers[CLUSTER_SECRET] = (503, {"message": "busy"})
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert "503 busy; nothing was changed" in result.stderr
    assert (world.spoke.requests, world.vault.requests) == ([], [])


def test_a_hub_that_bars_its_record(world: World) -> None:
    world.hub.answers[CLUSTER_SECRET] = (403, {"message": "forbidden"})
    result = world.run("prod-1")
    assert result.exit_code == 0
    assert 'WARNING: nothing tells whether this is the cluster "prod-1": ' in result.output
    assert "write `identity:` into its block" in result.output


def test_a_spoke_without_a_context_here(world: World) -> None:
    path = world.folder / "kubeconfig"
    path.write_text(path.read_text().replace("prod-1", "other"))
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert 'no context "prod-1" in' in result.stderr


def test_a_hub_without_the_store(world: World) -> None:
    world.hub.answers[STORE] = (404, {})
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert "the hub has no ClusterSecretStore fleet-clusters" in result.stderr
    assert (world.spoke.requests, world.vault.requests) == ([], [])


def test_it_warns_of_another_vault(world: World) -> None:
    provider = {"path": "kv", "version": "v2", "server": f"{world.vault.url}/"}
    world.hub.answers[STORE] = (200, {"spec": {"provider": {"vault": provider}}})
    assert "WARNING" not in world.run("prod-1").output
    provider["server"] = "https://another-vault.example"
    (warning,) = json.loads(world.run("prod-1", "--dry-run", "--json").stdout)["warnings"]
    assert warning.startswith("the hub reads it from https://another-vault.example, and ")


def test_a_store_that_this_stack_is_about_to_make(world: World) -> None:
    world.hub.answers[STORE] = (404, {})
    world.own_the_hub()
    assert world.run("prod-1").exit_code == 0
    assert world.entry.path == "/v1/kv/data/production/prod-1"
    assert world.entry.headers["X-Vault-Namespace"] == "here"


def test_the_hubs_own_word_counts_more_than_the_stack_file(world: World) -> None:
    world.own_the_hub()
    assert world.run("prod-1").exit_code == 0
    assert world.entry.path == "/v1/platform-kv/data/production/prod-1"


def test_a_store_of_another_kind(world: World) -> None:
    world.hub.answers[STORE] = (200, {"spec": {"provider": {"aws": {}}}})
    result = world.run("prod-1")
    assert (result.exit_code, "reads no KV version 2 mount" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, {"capabilities": ["read"]}, "the token in VAULT_TOKEN may not write platform-kv/"),
        (403, {"errors": ["permission denied"]}, ": permission denied, on post"),
        (503, {"errors": ["Vault is sealed"]}, ": Vault is sealed, on post"),
    ],
)
def test_a_vault_that_would_refuse_is_asked_before_anything_changes(
    world: World, status: int, body: dict[str, Any], message: str
) -> None:
    world.vault.answers["/v1/sys/capabilities-self"] = (status, body)
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert message in result.stderr
    assert world.spoke.of("PATCH", "POST", "DELETE") == []


@pytest.mark.parametrize(
    ("home", "asked_in", "prefix"),
    [
        ("", None, "admin/platform/"),
        ("admin/", "admin", "platform/"),
        ("admin/platform/", "admin/platform", ""),
        ("adm/", "admin/platform", ""),
        (None, "admin/platform", ""),
    ],
)
def test_a_token_is_asked_about_where_it_is_of(
    world: World, home: str | None, asked_in: str | None, prefix: str
) -> None:
    """There its policy `default` lets it ask; the entry is written where the hub's store reads, whatever the token."""
    provider = {"path": "platform-kv", "namespace": "admin/platform", "version": "v2"}
    world.hub.answers[STORE] = (200, {"spec": {"provider": {"vault": provider}}})
    known = {"data": {"namespace_path": home}} if home else {"data": {}}
    world.vault.answers[LOOKUP] = (403, {}) if home is None else (200, known)
    assert world.run("prod-1").exit_code == 0
    (question,) = [one for one in world.vault.requests if one.path == CAPABILITIES]
    assert question.headers["X-Vault-Namespace"] == asked_in
    assert question.body["paths"] == [f"{prefix}platform-kv/data/production/prod-1"]
    assert world.entry.headers["X-Vault-Namespace"] == "admin/platform"
    assert world.entry.path == "/v1/platform-kv/data/production/prod-1"


def test_before_the_first_up_the_parent_namespace_comes_from_the_stack_file(world: World) -> None:
    world.hub.answers[STORE] = (404, {})
    world.own_the_hub()
    world.stack["fleet:vault"]["parentNamespace"] = "admin"
    assert world.run("prod-1").exit_code == 0
    assert world.entry.headers["X-Vault-Namespace"] == "admin/here"


def test_a_vault_out_of_reach(world: World) -> None:
    world.stack["fleet:vault"]["address"] = "https://127.0.0.1:1"
    result = world.run("prod-1")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "error: Vault at https://127.0.0.1:1 can't be reached",
    )


def test_a_vault_of_another_ca(world: World) -> None:
    del world.stack["fleet:vault"]["caFile"]
    assert "is not of a known CA; set `fleet:vault.caFile`" in world.run("prod-1").stderr


def test_a_vault_that_fails_after_the_token_was_made(world: World) -> None:
    path = "/v1/platform-kv/data/production/prod-1"
    world.vault.answers[path] = (500, {"errors": ["no space left"]})
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert "no space left" in result.stderr
    assert "The token before stays in use; run this again" in result.stderr
    assert TOKEN not in result.output


def test_an_answer_that_is_no_token_is_not_quoted(world: World) -> None:
    world.spoke.answers[f"{ACCOUNT}/token"] = (201, {"status": {"token": TOKEN}})
    result = world.run("prod-1")
    assert (result.exit_code, TOKEN in result.output) == (1, False)
    assert "the answer is no TokenRequest" in result.stderr


def test_an_api_server_that_refuses(world: World) -> None:
    role = f"{RBAC}/clusterroles/argocd-manager-role"
    world.spoke.answers[role] = (403, {"message": 'User "me" cannot patch clusterroles'})
    result = world.run("prod-1")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ClusterRole argocd-manager-role: ")
    assert 'User "me" cannot patch clusterroles' in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prod-11"], 'has no spoke "prod-11"; it has prod-1, prod-2; did you mean "prod-1"?'),
        (["prod-2"], "`auth: {kind: serviceAccount}`, which needs no credential in Vault"),
        (["prod-1", "--expires", "90d"], '--expires: "90d" is no duration'),
        (["prod-1", "--expires", "5m"], "no token for less than 10m"),
        (["prod-1", "--stack", "nope"], "stacks here: production"),
    ],
)
def test_bad_input(world: World, words: list[str], message: str) -> None:
    result = world.run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert world.hub.requests == world.spoke.requests == []


def test_without_a_vault_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    result = world.run("prod-1")
    assert (result.exit_code, "VAULT_TOKEN is not set" in result.stderr) == (2, True)

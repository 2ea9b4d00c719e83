"""Exactly what Argo CD gets to parse. The JSON was decoded by Argo CD v3.6.1's own ClusterConfig, no field unknown."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from stacks.desired import cluster_secret, contract
from stacks.model.access import Endpoint
from stacks.model.fleet import Fleet
from stacks.model.spoke import IN_CLUSTER_SERVER, Spoke

CA = base64.b64encode(b"the CA of the spoke").decode()
ENDPOINT = Endpoint("https://spoke.example.com:6443", CA, None)
CHECKED = {"insecure": False, "caData": CA}
CLOUD = "client.authentication.k8s.io/v1beta1"


def _fleet(auth: dict[str, Any], **spoke: Any) -> tuple[Fleet, Spoke]:
    block = {"name": "prod-1", "environment": "production", "region": "eu-west-1", **spoke}
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": {"chart": "chart"},
            "spokes": [{**block, "auth": auth}],
        }
    )
    return fleet, fleet.spokes[0]


def _config(auth: dict[str, Any], credential: dict[str, str] | None = None, **spoke: Any) -> Any:
    found = cluster_secret.config(_fleet(auth, **spoke)[1], ENDPOINT, credential or {})
    return json.loads(json.dumps(found))


@pytest.mark.parametrize("kind", ["serviceAccount", "token"])
def test_bearer_token(kind: str) -> None:
    found = cluster_secret.config(_fleet({"kind": kind})[1], ENDPOINT, {"token": "t0ken"})
    assert json.dumps(found) == (
        f'{{"bearerToken": "t0ken", "tlsClientConfig": {{"insecure": false, "caData": "{CA}"}}}}'
    )


def test_client_certificate() -> None:
    user = {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}
    assert _config({"kind": "clientCertificate"}, user) == {
        "tlsClientConfig": {**CHECKED, "certData": "Y2VydA==", "keyData": "a2V5"}
    }


def test_basic() -> None:
    user = {"username": "argocd", "password": "s3cret"}
    assert _config({"kind": "basic"}, user) == {**user, "tlsClientConfig": CHECKED}


def test_nothing_else_of_the_kubeconfig_user() -> None:
    user = {"token": "t0ken", "password": "s3cret", "client-key-data": "a2V5", "exec": "x"}
    assert _config({"kind": "token"}, user) == {"bearerToken": "t0ken", "tlsClientConfig": CHECKED}


def test_eks() -> None:
    role = "arn:aws:iam::123456789012:role/argocd"
    assert _config({"kind": "eks", "clusterName": "one", "roleArn": role, "profile": "ops"}) == {
        "awsAuthConfig": {"clusterName": "one", "roleARN": role, "profile": "ops"},
        "tlsClientConfig": CHECKED,
    }
    assert _config({"kind": "eks", "clusterName": "one"})["awsAuthConfig"] == {"clusterName": "one"}


def test_gke() -> None:
    assert _config({"kind": "gke"}) == {
        "execProviderConfig": {
            "command": "argocd-k8s-auth",
            "args": ["gcp"],
            "apiVersion": CLOUD,
        },
        "tlsClientConfig": CHECKED,
    }


def test_aks_with_workload_identity() -> None:
    auth = {"kind": "aks", "clientId": "c", "tenantId": "t"}
    assert _config(auth) == {
        "execProviderConfig": {
            "command": "argocd-k8s-auth",
            "args": ["azure"],
            "apiVersion": CLOUD,
            "env": {
                "AAD_LOGIN_METHOD": "workloadidentity",
                "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
                "AZURE_CLIENT_ID": "c",
                "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token",
                "AZURE_TENANT_ID": "t",
            },
        },
        "tlsClientConfig": CHECKED,
    }
    usgov = {
        "AAD_ENVIRONMENT_NAME": "AzureUSGovernmentCloud",
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/",
    }
    env = _config({**auth, "env": usgov})["execProviderConfig"]["env"]
    assert env.items() >= usgov.items(), "the stack file's go over Fleet's"


def test_aks_with_a_managed_identity() -> None:
    env = _config({"kind": "aks", "loginMethod": "msi"})["execProviderConfig"]["env"]
    assert env == {"AAD_LOGIN_METHOD": "msi"}


def test_exec() -> None:
    auth = {
        "kind": "exec",
        "command": "plugin",
        "args": ["token", "prod-1"],
        "env": {"Z": "1", "A": "2"},
        "apiVersion": "client.authentication.k8s.io/v1",
        "installHint": "mount it",
    }
    found = _config(auth)
    assert found == {
        "execProviderConfig": {
            "command": "plugin",
            "args": ["token", "prod-1"],
            "env": {"A": "2", "Z": "1"},
            "apiVersion": "client.authentication.k8s.io/v1",
            "installHint": "mount it",
        },
        "tlsClientConfig": CHECKED,
    }
    assert list(found["execProviderConfig"]["env"]) == ["A", "Z"], "stable in order"
    bare = _config({"kind": "exec", "command": "plugin"})["execProviderConfig"]
    assert bare == {"command": "plugin", "apiVersion": CLOUD}, "no empty keys"


def test_in_cluster() -> None:
    fleet, spoke = _fleet({"kind": "inCluster"})
    endpoint = Endpoint(IN_CLUSTER_SERVER, CA, None)
    config = cluster_secret.config(spoke, endpoint, {})
    assert config == {"tlsClientConfig": {"insecure": False}}, "Argo CD takes its pod's own"
    assert cluster_secret.data(fleet, spoke, endpoint, "{}") == {
        "name": "prod-1",
        "server": "https://kubernetes.default.svc",
        "config": "{}",
    }


def test_tls() -> None:
    insecure = _config({"kind": "gke"}, tls={"insecure": True, "caFile": "ca.pem"})
    assert insecure["tlsClientConfig"] == {"insecure": True}, "client-go refuses a CA beside it"
    named = _config({"kind": "gke"}, tls={"serverName": "kubernetes"})
    assert named["tlsClientConfig"] == {**CHECKED, "serverName": "kubernetes"}
    public = cluster_secret.config(_fleet({"kind": "gke"})[1], Endpoint("https://x", "", None), {})
    assert public["tlsClientConfig"] == {"insecure": False}


def test_proxy_and_compression() -> None:
    found = _config({"kind": "gke"}, proxyUrl="socks5://proxy:1080", disableCompression=True)
    assert found["proxyUrl"] == "socks5://proxy:1080"
    assert found["disableCompression"] is True
    assert not {"proxyUrl", "disableCompression"} & _config({"kind": "gke"}).keys()


def test_the_rest_of_the_secret() -> None:
    plain = cluster_secret.data(*_fleet({"kind": "gke"}), ENDPOINT, "{}")
    assert plain == {"name": "prod-1", "server": ENDPOINT.server, "config": "{}"}
    everything = {
        "rbac": {"namespaces": ["shop", "cart"]},
        "shard": 0,
        "project": "payments",
    }
    assert cluster_secret.data(*_fleet({"kind": "gke"}, **everything), ENDPOINT, "{}") == {
        **plain,
        "namespaces": "shop,cart",
        "clusterResources": "false",
        "shard": "0",
        "project": "payments",
    }


def test_external_secret() -> None:
    fleet, spoke = _fleet(
        {"kind": "vault", "path": "{environment}/{cluster}", "refreshInterval": "10m"},
        annotations={"template": "{{.name}}"},
        shard=2,
    )
    spec = cluster_secret.external_secret(fleet, "production", spoke, ENDPOINT)
    template = spec["target"].pop("template")
    assert spec == {
        "refreshInterval": "10m",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "fleet-clusters"},
        "target": {
            "name": "cluster-prod-1",
            "creationPolicy": "Owner",
            "deletionPolicy": "Retain",
        },
        "dataFrom": [{"extract": {"key": "production/prod-1"}}],
    }
    assert template["metadata"]["labels"] == contract.labels(fleet, "production", spoke)
    annotations = contract.annotations(fleet, spoke)
    rendered = {key: _render(text, {}) for key, text in template["metadata"]["annotations"].items()}
    assert rendered == annotations
    assert annotations["template"] == "{{.name}}", "someone else's template comes out as it went in"
    assert template["engineVersion"] == "v2"
    assert template["type"] == "Opaque"
    data = {key: _render(text, {"bearerToken": "t"}) for key, text in template["data"].items()}
    assert data.keys() == {"name", "server", "config", "shard"}
    assert (data["name"], data["server"], data["shard"]) == ("prod-1", ENDPOINT.server, "2")


# As External Secrets' own engine rendered it; see the module's docstring.
CHECK = (
    '{{ if not (or (index . "bearerToken") (index . "certData") (index . "username")) }}'
    '{{ fail "the entry in Vault has neither bearerToken nor certData nor username" }}{{ end }}'
)
TEMPLATE = (
    CHECK + "{ "
    '{{ with index . "bearerToken" }}"bearerToken":{{ . | toJson }},{{ end }}'
    '{{ with index . "username" }}"username":{{ . | toJson }},{{ end }}'
    '{{ with index . "password" }}"password":{{ . | toJson }},{{ end }}'
    '"tlsClientConfig":{ '
    '{{ with index . "certData" }}"certData":{{ . | toJson }},{{ end }}'
    '{{ with index . "keyData" }}"keyData":{{ . | toJson }},{{ end }}'
    f'"insecure":false,"caData":"{CA}" }} }}'
)


def test_config_template() -> None:
    assert cluster_secret.config_template(_fleet({"kind": "vault"})[1], ENDPOINT) == TEMPLATE


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"bearerToken": "t0ken"}, {"bearerToken": "t0ken", "tlsClientConfig": CHECKED}),
        (
            {"certData": "Y2VydA==", "keyData": "a2V5"},
            {"tlsClientConfig": {**CHECKED, "certData": "Y2VydA==", "keyData": "a2V5"}},
        ),
        (
            {"username": "argocd", "password": 'a"b\\c{{ . }}\n'},
            {
                "username": "argocd",
                "password": 'a"b\\c{{ . }}\n',
                "tlsClientConfig": CHECKED,
            },
        ),
        ({"bearerToken": "t", "note": "x"}, {"bearerToken": "t", "tlsClientConfig": CHECKED}),
    ],
)
def test_whatever_the_vault_entry_has(entry: dict[str, str], expected: dict[str, Any]) -> None:
    assert json.loads(_render(TEMPLATE, entry)) == expected


def test_config_template_with_every_option() -> None:
    _, spoke = _fleet(
        {"kind": "vault"},
        tls={"serverName": "a{{b}}"},
        proxyUrl="http://proxy:3128",
        disableCompression=True,
    )
    rendered = _render(cluster_secret.config_template(spoke, ENDPOINT), {"bearerToken": "t"})
    assert json.loads(rendered) == {
        "bearerToken": "t",
        **cluster_secret.config(spoke, ENDPOINT, {}),
    }
    assert '"serverName":"a{{b}}"' in rendered


_WITH = re.compile(r'\{\{ with index \. "(\w+)" \}\}(.*?)\{\{ end \}\}', re.DOTALL)


def _render(template: str, entry: dict[str, str]) -> str:
    """The part of Go's templates that is used here; it fails on anything else."""

    def chosen(found: re.Match[str]) -> str:
        value = entry.get(found[1])
        return found[2].replace("{{ . | toJson }}", json.dumps(value)) if value else ""

    template = template.removeprefix(CHECK)
    pieces = []
    end = 0
    for found in _WITH.finditer(template):
        pieces += [_plain(template[end : found.start()]), chosen(found)]
        end = found.end()
    return "".join([*pieces, _plain(template[end:])])


def _plain(text: str) -> str:
    brace = '{{ "{{" }}'
    assert "{{" not in text.replace(brace, ""), f"an action that is not known here: {text}"
    return text.replace(brace, "{{")

"""The content of a spoke's cluster Secret: what Argo CD parses, for every kind of auth.

Pure. The field names are those of Argo CD's ClusterConfig, in pkg/apis/application/v1alpha1/types.go of its source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stacks.desired import contract
from stacks.model.access import Endpoint
from stacks.model.auth import (
    AksAuth,
    BasicAuth,
    ClientCertificateAuth,
    EksAuth,
    ExecAuth,
    GkeAuth,
    ServiceAccountAuth,
    TokenAuth,
    VaultAuth,
)
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

EXTERNAL_SECRET_VERSION = "external-secrets.io/v1"  # noqa: S105  # an apiVersion
# argocd-k8s-auth speaks this version of the API for every cloud.
_CLOUD_PLUGIN = {
    "command": "argocd-k8s-auth",
    "apiVersion": "client.authentication.k8s.io/v1beta1",
}
# Where Azure's webhook puts them in every pod of a workload identity.
_WORKLOAD_IDENTITY = {
    "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token",
}
_IN_VAULT = ("bearerToken", "username", "password")
_IN_VAULT_TLS = ("certData", "keyData")
# Without a credential Argo CD would come as nobody, and say only that it is refused.
_ENTRY_CHECK = (
    '{{ if not (or (index . "bearerToken") (index . "certData") (index . "username")) }}'
    '{{ fail "the entry in Vault has neither bearerToken nor certData nor username" }}{{ end }}'
)


def name(spoke: Spoke) -> str:
    """The name of a spoke's cluster Secret on the hub."""
    return f"cluster-{spoke.name}"


def config(spoke: Spoke, endpoint: Endpoint, credential: Mapping[str, Any]) -> dict[str, Any]:
    """What the key `config` of a cluster Secret says as JSON: how Argo CD proves itself to the spoke, and reaches it.

    `credential` has the keys of a kubeconfig's user, as far as the kind of auth needs them. Its values may be anything
    that stands for a text, such as Pulumi's outputs.
    """
    proof, tls = _proof(spoke, credential)
    return {**proof, "tlsClientConfig": {**_tls(spoke, endpoint), **tls}, **_connection(spoke)}


def data(fleet: Fleet, spoke: Spoke, endpoint: Endpoint, config: Any) -> dict[str, Any]:
    """Every key of a cluster Secret, with `config` as its JSON or whatever stands for that."""
    found = {"name": spoke.name, "server": endpoint.server, "config": config}
    namespaces = fleet.rbac_of(spoke).namespaces
    if namespaces:
        found["namespaces"] = ",".join(namespaces)
        found["clusterResources"] = "false"
    if spoke.shard is not None:
        found["shard"] = str(spoke.shard)
    if spoke.project:
        found["project"] = spoke.project
    return found


def external_secret(fleet: Fleet, stack: str, spoke: Spoke, endpoint: Endpoint) -> dict[str, Any]:
    """The spec of the ExternalSecret that renders the cluster Secret of a spoke with `auth: {kind: vault}`."""
    auth = spoke.auth
    assert isinstance(auth, VaultAuth)
    content = data(fleet, spoke, endpoint, "")
    literal = {key: _literal(value) for key, value in content.items() if key != "config"}
    return {
        "refreshInterval": auth.refresh_interval,
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": auth.store},
        "target": {
            "name": name(spoke),
            "creationPolicy": "Owner",
            # An entry that is gone from Vault must not take the spoke's registration with it.
            "deletionPolicy": "Retain",
            "template": {
                "engineVersion": "v2",
                "type": "Opaque",
                "metadata": {
                    "labels": contract.labels(fleet, stack, spoke),
                    "annotations": {
                        key: _literal(value)
                        for key, value in contract.annotations(fleet, spoke).items()
                    },
                },
                "data": {**literal, "config": config_template(spoke, endpoint)},
            },
        },
        "dataFrom": [{"extract": {"key": spoke.fill(auth.path)}}],
    }


def config_template(spoke: Spoke, endpoint: Endpoint) -> str:
    """`config` as a template of External Secrets: the JSON with whichever credential the Vault entry holds.

    Every value goes in as JSON, so that no character of a secret can break out of its string.
    """
    tls = _json_members(_tls(spoke, endpoint))
    rest = _json_members(_connection(spoke))
    proof = "".join(map(_from_entry, _IN_VAULT))
    tls_proof = "".join(map(_from_entry, _IN_VAULT_TLS))
    # The blanks keep a brace of JSON from becoming one of the template's.
    return (
        f'{_ENTRY_CHECK}{{ {proof}"tlsClientConfig":{{ {tls_proof}{tls} }}'
        f"{',' if rest else ''}{rest} }}"
    )


def _proof(spoke: Spoke, credential: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands for the hub's identity: at the top, and inside of `tlsClientConfig`."""
    match spoke.auth:
        case ServiceAccountAuth() | TokenAuth():
            return {"bearerToken": credential["token"]}, {}
        case ClientCertificateAuth():
            return {}, {
                "certData": credential["client-certificate-data"],
                "keyData": credential["client-key-data"],
            }
        case BasicAuth():
            return {"username": credential["username"], "password": credential["password"]}, {}
        case EksAuth() as eks:
            aws = {"clusterName": eks.cluster_name, "roleARN": eks.role_arn, "profile": eks.profile}
            return {"awsAuthConfig": _filled(aws)}, {}
        case GkeAuth():
            return {"execProviderConfig": {**_CLOUD_PLUGIN, "args": ["gcp"]}}, {}
        case AksAuth() as aks:
            plugin = {**_CLOUD_PLUGIN, "args": ["azure"], "env": _azure(aks)}
            return {"execProviderConfig": plugin}, {}
        case ExecAuth() as given:
            named = {
                "command": given.command,
                "args": given.args,
                "env": dict(sorted(given.env.items())),
                "apiVersion": given.api_version,
                "installHint": given.install_hint,
            }
            return {"execProviderConfig": _filled(named)}, {}
        case _:
            # Vault's is put in on the hub, and in the hub itself Argo CD has its own ServiceAccount.
            return {}, {}


def _azure(auth: AksAuth) -> dict[str, str]:
    ours = {
        "AAD_LOGIN_METHOD": auth.login_method,
        "AZURE_CLIENT_ID": auth.client_id,
        "AZURE_TENANT_ID": auth.tenant_id,
        **(_WORKLOAD_IDENTITY if auth.login_method == "workloadidentity" else {}),
    }
    return dict(sorted({**_filled(ours), **auth.env}.items()))


def _tls(spoke: Spoke, endpoint: Endpoint) -> dict[str, Any]:
    if spoke.in_cluster:
        return {"insecure": False}
    # client-go refuses a CA beside "don't check".
    ca_data = None if spoke.tls.insecure else endpoint.ca_data
    given = {"serverName": spoke.tls.server_name, "caData": ca_data}
    return {"insecure": spoke.tls.insecure, **_filled(given)}


def _connection(spoke: Spoke) -> dict[str, Any]:
    return _filled(
        {"proxyUrl": spoke.proxy_url, "disableCompression": spoke.disable_compression or None}
    )


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without what is empty: Argo CD has no empty keys in its own cluster Secrets."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _from_entry(key: str) -> str:
    """A member of a JSON object with its comma, where the Vault entry has `key`.

    By `index`, because the engine fails on a field that is not there.
    """
    return f'{{{{ with index . "{key}" }}}}"{key}":{{{{ . | toJson }}}},{{{{ end }}}}'


def _json_members(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return _literal(text[1:-1])


def _literal(text: str) -> str:
    """`text` so that the template engine, through which every value goes, leaves it as it is."""
    return text.replace("{{", '{{ "{{" }}')

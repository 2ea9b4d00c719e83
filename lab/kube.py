"""A small client of the lab's API servers, for the few calls that the lab itself makes."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any

import httpx
import yaml

from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.pki import Authority, KeyPair, cluster_pki
from lab.ports import PortBook


def server_of(home: LabHome, cluster: str) -> str:
    """The address of a cluster's API server."""
    return f"https://127.0.0.1:{PortBook(home.ports).get(api_part(cluster))}"


def api_part(cluster: str) -> str:
    """The name of the part, and of the port, of a cluster's API server."""
    return f"kube-apiserver-{cluster}"


def tls_client(authority: Authority, pair: KeyPair | None, **options: Any) -> httpx.Client:
    """An HTTP client that trusts one authority only and shows a client certificate."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if pair:
        context.load_cert_chain(str(pair.certificate), str(pair.key))
    # trust_env off: a proxy in the person's environment is not for loopback
    return httpx.Client(verify=context, trust_env=False, timeout=10, **options)


class KubeApi:
    """One cluster's API with the administrator's rights. Use as a context manager."""

    def __init__(self, home: LabHome, cluster: str) -> None:
        self.cluster = cluster
        pki = cluster_pki(home, cluster)
        self._client = tls_client(pki.authority, pki.admin, base_url=server_of(home, cluster))

    def __enter__(self) -> KubeApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ready(self) -> bool:
        """Whether the API server says that it is ready, its start-up hooks run."""
        return self._client.get("/readyz").text == "ok"

    def get(self, path: str) -> dict[str, Any] | None:
        """An object by its path, such as ``/api/v1/namespaces/argocd``; ``None`` if missing."""
        answer = self._client.get(path)
        return None if answer.status_code == 404 else self._checked(answer)

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object by server-side apply."""
        answer = self._client.patch(
            path,
            params={"fieldManager": "fleet-lab", "force": "true"},
            content=json.dumps(body),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        return self._checked(answer)

    def service_account_uid(self, namespace: str, name: str) -> str | None:
        """The uid of a ServiceAccount, ``None`` if there is none."""
        found = self.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        return str(found["metadata"]["uid"]) if found else None

    def token(self, namespace: str, name: str, *, seconds: int = 365 * 86_400) -> str:
        """A token of a ServiceAccount, by TokenRequest."""
        answer = self._client.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            json={"spec": {"expirationSeconds": seconds}},
        )
        return str(self._checked(answer)["status"]["token"])

    def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """The decoded data of a Secret, ``None`` if there is none."""
        found = self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        if found is None:
            return None
        data = found.get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        content: dict[str, Any] = answer.json()
        if answer.is_success:
            return content
        what = f"{answer.request.method} {answer.request.url.path}"
        raise LabError(f"{self.cluster} refused {what}: {content.get('message')}")


def kubeconfig(home: LabHome, users: dict[str, tuple[str, dict[str, str]]], current: str) -> str:
    """A kubeconfig with a context per cluster. ``users``: cluster → name and entry of its user."""

    def embedded(cluster: str) -> dict[str, str]:
        authority = cluster_pki(home, cluster).authority.certificate.read_bytes()
        return {
            "server": server_of(home, cluster),
            "certificate-authority-data": base64.b64encode(authority).decode(),
        }

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": cluster, "cluster": embedded(cluster)} for cluster in users],
        "users": [{"name": name, "user": entry} for name, entry in users.values()],
        "contexts": [
            {"name": cluster, "context": {"cluster": cluster, "user": name}}
            for cluster, (name, _) in users.items()
        ],
    }
    return yaml.safe_dump(content, sort_keys=False)


def certificate_user(pair: KeyPair) -> dict[str, str]:
    """A kubeconfig's user entry for a client certificate, its data embedded."""
    encoded = [
        base64.b64encode(path.read_bytes()).decode() for path in (pair.certificate, pair.key)
    ]
    return {"client-certificate-data": encoded[0], "client-key-data": encoded[1]}


def service_account_kubeconfig(
    home: LabHome, api: KubeApi, namespace: str, name: str, *, folder: str
) -> str | None:
    """The path of a kubeconfig with a ServiceAccount's token; ``None`` if there is no such account.

    It is kept as long as the account is the one the token was made for: after a ``destroy`` and
    an ``up`` the name is the same, but the account is another and the old token void. The path
    changes with it, so that the process which uses it is restarted.
    """
    uid = api.service_account_uid(namespace, name)
    if uid is None:
        return None
    path = home.root / folder / f"{name}-{api.cluster}-{uid}.kubeconfig"
    if not path.exists():
        for old in path.parent.glob(f"{name}-{api.cluster}-*.kubeconfig"):
            old.unlink()
        user = {api.cluster: (name, {"token": api.token(namespace, name)})}
        write_private(path, kubeconfig(home, user, api.cluster))
    return str(path)

"""One cluster's API: plain requests with the official client's authentication and short timeouts.

The typed and dynamic clients would cost a discovery round per cluster; `status` asks for four well-known paths.
Importing this takes 0.3 s: commands import it when they run, so that `--help` need not wait.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

# From their own modules, and before any thread starts: `kubernetes.client` imports its parts only when they are
# named, and threads that name them at the same time deadlock on the import locks.
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader
from urllib3 import Retry
from urllib3 import exceptions as urllib3_errors

from live import exec_plugin
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.model.access import ClusterAccess

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
PATIENT_SECONDS = 60.0
"""Until an answer, for what may take an API server long: a CRD of a megabyte, say."""
PAGE = 500
"""Objects per request, so that thousands of Applications don't come as one huge answer."""

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# Not where nobody answers: that takes long enough as it is.
PATIENCE = Retry(
    connect=0,
    read=1,
    status=5,
    status_forcelist=[429, 500, 502, 503, 504],
    backoff_factor=0.5,
    retry_after_max=10,
    allowed_methods=None,
    raise_on_status=False,
)
"""For what is asked once, and matters."""
# The official client shares its files of CAs and keys between threads, and names one before it has written it.
_LOADING = threading.Lock()


class Unreachable(Exception):
    """The API server didn't answer, or not with what was asked for; the message is one line for the user."""


class NotFound(Unreachable):
    """The API server answered that there is no such thing, or no such kind of thing."""


class Refused(Unreachable):
    """The API server knows no such caller (401), or doesn't let it do that (403)."""


class LoggedOut(Refused):
    """The API server knows no such caller (401), or a credential plugin gave nothing to say who calls."""


class ClusterAPI:
    """One cluster, by its kubeconfig context. Keeps its connection, so poll with one instance."""

    def __init__(
        self,
        kubeconfig: Kubeconfig,
        context: str,
        retries: Retry | int = 0,
        read_seconds: float | None = None,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._retries = retries
        self._read_seconds = READ_SECONDS if read_seconds is None else read_seconds
        self._client: ApiClient | None = None
        self._as_whom: dict[str, str] = {}
        self._credential: exec_plugin.Credential | None = None

    @classmethod
    def patient(cls, access: ClusterAccess) -> ClusterAPI:
        """The cluster that `access` leads to, with that very credential; a busy API server is asked again.

        For what can be asked again: reads, and server-side apply.
        """
        return cls(Kubeconfig.of(access.kubeconfig), access.context, PATIENCE, PATIENT_SECONDS)

    def text(self, path: str) -> str:
        """The body of GET `path`. Raises Unreachable, NotFound for a 404."""
        return self._ask("GET", path)

    def json(self, path: str) -> Any:
        """GET `path` as JSON. Raises Unreachable, NotFound for a 404."""
        return _parsed(path, self._ask("GET", path))

    def metadata(self, path: str) -> dict[str, Any]:
        """The metadata of the object at `path`; nothing else of it leaves the API server.

        Raises Unreachable, NotFound for a 404.
        """
        return metadata(path, _parsed(path, self._ask("GET", path, accept=_METADATA)))

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """What the server makes of `document`. Raises Unreachable, NotFound for a 404, Refused for a 401 or 403."""
        return _parsed(path, self._ask("POST", path, document))

    def apply(
        self, path: str, document: dict[str, Any], *, manager: str, dry_run: bool = False
    ) -> None:
        """Apply `document` on the server's side, taking over its fields from whoever else manages them.

        Raises Unreachable, NotFound for a 404: a namespace that doesn't exist, or no such kind of thing.
        """
        query = f"?fieldManager={quote(manager)}&force=true{'&dryRun=All' if dry_run else ''}"
        self._ask("PATCH", path + query, json.dumps(document), "application/apply-patch+yaml")

    def patch(self, path: str, operations: list[dict[str, Any]]) -> None:
        """Change the object at `path` by a JSON patch, whole or not at all. Raises Unreachable, NotFound for a 404."""
        # The official client takes this content type for a list only.
        self._ask("PATCH", path, operations, "application/json-patch+json")

    def merge(self, path: str, changes: dict[str, Any]) -> None:
        """Change the object at `path` by a JSON merge patch. Raises Unreachable, NotFound for a 404."""
        self._ask("PATCH", path, changes, "application/merge-patch+json")

    def delete(self, path: str, *, dry_run: bool = False) -> None:
        """Delete the object at `path`. Raises Unreachable, NotFound for a 404."""
        self._ask("DELETE", path + ("?dryRun=All" if dry_run else ""))

    def items(self, path: str, selector: str = "") -> Iterator[dict[str, Any]]:
        """Every object of the list at `path` whose labels match `selector`, page by page.

        Raises Unreachable, NotFound for a 404.
        """
        asked = f"{path}?limit={PAGE}"
        if selector:
            asked += f"&labelSelector={quote(selector, safe='')}"
        token = ""
        while True:
            page = self.json(asked + (f"&continue={quote(token)}" if token else ""))
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue", "")
            if not token:
                return

    def version(self) -> str:
        """The API server's version, once it says that it is ready. Raises Unreachable."""
        self.text("/readyz")
        return str(self.json("/version").get("gitVersion", ""))

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | list[dict[str, Any]] | str | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> str:
        try:
            client = self._connect()
            headers: dict[str, str] = {"Accept": accept, **self._as_whom}
            if body is not None:
                headers["Content-Type"] = content_type
            client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
            answer = client.call_api(
                method,
                client.configuration.host.rstrip("/") + path,
                header_params=headers,
                body=body,
                _request_timeout=(CONNECT_SECONDS, self._read_seconds),
            )
            said = bytes(answer.read()).decode(errors="replace")  # type: ignore[no-untyped-call]
        except urllib3_errors.HTTPError as error:
            raise Unreachable(_reason(error, self._read_seconds)) from None
        except ApiException as error:
            # What the client makes of a TLS failure, for all but GET.
            raise Unreachable(" ".join(str(error.reason).split())) from None
        except OSError as error:
            raise Unreachable(str(error)) from None
        except ValueError:
            # Its message holds the header, and the header the token.
            raise Unreachable("its token is no header; is there a line break in it?") from None
        place = path.partition("?")[0]
        if answer.status == 404:
            raise NotFound(f"{place}: not found")
        if answer.status >= 400:
            kind = {401: LoggedOut, 403: Refused}.get(answer.status, Unreachable)
            raise kind(f"{place}: {answer.status} {_status_message(said)}".rstrip())
        return said

    def _connect(self) -> ApiClient:
        if self._client is None or (self._credential and self._credential.is_over):
            configuration = Configuration()
            try:
                document = _one_context(self._kubeconfig, self._context)
                user = document["users"][0]["user"]
                self._as_whom = _impersonation(user)
                plugin = user.pop("exec", None)
                if plugin and not (user.get("token") or user.get("tokenFile")):
                    self._credential = exec_plugin.credential(
                        plugin, document["clusters"][0]["cluster"]
                    )
                    user.update(_as_user(self._credential))
                with _LOADING:
                    # The official client's loader has no annotations.
                    loader = KubeConfigLoader(document, active_context=self._context)  # type: ignore[no-untyped-call]
                    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
            except KubeconfigError as error:
                raise Unreachable(str(error)) from None
            except exec_plugin.PluginError as error:
                raise LoggedOut(f'context "{self._context}": {error}') from None
            except ConfigException as error:
                raise Unreachable(f'context "{self._context}": {error}') from None
            configuration.retries = self._retries
            self._client = ApiClient(configuration)
        return self._client


def metadata(path: str, found: Any) -> dict[str, Any]:
    """The metadata of what is at `path`. Raises Unreachable where an object has none: that is no API server."""
    inside = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(inside, dict):
        raise Unreachable(f"{path}: the answer is no object of Kubernetes; is this an API server?")
    return inside


def _parsed(path: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise Unreachable(f"{path}: the answer is no JSON; is this an API server?") from None


def _as_user(given: exec_plugin.Credential) -> dict[str, str]:
    """What a plugin gave, as the user of a kubeconfig has it."""
    pair = {"client-certificate-data": given.certificate, "client-key-data": given.key}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in pair.items() if value}
    return {**({"token": given.token} if given.token else {}), **coded}


def _one_context(kubeconfig: Kubeconfig, context: str) -> dict[str, Any]:
    if context not in kubeconfig.contexts:
        raise KubeconfigError(f'no context "{context}" in {kubeconfig.source}')
    body = dict(kubeconfig.contexts[context])
    cluster, user = body.get("cluster", ""), body.get("user", "")
    return {
        "current-context": context,
        "contexts": [{"name": context, "context": body}],
        "clusters": [{"name": cluster, "cluster": dict(kubeconfig.clusters.get(cluster, {}))}],
        "users": [{"name": user, "user": dict(kubeconfig.users.get(user, {}))}],
    }


def _impersonation(user: Mapping[str, Any]) -> dict[str, str]:
    """The headers by which a user of a kubeconfig acts as another, which the official client leaves out.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation. Raises KubeconfigError
    for what needs one header several times: the client can't send that.
    """
    groups = user.get("as-groups") or []
    if len(groups) > 1 or user.get("as-user-extra"):
        raise KubeconfigError(
            "its user acts as another with several groups or extra fields (`as-groups`, `as-user-extra`), which Fleet "
            "can't; name a context of its own"
        )
    asked = {"Impersonate-User": user.get("as"), "Impersonate-Uid": user.get("as-uid")}
    asked["Impersonate-Group"] = groups[0] if groups else None
    return {name: str(value) for name, value in asked.items() if value}


def _reason(error: Exception, read_seconds: float) -> str:
    """The innermost cause, in a person's words: urllib3's own messages nest object addresses."""
    reason: Any = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3_errors.ReadTimeoutError):
        return f"connected, but no answer within {read_seconds:.0f} s"
    if isinstance(reason, urllib3_errors.NameResolutionError):
        return "its host name does not resolve"
    if isinstance(reason, urllib3_errors.NewConnectionError):
        cause = reason.__cause__ or reason
        return str(getattr(cause, "strerror", None) or "connection refused").lower()
    if isinstance(reason, urllib3_errors.ConnectTimeoutError):
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    text = str(reason.__cause__ or reason)
    return text.replace("\n", " ")


def _status_message(body: str) -> str:
    try:
        return str(json.loads(body).get("message", ""))[:300]
    except (json.JSONDecodeError, AttributeError):
        return " ".join(body.split())[:300]

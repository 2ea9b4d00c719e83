"""Argo CD's controllers as host processes, each with the rights that its manifests give it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from lab import argocd_login
from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.kube import KubeApi, service_account_kubeconfig
from lab.processes import Part
from lab.topology import HUB
from lab.workload_settings import settings_of

NAMESPACE = "argocd"
REDIS, REPO, SERVER, CONTROLLER, APPLICATION_SETS = PARTS = (
    "argocd-redis",
    "argocd-repo-server",
    "argocd-server",
    "argocd-application-controller",
    "argocd-applicationset-controller",
)
_FOLDERS = ("tls", "ssh", "gpg", "gnupg", "app/config", "plugins", "redis")


def webhooks(lab: Lab) -> tuple[str, str]:
    """Where the forge tells of a push: the server, and the controller of ApplicationSets."""
    server = lab.port(SERVER, of=SERVER)
    sets = lab.port(f"{APPLICATION_SETS}-webhook", of=APPLICATION_SETS)
    return f"http://127.0.0.1:{server}/api/webhook", f"http://127.0.0.1:{sets}/api/webhook"


def is_installed(home: LabHome) -> bool:
    """Whether some ``pulumi up`` has made what the controllers need on the hub."""
    with KubeApi(home, HUB) as hub:
        account = hub.get(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{CONTROLLER}")
    return account is not None


def boot(lab: Lab) -> None:
    """Start the controllers and wait until each answers; then log the ``argocd`` CLI in.

    They need what ``pulumi up`` made on the hub: without their ServiceAccounts this raises
    :class:`LabError`.
    """
    _make_folders(lab)
    with KubeApi(lab.home, HUB) as hub:
        accounts = {name: _kubeconfig(lab, hub, name) for name in PARTS[2:]}
        known_hosts = hub.get(
            f"/api/v1/namespaces/{NAMESPACE}/configmaps/argocd-ssh-known-hosts-cm"
        )
        hosts = (known_hosts or {}).get("data", {}).get("ssh_known_hosts", "")
        (lab.home.argocd / "ssh" / "ssh_known_hosts").write_text(hosts)
        password = _redis_password(lab)
        lab.start(_redis(lab, password))
        common = {**_environment(lab), "REDIS_PASSWORD": password}
        _start(
            lab,
            _repo_server(lab, common | settings_of(hub, NAMESPACE, "deployments", REPO)),
            _server(lab, common, accounts[SERVER]),
        )
        # the server makes up the key that the others read once, when they start
        lab.processes.wait_ready(SERVER, lambda: _has_key(hub), 60)
        sets = settings_of(hub, NAMESPACE, "deployments", APPLICATION_SETS)
        _start(
            lab,
            _controller(
                lab,
                common | settings_of(hub, NAMESPACE, "statefulsets", CONTROLLER),
                accounts[CONTROLLER],
            ),
            _application_sets(lab, common | sets, accounts[APPLICATION_SETS]),
        )
        argocd_login.log_in(lab, hub)


def _start(lab: Lab, *parts: tuple[Part, str]) -> None:
    """Start parts, each given with the address that answers when it is ready; wait for all."""
    for part, _ in parts:
        lab.start(part)
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        for wait in [
            pool.submit(lab.processes.wait_ready, part.name, _answers(url), 120)
            for part, url in parts
        ]:
            wait.result()


def _has_key(hub: KubeApi) -> bool:
    return "server.secretkey" in (hub.secret(NAMESPACE, "argocd-secret") or {})


def _make_folders(lab: Lab) -> None:
    for folder in _FOLDERS:
        (lab.home.argocd / folder).mkdir(mode=0o700, parents=True, exist_ok=True)


def _kubeconfig(lab: Lab, hub: KubeApi, account: str) -> str:
    path = service_account_kubeconfig(lab.home, hub, NAMESPACE, account, folder="argocd")
    if path is None:
        raise LabError(
            f"the hub has no ServiceAccount {NAMESPACE}/{account}: Argo CD's controllers start "
            "only after 'pulumi up' has installed its manifests"
        )
    return path


def _redis_password(lab: Lab) -> str:
    path = lab.home.argocd / "redis.password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()


def _environment(lab: Lab) -> dict[str, str]:
    """Where the controllers find what is mounted into their containers elsewhere."""
    folder = lab.home.argocd
    return lab.base_env(
        ARGOCD_TLS_DATA_PATH=folder / "tls",
        ARGOCD_SSH_DATA_PATH=folder / "ssh",
        ARGOCD_GPG_DATA_PATH=folder / "gpg",
        ARGOCD_GNUPGHOME=folder / "gnupg",
        ARGOCD_APP_CONF_PATH=folder / "app" / "config",
        ARGOCD_PLUGINSOCKFILEPATH=folder / "plugins",
        ARGOCD_GPG_ENABLED="false",
        GIT_CONFIG_NOSYSTEM="1",
    )


def _redis(lab: Lab, password: str) -> Part:
    port = lab.port(REDIS, of=REDIS)
    config = lab.home.argocd / "redis.conf"
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"requirepass {password}",
        'save ""',  # a cache: what is lost is computed anew
        "appendonly no",
        f'dir "{lab.home.argocd / "redis"}"',
        "maxmemory 256mb",
        "maxmemory-policy allkeys-lru",
    ]
    write_private(config, "\n".join([*lines, ""]))
    command: list[str | Path] = [lab.toolbox.bin("redis-server"), config]
    return Part(name=REDIS, command=command, env=lab.base_env(FLEET_LAB_PORT=str(port)))


def _repo_server(lab: Lab, env: dict[str, str]) -> tuple[Part, str]:
    metrics = lab.port(f"{REPO}-metrics", of=REPO)
    flags = [
        f"--port={lab.port(REPO, of=REPO)}",
        "--address=127.0.0.1",
        f"--metrics-port={metrics}",
        "--metrics-address=127.0.0.1",
        f"--redis=127.0.0.1:{lab.ports.get(REDIS)}",
        "--disable-tls",
        "--client-ca-path=",
        "--revision-cache-expiration=5s",  # with the default a poll misses commits for minutes
    ]
    return _argocd(lab, REPO, flags, env), f"http://127.0.0.1:{metrics}/healthz"


def _server(lab: Lab, env: dict[str, str], kubeconfig: str) -> tuple[Part, str]:
    port = lab.port(SERVER, of=SERVER)
    flags = [
        *_client_flags(lab, kubeconfig),
        "--address=127.0.0.1",
        f"--port={port}",
        f"--metrics-port={lab.port(f'{SERVER}-metrics', of=SERVER)}",
        "--metrics-address=127.0.0.1",
        "--insecure",
        "--dex-server=http://127.0.0.1:1",  # none: the lab has no single sign-on
    ]
    part = _argocd(lab, SERVER, flags, env | _own_cluster(kubeconfig))
    return part, f"http://127.0.0.1:{port}/healthz"


def _controller(lab: Lab, env: dict[str, str], kubeconfig: str) -> tuple[Part, str]:
    metrics = lab.port(f"{CONTROLLER}-metrics", of=CONTROLLER)
    flags = [
        *_client_flags(lab, kubeconfig),
        f"--metrics-port={metrics}",
        "--app-resync-jitter=0",
        "--self-heal-backoff-timeout-seconds=1",
        "--self-heal-backoff-cap-seconds=5",
    ]
    part = _argocd(lab, CONTROLLER, flags, env | _own_cluster(kubeconfig))
    return part, f"http://127.0.0.1:{metrics}/healthz"


def _application_sets(lab: Lab, env: dict[str, str], kubeconfig: str) -> tuple[Part, str]:
    name = APPLICATION_SETS
    metrics, probe, webhook = (
        lab.port(f"{name}-{use}", of=name) for use in ("metrics", "probe", "webhook")
    )
    flags = [
        f"--kubeconfig={kubeconfig}",
        f"--namespace={NAMESPACE}",
        f"--argocd-repo-server=127.0.0.1:{lab.ports.get(REPO)}",
        "--repo-server-plaintext",
        f"--metrics-addr=127.0.0.1:{metrics}",
        f"--probe-addr=127.0.0.1:{probe}",
        f"--webhook-addr=127.0.0.1:{webhook}",
    ]
    return _argocd(
        lab, name, flags, env | _own_cluster(kubeconfig)
    ), f"http://127.0.0.1:{metrics}/metrics"  # its /healthz never answers


def _own_cluster(kubeconfig: str) -> dict[str, str]:
    """Make https://kubernetes.default.svc the hub: outside a pod, Argo CD would not find its own cluster."""
    return {"KUBECONFIG": kubeconfig, "ARGOCD_FAKE_IN_CLUSTER": "true"}


def _client_flags(lab: Lab, kubeconfig: str) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--namespace={NAMESPACE}",
        f"--redis=127.0.0.1:{lab.ports.get(REDIS)}",
        f"--repo-server=127.0.0.1:{lab.ports.get(REPO)}",
        "--repo-server-plaintext",
    ]


def _argocd(lab: Lab, name: str, flags: list[str], env: dict[str, str]) -> Part:
    """One of the components that the one binary holds."""
    command: list[str | Path] = [lab.toolbox.bin("argocd"), *flags]
    return Part(name=name, command=command, env=env | {"ARGOCD_BINARY_NAME": name})


def _answers(url: str) -> Callable[[], bool]:
    def probe() -> bool:
        return httpx.get(url, trust_env=False, timeout=5).is_success

    return probe

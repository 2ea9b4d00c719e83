"""OpenBao, the lab's Vault: persistent, unsealed at each start, a namespace per environment and one for the hub."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import hvac.exceptions

from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.pki import server_pki
from lab.ports import PortBook
from lab.processes import Part

PART = "openbao"
ENVIRONMENTS = ("production", "staging", "dev")
HUB = "hub"
"""The namespace for what only the hub reads: the credentials of spokes."""
MOUNT = "secret"
SEED = "payment-service/db"
"""The one secret that every environment starts with, made up at the first boot."""


def address(home: LabHome) -> str:
    """OpenBao's address."""
    return f"https://127.0.0.1:{PortBook(home.ports).get(PART)}"


def authority_file(home: LabHome) -> str:
    """The file with the authority that signed OpenBao's certificate."""
    return str(server_pki(home, PART)[0].certificate)


def root_token(home: LabHome) -> str:
    """The token of the lab's administrator; raises :class:`LabError` before the first start."""
    return str(_credentials(home)["root_token"])


def client(home: LabHome, namespace: str | None = None) -> hvac.Client:
    """An administrator's client, at the root or in a namespace."""
    return _client(home, root_token(home), namespace)


def boot(lab: Lab, environments: Sequence[str] = ENVIRONMENTS) -> None:
    """Start OpenBao, initialise it once, unseal it, and see to the namespaces of the environments and the hub.

    A secret that is there stays as it is. Raises :class:`LabError`.
    """
    lab.start(_part(lab))
    with _telling("start"):
        http = _client(lab.home, None)
        lab.processes.wait_ready(PART, lambda: _answers(http), 60)
        if not http.sys.is_initialized():
            made = http.sys.initialize(secret_shares=1, secret_threshold=1)
            write_private(_credentials_file(lab.home), json.dumps(made))
        unseal(lab.home)
        lab.processes.wait_ready(PART, lambda: _is_active(http), 60)
    with _telling("set up its namespaces"):
        _ensure_mount(lab.home, HUB)
        for environment in environments:
            _ensure_mount(lab.home, environment)
            _ensure_seed(lab.home, environment)


def unseal(home: LabHome) -> None:
    """Unseal OpenBao; harmless where it is unsealed."""
    http = _client(home, None)
    if http.sys.is_sealed():
        http.sys.submit_unseal_key(_credentials(home)["keys_base64"][0])


def seal(home: LabHome) -> None:
    """Seal OpenBao, so that it refuses everything: an outage for tests."""
    client(home).sys.seal()


def _part(lab: Lab) -> Part:
    port, cluster_port = (lab.port(name, of=PART) for name in (PART, "openbao-cluster"))
    _, server, _ = server_pki(lab.home, PART)
    folder = lab.home.openbao
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    config = {
        "storage": {
            "raft": {
                "path": str(folder / "data"),
                "node_id": "lab",
                "performance_multiplier": 1,  # active 3 s after the start instead of 10
            }
        },
        "listener": {
            "tcp": {
                "address": f"127.0.0.1:{port}",
                "cluster_address": f"127.0.0.1:{cluster_port}",
                "tls_cert_file": str(server.certificate),
                "tls_key_file": str(server.key),
            }
        },
        "api_addr": f"https://127.0.0.1:{port}",
        "cluster_addr": f"https://127.0.0.1:{cluster_port}",
        "ui": True,
    }
    write_private(folder / "config.json", json.dumps(config, indent=1))
    command: list[str | Path] = [
        lab.toolbox.bin("bao"),
        "server",
        f"-config={folder / 'config.json'}",
    ]
    # the ports stand in the file, so they are told again where a change must restart it
    env = lab.base_env(BAO_LOG_LEVEL="warn", BAO_API_ADDR=f"https://127.0.0.1:{port}")
    return Part(name=PART, command=command, env=env)


def _ensure_mount(home: LabHome, namespace: str) -> None:
    root = client(home)
    if f"{namespace}/" not in _namespaces(root):
        root.sys.create_namespace(namespace)
    own = client(home, namespace)
    if f"{MOUNT}/" not in own.sys.list_mounted_secrets_engines()["data"]:
        own.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})


def _ensure_seed(home: LabHome, environment: str) -> None:
    own = client(home, environment)
    content = {"username": "payment-service", "password": secrets.token_urlsafe(24)}
    end = time.monotonic() + 20
    while True:  # a kv-v2 mount takes writes only some moments after it was made
        try:
            kv = own.secrets.kv.v2
            kv.create_or_update_secret(SEED, content, cas=0, mount_point=MOUNT)
            return
        except hvac.exceptions.InvalidRequest as error:
            if "check-and-set" in str(error):
                return  # seeded before
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _namespaces(root: hvac.Client) -> list[str]:
    try:
        found: list[str] = root.sys.list_namespaces()["data"]["keys"]
    except hvac.exceptions.InvalidPath:
        return []  # none yet
    return found


def _client(home: LabHome, token: str | None, namespace: str | None = None) -> hvac.Client:
    made = hvac.Client(
        url=address(home),
        token=token or "",
        verify=authority_file(home),
        namespace=namespace,
        timeout=15,
    )
    made.session.trust_env = False  # a proxy in the person's environment is not for loopback
    return made


def _credentials_file(home: LabHome) -> Path:
    return home.openbao / "init.json"


def _credentials(home: LabHome) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(_credentials_file(home).read_text())
    except FileNotFoundError as error:
        raise LabError(
            f"OpenBao's unseal key {_credentials_file(home)} is missing; start the lab with "
            "'fleet lab up', or anew after 'fleet lab down --wipe'"
        ) from error
    return content


def _answers(http: hvac.Client) -> bool:
    """Whether it can tell if it is initialised: right after the start it refuses even that."""
    try:
        http.sys.is_initialized()
    except hvac.exceptions.VaultError:
        return False
    return True


def _is_active(http: hvac.Client) -> bool:
    answer = http.adapter.get("/v1/sys/health", raise_exception=False)
    # hvac gives the content of a 200, else the bare response (429: standby, 503: sealed)
    return isinstance(answer, dict) and not answer.get("sealed") and not answer.get("standby")


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn a refusal of OpenBao's into an error for the person."""
    try:
        yield
    except hvac.exceptions.VaultError as error:
        raise LabError(f"OpenBao could not {what}: {error}") from error

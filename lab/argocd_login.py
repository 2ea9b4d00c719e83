"""A logged-in ``argocd`` command line, without a password on a command line."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import yaml

from lab.context import Lab
from lab.home import LabHome, write_private
from lab.kube import KubeApi
from lab.ports import PortBook

_RENEW_AFTER = 8 * 3600
"""Seconds; a session lasts 24 hours."""


def config_folder(home: LabHome) -> Path:
    """``ARGOCD_CONFIG_DIR``."""
    return home.argocd / "cli"


def address(home: LabHome) -> str:
    """Host and port of ``argocd-server``."""
    return f"127.0.0.1:{PortBook(home.ports).get('argocd-server')}"


def log_in(lab: Lab, hub: KubeApi) -> None:
    """Write the CLI's configuration with a session of the ``admin`` user.

    Where someone removed the initial password, the person is told to log in by hand.
    """
    config = config_folder(lab.home) / "config"
    server = address(lab.home)
    if config.exists() and time.time() - config.stat().st_mtime < _RENEW_AFTER:
        known = yaml.safe_load(config.read_text())
        if known["current-context"] == server and _accepts(server, known["users"][0]["auth-token"]):
            return
    token = _session(server, hub)
    if token is None:
        lab.reporter.note(
            "the argocd CLI is not logged in: the initial admin password is gone; "
            f"run 'argocd login {server} --plaintext'"
        )
        return
    content = {
        "contexts": [{"name": server, "server": server, "user": server}],
        "current-context": server,
        "servers": [{"server": server, "plain-text": True, "grpc-web-root-path": ""}],
        "users": [{"name": server, "auth-token": token}],
    }
    write_private(config, yaml.safe_dump(content))


def _session(server: str, hub: KubeApi) -> str | None:
    """A token for ``admin``. The server makes the password a moment after its first start."""
    for _ in range(50):
        secret = hub.secret("argocd", "argocd-initial-admin-secret")
        if secret:
            body = {"username": "admin", "password": secret["password"]}
            answer = httpx.post(
                f"http://{server}/api/v1/session", json=body, trust_env=False, timeout=20
            )
            return str(answer.json()["token"]) if answer.is_success else None
        time.sleep(0.1)
    return None


def _accepts(server: str, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://{server}/api/v1/session/userinfo"
    answer = httpx.get(url, headers=headers, trust_env=False, timeout=20)
    return bool(answer.is_success and answer.json().get("loggedIn"))

"""Gitea, the lab's git forge: it keeps the gitops-config repo and tells Argo CD of each push."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.ports import PortBook
from lab.processes import Part

PART = "gitea"
USER = "fleet"
"""The administrator, and the person who pushes in the lab."""
EMAIL = "fleet@lab.invalid"
ORGANIZATION, REPO = "platform", "gitops-config"


@dataclass(frozen=True)
class Credentials:
    """The administrator's: for the web pages, and for git and the API."""

    username: str
    password: str
    token: str


def url(home: LabHome) -> str:
    """Gitea's address, without a trailing slash."""
    return f"http://127.0.0.1:{PortBook(home.ports).get(PART)}"


def repo_url(home: LabHome, name: str = REPO) -> str:
    """The clone address of a repo, the gitops-config one by default: public, and free of credentials."""
    return f"{url(home)}/{ORGANIZATION}/{name}.git"


def credentials(home: LabHome) -> Credentials:
    """The administrator's credentials; raises :class:`LabError` before the first start."""
    try:
        return Credentials(**json.loads(_credentials_file(home).read_text()))
    except FileNotFoundError as error:
        raise LabError("the forge was not started yet; run 'fleet lab up'") from error


def client(home: LabHome) -> httpx.Client:
    """An HTTP client of Gitea's API (``/api/v1``) with the administrator's token."""
    headers = {"Authorization": f"token {credentials(home).token}"}
    base = f"{url(home)}/api/v1"
    return httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=20)


def boot(lab: Lab, *, hooks: tuple[str, ...] = ()) -> None:
    """Start Gitea, with an empty repo at the first start.

    ``hooks`` are the addresses that are told of each push. Raises :class:`LabError`.
    """
    part = _part(lab)
    lab.start(part)
    version = f"{url(lab.home)}/api/v1/version"
    with httpx.Client(trust_env=False, timeout=5) as http:
        lab.processes.wait_ready(PART, lambda: http.get(version).is_success, 60)
    if not _credentials_file(lab.home).exists():
        _make_administrator(lab, part)
    with client(lab.home) as api:
        ensure_repo(api, REPO)
        _ensure_hooks(api, hooks)


def is_empty(home: LabHome) -> bool:
    """Whether nobody has pushed to the gitops-config repo yet."""
    with client(home) as api:
        return bool(_call(api, "GET", f"/repos/{ORGANIZATION}/{REPO}")["empty"])


def _part(lab: Lab) -> Part:
    port = lab.port(PART, of=PART)
    folder = lab.home.gitea
    config, settings = folder / "app.ini", _render(_settings(lab, port))
    write_private(config, settings)
    command: list[str | Path] = [
        *(lab.toolbox.bin("gitea"), "web"),
        *(f"--config={config}", f"--work-path={folder}"),
    ]
    # the settings stand in the file, so a digest of them is told here, where a change must restart it
    digest = hashlib.sha256(settings.encode()).hexdigest()
    # Gitea writes into git's global configuration: that of git-home, by its own HOME_PATH
    env = lab.base_env(GIT_CONFIG_NOSYSTEM="1", FLEET_LAB_SETTINGS=digest)
    return Part(name=PART, command=command, env=env, cwd=folder)


def _settings(lab: Lab, port: int) -> dict[str, dict[str, str]]:
    """Gitea's configuration by section; what stands in no section comes under ``""``."""
    folder = lab.home.gitea
    main = {"APP_NAME": "Fleet lab", "RUN_MODE": "prod", "RUN_USER": getpass.getuser()}
    if os.geteuid() == 0:
        main["I_AM_BEING_UNSAFE_RUNNING_AS_ROOT"] = "true"
    return {
        "": main,
        "server": {
            "PROTOCOL": "http",
            "HTTP_ADDR": "127.0.0.1",
            "HTTP_PORT": str(port),
            "ROOT_URL": f"http://127.0.0.1:{port}/",
            "STATIC_ROOT_PATH": str(lab.toolbox.share("gitea")),
            "APP_DATA_PATH": str(folder / "data"),
            "DISABLE_SSH": "true",
            "OFFLINE_MODE": "true",
            "GRACEFUL_HAMMER_TIME": "5s",
        },
        "database": {
            "DB_TYPE": "sqlite3",
            "PATH": str(folder / "gitea.db"),
            "SQLITE_JOURNAL_MODE": "WAL",
        },
        "security": {"INSTALL_LOCK": "true", **_secret_settings(lab.home)},
        "repository": {"ROOT": str(folder / "repositories"), "DEFAULT_BRANCH": "main"},
        "git": {"HOME_PATH": str(folder / "git-home")},
        "webhook": {"ALLOWED_HOST_LIST": "loopback", "DELIVER_TIMEOUT": "5"},
        "service": {"DISABLE_REGISTRATION": "true", "ENABLE_NOTIFY_MAIL": "false"},
        "openid": {"ENABLE_OPENID_SIGNIN": "false", "ENABLE_OPENID_SIGNUP": "false"},
        "oauth2": {"ENABLED": "false"},
        "picture": {"DISABLE_GRAVATAR": "true"},
        "cron": {"ENABLED": "false"},
        "cron.update_checker": {"ENABLED": "false"},
        "indexer": {"ISSUE_INDEXER_TYPE": "db"},
        "queue": {"TYPE": "channel"},
        "session": {"PROVIDER": "memory"},
        "actions": {"ENABLED": "false"},
        "packages": {"ENABLED": "true"},
        "log": {"MODE": "console", "LEVEL": "Warn", "ROOT_PATH": str(folder / "log")},
    }


def _render(settings: dict[str, dict[str, str]]) -> str:
    lines: list[str] = []
    for section, values in settings.items():
        lines += [f"[{section}]"] if section else []
        lines += [f"{name} = {value}" for name, value in values.items()]
    return "\n".join([*lines, ""])


def _secret_settings(home: LabHome) -> dict[str, str]:
    """Gitea's own keys, made once: with new ones it could not read what it stored."""
    path = home.gitea / "secrets.json"
    if not path.exists():
        made = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "INTERNAL_TOKEN")}
        write_private(path, json.dumps(made))
    content: dict[str, str] = json.loads(path.read_text())
    return content


def _make_administrator(lab: Lab, part: Part) -> None:
    """Make the administrator; Gitea makes up the password, so that no command line shows it."""
    command = [
        *(str(lab.toolbox.bin("gitea")), "admin", "user", "create"),
        *(str(option) for option in part.command[2:]),
        *("--admin", "--username", USER, "--email", EMAIL, "--random-password"),
        *("--random-password-length", "24", "--must-change-password=false"),
        *("--access-token", "--access-token-name", "lab", "--access-token-scopes", "all"),
    ]
    done = subprocess.run(command, env=dict(part.env), cwd=part.cwd, capture_output=True, text=True)
    password = re.search(r"random password is '(.*)'$", done.stdout, re.MULTILINE)
    token = re.search(r"successfully created\.\.\. (\w+)", done.stdout)
    if done.returncode or not password or not token:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise LabError(f"the forge's administrator could not be made: {lines[-1]}")
    made = {"username": USER, "password": password[1], "token": token[1]}
    write_private(_credentials_file(lab.home), json.dumps(made))


def ensure_repo(api: httpx.Client, name: str) -> None:
    """Have a public repo of this name, empty unless it is there. Raises :class:`LabError` where the forge refuses."""
    if api.get(f"/orgs/{ORGANIZATION}").status_code == 404:
        _call(api, "POST", "/orgs", {"username": ORGANIZATION, "visibility": "public"})
    if api.get(f"/repos/{ORGANIZATION}/{name}").status_code == 404:
        body = {"name": name, "private": False, "default_branch": "main"}
        _call(api, "POST", f"/orgs/{ORGANIZATION}/repos", body)


def _ensure_hooks(api: httpx.Client, wanted: tuple[str, ...]) -> None:
    """Have exactly these webhooks of ours, for all repos; a port may have changed since the last start."""
    path = f"/orgs/{ORGANIZATION}/hooks"
    there = {hook["config"]["url"]: hook["id"] for hook in _call(api, "GET", path)}
    for address, number in there.items():
        if address not in wanted and address.startswith("http://127.0.0.1:"):
            _call(api, "DELETE", f"{path}/{number}")
    for address in wanted:
        if address not in there:
            config = {"url": address, "content_type": "json"}
            body = {"type": "gitea", "active": True, "events": ["push"], "config": config}
            _call(api, "POST", path, body)


def _call(api: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = api.request(method, path, json=body)
    if not answer.is_success:
        raise LabError(f"the forge refused {method} {path}: {answer.text.strip()[:200]}")
    return answer.json() if answer.content else None


def _credentials_file(home: LabHome) -> Path:
    return home.gitea / "credentials.json"

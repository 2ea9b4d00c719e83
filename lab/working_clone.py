"""The person's clone of the gitops-config repo: ready to commit and push."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

from lab.errors import LabError
from lab.home import LabHome, write_private


def first_push(home: LabHome, source: Path, remote: str, user: str, token: str, email: str) -> None:
    """Fill an empty repo: one commit with the content of ``source``, on branch ``main``."""
    if not source.is_dir():
        raise LabError(f"{source} is missing: the gitops-config repo starts with its content")
    with tempfile.TemporaryDirectory(dir=home.tmp) as folder:
        work = Path(folder) / "repo"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns(".git"))
        _git(home, work, "init", "--quiet", "--initial-branch=main")
        _configure(home, work, remote, user, token, email)
        _git(home, work, "add", "--all")
        _git(home, work, "commit", "--quiet", "--message=Start of the gitops-config repo")
        _git(home, work, "push", "--quiet", remote, "main")


def ensure_clone(home: LabHome, remote: str, user: str, token: str, email: str) -> None:
    """Clone the repo where the clone is missing; keep its remote and credentials right.

    The person's work in it is never touched.
    """
    clone = home.gitops_config
    if not (clone / ".git").exists():
        if clone.exists() and any(clone.iterdir()):
            raise LabError(f"{clone} is in the way of the clone; move it elsewhere")
        _git(home, home.root, "clone", "--quiet", remote, str(clone))
    _configure(home, clone, remote, user, token, email)


def _configure(home: LabHome, clone: Path, remote: str, user: str, token: str, email: str) -> None:
    parts = urlsplit(remote)
    store = home.root / "git-credentials"
    write_private(store, f"{parts.scheme}://{quote(user)}:{quote(token)}@{parts.netloc}\n")
    settings = {
        "user.name": "Fleet lab",
        "user.email": email,
        "commit.gpgsign": "false",
        "push.default": "simple",
        "http.proxy": "",  # a proxy in the person's settings is not for loopback
        "remote.origin.url": remote,
        "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*",
        "branch.main.remote": "origin",
        "branch.main.merge": "refs/heads/main",
    }
    for name, value in settings.items():
        _git(home, clone, "config", name, value)
    # an empty helper first: the person's own helpers shall not learn the lab's token
    _git(home, clone, "config", "--replace-all", "credential.helper", "")
    _git(
        home,
        clone,
        "config",
        "--add",
        "credential.helper",
        f"store --file={shlex.quote(str(store))}",
    )


def _git(home: LabHome, folder: Path, *arguments: str) -> None:
    quiet = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(home.tmp),  # no hooks, signing or templates of the person's
        "XDG_CONFIG_HOME": str(home.tmp),
        "GIT_TERMINAL_PROMPT": "0",
        "NO_PROXY": "127.0.0.1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env={**kept, **quiet}, capture_output=True, text=True)
    if done.returncode:
        what = " ".join(arguments[:1])
        raise LabError(f"git {what} in {folder} failed: {done.stderr.strip() or done.stdout}")

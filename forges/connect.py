"""Which forge a repo is on, by what token it is asked, and the one that can be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from forges.access import ANY, VARIABLES, Access, Kind
from forges.forge import Forge, ForgeError

_KNOWN: dict[str, Kind] = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
}
# Where the forge's own command line and CI say which host their variable is for.
_HOSTS: dict[Kind, tuple[str, ...]] = {
    "github": ("GITHUB_SERVER_URL", "GH_HOST"),
    "gitlab": ("CI_SERVER_URL", "GITLAB_HOST"),
    "gitea": ("GITEA_SERVER_URL",),
}
# Where ssh may come in by the port of https; nothing else is there.
_BY_SSH = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^/:]+):(?P<path>(?!//).+)")


def connect(kind: str, repo_url: str, api_url: str, token: str) -> Forge:
    """The repo on its forge; `api_url` is "" for where such a forge has its API.

    Nothing is asked yet. Raises ForgeError for an unknown kind, and where the token must not be sent.
    """
    known, web, path = _kind(kind), web_url(repo_url), path_of(repo_url)
    api = api_url.rstrip("/") or _api(known, web)
    # Imported here: each library takes a good part of a second.
    if known == "github":
        from forges.github import GitHub

        return GitHub(Access(known, api, token), path)
    if known == "gitlab":
        from forges.gitlab import GitLab

        return GitLab(Access(known, api.removesuffix("/api/v4"), token), path)
    from forges.gitea import Gitea

    return Gitea(Access(known, api, token), path)


def kind_of(repo_url: str) -> Kind | None:
    """Which forge that is; None for a host of somebody's own. Raises ForgeError for no address of a repo."""
    return _KNOWN.get(_host(web_url(repo_url)))


def web_url(repo_url: str) -> str:
    """The forge's own address, without a path: https, but for a repo by http. Raises ForgeError."""
    scheme, host, port, _ = _parts(repo_url)
    host = _BY_SSH.get(host, host)
    if ":" in host:
        host = f"[{host}]"
    if scheme in ("http", "https") and port:
        host = f"{host}:{port}"
    return f"{'http' if scheme == 'http' else 'https'}://{host}"


def path_of(repo_url: str) -> str:
    """`owner/name`, and on GitLab all groups: `a/b/c`. Raises ForgeError."""
    path = _parts(repo_url)[3].strip("/").removesuffix(".git").rstrip("/")
    names = path.split("/")
    if len(names) < 2 or not all(re.fullmatch(r"[\w.~-]+", name) for name in names):
        raise ForgeError("the repo's address has no owner and name")
    if any(name in (".", "..") for name in names):
        raise ForgeError("the repo's address has no owner and name")
    return path


def token_of(kind: str, environ: Mapping[str, str], url: str = "") -> str:
    """The token for a forge of this kind: FLEET_FORGE_TOKEN, else of the variables that its own programs use.

    With `url`, of the repo or the API, the latter count for the hosts only that they are known to be for: else whoever
    can change a stack file could have a CI job's token sent to a server of theirs. Raises ForgeError where there is
    none.
    """
    known = _kind(kind)
    if token := environ.get(ANY, "").strip():
        return token
    set_here = [name for name in VARIABLES[known] if environ.get(name, "").strip()]
    host = _host(web_url(url)) if url else ""
    if set_here and (not host or host in _hosts(known, environ) or not _hosts(known, environ)):
        return environ[set_here[0]].strip()
    if set_here:
        raise ForgeError(
            f"{set_here[0]} isn't sent to {host}, which it isn't known to be for: set {ANY}, or the host in "
            f"{_HOSTS[known][0]}"
        )
    hint = f"no token for {host or known}: set {' or '.join((ANY, *VARIABLES[known]))}"
    if known == "gitlab" and environ.get("CI_JOB_TOKEN"):
        hint += "; a CI_JOB_TOKEN doesn't do, as it may not read or write merge requests"
    raise ForgeError(hint)


def _kind(kind: str) -> Kind:
    for known in VARIABLES:
        if kind == known:
            return known
    raise ForgeError(f'no such kind of forge: "{kind}"; there are {", ".join(VARIABLES)}')


def _api(kind: Kind, web: str) -> str:
    if kind == "github":
        return "https://api.github.com" if _host(web) == "github.com" else f"{web}/api/v3"
    return web if kind == "gitlab" else f"{web}/api/v1"


def _host(web: str) -> str:
    host = urlsplit(web).hostname or ""
    return "github.com" if host == "api.github.com" else host


def _hosts(kind: Kind, environ: Mapping[str, str]) -> set[str]:
    """Those that a variable of this kind is for; none, for all, where nothing says so: Gitea's."""
    named = [environ.get(name, "").strip() for name in _HOSTS[kind]]
    own = [host for host, of in _KNOWN.items() if of == kind and kind != "gitea"]
    urls = [name if "//" in name else f"https://{name}" for name in named if name]
    return {*own, *(urlsplit(url).hostname or "" for url in urls)}


def _parts(repo_url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path. The message never quotes the address: there may be a password in it."""
    try:
        if "://" not in repo_url and (short := _SCP.fullmatch(repo_url)):
            return "ssh", short["host"].strip("[]").lower(), None, short["path"]
        parts = urlsplit(repo_url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme == "git+ssh":
        scheme = "ssh"
    if scheme not in ("http", "https", "ssh") or not host:
        raise ForgeError(
            "the repo's address leads to no forge: it must be https://…, ssh://… or git@host:…"
        )
    return scheme, host, port, parts.path

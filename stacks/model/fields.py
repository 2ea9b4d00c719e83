"""The kinds of value that a stack file's keys take, and the form that every section of it has."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

# A cluster's name becomes part of Application names and label values, which Kubernetes limits to 63 characters;
# 40 leaves room for the longest suffix, the name of a service.
NAME_LENGTH = 40
NAMESPACE_LENGTH = 63
PLACEHOLDERS = ("environment", "cluster", "region")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_PORTS = {"https": 443, "http": 80}
# Vault's KV version 2 API puts one of these behind the mount; policies and stores do it themselves.
_KV_PARTS = ("data", "metadata")
_REVISION = re.compile(r"[^\s~^:?*\[\\\x00-\x20\x7f]*[^\s~^:?*\[\\\x00-\x20\x7f./]")
# https://argo-cd.readthedocs.io/en/stable/user-guide/tracking_strategies/: a range of versions, of the tags
_VERSIONS = re.compile(r"[v^~<>=! ]*\d+(\.(\d+|[*xX]))*[\w.+-]*([ ,|]+[v^~<>=! ]*\d+[\w.*+-]*)*|\*")
_PATH = re.compile(r"[^\s/*+{}\"\\]+(/[^\s/*+{}\"\\]+)*")


class Section(BaseModel):
    """A mapping of a stack file: camelCase there, snake_case here, no unknown keys, never changed after loading."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_min_length=1,
    )

    def filled(self, found: Mapping[str, Any]) -> Self:
        """A copy with what was found elsewhere, by field; `model_fields_set` stays what the stack file itself says."""
        copy = self.model_copy(update=dict(found))
        copy.model_fields_set.intersection_update(self.model_fields_set)
        return copy


def _dns_label(value: str, longest: int = NAME_LENGTH) -> str:
    if len(value) <= longest and _DNS_LABEL.fullmatch(value):
        return value
    mended = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:longest].strip("-") or "prod-1"
    raise ValueError(
        f'"{value}" is no DNS label: use at most {longest} lower-case letters, digits and "-", e.g. "{mended}"'
    )


def _namespace(value: str) -> str:
    return _dns_label(value, NAMESPACE_LENGTH)


def _namespaces(value: str) -> str:
    stem = value.removesuffix("*").removesuffix("-")
    if value.endswith("*") and len(value) <= NAMESPACE_LENGTH and _DNS_LABEL.fullmatch(stem):
        return value
    return _dns_label(value, NAMESPACE_LENGTH)


def _template(value: str) -> str:
    for word in PLACEHOLDER.findall(value):
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"{{{word}}} is no placeholder here: use {known}")
    if re.search(r"[{}]", PLACEHOLDER.sub("", value)):
        raise ValueError(f'"{value}" has a brace without its other half')
    return value


def _path(value: str) -> str:
    if _PATH.fullmatch(PLACEHOLDER.sub("x", value)):
        return value
    raise ValueError(
        f'"{value}" is no path in Vault: write "a/b", no "/" at its ends, no "*" or "+"'
    )


def _plain_path(value: str) -> str:
    if PLACEHOLDER.search(value):
        raise ValueError(f'"{value}" is the same for every spoke: no placeholder has a place in it')
    return _path(value)


def _policy_path(value: str) -> str:
    if re.search(r"}\*$", value):
        raise ValueError(
            f'"{value}" takes in whatever begins alike, such as prod-10 beside prod-1; write "{value[:-1]}/*"'
        )
    segments = value.removesuffix("*").removesuffix("/").split("/")
    if value == "*" or _PATH.fullmatch(
        "/".join("x" if one == "+" else PLACEHOLDER.sub("x", one) for one in segments)
    ):
        return value
    raise ValueError(
        f'"{value}" is no path of a Vault policy: no "/" before it, "*" at its end only, "+" for a whole part'
    )


def _plain_policy_path(value: str) -> str:
    if PLACEHOLDER.search(value):
        raise ValueError(f'"{value}" is for all spokes at once: write "+" where they differ')
    return _policy_path(value)


def server_key(address: str) -> str:
    """What the addresses of one server have in common, to compare them by: https://A.:443/ is https://a.

    Text that is no address is its own.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return address
    host = _host_key(host or "")
    if not host:
        return address
    own = "" if port in (None, _PORTS.get(parts.scheme)) else f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{own}{parts.path.rstrip('/')}{query}"


def _host_key(host: str) -> str:
    host = host.lower().rstrip(".")
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "127.0.0.1" if host == "localhost" else host
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found) if found.version == 4 or mapped else f"[{found}]"


def is_loopback(address: str) -> bool:
    """Whether an address is of whichever machine asks: 127.0.0.1, localhost, [::1], 0.0.0.0."""
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2] == "localhost"
    return found.is_loopback or found.is_unspecified


def server_problem(address: str) -> str:
    """Why nothing could be asked at `address` as an API server, empty where it could; never quotes a password."""
    address = address.strip()
    if not address:
        return "is empty; write https://, a host and a port"
    if re.search(r"\{\{|\$\{|[<>{}]", address):
        return "has a template in it; write the address itself"
    if "@" in address:
        return "holds a user or password; take it out, and log in by the user's own keys"
    scheme, found, rest = address.partition("://")
    if not found:
        shown = without_secrets(f"https://{address.lstrip('/')}")
        return f'"{shown.removeprefix("https://")}" lacks the scheme; write "{shown}"'
    shown = without_secrets(address)
    if scheme.lower() == "http":
        return f'"{shown}" is not encrypted, and whoever is on the way could read the credential; write "https://…"'
    if scheme.lower() != "https":
        return f'"{shown}" is no https:// address'
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f'"{shown}" has a port that is none; write a number from 1 to 65535'
    if port == 0 or rest.split("/")[0].endswith(":"):
        return f'"{shown}" has a port that is none; write a number from 1 to 65535'
    if not _HOST.fullmatch(host) and ":" not in host:
        return f'"{shown}" has no host; write https://, a host and a port'
    if parts.query or parts.fragment or re.search(r"\s", address):
        return f'"{shown}" has more than a host, a port and a path; take that out'
    return ""


def without_secrets(address: str) -> str:
    """An address to be shown: without what may hold a password, whatever signs that has."""
    scheme, found, rest = address.partition("://")
    if not found:
        scheme, rest = "", address
    rest = re.sub(r"^.*@", "…@", rest, flags=re.DOTALL)
    rest = re.sub(r"[?#].*", "…", rest, flags=re.DOTALL)
    # Nor a port that is none: it may be a password that is followed by nothing.
    rest = re.sub(r"^(\[[^]]*\]|[^/:\[]*):(?![0-9]{0,5}(/|…|$))[^/]*", r"\1:…", rest)
    return f"{scheme}{found}{rest}"


def is_label_value(value: str) -> bool:
    """Whether Kubernetes takes `value` for a label's."""
    return len(value) <= 63 and _LABEL_VALUE.fullmatch(value) is not None


def is_subdomain(value: str) -> bool:
    """Whether Kubernetes takes `value` for the name of an object."""
    return len(value) <= 253 and all(map(_DNS_LABEL.fullmatch, value.split(".")))


def _label_value(value: str) -> str:
    if is_label_value(value):
        return value
    raise ValueError(
        f'"{value}" is no label value: use at most 63 letters, digits, "-", "_" and ".", '
        "with a letter or digit at both ends"
    )


def _server(value: str) -> str:
    if why := server_problem(value):
        raise ValueError(why)
    return value.strip().rstrip("/")


def _uid(value: str) -> str:
    if _UID.fullmatch(value):
        return value
    raise ValueError(
        f'"{value}" is no identity: write what `kubectl get namespace kube-system -o '
        "jsonpath='{.metadata.uid}'` prints"
    )


def _https(value: str) -> str:
    try:
        host = urlsplit(value).hostname
    except ValueError:
        host = None
    if "@" in value:
        raise ValueError("names a user, and nobody logs in by an address here; take it out")
    if not host or not value.startswith("https://") or re.search(r"\s", value.strip()):
        raise ValueError(f'"{without_secrets(value)}" is no https:// address')
    return value


def _git_repo(value: str) -> str:
    if value.startswith("-") or re.search(r"[\s*?{}\[\]!]", value) or not re.search(r"[/:]", value):
        raise ValueError(
            f'"{without_secrets(value)}" is no repo: write one URL, as Argo CD clones it, e.g. '
            '"https://git.example.com/team/repo.git", without a pattern or template'
        )
    return value


def revision_problem(value: str) -> str:
    """Why `value` is no branch, tag, commit or range of versions, empty where it may be; git check-ref-format(1)."""
    if _VERSIONS.fullmatch(value):
        return ""
    if value.startswith("-"):
        return "begins with a dash, which git would take for an option"
    if not _REVISION.fullmatch(value) or re.search(r"^/|\.\.|@\{|//|/\.|\.lock(/|$)", value):
        return "is no branch, tag or commit: git takes no such name"
    return ""


def _revision(value: str) -> str:
    if "{{" in value or "}}" in value:
        raise ValueError(
            f'"{value}" is a template, and this is the same for every spoke; a set has a `revision` of its own'
        )
    if why := revision_problem(value):
        raise ValueError(f'"{value}" {why}; write e.g. "main"')
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    if re.search(r"[\s*?{}\[\]!\\]", value) or not all(parts) or {".", ".."} & {*parts}:
        raise ValueError(
            f'"{value}" is no directory in the repo: write its path from the repo\'s root, e.g. "apps", without "/" '
            'at either end, "..", a pattern or a template'
        )
    return value


def _mount(value: str) -> str:
    mount, _, last = _plain_path(value).rpartition("/")
    if last in _KV_PARTS and mount:
        raise ValueError(
            f'"{value}" is a path inside of the mount "{mount}", as Vault\'s API has it; write "{mount}"'
        )
    return value


def _file_source(value: str) -> str:
    if value.startswith("http://"):
        raise ValueError(
            "is fetched without encryption (`http://`), and anybody on the way could change it; write `https://…`, or "
            "keep a copy here and write its path"
        )
    return value


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError(f'"{value}" is no duration: write a number and ms, s, m or h, e.g. "1h"')
    return value


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
Namespace = Annotated[str, AfterValidator(_namespace)]
# A namespace, or all that begin alike: `openshift-*`.
Namespaces = Annotated[str, AfterValidator(_namespaces)]
Uid = Annotated[str, AfterValidator(_uid)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Template = Annotated[str, AfterValidator(_template)]
# Of an engine in Vault, or of what is in one; and what a Vault policy may say of such.
PlainPath = Annotated[str, AfterValidator(_plain_path)]
Mount = Annotated[PlainPath, AfterValidator(_mount)]
PathTemplate = Annotated[Template, AfterValidator(_path)]
PlainPolicyPath = Annotated[str, AfterValidator(_plain_policy_path)]
PolicyPathTemplate = Annotated[Template, AfterValidator(_policy_path)]
GitRepo = Annotated[str, AfterValidator(_git_repo)]
GitRevision = Annotated[str, AfterValidator(_revision)]
Folder = Annotated[str, AfterValidator(_folder)]
# What this machine fetches or reads itself.
FileSource = Annotated[str, AfterValidator(_file_source)]
HttpsUrl = Annotated[str, AfterValidator(_https)]
Duration = Annotated[str, AfterValidator(_duration)]
# Argo CD trims a server's trailing slash; an issuer's is part of its name (Azure's end in one).
ServerUrl = Annotated[str, AfterValidator(_server)]

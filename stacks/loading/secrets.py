"""Secrets in a stack file: it is committed, and what it says goes into Pulumi's state, annotations and ConfigMaps.

Told by the value's own prefix wherever it stands, and by the name of its key where people choose the names.
The prefixes are those that the issuers document, such as
https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
and https://docs.gitlab.com/security/tokens/#token-prefixes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.loading.document import DocumentError, read
from stacks.loading.explain import Location, place
from stacks.model.errors import Problem

_TOKENS = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      hv[sbr]\.[A-Za-z0-9_-]{8,}                               # Vault
    | [sbr]\.(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{24}(?![A-Za-z0-9])  # Vault before 1.10, OpenBao; no host in small letters
    | gh[pousr]_[A-Za-z0-9]{6,} | github_pat_\w{6,}            # GitHub
    | gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[\w.-]{8,}
    | ATATT3[\w=-]{8,} | ATCTT3[\w=-]{8,} | ATBB[A-Za-z0-9]{8,}  # Atlassian
    | xox[abeprs]-[\w-]{8,} | xapp-[0-9]-[\w-]{8,}                   # Slack
    | (?:AKIA|ASIA)[0-9A-Z]{16}                                # AWS
    | AIza[\w-]{30,} | ya29\.[\w.-]{8,} | GOCSPX-[\w-]{8,}     # Google
    | pul-[0-9a-f]{40} | dckr_(?:pat|oat)_[\w-]{8,} | npm_[A-Za-z0-9]{30,} | pypi-AgE[\w-]{8,}
    | do[por]_v1_[0-9a-f]{16,} | [sr]k_(?:live|test)_[A-Za-z0-9]{8,}
    | sk-(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,} | SG\.[\w-]{16,}
    | sha256~[\w-]{8,}                                         # OpenShift
    | (?:kubeconfig-[a-z0-9.-]+|token-[a-z0-9]{5}):[a-z0-9]{16,}  # Rancher
    | AGE-SECRET-KEY-1[A-Z0-9]{8,}
    | eyJ[\w-]{8,}\.eyJ[\w-]{8,}                               # JWT
    )""",
    re.VERBOSE,
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
# A port and a path may be followed by an @, too.
_URL_PASSWORD = re.compile(r"://[^/\s:@]*:(?![0-9]{1,5}/)(?:(?!://)[^\s@])+@")
_URL_USER = re.compile(r"://([^/\s:@]+)@")
# A name for a secret, without what separates its words; and those that as often name where one is.
_NAMED = re.compile(
    r"(password|passwd|passphrase|clientsecret|webhooksecret|sharedsecret|apikey|apitoken|accesstoken|authtoken|"
    r"bearertoken|refreshtoken|token|privatekey|secretaccesskey|encryptionkey|signingkey|pwd|bindpw|dockerconfigjson)$"
)
_MAYBE_NAMED = re.compile(r"(secret|secretkey|accesskey|accountkey|credentials?|pat|key)$")
_NO_NAME = re.compile(r"^(existing|use|has|mount|enable|automount)|pullsecret$")
# Of a stack file's keys, those under which people choose the names.
_FREE = ("labels", "annotations", "env", "values", "config")
_REFUSED = "and a stack file holds none; "
_FIX = {
    "argocd": "put it into the Secret argocd-secret, or one with the label app.kubernetes.io/part-of: argocd, and "
    "write `$<key>` or `$<secret>:<key>` here",
    "externalSecrets": "make a Secret for it, and let the chart's values name that",
    "gitops": "give it to Argo CD as a repository Secret",
    "spokes": "keep it in Vault: `auth: {kind: vault}`, or an ExternalSecret in the gitops-config repo",
}


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Every secret in the sections of a stack file, with the environment's values put in; no value is quoted."""
    for section, value in values.items():
        for where, said in _inside(value, (section,), free=False):
            fix = _FIX.get(section, "take it out")
            yield Problem(place(where), f"{said}, {_REFUSED}{fix}")


def _inside(value: Any, where: Location, *, free: bool) -> Iterator[tuple[Location, str]]:
    if isinstance(value, dict):
        name, pair = value.get("name"), value.get("value")
        if free and isinstance(name, str) and isinstance(pair, str) and _by_name(name, pair):
            yield (*where, "value"), f'"{name}" is a name for a secret'
            return
        for key, item in value.items():
            yield from _named(key, item, (*where, key), free=free or key in _FREE)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(item, (*where, index), free=free)
    elif isinstance(value, str):
        if said := _by_value(value):
            yield where, said
        elif free and (inner := _document(value)) is not None:
            # By the place of the text: its own keys are none of the stack file's.
            for _, found in _inside(inner, (), free=True):
                yield where, found
                return


def _named(key: Any, item: Any, where: Location, *, free: bool) -> Iterator[tuple[Location, str]]:
    if free and isinstance(item, str) and not _by_value(item) and _by_name(str(key), item):
        yield where, f'"{key}" is a name for a secret'
    else:
        yield from _inside(item, where, free=free)


def _by_value(value: str) -> str:
    """What a text gives itself away for, empty where it doesn't; encoded in base64 as well."""
    for text in (value, *_decoded(value)):
        if _PRIVATE_KEY.search(text):
            return "holds a private key"
        if _TOKENS.search(text):
            return "holds a token"
        if _URL_PASSWORD.search(text):
            return "holds a password in a URL"
    user = _URL_USER.search(value)
    # Azure's own URLs begin with the organisation's name.
    if user and (len(user[1]) > 30 or user[1].lower() in ("oauth2", "x-access-token", "token")):
        return "holds a token in a URL"
    return ""


def _decoded(value: str) -> Iterator[str]:
    """The texts that stand in a text in base64."""
    for found in _BASE64.findall(value):
        altchars = b"-_" if {"-", "_"} & set(found) else None
        try:
            plain = base64.b64decode(found + "=" * (-len(found) % 4), altchars=altchars)
            yield plain.decode("latin-1")
        except (binascii.Error, ValueError):
            continue


def _by_name(key: str, value: str) -> bool:
    """Whether `key` names a secret, and `value` may be one, not only where it is."""
    if (
        not value.strip()
        or value.startswith("$")
        or "{{" in value
        or re.match(r"[./~]|https?://", value)
    ):
        return False
    if value.lower() in ("true", "false", "none", "null") or (value.isdigit() and len(value) < 4):
        return False
    name = re.sub(r"[^a-z0-9]", "", key.lower())
    if _NO_NAME.search(name):
        return False
    return bool(_NAMED.search(name)) or bool(_MAYBE_NAMED.search(name) and _random(value))


def _random(value: str) -> bool:
    """Whether a text looks made by a machine: long, of one word, letters and digits mixed."""
    return (
        len(value) >= 16
        and not re.search(r"[\s/:,]", value)
        and bool(re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value))
    )


def _document(text: str) -> Any:
    """The mapping or list that a text holds in YAML or JSON, such as Dex's settings; None where it holds none."""
    if ":" not in text or not ("\n" in text or "{" in text) or len(text) > 100_000:
        return None
    try:
        found = read(text)
    except DocumentError:
        return None
    return found if isinstance(found, dict | list) else None

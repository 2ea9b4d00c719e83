"""Questions to Vault, asked before anything is made: is it open, whose is the token, and where does it lead?

The token is looked up as pulumi-vault does it, which can't go on without: so what is refused here would have failed
there, minutes later and spoke by spoke.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from stacks.desired import vault_identity
from stacks.desired.vault_identity import Identity
from stacks.loading.load import stack_file, with_lines
from stacks.model.errors import Problem, StackError
from stacks.model.fleet import Fleet
from stacks.model.vault import Vault

TIMEOUT = 5.0
SHORT_SECONDS = 15 * 60
"""A token that ends sooner may not last for an `up`: its child, which pulumi-vault works with, ends with it."""
ADDRESS, PARENT = "fleet:vault.address", "fleet:vault.parentNamespace"
# What `GET /v1/sys/health` answers with: https://developer.hashicorp.com/vault/api-docs/system/health
_OPEN = {200, 429, 473}
_CLOSED = {
    472: "is a disaster recovery secondary, which serves nobody until it is promoted; write the primary's address",
    501: "is not initialised; run `bao operator init`, then unseal it",
    503: "is sealed; unseal it (`bao operator unseal`) and run again",
}


def require(fleet: Fleet, stack: str, *, preview: bool) -> list[str]:
    """Make sure that Vault, if the stack has one, can be used now, and that its token leads to where the stores look.

    Gives warnings: of a token that ends soon or lacks rights; in a `preview`, which CI may run without one, of one that
    is missing or refused. Raises StackError, naming the stack file of `stack`.
    """
    vault = fleet.vault
    if not vault:
        return []
    try:
        trust = ssl.create_default_context(cafile=vault.ca_file)
    except (OSError, ssl.SSLError) as error:
        said = f"{vault.ca_file} can't be read as PEM certificates ({error})"
        raise _error(stack, Problem("fleet:vault.caFile", said)) from None
    if closed := _closed(vault, trust):
        raise _error(stack, Problem(ADDRESS, closed))
    identities = vault_identity.everyone(fleet)
    if not identities:
        return []
    if shifted := _shifted_by_environment(vault):
        raise _error(stack, Problem(PARENT, shifted))
    try:
        token = _Token.found(os.environ)
        return token.warnings(vault, trust, identities, preview=preview) if token else []
    except _Unusable as error:
        if preview and not error.problem.path.startswith(PARENT):
            return [f"{error.problem.message}; `up` will need one"]
        raise _error(stack, error.problem) from None


def _error(stack: str, problem: Problem) -> StackError:
    return StackError(f"stacks/Pulumi.{stack}.yaml", with_lines([problem], stack_file(stack)))


def _closed(vault: Vault, trust: ssl.SSLContext) -> str:
    """Why Vault serves nobody now; empty where it does. Asks `sys/health`, which needs no token."""
    called = f"Vault at {vault.address}"
    try:
        url = f"{vault.address}/v1/sys/health"
        status = httpx.get(url, verify=trust, timeout=TIMEOUT).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{called} does not answer ({error}); start it, or mend address or caFile"
    if status in _OPEN:
        return ""
    return f"{called} {_CLOSED.get(status, f'answered sys/health with status {status}')}"


def _shifted_by_environment(vault: Vault) -> str:
    """What VAULT_NAMESPACE would do to Pulumi's provider; empty where nothing, as beside `parentNamespace`."""
    variable = os.environ.get("VAULT_NAMESPACE", "").strip("/")
    if not variable or vault.parent_namespace:
        return ""
    return (
        f'VAULT_NAMESPACE is set to "{variable}": pulumi-vault would put everything below that, where no store looks; '
        f"unset it, or write `parentNamespace: {variable}`"
    )


class _Unusable(Exception):
    """Vault can't be used with this token."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(path, message)


@dataclass(frozen=True)
class _Token:
    """The token that pulumi-vault will take, and what to call it: the value itself is never shown."""

    name: str
    value: str = field(repr=False)

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> _Token | None:
        """From `VAULT_TOKEN`, else where `vault login` leaves it; None where only a token helper knows.

        Raises _Unusable where there is none.
        """
        if value := environment.get("VAULT_TOKEN", ""):
            return cls("the token in VAULT_TOKEN", value)
        home = Path(environment.get("HOME", "~")).expanduser()
        if Path(environment.get("VAULT_CONFIG_PATH") or home / ".vault").exists():
            return None
        try:
            value = (home / ".vault-token").read_text().strip()
        except (OSError, UnicodeDecodeError):
            value = ""
        if value:
            return cls("the token in ~/.vault-token", value)
        raise _Unusable(
            "fleet:vault",
            "there is no Vault token: set VAULT_TOKEN, or `bao login` (`vault login`)",
        )

    def warnings(
        self, vault: Vault, trust: ssl.SSLContext, identities: list[Identity], *, preview: bool
    ) -> list[str]:
        """Look the token up, and say what `up` may stumble over. Raises _Unusable."""
        variable = os.environ.get("VAULT_NAMESPACE", "").strip("/")
        status, known = self._ask(vault, trust, "auth/token/lookup-self", variable)
        at = f"Vault at {vault.address}"
        if status == 404 and variable:
            raise _Unusable(
                PARENT, f'{at} has no namespace "{variable}", which VAULT_NAMESPACE names; unset it'
            )
        if status == 403:
            raise _Unusable(
                "fleet:vault",
                f"{at} refuses {self.name}: it has expired, was revoked or is another Vault's, or its policies don't "
                "let it read auth/token/lookup-self; take a new one",
            )
        if status != 200:
            return [f"{at} did not tell about {self.name} (status {status}); `up` may fail with it"]
        policies = [str(one) for one in known.get("policies") or ()]
        home = str(known.get("namespace_path") or "").strip("/")
        self._require_reach(vault, identities, home)
        found = []
        if 0 < (left := int(known.get("ttl") or 0)) < SHORT_SECONDS:
            found.append(
                f"{self.name} ends in {left // 60} min {left % 60} s, and an `up` with it: take one that lasts longer"
            )
        if not preview and "root" not in policies:
            found += self._lacking(vault, trust, identities, home, policies)
        return found

    def _require_reach(self, vault: Vault, identities: list[Identity], home: str) -> None:
        """Raises _Unusable where a token of the namespace `home` leads elsewhere than the stores, or not so far."""
        if home and not vault.parent_namespace:
            raise _Unusable(
                PARENT,
                f'{self.name} is of Vault namespace "{home}": pulumi-vault would put everything below that, where no '
                f"store looks; write `parentNamespace: {home}`",
            )
        for who in identities:
            if _below(home, who.full_namespace or "") is None:
                raise _Unusable(
                    PARENT,
                    f'{self.name} is of Vault namespace "{home}", and what it makes for "{who.cluster}" is in '
                    f'"{who.full_namespace}"; take one of "{vault.parent_namespace}"',
                )

    def _lacking(
        self,
        vault: Vault,
        trust: ssl.SSLContext,
        identities: list[Identity],
        home: str,
        policies: list[str],
    ) -> list[str]:
        """A warning where the token may not write what the stack makes in Vault; silent where it may not ask."""
        paths: dict[str, set[str]] = {}
        for who in identities:
            prefix = _below(home, who.full_namespace or "") or ""
            paths[f"{prefix}sys/auth/{who.path}"] = {"update", "sudo"}
            for grant in who.grants:
                paths[f"{prefix}sys/policies/acl/{grant.policy}"] = {"update"}
        # In the token's own namespace: there its policy `default` lets it ask, below that nothing does.
        status, known = self._ask(vault, trust, "sys/capabilities-self", home, list(paths))
        if status != 200:
            return []
        denied = [
            path
            for path, needed in paths.items()
            if path in known and "root" not in known[path] and not needed <= set(known[path])
        ]
        if not denied:
            return []
        more = f" and {len(denied) - 1} more" if len(denied) > 1 else ""
        return [
            f"{self.name} has the policies {', '.join(policies)}, by which it may not write {denied[0]}{more}"
            + (f' in Vault namespace "{home}"' if home else "")
            + "; what changes there will fail. The policy it needs is in docs/your-own-clusters.md"
        ]

    def _ask(
        self,
        vault: Vault,
        trust: ssl.SSLContext,
        path: str,
        namespace: str,
        paths: list[str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and `data` of an answer; a POST where `paths` are asked about, 0 without an answer."""
        headers = {"X-Vault-Token": self.value, "X-Vault-Request": "true"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        url = f"{vault.address}/v1/{path}"
        try:
            if paths is None:
                answer = httpx.get(url, headers=headers, verify=trust, timeout=TIMEOUT)
            else:
                body = {"paths": paths}
                answer = httpx.post(url, headers=headers, json=body, verify=trust, timeout=TIMEOUT)
            told = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            # ValueError: a header that is none, or an answer that is no JSON.
            return 0, {}
        data = told.get("data") if isinstance(told, dict) else None
        return answer.status_code, data if isinstance(data, dict) else {}


def _below(home: str, namespace: str) -> str | None:
    """What to put before a path to reach `namespace` from `home`: empty or ending in "/"; None where it isn't below."""
    if not f"{namespace}/".startswith(f"{home}/" if home else ""):
        return None
    rest = namespace[len(home) :].strip("/")
    return f"{rest}/" if rest else ""

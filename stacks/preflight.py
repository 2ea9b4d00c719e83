"""Questions asked before anything is created: is Vault open, does each cluster answer?

A sealed Vault would fail every spoke half-way through `pulumi up`; here it stops the run before the first object.
A spoke that doesn't answer is only named: the others must still converge.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx

from stacks.errors import Problem, StackError
from stacks.kubeconfig import ClusterAccess
from stacks.model import Vault

TIMEOUT = 5.0
# What `GET /v1/sys/health` answers with: https://developer.hashicorp.com/vault/api-docs/system/health
_OPEN = {200, 429, 472, 473}


def require_vault(vault: Vault, stack: str) -> None:
    """Make sure that Vault can be used now. Asks `sys/health`, which needs no token.

    Raises StackError, naming the stack file of `stack`, where Vault is sealed, not initialised or out of reach.
    """
    if problem := _vault_problem(vault):
        raise StackError(f"stacks/Pulumi.{stack}.yaml", [problem])


def _vault_problem(vault: Vault) -> Problem | None:
    where = "fleet:vault.address"
    try:
        trust = ssl.create_default_context(cafile=vault.ca_file)
    except (OSError, ssl.SSLError) as error:
        return Problem(
            "fleet:vault.caFile", f"{vault.ca_file} can't be read as PEM certificates ({error})"
        )
    try:
        status = httpx.get(
            f"{vault.address}/v1/sys/health", verify=trust, timeout=TIMEOUT
        ).status_code
    except httpx.HTTPError as error:
        return Problem(
            where,
            f"Vault at {vault.address} does not answer ({error}); start it, or mend address or caFile",
        )
    if status == 503:
        return Problem(
            where,
            f"Vault at {vault.address} is sealed; unseal it (`bao operator unseal`) and run again",
        )
    if status == 501:
        return Problem(
            where,
            f"Vault at {vault.address} is not initialised; run `bao operator init`, then unseal it",
        )
    if status not in _OPEN:
        return Problem(where, f"Vault at {vault.address} answered sys/health with status {status}")
    return None


def silent(clusters: Iterable[ClusterAccess]) -> list[ClusterAccess]:
    """Those of the clusters whose API server gives no answer at all within a few seconds, in the given order."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = [(cluster, pool.submit(_answers, cluster)) for cluster in clusters]
        return [cluster for cluster, answer in asked if not answer.result()]


def _answers(cluster: ClusterAccess) -> bool:
    trust = ssl.create_default_context(cadata=cluster.ca_pem or None)
    try:
        # Any status will do: /readyz may well be refused to an unknown caller.
        httpx.get(f"{cluster.server}/readyz", verify=trust, timeout=TIMEOUT)
    except httpx.HTTPError:
        return False
    return True

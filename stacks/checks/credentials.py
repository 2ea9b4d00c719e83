"""How Argo CD logs in to the spokes: what each kind of auth needs beside its own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacks.desired.policy_paths import covers
from stacks.model.auth import AksAuth, EksAuth, ExecAuth, VaultAuth
from stacks.model.errors import Problem, did_you_mean
from stacks.model.fleet import Fleet
from stacks.model.vault import HubSecretStore

_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/\S+")
# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
_EKS_NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
_EKS_ARN = re.compile(r"arn:[a-z-]+:eks:[a-z0-9-]+:\d{12}:cluster/([0-9A-Za-z][A-Za-z0-9_-]{0,99})")
_SECRET_NAME = re.compile(r"(secret|password|token|access_key|private_key)$", re.IGNORECASE)
_REFUSED = (
    "looks like a secret, and a stack file holds none; mount it into Argo CD's pods, or use "
    "`auth: {kind: vault}`"
)
# What kubelogin reads, and the key here that sets it.
_AKS_ENV = {
    "AAD_LOGIN_METHOD": "loginMethod",
    "AZURE_CLIENT_ID": "clientId",
    "AZURE_TENANT_ID": "tenantId",
}


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What keeps a spoke's kind of auth from working."""
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}].auth"
        auth = spoke.auth
        if isinstance(auth, AksAuth):
            yield from _aks(where, auth)
        if isinstance(auth, EksAuth) and auth.role_arn and not _ROLE_ARN.fullmatch(auth.role_arn):
            yield Problem(
                f"{where}.roleArn",
                f'"{auth.role_arn}" is no IAM role: write e.g. "arn:aws:iam::123456789012:role/argocd"',
            )
        if isinstance(auth, EksAuth) and not _EKS_NAME.fullmatch(auth.cluster_name):
            yield Problem(f"{where}.clusterName", _eks_name(auth.cluster_name))
        if isinstance(auth, ExecAuth):
            yield from _arguments(where, auth.args)
        if isinstance(auth, VaultAuth) and fleet.owns_hub:
            yield from _in_vault(where, auth, spoke.fill(auth.path), fleet.hub.secret_store)


def _aks(where: str, auth: AksAuth) -> Iterator[Problem]:
    if auth.login_method == "workloadidentity":
        for key, value in (("clientId", auth.client_id), ("tenantId", auth.tenant_id)):
            if not value:
                yield Problem(
                    f"{where}.{key}", "required with `loginMethod: workloadidentity`; add it"
                )
    for name, key in _AKS_ENV.items():
        if name in auth.env:
            yield Problem(f"{where}.env.{name}", f"is set by `{key}:`; write it there")


def _eks_name(given: str) -> str:
    """What to write instead of a name that EKS gives no cluster."""
    arn = _EKS_ARN.fullmatch(given)
    if arn:
        return f'is the cluster\'s ARN, and EKS goes by its name; write "{arn[1]}"'
    return (
        f'"{given}" is no name of an EKS cluster: at most 100 letters, digits, "-" and "_"; '
        "`aws eks list-clusters` shows it"
    )


def _arguments(where: str, args: list[str]) -> Iterator[Problem]:
    """Arguments such as `--token=x`, or `--token` with `x` after it; not a subcommand such as `get-token`."""
    for index, argument in enumerate(args):
        name, given, value = argument.partition("=")
        if not given and argument.startswith("-"):
            value = next((one for one in args[index + 1 : index + 2] if one[:1] != "-"), "")
        named = _SECRET_NAME.search(name.replace("-", "_"))
        if named and value and value.lower() not in ("true", "false"):
            yield Problem(f"{where}.args[{index}]", _REFUSED)


def _in_vault(
    where: str, auth: VaultAuth, path: str, store: HubSecretStore | None
) -> Iterator[Problem]:
    if not store:
        yield Problem(
            f"{where}.store",
            f"nothing on the hub reads it: add `secretStore: {{name: {auth.store}}}` under fleet:hub",
        )
    elif auth.store != store.name:
        yield Problem(
            f"{where}.store",
            f'there is no store "{auth.store}" on the hub; fleet:hub.secretStore is "{store.name}"'
            f"{did_you_mean(auth.store, [store.name])}",
        )
    elif not any(covers(pattern, path) for pattern in store.read_paths):
        yield Problem(
            f"{where}.path",
            f'the hub may not read "{path}": fleet:hub.secretStore.readPaths has {", ".join(store.read_paths)}; '
            "add it there, or choose a path under these",
        )

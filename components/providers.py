"""The only place where providers are made: default providers are disabled in every stack."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault

import stacks


def kubernetes_provider(
    name: str, access: stacks.ClusterAccess, opts: pulumi.ResourceOptions | None = None
) -> kubernetes.Provider:
    """The provider of one cluster, named after it.

    The kubeconfig is kept secret. `clusterIdentifier` is the cluster's name, so that a rotated credential or a moved
    endpoint updates the provider and never replaces every object on the cluster.
    """
    return kubernetes.Provider(
        name,
        kubeconfig=pulumi.Output.secret(access.kubeconfig),
        cluster_identifier=name,
        enable_server_side_apply=True,
        # Else a changed cluster Secret is deleted first, and Argo CD lets go of all its Applications.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        opts=opts,
    )


def vault_provider(vault_args: stacks.Vault) -> vault.Provider:
    """The provider of Vault. It takes its token from `VAULT_TOKEN`, so that none enters Pulumi's state."""
    return vault.Provider("vault", address=vault_args.address, ca_cert_file=vault_args.ca_file)

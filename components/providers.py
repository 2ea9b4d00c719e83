"""The only place where providers are made: default providers are disabled in every stack."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault

from stacks.model.access import ClusterAccess
from stacks.model.vault import Vault


def kubernetes_provider(
    name: str,
    access: ClusterAccess,
    opts: pulumi.ResourceOptions | None = None,
    *,
    quarantine: bool = False,
) -> kubernetes.Provider:
    """The provider of one cluster, named after it.

    The kubeconfig is kept secret. `clusterIdentifier` is the cluster's name, so that a rotated credential or a moved
    endpoint updates the provider and never replaces every object on the cluster. In `quarantine` the objects of a
    cluster that doesn't answer stay as they are, with a warning each.
    """
    return kubernetes.Provider(
        name,
        kubeconfig=pulumi.Output.secret(access.kubeconfig),
        cluster_identifier=name,
        enable_server_side_apply=True,
        # Else a changed cluster Secret is deleted first, and Argo CD lets go of all its Applications.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        skip_update_unreachable=True if quarantine else None,
        opts=opts,
    )


def rendered_by(
    parent: pulumi.Resource, renderer: kubernetes.Provider | None
) -> pulumi.ResourceOptions:
    """Options for a `ConfigGroup` or `Chart` that `renderer` takes apart; its objects go to the parent's provider.

    For quarantine: the plugin takes nothing apart for a cluster that doesn't answer, and so needs one that does. A
    chart then sees that one's version and kinds. None leaves it to the parent's provider, as ever.
    """
    if renderer is None:
        return pulumi.ResourceOptions(parent=parent)

    def construct(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        # Transforms are handed down to the objects, which must not move.
        if args.custom:
            return None
        args.opts.provider = renderer
        return pulumi.ResourceTransformResult(args.props, args.opts)

    # By a transform, because the SDK lets `provider` stand for `providers` too where a component is given both.
    return pulumi.ResourceOptions(parent=parent, transforms=[construct])


def vault_provider(vault_args: Vault) -> vault.Provider:
    """The provider of Vault. It takes its token from `VAULT_TOKEN`, so that none enters Pulumi's state.

    With `parentNamespace` it is another provider, named after that: so what was made below another parent is deleted
    there, and not here.
    """
    parent = vault_args.parent_namespace
    return vault.Provider(
        f"vault-{parent}" if parent else "vault",
        address=vault_args.address,
        ca_cert_file=vault_args.ca_file,
        # Given, it counts whatever namespace the token is of. Else the token's would be put before all others.
        namespace=parent,
    )

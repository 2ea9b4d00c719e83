"""Fleet: stack file -> typed fleet -> components -> outputs."""

import pulumi

import components
from live import existing, identity, manifests, preflight, recognition, vault_state
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.desired.sets import every
from stacks.loading.endpoints import endpoints_of
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load
from stacks.model.errors import ManifestError, StackError

stack = pulumi.get_stack()
try:
    kubeconfig = Kubeconfig.read()
    config = pulumi.runtime.config.CONFIG.get()
    encrypted = filter(pulumi.runtime.config.is_config_secret, config)
    fleet = load(config, stack, kubeconfig, encrypted)
    hub_access = kubeconfig.access(fleet.hub.context)
    endpoints = endpoints_of(fleet, kubeconfig)
    argocd_manifest = Manifest(tuple(manifests.read(fleet.argocd.manifest)))
    eso = fleet.external_secrets
    eso_manifest = NO_MANIFEST
    if eso and fleet.installs_external_secrets:
        found = manifests.read(eso.manifests) or manifests.read_crds(eso.crds)
        eso_manifest = Manifest(tuple(found))
    rollouts_manifest = NO_MANIFEST
    if fleet.argo_rollouts and fleet.installs_argo_rollouts:
        rollouts_manifest = Manifest(tuple(manifests.read(fleet.argo_rollouts.manifest)))
    preview = pulumi.runtime.is_dry_run()
    recorded = components.recorded_identities()
    silent = preflight.silent(fleet, endpoints)
    known = recognition.require(fleet, stack, kubeconfig, recorded, silent, preview=preview)
    fleet, warnings = known.fleet, [*known.warnings]
    mute = {*silent, *known.unknown}
    warnings += vault_state.require(fleet, stack, preview=preview)
    given = argocd_manifest, eso_manifest, rollouts_manifest
    problems, noted = existing.ask(fleet, stack, hub_access, endpoints, given, mute)
    warnings += noted
    warnings += preflight.require_hub(fleet, stack, kubeconfig, preview=preview, found=problems)
except (StackError, KubeconfigError, ManifestError) as error:
    components.refuse(error)
components.record_identities(identity.of(fleet))
components.wait_as_pulumi_means_it()
for warning in [*warnings, *silent.values()]:
    pulumi.log.warn(warning)

hub = components.ManagementHub(
    "hub", components.ManagementHubArgs(fleet=fleet, stack=stack, access=hub_access)
)
on_hub = pulumi.ResourceOptions(providers=[hub.provider])
argocd = None
if fleet.owns_hub:
    argocd = components.ArgoCD(
        "argocd",
        components.ArgoCDArgs(
            fleet=fleet,
            stack=stack,
            access=hub_access,
            manifest=argocd_manifest.objects,
            namespace=hub.namespace,
        ),
        on_hub,
    )
components.onboard_spokes(
    components.OnboardingArgs(
        fleet=fleet,
        stack=stack,
        hub=hub,
        endpoints=endpoints,
        silent=mute,
        manifest=eso_manifest,
        rollouts=rollouts_manifest,
    )
)
components.FleetApplicationSets(
    "fleet",
    components.FleetApplicationSetsArgs(
        fleet=fleet, stack=stack, namespace=hub.namespace, argocd=argocd
    ),
    on_hub,
)

pulumi.export("argocdNamespace", fleet.argocd.namespace)
pulumi.export("applicationSets", [one.name for one in every(fleet)])

"""WHAT a fleet is: the typed model, and loading it from a stack file.

Imports no Pulumi and none of the other packages, so that the command line can read a stack file offline.
"""

from stacks.auth import (
    AksAuth,
    Auth,
    BasicAuth,
    ClientCertificateAuth,
    EksAuth,
    ExecAuth,
    GkeAuth,
    InClusterAuth,
    ServiceAccountAuth,
    TokenAuth,
    VaultAuth,
)
from stacks.errors import Problem, StackError
from stacks.kubeconfig import ClusterAccess, Kubeconfig, KubeconfigError
from stacks.load import load, load_file, stack_file, stack_files
from stacks.model import ApplicationSet, ArgoCD, Fleet, GitOps, Hub
from stacks.reach import Reach, reach
from stacks.spoke import Rbac, Rule, Spoke, Tls
from stacks.vault import ExternalSecrets, HubSecretStore, SecretStore, Vault

__all__ = [
    "AksAuth",
    "ApplicationSet",
    "ArgoCD",
    "Auth",
    "BasicAuth",
    "ClientCertificateAuth",
    "ClusterAccess",
    "EksAuth",
    "ExecAuth",
    "ExternalSecrets",
    "Fleet",
    "GitOps",
    "GkeAuth",
    "Hub",
    "HubSecretStore",
    "InClusterAuth",
    "Kubeconfig",
    "KubeconfigError",
    "Problem",
    "Rbac",
    "Reach",
    "Rule",
    "SecretStore",
    "ServiceAccountAuth",
    "Spoke",
    "StackError",
    "Tls",
    "TokenAuth",
    "Vault",
    "VaultAuth",
    "load",
    "load_file",
    "reach",
    "stack_file",
    "stack_files",
]

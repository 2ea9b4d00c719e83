"""Stack files and kubeconfigs as people have them, out of public reports with invented names: what `fleet check` says.

Each folder of trial/ is one situation. `GOOD` ones pass; the others are refused, and each says what stands here.
"""

from __future__ import annotations

import base64
import datetime
import shutil
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from fleet.commands import app

TRIAL = Path(__file__).parent / "trial"
GOOD = {
    "04-tls-server-name",
    "10-exec-relative",
    "11-k8s-auth-kubeadm-no-issuer",
    "30q-kc-bad-date",
    "60-issuer-not-url",
    "60c-issuer-svc-k8sauth",
    "81-project-default",
}
REFUSED: dict[str, tuple[str, ...]] = {
    "01-eks-no-issuer": ("spokes[0].issuer: required on EKS", "cluster.identity.oidc.issuer"),
    "02-eks-clustername-arn": ("clusterName: is the cluster's ARN", 'write "prod_Main"'),
    "03-rancher-proxy-default-auth": ("is Rancher's proxy", "401", "`auth: {kind: token}`"),
    "05-insecure-skip": ("spokes[0].tls: the context doesn't check", "`tls: {caFile: …}`"),
    "07-ca-double-base64": ("certificate-authority-data is in base64 twice",),
    "07b-ca-der": ("is DER; make PEM of it",),
    "07c-ca-is-garbage-text": ("holds no certificate in PEM",),
    "08-redacted-ca": ("`kubectl config view`", "`--raw`"),
    "08b-redacted-token": ("its token was written by `kubectl config view`", "`--raw`"),
    "09-loopback-k3s": ("is of this machine alone", "add `server:`"),
    "09c-http-server": ("its server", "is not encrypted"),
    "09d-no-scheme": ('lacks the scheme; write "https://10.9.0.1:6443"',),
    "12-legacy-template": ("`{{name}}` lacks the dot", "`{{.name}}`"),
    "12b-legacy-template-label": ("lacks the dot", "`{{.metadata.labels.environment}}`"),
    "12c-dash-label": ('`index .metadata.labels "cost-center"`',),
    "12e-values": ("reads `.values`", ".nameNormalized"),
    "12g-unknown-function": ("calls `env`, which Argo CD leaves out",),
    "12h-gitops-revision-brace": ("gitops.revision:", "is a template"),
    "12i-gitops-repo-brace": ("gitops.repo:", "without a pattern or template"),
    "12m-selector-matchlabels": ("selector: {environment: dev}",),
    "14b-namespaces-platform-missing": ('the namespace "platform"', "`rbac.namespaces`"),
    "15-spoke-is-the-hub": ("leads to the hub itself", "`auth: {kind: inCluster}`"),
    "15c-k3s-hub-and-spoke": (
        'cluster "default" is in kube/a.yaml and, another one, in kube/b.yaml',
        "leads to the hub itself",
    ),
    "17-gke": ("required on GKE", "https://container.googleapis.com/v1/projects/"),
    "19-exec-v1alpha1": ('"client.authentication.k8s.io/v1alpha1"', "v1beta1; make the"),
    "19b-auth-provider-gcp": ("`auth-provider`, which clients have dropped",),
    "19d-no-user": ("names no user that is there",),
    "19e-proxy-url": ("spokes[0].proxyUrl: the context goes through a proxy",),
    "19f-expired-client-cert": ("its client certificate has expired",),
    "30g-kc-tab": ("kubeconfig, line 3", "a tab"),
    "30y-kc-dup-context": ('has the context "dev" twice',),
    "31b-kc-server-empty": ("names no cluster with a server",),
    "31e-kc-server-userinfo": ("its server holds a user or password",),
    "40m-sf-bomb": ("aliases counted",),
    "40o-sf-deep": ("nests deeper than",),
    "40t-sf-secure": ("fleet:vault.address: is encrypted (`secure:`)",),
    "40u-sf-secure-section": ("fleet:hub: is encrypted (`secure:`)",),
    "41f-region-0o17": ("region: must be a text; put it in quotes",),
    "41g-region-1e3": ("region: must be a text; put it in quotes",),
    "41u-server-templ": ("spokes[0].server: has a template in it",),
    "41w-server-port-99999": ("has a port that is none",),
    "41x-server-port-text": ("has a port that is none",),
    "42b-unclosed": ("has no `}` after it", "write `$${`"),
    "42d-default-syntax": ("write ${TEAM}",),
    "42g-empty-braces": ("has no name of an environment variable",),
    "42i-revision-default": ("gitops.revision:", "write ${REVISION}"),
    "42j-values-need-dollar": ("POD_NAME is not set", "for a literal `${` write `$${`"),
    "50-readpaths-data": ('write "dev/*"',),
    "50g-mount-with-data": ('write "secret"',),
    "50i-audience-list": ("audience: must be one text, not a list",),
    "51-dex-secret": ("config.dex.config:", "clientSecret", "argocd-secret"),
    "51c-ann-token": ("annotations.token: holds a token",),
    "51e-values-password": ("extraEnv[0].value:", "VAULT_TOKEN"),
    "51i-repo-azdo-pat": ("gitops.repo: holds a token in a URL",),
    "51n-repo-star": ('"*" is no repo',),
    "53d-addon-with-prefix": ('write "cert_manager"',),
    "53i-eks-template-ctx": ('"my cluster!" is no name of an EKS cluster',),
    "54h-manifest-missing": ('there is no "../nope.yaml"',),
    "54i-manifest-url-http": ("without encryption (`http://`)",),
    "54k-crds-missing": ('there is no "crds.yaml"',),
    "54m-revision-dash": ("begins with a dash",),
    "60d-issuer-svc-nokeys": ("is known inside of the cluster only", "jwtPublicKeys"),
    "63b-trailing-dot": ('has the server of "dev"',),
    "63f-k3s-loopback-ports": ("is of this machine alone",),
    "65-name-in-cluster": ("Argo CD's own name for the hub",),
    "80-two-hub-contexts": ('which is "hub-admin" here', "only one stack owns a hub"),
    "82-esc": ("environment: imports from Pulumi ESC", "fleet:vault: required with spokes"),
    "85-revision-4816e7": ("gitops.revision: must be a text; put it in quotes",),
    "86-exec-apikey-only": (
        '"API_KEY" is a name for a secret',
        "GITHUB_PAT: holds a token",
        "CLIENT_CERT_B64: holds a private key",
    ),
    "95-svc-cluster-local": ("is the hub itself", "`auth: {kind: inCluster}`"),
}
# Of the values in these files, what no output may show.
SECRETS = (
    "hvs.",
    "ghp_",
    "0123456789abcdef0123456789abcdef01234567",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "p4ssw0rd",
    "hub-token",
    "tok-hub",
    "kubeconfig-u-abcde",
    "sha256~",
    "ya29",
    "LS0t",
)
LONGEST = 5.0
"""Seconds that a check may take, on a busy machine: what hangs takes for ever, and the alias bomb a billion values."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client certificate that has expired, its key, a CA as DER and a public key."""
    folder = tmp_path_factory.mktemp("files")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "spoke")])
    then = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, then, then + datetime.timedelta(days=1)
    ).sign(key, hashes.SHA256())
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    plain, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "expired.crt").write_bytes(made.public_bytes(pem))
    (folder / "spoke.key").write_bytes(key.private_bytes(pem, plain, no))
    (folder / "ca.der").write_bytes(made.public_bytes(der))
    (folder / "sa.pub").write_bytes(key.public_key().public_bytes(pem, public))
    return folder


def checked(
    case: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """The exit code and output of `fleet check` in the folder of a case."""
    folder = tmp_path / "project"
    shutil.copytree(TRIAL / case, folder)
    shutil.copytree(files, folder, dirs_exist_ok=True)
    for name in ("install.yaml", "crds.yaml"):
        if case != "54k-crds-missing":
            (folder / name).touch()
    monkeypatch.chdir(folder)
    kube = sorted(str(path.relative_to(folder)) for path in folder.glob("kube/*"))
    monkeypatch.setenv("KUBECONFIG", ":".join(kube) or str(folder / "kubeconfig"))
    stacks = sorted(path.name.split(".")[1] for path in (folder / "stacks").iterdir())
    words = [word for stack in stacks for word in ("--stack", stack)]
    begun = time.monotonic()
    result = CliRunner().invoke(app, ["check", *words])
    assert time.monotonic() - begun < LONGEST
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_every_case_has_an_answer() -> None:
    assert {one.name for one in TRIAL.iterdir()} == {*GOOD, *REFUSED}


@pytest.mark.parametrize("case", sorted(GOOD))
def test_good(case: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = checked(case, files, tmp_path, monkeypatch)
    assert (code, output.count(": ok: ")) == (0, 1), output


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_refused(case: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = checked(case, files, tmp_path, monkeypatch)
    assert code == 2
    for words in REFUSED[case]:
        assert words in output, output
    for secret in SECRETS:
        assert secret not in output
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in output


def test_no_private_key_is_in_the_files() -> None:
    texts = [path.read_text() for path in TRIAL.rglob("*") if path.is_file()]
    assert not [text for text in texts if "-----BEGIN" in text]

"""A canary in Vault, the spokes' tokens and the keys to the clusters are found nowhere, in no spelling.

The one place where they are while Pulumi runs is that run's own TMPDIR, which goes with it.
"""

from __future__ import annotations

import secrets

from tests.e2e.fleet_lab import SPOKES, FleetLab, wait_until
from tests.e2e.leaks import found_in
from tests.e2e.places import client_keys, leaks_in_files, printed


def test_no_secret_leaks(lab: FleetLab) -> None:
    canary = f"canary-{secrets.token_hex(16)}"
    (lab.home / "canary").write_text(canary)
    try:
        lab.bao(
            "kv", "patch", "-mount=secret", "payment-service/db", f"password=@{lab.home / 'canary'}",
            namespace="staging",
        )  # fmt: skip
    finally:
        (lab.home / "canary").unlink()
    lab.kubectl(
        "staging", "annotate", "--overwrite", "-n", "payment-service",
        "externalsecret/payment-db-credentials", f"force-sync={canary[-4:]}",
    )  # fmt: skip
    wait_until(
        "the canary on the spoke",
        lambda: (
            lab.secret("staging", "payment-service", "payment-db-credentials")["password"] == canary
        ),
    )
    tokens = {}
    for spoke in SPOKES:
        token = lab.secret(spoke, "kube-system", "argocd-manager-token")["token"]
        assert len(token) > 100
        tokens[f"the token of {spoke}"] = token
    in_state = {**tokens, **client_keys(lab, ["hub", *SPOKES])}
    wanted = {"the canary": canary, "Vault's token": lab.env["VAULT_TOKEN"], **in_state}

    shown = lab.run("pulumi", "stack", "export", "--show-secrets", "--stack", "lab").output
    assert set(found_in(shown, wanted)) == in_state.keys(), "what the test looks for can be found"

    places = {
        **printed(lab, ["lab"]),
        "objects on the hub": lab.kubectl(
            "hub",
            "get",
            "applications,applicationsets,appprojects,configmaps,events",
            "-A",
            "-o",
            "yaml",
        ),
        "metadata of the hub's Secrets": lab.kubectl(
            "hub", "get", "secrets", "-A", "-o", "jsonpath={range .items[*]}{.metadata}{end}"
        ),
    }
    for spoke in SPOKES:
        places[f"metadata on {spoke}"] = lab.kubectl(
            spoke, "get", "secrets,externalsecrets,clustersecretstores,events", "-A", "-o",
            "jsonpath={range .items[*]}{.metadata}{.status}{.message}{end}",
        )  # fmt: skip
    leaks = [
        f"{name} in {place}"
        for place, content in places.items()
        for name in found_in(content, wanted)
    ]
    assert not leaks
    assert not leaks_in_files(lab, wanted)

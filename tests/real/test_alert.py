"""The alert of the guide to canaries, by Prometheus' own judge: it fires for what was aborted, and says what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml
from rich.console import Console

from lab.toolchain import ensure

GUIDE = Path(__file__).parents[2] / "docs/canary.md"


def test_the_alert_fires_and_points_to_rollback(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(groups:.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    (tmp_path / "rules.yaml").write_text(found[1])
    series = 'argocd_app_info{name="staging-search",health_status="%s"}'
    alerts = yaml.safe_load(found[1])["groups"][0]["rules"][0]
    assert "fleet rollback" in alerts["annotations"]["description"]
    fires = {
        "exp_labels": {
            "severity": "warning",
            "name": "staging-search",
            "health_status": "Degraded",
        },
        "exp_annotations": {
            "summary": "staging-search is Degraded",
            "description": alerts["annotations"]["description"],
        },
    }
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series % health, "values": "1x10"}],
                "alert_rule_test": [
                    {"eval_time": "5m", "alertname": alerts["alert"], "exp_alerts": expected}
                ],
            }
            for health, expected in (("Degraded", [fires]), ("Healthy", []))
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    prometheus = Path(ensure(["prometheus"], console=Console(stderr=True)).bin("prometheus"))
    promtool = prometheus.parents[1] / "share/usr/bin/promtool"
    done = subprocess.run(
        [str(promtool), "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""A spoke in quarantine: all that is registered for it stays registered, and nothing else changes."""

from __future__ import annotations

from tests.program.conftest import RunProgram, example, spoke_of

SPOKE = "prod-us-east-1"


def test_quarantine_deletes_nothing_and_moves_nothing(run_program: RunProgram) -> None:
    config = example("production")
    before = run_program("production", config).keyed()
    spoke_of(config, SPOKE)["quarantine"] = "API server lost"
    after = run_program("production", config).keyed()
    assert after.keys() == before.keys()
    changed = {key for key in before if before[key].inputs != after[key].inputs}
    assert [name for _, _, name in changed] == [SPOKE], "only the provider of the spoke"
    (key,) = changed
    assert key[1] == "pulumi:providers:kubernetes"
    assert after[key].inputs.items() - before[key].inputs.items() == {
        ("skipUpdateUnreachable", "true")
    }
    for key, one in before.items():
        assert one.providers == after[key].providers, (
            f"{key}: its objects are the spoke's as before"
        )


def test_charts_and_manifests_are_worked_out_by_the_hub(run_program: RunProgram) -> None:
    config = example("production")
    spoke_of(config, SPOKE)["quarantine"] = "API server lost"
    run = run_program("production", config)
    remote = [one for one in run.resources if one.request.remote and one.name.startswith(SPOKE)]
    assert {one.type for one in remote} == {"kubernetes:helm.sh/v4:Chart"}
    for one in remote:
        assert one.maker == "hub", "the plugin works out nothing for a cluster that is down"
        assert one.providers == {SPOKE}
    others = [one for one in run.resources if one.request.remote and one.name.startswith("prod-eu")]
    assert {one.maker for one in others} == {"prod-eu-west-1"}


def test_what_is_not_in_quarantine_has_no_transform(run_program: RunProgram) -> None:
    assert not any(one.request.transforms for one in run_program("production").resources)

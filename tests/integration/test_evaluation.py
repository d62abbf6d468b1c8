from pathlib import Path

import pytest

from zfed.facts import Evaluated, RunEnded, WorkersEvaluated

pytestmark = pytest.mark.processes


def test_workers_evaluate_what_they_hold_out_and_a_run_that_gets_no_better_ends_early(fleet):
    coordinator = fleet.coordinator(
        *("--rounds", 500, "--wait-for", "alice,bob,examiner", "--keep-models", 1),
        *("--evaluate-by", "both", "--evaluate-every", 1),
        *("--watch=+loss", "--watch-on", "workers", "--patience", 2),  # it only ever falls
    )
    nodes = [
        fleet.worker("alice", "--partition", "iid:1/2", "--holdout", 0.1),
        fleet.worker("bob", "--partition", "iid:2/2", "--holdout", 0.5),
        fleet.evaluator(),
    ]
    assert [node.exit_code() for node in [coordinator, *nodes]] == [0] * 4
    [end] = coordinator.told(RunEnded)
    assert (end.status, end.best.round, end.best.watched_on) == ("completed", 1, "workers")
    assert end.reason.startswith("early stop: loss has not become better in ")
    assert end.rounds_done < 500
    found = coordinator.told(WorkersEvaluated)
    # the answers about another one may come while a version is being written, which counts first
    assert [fact.round for fact in found] in ([1, 2, 3], [1, 2, 3, 4])
    assert {(tuple(fact.workers), fact.examples, fact.validation) for fact in found} == {
        (("alice", "bob"), 30, True)
    }
    assert not any(fact.validation for fact in coordinator.told(Evaluated))
    best = Path(end.best_model)
    assert best.name == "best.safetensors"
    assert best.samefile(best.parent / "models" / "v00001.safetensors")

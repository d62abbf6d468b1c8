from __future__ import annotations

import io

from zfed.facts import Fact, NodeRefused
from zfed.telemetry.groups import parse_groups
from zfed.telemetry.lines import LinesObserver
from zfed.telemetry.output import LastingStream

WHOLE_RUN = """\
run mnist-1: 2 rounds, listening on tcp://0.0.0.0:8777
run directory: runs/mnist-1
*** INSECURE: traffic is neither encrypted nor authenticated; others can read and forge it
waiting for alice, bob, charlie, 1 h 00 min left
memory budget 4,000.0 MB (half of what is free): 20.7 MB for the model, up to 8 updates received at the same \
time
worker alice joined: 24,754 examples (labels 0-3)
  per label 0: 6,190, 1: 6,188, 2: 6,188, 3: 6,188
refused alice (name_taken): alice is connected from another machine
evaluator joined: 10,000 examples (all)
worker bob joined: 17,181 examples (labels 4-6)
  per label 4: 5,727, 5: 5,727, 6: 5,727
worker charlie joined: 18,065 examples (labels 7-9)
  per label 7: 6,023, 8: 6,021, 9: 6,021
first model from evaluator: 431,080 parameters in 8 tensors, 1.7 MB, layout 3f2a91c0d4e5
round 1/2: asking alice, bob, charlie
round 1: update from alice: 320 examples, 10 steps, 0.8 s, 1.7 MB, loss 0.5200
round 1: update from bob: 320 examples, 10 steps, 0.8 s, 1.7 MB, loss 0.4800
round 1: update from charlie: 320 examples, 10 steps, 0.8 s, 1.7 MB, loss 0.5000
round 1/2: 1.2 s, 5.2 MB down, 5.2 MB up, loss 0.5000; weights alice 33.3 %, bob 33.3 %, charlie 33.3 %
round 1: alice's own model: accuracy 41.00 %, 4,100/10,000 correct, loss 5.2000 nats, \
predicts 0-3: 100.0 %, 4-6: 0.0 %, 7-9: 0.0 %
round 1: bob's own model was not evaluated: the evaluator is 3 evaluations behind
round 1: charlie's own model: accuracy 29.50 %, 2,950/10,000 correct, loss 6.4000 nats, \
predicts 0-3: 0.0 %, 4-6: 0.0 %, 7-9: 100.0 %
round 1: federated model: accuracy 69.00 %, 6,900/10,000 correct, loss 1.3100 nats, \
predicts 0-3: 40.0 %, 4-6: 30.0 %, 7-9: 30.0 %
round 2/2: asking alice, bob, charlie
round 2: update from bob refused (not_finite): \
bob, round 2: tensor conv1.weight holds NaN; lower the learning rate
round 2: train failed at charlie: RuntimeError: out of memory
  | Traceback (most recent call last):
  |   File "task.py", line 31, in train
  |     loss.backward()
  | RuntimeError: out of memory
worker charlie is gone: no answer for 10 s
round 2 committed nothing in attempt 1 of 4: 1 update of 2 needed, missing bob, charlie; trying again
round 2/2: asking alice, bob, charlie, attempt 2
round 2: update from alice: 320 examples, 10 steps, 0.8 s, 1.7 MB, loss 0.3100
round 2: update from bob: 320 examples, 10 steps, 0.8 s, 1.7 MB, loss 0.3300
round 2/2: 1.2 s, 5.2 MB down, 3.4 MB up, loss 0.3200; weights alice 50.0 %, bob 50.0 %
  without charlie
round 2: alice's own model: accuracy 42.00 %, 4,200/10,000 correct, loss 4.9000 nats, \
predicts 0-3: 100.0 %, 4-6: 0.0 %, 7-9: 0.0 %
round 2: bob's own model: accuracy 29.00 %, 2,900/10,000 correct, loss 6.1000 nats, \
predicts 0-3: 0.0 %, 4-6: 100.0 %, 7-9: 0.0 %
round 2: federated model: accuracy 95.92 %, 9,592/10,000 correct, loss 0.1301 nats, \
predicts 0-3: 40.0 %, 4-6: 30.0 %, 7-9: 30.0 %
run completed: 2 of 2 rounds in 2.3 s
federated model of round 2: accuracy 95.92 %, 9,592/10,000 correct, loss 0.1301 nats
model:   runs/mnist-1/model.safetensors
metrics: runs/mnist-1/metrics.jsonl
curves:  runs/mnist-1/curves.png
*** INSECURE: traffic is neither encrypted nor authenticated; others can read and forge it
"""


class TickingClock:
    """Advances by a tenth of a second each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


def told(facts: list[Fact]) -> str:
    stream = io.StringIO()
    groups = parse_groups(["0-3", "4-6", "7-9"])
    observer = LinesObserver(LastingStream(stream), groups=groups, clock=TickingClock())
    for fact in facts:
        observer(fact)
    return stream.getvalue()


def test_a_whole_run_reads_like_this(run_facts: list[Fact]) -> None:
    assert told(run_facts) == WHOLE_RUN


def test_a_hostile_name_cannot_write_lines_of_its_own() -> None:
    text = told([NodeRefused(node="\x1b]0;owned\x07", code="x", reason="a\nrun completed: 40 of 40")])
    assert text == "refused \\x1b]0;owned\\x07 (x): a\\nrun completed: 40 of 40\n"

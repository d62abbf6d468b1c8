import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.compression import FAMILIES
from zfed.config import NodeConfig, RunConfig
from zfed.errors import ConfigError
from zfed.nodes.admission import Objection, claim_of
from zfed.nodes.link_compression import Levels, RunCompression, check_wishes
from zfed.params import ParameterLayout
from zfed.partition import Partition
from zfed.strategies.robust import Bulyan, Krum, Median, TrimmedMean
from zfed.strategies.scaffold import Scaffold
from zfed.wire.digests import layout_blob
from zfed.wire.messages import Hello

LAYOUT = ParameterLayout.build(
    [("scale", "F32", (1,), "average"), ("w", "F32", (8,), "average"), ("mean", "F32", (8,), "running")]
)
LOSSY = ("bf16", "fp16", "int8", "topk:0.1")
wishes = st.sampled_from(["", "none", *LOSSY])


def hello(kind="worker", **changes):
    fields = {
        "protocol": "zfed/1",
        "node": "alice",
        "node_kind": kind,
        "instance": "0" * 32,
        "version": "0",
        "layout": layout_blob("layout", LAYOUT.to_bytes()),
        "examples": 1,
        "partition": claim_of(Partition()),
        "compression": list(FAMILIES),
    }
    return Hello(**{**fields, **changes})


def compression(**run):
    made = RunCompression(RunConfig(**run))
    made.lay_out(LAYOUT)
    return made


# ---- what is configured ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"compress": "int9"}, '--compress: compression "int9" is unknown: did you mean "int8"?'),
        ({"compress": "topk:2"}, '--compress: compression "topk:2": expected a ratio above 0'),
        ({"compress_model": "bf61"}, '--compress-model: compression "bf61" is unknown: did you mean "bf16"?'),
        ({"compress_model": "topk:0.01"}, "makes no sense for a model: all values but the largest would"),
    ],
)
def test_level_that_cannot_be_is_refused_with_its_setting_and_the_nearest_name(run, message):
    for make in (lambda: compression(**run), lambda: check_wishes(NodeConfig(**run))):
        with pytest.raises(ConfigError) as refused:
            make()
        assert message in str(refused.value)


def test_level_has_one_spelling():
    assert compression(compress="topk:0.010").levels.updates == "topk:0.01"


def test_models_in_encoded_form_take_memory_for_two_versions():
    assert compression(compress="int8").memory(LAYOUT) == 0
    encoded = 4 + 1 + 3 + 4 + 8 + 4 * 8  # a scale and a byte a value, padded; "mean" as it is
    assert compression(compress_model="int8").memory(LAYOUT) == 2 * encoded


# ---- what is agreed on ----------------------------------------------------------------------------


@given(run=st.sampled_from(["none", *LOSSY]), model=st.sampled_from(["none", *LOSSY[:3]]), wish=wishes)
def test_a_workers_own_wish_goes_before_the_runs(run, model, wish):
    agreed = compression(compress=run, compress_model=model).agree(hello(compress=wish))
    assert agreed == Levels(wish or run, model)


@given(model=st.sampled_from(["none", *LOSSY[:3]]), wish=st.sampled_from(["", "none", *LOSSY[:3]]))
def test_an_evaluator_gets_exact_models_unless_it_wishes_otherwise(model, wish):
    agreed = compression(compress="int8", compress_model=model).agree(hello("evaluator", compress_model=wish))
    assert agreed == Levels("none", wish or "none")


def test_a_strategy_that_needs_exact_updates_refuses_others_of_the_run_and_of_a_node():
    needs = Scaffold().needs
    with pytest.raises(ConfigError, match='strategy scaffold needs updates as they are, not as "int8"'):
        RunCompression(RunConfig(compress="int8"), needs)
    exact = RunCompression(RunConfig(compress_model="int8"), needs)
    assert exact.agree(hello()) == Levels("none", "int8")
    refused = exact.agree(hello(compress="topk:0.01"))
    assert refused.code == "compression"
    assert 'as "topk:0.01", strategy scaffold needs them as they are: start it with' in refused.reason


def test_a_rule_that_goes_number_by_number_refuses_updates_without_most_of_them():
    for rule in (Median(), TrimmedMean(), Bulyan()):
        with pytest.raises(ConfigError, match="needs updates with all of their numbers, not as"):
            RunCompression(RunConfig(compress="topk:0.01"), rule.needs)
        dense = RunCompression(RunConfig(compress="int8"), rule.needs)
        assert dense.agree(hello()) == Levels("int8", "none")
        assert dense.agree(hello(compress="topk:0.5")).code == "compression"
    RunCompression(RunConfig(compress="topk:0.01"), Krum().needs)


def test_wish_that_is_not_known_here_is_refused_with_what_is():
    refused = compression().agree(hello(compress="zip"))
    assert refused.code == "compression"
    assert 'alice wishes what is not known here: compression "zip" is unknown' in refused.reason
    assert "known here: none, bf16, fp16, int8, topk:RATIO. Choose one of these" in refused.reason


@pytest.mark.parametrize(
    ("run", "flag"), [({"compress": "int8"}, "--compress"), ({"compress_model": "int8"}, "--compress-model")]
)
def test_level_that_the_node_does_not_know_is_refused_with_what_it_knows(run, flag):
    refused = compression(**run).agree(hello(compression=["none", "bf16"]))
    assert refused == Objection(
        "compression",
        'alice does not know compression "int8", it knows none, bf16: '
        f"start it with {flag} none, or with a newer zfed",
    )


def test_node_that_says_nothing_of_compression_takes_part_without():
    old = hello(compression=["none"])
    assert compression().agree(old) == Levels()
    assert compression(compress="int8").agree(old).code == "compression"


# ---- what must stay exact -------------------------------------------------------------------------


@pytest.mark.parametrize("level", LOSSY)
def test_tensor_that_the_task_wants_exact_is_not_compressed_unasked(level):
    refused = compression(compress=level).encodings(hello(exact=["sc*"]))
    assert refused.code == "compression"
    assert "the task of alice says that tensor 'scale' must stay exact" in refused.reason
    assert f'updates would be compressed as "{level}"' in refused.reason
    assert "start alice with --compress none" in refused.reason
    assert "--compress-except scale" in refused.reason


def test_models_are_held_to_it_as_updates_are():
    refused = compression(compress_model="bf16").encodings(hello(exact=["scale"]))
    assert "models would be compressed" in refused.reason
    assert "--compress-model none" in refused.reason


@pytest.mark.parametrize("excepted", ["scale", "s*", "*"])
def test_tensors_that_the_run_excepts_stay_exact(excepted):
    link = compression(compress="int8", compress_except=[excepted]).encodings(hello(exact=["scale"]))
    assert link.updates.touched(["scale"]) == ""
    assert link.model is None


def test_tensors_that_no_level_touches_anyway_are_no_reason_to_refuse():
    link = compression(compress="int8").encodings(hello(exact=["mean"]))
    assert link.updates.level == "int8"


def test_links_of_one_level_share_their_encoding():
    run = compression(compress="int8")
    alice, bob = (run.encodings(hello(node=name)) for name in ("alice", "bob"))
    assert alice.updates is bob.updates


def test_exception_that_fits_no_tensor_is_said():
    with pytest.raises(ConfigError, match="--compress-except: 'sclae' is to be exact, but fits no tensor"):
        compression(compress_except=["sclae"])


def test_more_exceptions_than_a_welcome_can_hold_are_refused_at_the_start():
    with pytest.raises(ConfigError, match="--compress-except: Expected `array` of length <= 256"):
        compression(compress_except=["w"] * 257)

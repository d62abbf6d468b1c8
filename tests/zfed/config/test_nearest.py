from __future__ import annotations

from zfed.config import nearest_name, suggestion


def test_the_nearest_name_ignores_case():
    assert nearest_name("FedAVG", ["fedavg", "fedavgm"]) == "fedavg"


def test_a_name_like_none_gets_the_whole_list():
    assert nearest_name("zzz", ["worker", "evaluator"]) == ""
    assert suggestion("zzz", ["worker", "evaluator"]) == "known: worker, evaluator"
    assert suggestion("zzz", []) == "known: none"

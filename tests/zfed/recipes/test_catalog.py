from __future__ import annotations

import pytest

from zfed.config import Inputs, node_entries, parse_document, resolve_coordinator
from zfed.recipes import DEFAULT_RECIPE, recipe_names, recipe_text


def resolved(name: str):
    document = parse_document(recipe_text(name), f"{name}.toml")
    return resolve_coordinator(Inputs(document=document)).config, node_entries(document)


def test_the_recipes_are_the_three_that_the_demo_offers():
    assert recipe_names() == ["best", "published", "two-schools"]
    assert DEFAULT_RECIPE in recipe_names()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_resolves_and_waits_for_all_its_workers(name):
    config, entries = resolved(name)
    workers = [entry.config.name for entry in entries if entry.kind == "worker"]
    assert config.run.wait_for in (str(len(workers)), ",".join(workers))
    assert config.run.min_workers == len(workers)
    assert [entry.kind for entry in entries].count("evaluator") == 1


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_in_one_thread_so_that_a_seed_decides_the_bytes(name):
    workers = [entry for entry in resolved(name)[1] if entry.kind == "worker"]
    assert all(entry.config.threads == 1 for entry in workers)


def test_best_changes_neither_workers_nor_rounds_and_does_at_most_five_times_the_work():
    (best, best_entries), (published, published_entries) = resolved("best"), resolved("published")
    assert best_entries == published_entries
    assert best.run.rounds == published.run.rounds == 40
    work = {config.train["batches"] * config.train["batch_size"] for config in (best, published)}
    assert max(work) <= 5 * 10 * 32


def test_published_evaluates_when_the_published_demo_did():
    config, _ = resolved("published")
    assert [round for round in range(1, 41) if config.evaluate.wanted(round, 40)] == [1, 11, 21, 31, 40]
    assert config.evaluate.workers


def test_an_unknown_recipe_is_not_found():
    with pytest.raises(FileNotFoundError):
        recipe_text("bset")

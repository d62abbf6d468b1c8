"""Configuration files, a run's own `run.toml` among them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.fuzz.target import Target
from zfed.config import (
    CoordinatorConfig,
    Document,
    EvaluateConfig,
    Inputs,
    ReportConfig,
    RunConfig,
    check_resumed,
    coordinator_toml,
    node_entries,
    node_toml,
    parse_document,
    resolve_coordinator,
    resolve_node,
    resolve_resumed,
)
from zfed.errors import ConfigError

EXAMPLES: Final = Path(__file__).parents[3] / "examples"
DEFAULT: Final = CoordinatorConfig(
    run=RunConfig(), train={}, evaluate=EvaluateConfig(), report=ReportConfig()
)


def read(data: bytes) -> None:
    """Resolve a file in each way that there is."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8 text") from error  # as whoever reads the file does
    document = parse_document(text, "zfed.toml")
    objections = []
    for resolve in (_as_coordinators, _as_nodes, node_entries, _as_a_runs):
        try:
            resolve(document)
        except ConfigError as objection:
            objections.append(objection)
    if len(objections) == 4:
        raise objections[0]


def _as_coordinators(document: Document) -> None:
    config = resolve_coordinator(Inputs(document=document)).config
    kept = parse_document(coordinator_toml(config), "run.toml")
    assert resolve_coordinator(Inputs(document=kept)).config == config, "a run is kept as it was begun"


def _as_nodes(document: Document) -> None:
    node_toml(resolve_node(Inputs(document=document)).config, {})


def _as_a_runs(document: Document) -> None:
    check_resumed(resolve_resumed(Inputs(), document).config, document)


def seeds() -> list[bytes]:
    """The examples, and what a run keeps."""
    examples = [path.read_bytes() for path in sorted(EXAMPLES.rglob("*.toml"))]
    return [*examples, coordinator_toml(DEFAULT).encode()]


TARGET = Target("config", read, (ConfigError,), seeds)

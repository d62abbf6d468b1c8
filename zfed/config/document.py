"""docs/configuration.md, written from the records: `python -m zfed.config.document docs/configuration.md`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from zfed.config.tables import COORDINATOR, NODE, Setting, Table
from zfed.config.toml_document import toml_text
from zfed.config.values import expectation

_INTRODUCTION = """\
# Configuration

Made from the records of `zfed/config` by `make docs`; change it there.

A value comes from, in this order: a flag, an environment variable, the file named by `--config`, the default.
`--print-config` with any command shows each value and where it comes from, as a file to start one's own from.
Lists on a command line or in a variable are written `1,11,21`.

A run that is resumed (`zfed coordinator --run DIR`, where DIR holds one) has the values that it was begun
with: its `run.toml` stands between the file named by `--config` and the defaults. Most settings can be given
anew for one start. Those marked **fixed**, and all of `[train]` and `[strategy]`, make the run what it is:
another value for one of them is refused.

`zfed coordinator --config zfed.toml` reads the tables `[run]`, `[train]`, `[strategy]`, `[schedule]`,
`[select]`, `[evaluate]`, `[limits]` and `[report]`.
`zfed worker --config worker.toml` and `zfed evaluator` read `[node]` and `[task]`.
`zfed launch zfed.toml` and `zfed demo --config zfed.toml` also read one `[[node]]` for each worker and
evaluator: `kind = "worker"` or `"evaluator"`, the keys of `[node]`, and the task's settings as
`set = {root = "data"}`.
"""

_FREE = """\
## [train]

How workers train. The table travels to them each round and their task checks it, so its keys are the task's:
[tasks](tasks.md) lists them. One key on the command line: `--train learning_rate=0.05`.

## [strategy]

Options of the strategy that `[run] strategy` names: the parameters of its class, checked against its
signature. [Strategies](strategies.md) lists them, and `zfed strategies`. One option on the command line:
`--option tau=0.01`.

## [task]

A node's private settings: the parameters of its task's class, checked against its signature. They never leave
the node. One setting on the command line: `--set root=data`.

Keys of these three tables have no environment variables.
"""


def configuration_page() -> str:
    """The whole page."""
    tables = [_section(table) for table in (*COORDINATOR, NODE)]
    return "\n".join([_INTRODUCTION, *tables, _FREE])


def _section(table: Table) -> str:
    summary = inspect.getdoc(table.record) or ""
    rows = "\n".join(_row(setting) for setting in table.settings)
    return (
        f"## [{table.name}]\n\n{summary}\n\n"
        "| key | flag | variable | value | default | |\n|---|---|---|---|---|---|\n"
        f"{rows}\n"
    )


def _row(setting: Setting) -> str:
    cells = [
        f"`{setting.key}`",
        f"`{setting.flag}`",
        f"`{setting.variable}`",
        expectation(setting),
        f"`{toml_text(setting.default)}`",
        f"{setting.help}; **fixed**" if setting.resumed == "fixed" else setting.help,
    ]
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(cell: str) -> str:
    """Text that ends no table cell and is no HTML tag."""
    return cell.replace("|", r"\|").replace("<", "&lt;")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(configuration_page(), encoding="utf-8")

"""What a worker or evaluator says of itself when it joins."""

from __future__ import annotations

from collections.abc import Sequence

from zfed.compression import FAMILIES
from zfed.nodes.admission import claim_of
from zfed.nodes.task_host import Prepared
from zfed.partition import Partition
from zfed.task import NodeKind
from zfed.version import VERSION
from zfed.wire.digests import layout_blob
from zfed.wire.messages import PROTOCOL, Hello


def introduction(
    *,
    node: str,
    kind: NodeKind,
    instance: str,
    partition: Partition,
    prepared: Prepared,
    share_label_counts: bool = False,
    compress: str = "",
    compress_model: str = "",
    tags: Sequence[str] = (),
    unready: str = "",
) -> Hello:
    """The HELLO of one start of a node; `instance` is 32 random hex digits, new for each start.

    `compress` and `compress_model` are what it wants for its own link, "" for what the run wants; `tags` what
    it is called, and `unready` why it cannot work yet.
    """
    summary = prepared.summary
    counts = summary.label_counts if share_label_counts else None
    return Hello(
        protocol=PROTOCOL,
        node=node,
        node_kind=kind,
        instance=instance,
        version=VERSION,
        layout=layout_blob("layout", prepared.layout.shared.to_bytes()),
        examples=summary.examples,
        partition=claim_of(partition),
        classes=summary.classes,
        label_counts=dict(counts) if counts is not None else None,
        compression=list(FAMILIES),
        compress=compress,
        compress_model=compress_model,
        exact=list(prepared.exact),
        held_out=summary.held_out,
        merge=dict(prepared.merge),
        tags=list(tags),
        unready=unready,
    )

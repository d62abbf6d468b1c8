"""What a run that is resumed serves: its last version, and what owed evaluations still want."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from zfed.checkpoint import RunDirectory, SavedModel, SavedVersion
from zfed.engine import OpenPart, OwedEvaluation
from zfed.errors import CheckpointError
from zfed.facts import EvaluationSkipped
from zfed.nodes.coordinator_words import Restored, Served
from zfed.nodes.journal_lines import Past
from zfed.params import ParameterBuffer
from zfed.wire.digests import blob_of
from zfed.wire.messages import Blob


def served_frozen(model: ParameterBuffer) -> Served | None:
    """A model's tensors that never change, as they are served; None if it has none."""
    if not model.frozen.data.nbytes:
        return None
    held = model.frozen.read_only().data.data
    return Served(blob_of("frozen", held), held, held)


def restored_run(directory: RunDirectory, saved: SavedVersion, served: Served) -> Restored:
    """All that the run goes on with; an evaluation whose model is not as it was any more is given up."""
    past = Past.read(directory.history, saved.version)
    point = past.point
    versions: dict[int, Served] = {}
    own_models: dict[tuple[int, str], Served] = {}
    owed: list[OwedEvaluation] = []
    skipped = list(past.given_up.values())
    answered = {answer.round for answer in point.answers}
    for each in point.owed:
        try:
            if each.own_model:
                own_models[each.round, each.subject] = _own_model(directory, each)
            elif each.version != point.version and each.version not in versions:
                versions[each.version] = _version(directory, each.version)
            owed.append(each)
        except CheckpointError as error:
            if not (each.worker and each.round in answered):  # else it ends with what the others answered
                skipped.append(EvaluationSkipped(round=each.round, subject=each.subject, reason=str(error)))
    under_way: list[OpenPart] = []
    for part in point.under_way:
        with contextlib.suppress(CheckpointError):  # it is asked anew, from the version that there is
            if part.version != point.version and part.version not in versions:
                versions[part.version] = _version(directory, part.version)
            under_way.append(part)
    return Restored(
        point=replace(point, owed=tuple(owed), under_way=tuple(under_way)),
        layout=saved.model.layout,
        model=served,
        frozen=served_frozen(saved.model),
        versions=versions,
        own_models=own_models,
        skipped=tuple(dict.fromkeys(skipped)),
        seen=frozenset(past.kinds),
        here=frozenset(past.here),
        damaged=saved.damaged,
        participation=past.participation,
    )


def _own_model(directory: RunDirectory, owed: OwedEvaluation) -> Served:
    saved = directory.own_model(owed.round, owed.subject, owed.own_model)
    return _served(f"update:{owed.round}:{owed.subject}", saved)


def _version(directory: RunDirectory, version: int) -> Served:
    return _served(f"model:{version}", directory.served(version))


def _served(name: str, saved: SavedModel) -> Served:
    mapped = saved.model.moving.data.data
    return Served(Blob(id=name, bytes=len(mapped), digest=saved.digests.moving), mapped, mapped)

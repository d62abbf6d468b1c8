"""One start of a coordinator: what it goes on with, and its number in the journal."""

from __future__ import annotations

from zfed.config import CoordinatorConfig
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.upload_plan import PlanUploads
from zfed.wire.roster import Roster


def started_logic(
    config: CoordinatorConfig,
    aggregation: Aggregation,
    plan_uploads: PlanUploads,
    roster: Roster | None = None,
) -> CoordinatorLogic:
    """The logic of a start on a run's directory, new or not; durable before anybody can hear of it.

    Without a roster keys are not asked for.

    Raises:
        CheckpointError: If versions were committed and none can be used, or the journal cannot be written.
    """
    directory = aggregation.directory
    restored = aggregation.restore()
    version = restored.point.version if restored else -1
    return CoordinatorLogic(
        config=config,
        run=directory.run_id,
        plan_uploads=plan_uploads,
        incarnation=directory.next_incarnation(version, {"rounds": config.run.rounds}),
        run_key=directory.key,
        restored=restored,
        roster=roster,
        needs=aggregation.strategy.needs,
    )

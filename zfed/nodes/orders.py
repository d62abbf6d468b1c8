"""TRAIN and EVALUATE: what a coordinator asks of its nodes, once the model that it names is there.

A link that wants its models in fewer bytes gets a version in encoded form. Each version is encoded once for
each level in use, beside the pump; orders that name it wait for that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from zfed.compression import Encoding
from zfed.config import CoordinatorConfig
from zfed.engine import AskEvaluate, AskTrain
from zfed.nodes.coordinator_words import EncodeModel, ModelEncoded
from zfed.nodes.model_shelf import ModelShelf
from zfed.rounds import FEDERATED
from zfed.wire.messages import AssignmentId, Evaluate, Train

Ask: TypeAlias = AskTrain | AskEvaluate


def work_seed(run_seed: int, node: str, version: int) -> int:
    """The seed of a node's work from a version; never of an attempt, so that a retry trains the same."""
    digest = hashlib.sha256(f"{run_seed}:{node}:{version}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 2


@dataclass
class Orders:
    """Writes the orders of one run.

    Args:
        config: The run's configuration.
        models: What is served.
        wants: Metrics that the strategy needs of each update.
    """

    config: CoordinatorConfig
    models: ModelShelf
    wants: tuple[str, ...] = ()
    _waiting: dict[tuple[int, str], dict[AssignmentId, Ask]] = field(default_factory=dict)

    def write(self, ask: Ask, encoding: Encoding | None) -> Train | Evaluate | EncodeModel | None:
        """The message for an ask whose link has this encoding of models.

        If the model must be encoded first, the ask waits: the job to be done is returned, or None if it is
        under way.
        """
        own_model = isinstance(ask, AskEvaluate) and ask.subject != FEDERATED
        level = encoding.level if encoding is not None and not own_model else "none"
        if encoding is None or level == "none" or self.models.has(ask.version, level):
            return self._train(ask, level) if isinstance(ask, AskTrain) else self._evaluate(ask, level)
        waiting = self._waiting.setdefault((ask.version, level), {})
        waiting[ask.assignment] = ask
        return self.broadcast(ask.version, encoding) if len(waiting) == 1 else None

    def broadcast(self, version: int, encoding: Encoding) -> EncodeModel:
        """How a version is encoded: seeded by the run's seed and its number, so always to the same bytes."""
        return EncodeModel(version, encoding, work_seed(self.config.run.seed, FEDERATED, version))

    def ready(self, event: ModelEncoded) -> list[Ask]:
        """A version is there at a level; returns what waited for it and is still wanted."""
        waiting = self._waiting.pop((event.version, event.level), {})
        if not self.models.has(event.version):
            return []  # nobody can want it any more
        self.models.serve_encoded(event.version, event.level, event.served)
        return list(waiting.values())

    def cancel(self, assignment: AssignmentId) -> None:
        """The assignment is not wanted any more."""
        for waiting in self._waiting.values():
            waiting.pop(assignment, None)

    def _train(self, ask: AskTrain, level: str) -> Train:
        return Train(
            assignment=ask.assignment,
            round=ask.round,
            version=ask.version,
            model=self.models.version(ask.version, level),
            frozen=self.models.frozen(),
            vectors=self.models.vectors(ask.version),
            seed=work_seed(self.config.run.seed, ask.node, ask.version),
            timeout_s=self.config.run.round_timeout_s,
            settings=self.config.train,
            evaluated=ask.evaluated,
            cohort=ask.cohort,
            counted=ask.counted,
            wants=list(self.wants),
        )

    def _evaluate(self, ask: AskEvaluate, level: str) -> Evaluate:
        if ask.subject == FEDERATED:
            model = self.models.version(ask.version, level)
        else:
            model = self.models.own_model(ask.round, ask.subject)
        return Evaluate(
            assignment=ask.assignment,
            round=ask.round,
            version=ask.version,
            subject=ask.subject,
            model=model,
            frozen=self.models.frozen(),
        )

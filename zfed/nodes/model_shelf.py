"""The models a coordinator serves, by the names under which nodes may pull them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from zfed.nodes.coordinator_words import Restored, Served
from zfed.params import ParameterLayout
from zfed.wire.digests import layout_blob
from zfed.wire.messages import Blob, Pull, Vector
from zfed.wire.transfer import Shelf


@dataclass
class ModelShelf:
    """Versions, workers' own models that wait for evaluation, and the tensors that never change."""

    _shelf: Shelf = field(default_factory=Shelf)
    _served: dict[str, Served] = field(default_factory=dict)
    _layouts: dict[str, Blob] = field(default_factory=dict)

    def describe(self, layout: ParameterLayout) -> None:
        """Offer the layouts of the model's parts, for nodes that do not know them."""
        for name, part in (("model", layout.moving), ("frozen", layout.frozen)):
            description = part.to_bytes()
            self._layouts[name] = layout_blob(f"layout:{name}", description)
            self._shelf.put(f"layout:{name}", description)

    def restore(self, restored: Restored) -> None:
        """Offer what a run that is resumed goes on with."""
        self.describe(restored.layout)
        if restored.frozen is not None:
            self.serve_frozen(restored.frozen)
        for version, served in {**restored.versions, restored.point.version: restored.model}.items():
            self._serve_with_vectors(version, served)
        for (round_number, worker), served in restored.own_models.items():
            self.serve_own_model(round_number, worker, served)

    def serve_frozen(self, served: Served) -> None:
        """Offer the tensors that never change."""
        self._serve("frozen", served)

    def serve_version(self, version: int, served: Served) -> None:
        """Offer a version from memory; who still reads the one before reads its file from now on."""
        self._serve_with_vectors(version, served)
        before = self._served.get(f"model:{version - 1}")
        if before is not None:
            self._shelf.put(f"model:{version - 1}", before.mapped)

    def serve_encoded(self, version: int, level: str, served: Served) -> None:
        """Offer a version in encoded form."""
        self._serve(_version_name(version, level), served)

    def has(self, version: int, level: str = "none") -> bool:
        """True if a version is offered at a level."""
        return _version_name(version, level) in self._served

    def serve_own_model(self, round: int, worker: str, served: Served) -> None:
        """Offer a worker's own model of a round."""
        self._serve(f"update:{round}:{worker}", served)

    def version(self, version: int, level: str = "none") -> Vector:
        """What to name in an order that wants this version."""
        return self._vector("model", _version_name(version, level), level)

    def vectors(self, version: int) -> list[Vector]:
        """What to name beside this version in an order to train from it: what the strategy sends with it."""
        vectors = self._served[f"model:{version}"].vectors
        return [Vector(name=name, layout=each.layout, data=each.data) for name, each in vectors.items()]

    def own_model(self, round: int, worker: str) -> Vector:
        """What to name in an order that wants a worker's own model."""
        return self._vector("model", f"update:{round}:{worker}")

    def frozen(self) -> Vector | None:
        """What to name beside a model; None if all tensors change."""
        return self._vector("frozen", "frozen") if "frozen" in self._served else None

    def take(self, pull: Pull) -> memoryview | None:
        """The bytes that a PULL asks for; see `Shelf.take`."""
        return self._shelf.take(pull)

    def keep_versions(self, wanted: Container[int]) -> None:
        """Stop serving all versions but these."""
        for name in [name for name in self._served if name.startswith("model:")]:
            if int(name.split(":")[1]) not in wanted:
                self._drop(name)

    def drop_own_models(self, round: int) -> None:
        """Stop serving the workers' own models of a round."""
        for name in [name for name in self._served if name.startswith(f"update:{round}:")]:
            self._drop(name)

    def _vector(self, name: str, blob: str, encoding: str = "none") -> Vector:
        return Vector(name=name, layout=self._layouts[name], data=self._served[blob].blob, encoding=encoding)

    def _serve_with_vectors(self, version: int, served: Served) -> None:
        self._serve(f"model:{version}", served)
        for each in served.vectors.values():
            self._shelf.put(each.layout.id, each.description)
            self._shelf.put(each.data.id, each.memory)

    def _serve(self, name: str, served: Served) -> None:
        self._served[name] = served
        self._shelf.put(name, served.memory)

    def _drop(self, name: str) -> None:
        for each in self._served.pop(name).vectors.values():  # their layout is that of other versions', too
            self._shelf.drop(each.data.id)
        self._shelf.drop(name)


def _version_name(version: int, level: str) -> str:
    return f"model:{version}" if level == "none" else f"model:{version}:{level}"

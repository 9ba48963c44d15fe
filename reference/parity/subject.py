"""A checkpoint, the batches that it is run on, and Transformers to hold ports against there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from reference.backend import Model, build
from reference.checkpoint import Checkpoint
from reference.parity.batch import BATCHES, Batch
from reference.parity.gate import Tally, is_traced
from reference.parity.oracle import oracle_for
from reference.parity.report import Row
from reference.parity.sample import PORT, Sample, Tensors, as_trace

Run = Callable[[Sample], Tensors]


class Subject:
    """What is compared on; the seed is that of the random labels. Samples hold every gradient
    in float64, so they are made anew each time unless kept."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        batches: Sequence[Batch],
        dtype: str = "float32",
        keep: bool = False,
        seed: int = 0,
    ) -> None:
        self.checkpoint = checkpoint
        task, config = checkpoint.architecture.task, checkpoint.config
        self.batches = [batch.asked_for(task, config) for batch in batches]
        self.dtype = dtype
        self.oracle = oracle_for(checkpoint)
        self.noisy = self.oracle if dtype == "float64" else oracle_for(checkpoint, dtype)
        self.first_seed = seed * BATCHES
        self.kept = list(self._samples()) if keep else None

    def __iter__(self) -> Iterator[Sample]:
        return self._samples() if self.kept is None else iter(self.kept)

    def _samples(self) -> Iterator[Sample]:
        for seed, batch in enumerate(self.batches, self.first_seed):
            yield Sample(self.oracle, self.noisy, batch, seed)

    def build(self, backend: str) -> Model:
        checkpoint = self.checkpoint
        model = build(
            backend,
            checkpoint.config,
            checkpoint.architecture,
            checkpoint.tensors,
            self.dtype,
        )
        if self.dtype == "float64" and hasattr(model, "use_rope_tables"):
            # Transformers takes cosines in float32 even here, and another library's differ in
            # the last bit of that.
            longest = max(batch.real.shape[1] for batch in self.batches)
            model.use_rope_tables(self.oracle.rope_tables(longest) or None)
        return model

    def measure(self, runs: Mapping[str, Run]) -> dict[str, list[Row]]:
        """For each backend a row for every tensor; of a stranger's port, for those that it
        returns."""
        tallies = {backend: Tally(backend, self.dtype) for backend in runs}
        for sample in self:
            for backend, run in runs.items():
                hold(sample, run, tallies[backend])
        return {backend: tally.rows() for backend, tally in tallies.items()}

    def operations(self, backend: str, model: Model) -> list[Row]:
        """Every operation of a port's forward pass, in order of evaluation, each against its
        own noise floor."""
        tally = Tally(backend, self.dtype)
        for sample in self:
            tally.add(sample.trace(model), sample.traced, sample.traced_floors(backend))
        return tally.rows()


def hold(sample: Sample, run: Run, tally: Tally) -> None:
    """One port on one batch. Nothing of it is left when the next begins: its gradients take as
    much memory as the model."""
    found = run(sample)
    if tally.backend == PORT:
        tally.add(found, *what_was_asked(sample, found))
    else:
        tally.add(found, sample.truth, sample.floors(tally.backend))


def what_was_asked(sample: Sample, found: Tensors) -> tuple[Tensors, dict[str, float]]:
    """The truth about what a stranger's port has returned, and its floors."""
    truth, floors = sample.offered, sample.offered_floors
    if any(map(is_traced, found)):
        truth = truth | as_trace(sample.traced)
        floors = floors | as_trace(sample.traced_floors(PORT))
    return {name: tensor for name, tensor in truth.items() if name in found}, floors

"""A merge: the request, and once checked (`preparation`) how it is written, compared and given its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s2eval import store
from s2eval.errors import UsageError
from s2eval.files import locks
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization
from s2train.merge import folder, stream, verify
from s2train.merge.adapters import Adapter
from s2train.merge.delta import Merger
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Plan
from s2train.merge.verify import Proof
from s2train.merge.workers import Workers
from s2train.weights.location import Location

_FORMAT = 1  # raise when the same inputs give other bytes than before: incomplete folders are then started again


@dataclass(frozen=True, slots=True)
class Request:
    """What to merge; see `s2train.merge.merge`. `options` are fields of `Quantization`."""

    base: str
    adapters: tuple[str, ...]
    method: str
    out: Path
    weights: tuple[float, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    dtype: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A merge that was checked and can begin.

    Attributes:
        out: the merged model's folder.
        architecture: the merged model's class.
        dtype: that the base is loaded in; None: as its files have it.
        checkpoint: the merged model's `s2train.json`, but for the hashes of its files.
        notes: what the user should know.
        tokenizer: the folder whose tokenizer the merged model gets.
    """

    out: Path
    base: Location
    adapters: tuple[Adapter, ...]
    plan: Plan
    method: MergeMethod
    architecture: str
    dtype: str | None
    checkpoint: Checkpoint
    notes: tuple[str, ...]
    tokenizer: Path

    @property
    def hidden(self) -> Path:
        """The folder that is written to until everything is complete."""
        return self._beside("")

    @property
    def size(self) -> int:
        """Bytes of weights to write."""
        return sum(stream.size(steps) for steps in self.plan.files.values())

    def _beside(self, ending: str) -> Path:
        return self.out.parent / f".{self.out.name}.merging{ending}"

    def lines(self) -> list[str]:
        """What will be done, to print."""
        steps = self.plan.steps()
        sources = " + ".join([self.base.name, *(adapter.name for adapter in self.adapters)])
        counts = [f"{sum(step.changed for step in steps)} of {len(steps)} tensors change"]
        if self.checkpoint.quantization:
            counts.append(f"{sum(step.quantised for step in steps)} of them through 4 bits")
        counts.append(f"{self.plan.used} adapter tensors go in, {self.size / 1e9:.2f} GB are written")
        first = f"{sources} → {self.architecture}, {self.method.name}: {', '.join(counts)}"
        return [first, *(f"note: {note}" for note in self.notes)]

    def is_done(self) -> bool:
        """Whether the merged model is complete; UsageError if its folder holds something else or was changed."""
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            return False
        stored = checkpoint.read(self.out) if self.out.is_dir() else None
        if stored is None or stored.model_copy(update={"files": {}}) != self.checkpoint:
            raise UsageError(f"--out {self.out}: there is something else already. Choose another folder, or remove it")
        for name, steps in self.plan.files.items():
            written = stream.Written(stream.size(steps), stored.files.get(name, ""))
            if not stream.is_complete(self.out / name, written):
                raise UsageError(f"--out {self.out}: {name} was changed since it was merged. Remove the folder")
        return True

    def run(self, progress: stream.Progress = lambda _: None, *, prove: bool = False) -> Proof | None:
        """Write the merged model, or resume after a killed run; nothing is written if it is complete.

        Args:
            progress: called with the number of bytes of weights written since the last call.
            prove: compare it with PEFT on the unmerged model before it gets its name.

        Raises:
            PrerequisiteError: no space, no permission, no memory for the comparison, or another run writes it.
            DisagreementError: the comparison failed; the hidden folder is left as it is.
        """
        if prove:
            verify.check(self)
        if self.is_done():
            return verify.verify(self, self.out) if prove else None
        with store.explain_os_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            message = f"another process is merging into {self.out}: wait for it, or choose another --out"
            with locks.exclusive(self._beside(".lock"), message):
                return self._run(progress, prove)

    def _run(self, progress: stream.Progress, prove: bool) -> Proof | None:
        plan, merged = self.plan, self.checkpoint
        layout = {name: [step.entry.name for step in steps] for name, steps in plan.files.items()}
        key = store.key_of({"made": merged.model_dump(mode="json"), "files": layout, "format": _FORMAT})
        journal = stream.resume(self.hidden, self._beside(".json"), key)
        with Workers() as workers:
            merger = Merger(self.adapters, plan.rank, self.method, merged.quantization or Quantization(), workers)
            journal = stream.write(plan, journal, merger.chunks, progress)
        hashes = {name: journal.shards[name].sha256 for name in plan.files}
        folder.write(self, self.hidden, merged.model_copy(update={"files": hashes}))
        proof = verify.verify(self, self.hidden) if prove else None
        for path in self.hidden.iterdir():
            _flush(path)
        _flush(self.hidden)
        self.hidden.rename(self.out)
        _flush(self.out.parent)
        journal.path.unlink(missing_ok=True)
        return proof


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

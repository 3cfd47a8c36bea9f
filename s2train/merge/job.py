"""A merge: what is asked, and once it was checked (`preparation`) how it is written, compared and put in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import PrerequisiteError, UsageError
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization
from s2train.merge import folder, stream, verify
from s2train.merge.adapters import Adapter
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Plan
from s2train.merge.verify import Proof
from s2train.weights.location import Location

_FORMAT = 1  # raise when the same inputs give other bytes than before: half-written folders are then begun anew


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        base: folder, hub id, or an embedded model's name.
        adapters: folders or hub ids.
        method: a name in `MERGE_METHODS`.
        out: the merged model's folder.
        weights: of the adapters; () for 1 each.
        options: fields of `Quantization`, which go before what training wrote down.
        dtype: that the base is loaded in, e.g. `bfloat16`; None: as it was in training, else as its files have it.
        template: the merged model's; None: what training wrote down.
    """

    base: str
    adapters: tuple[str, ...]
    method: str
    out: Path
    weights: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A merge that was checked and can begin.

    Attributes:
        out: the merged model's folder.
        base: where the base lies.
        adapters: read and checked.
        plan: which tensor gets what.
        method: how the adapters' change is added.
        architecture: the merged model's class.
        dtype: that the base is loaded in; None: as its files have it.
        made: what `s2train.json` will say.
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
    made: Checkpoint
    notes: tuple[str, ...]
    tokenizer: Path

    @property
    def hidden(self) -> Path:
        """The folder that is written to until all is whole."""
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
        sources = " + ".join([self.base.name, *(one.name for one in self.adapters)])
        counts = [f"{sum(step.changed for step in steps)} of {len(steps)} tensors change"]
        if self.made.quantization:
            counts.append(f"{sum(step.quantised for step in steps)} of them through 4 bits")
        counts.append(f"{self.plan.used} adapter tensors go in, {self.size / 1e9:.2f} GB are written")
        first = f"{sources} → {self.architecture}, {self.made.method}: {', '.join(counts)}"
        return [first, *(f"note: {note}" for note in self.notes)]

    def is_done(self) -> bool:
        """Whether the merged model is there already, made of the same.

        Raises:
            UsageError: something else is there, or its files were changed.
        """
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            return False
        there = checkpoint.read(self.out) if self.out.is_dir() else None
        if there is None or there.model_copy(update={"files": {}}) != self.made:
            raise UsageError(f"--out {self.out}: there is something else already. Choose another folder, or remove it")
        sizes = {name: stream.size(steps) for name, steps in self.plan.files.items()}
        for name, size in sizes.items():
            if not stream.is_whole(self.out / name, stream.Written(size, there.files.get(name, ""))):
                raise UsageError(f"--out {self.out}: {name} was changed since it was merged. Remove the folder")
        return True

    def run(self, progress: stream.Progress = lambda _: None, *, prove: bool = False) -> Proof | None:
        """Write the merged model, or go on where a killed run stopped; nothing is written if it is there already.

        Args:
            progress: told how many bytes of weights were written since the last call.
            prove: compare it with PEFT on the unmerged model before it gets its name.

        Raises:
            PrerequisiteError: no space, no permission, no memory for the comparison, or another run is at it.
            DisagreementError: the comparison failed; the hidden folder is left as it is.
        """
        if prove:
            verify.check(self.plan, self.method, self.made.quantization)
        if self.is_done():
            return self.prove(self.out) if prove else None
        with store.explain_os_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._beside(".lock"), self.out):
                return self._run(progress, prove)

    def _run(self, progress: stream.Progress, prove: bool) -> Proof | None:
        layout = {name: [step.entry.name for step in steps] for name, steps in self.plan.files.items()}
        key = store.key_of({"made": self.made.model_dump(mode="json"), "files": layout, "format": _FORMAT})
        journal = stream.resume(self.hidden, self._beside(".json"), key)
        stream.check_space(self.plan, journal)
        how = self.made.quantization or Quantization()
        journal = stream.write(self.plan, journal, self.adapters, self.method, how, progress)
        hashes = {name: journal.shards[name].sha256 for name in self.plan.files}
        made = self.made.model_copy(update={"files": hashes})
        folder.write(self.hidden, self.base.folder, self.tokenizer, self.plan, self.method, made, self.architecture)
        proof = self.prove(self.hidden) if prove else None
        for path in self.hidden.iterdir():
            _flush(path)
        _flush(self.hidden)
        self.hidden.rename(self.out)
        _flush(self.out.parent)
        journal.path.unlink(missing_ok=True)
        return proof

    def prove(self, merged: Path) -> Proof:
        """Compare the model in that folder with PEFT on the unmerged one.

        Raises:
            DisagreementError: they differ by more than rounding, or the adapter changes nothing.
        """
        made = self.made
        return verify.verify(
            merged,
            self.base.folder,
            self.adapters,
            self.plan,
            self.architecture,
            made.template,
            made.quantization,
            self.dtype,
        )


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(path, timeout=0):
            yield
            path.unlink(missing_ok=True)
    except Timeout:
        raise PrerequisiteError(
            f"another process is merging into {out}: wait for it, or choose another --out"
        ) from None

"""Merging: memory and time of `s2train merge` on generated models of Llama's shapes, and killed at random moments.

The models have random weights in bf16, written tensor by tensor; the adapter is LoRA of rank 16 on all linears. Every
measurement has a process of its own, after the imports. Memory is the most that was ever resident (VmHWM) less what
was resident after the imports. Time is wall time with all files read once before, and ends when the disk has them.

`bf16` is set beside PEFT's load, merge_and_unload, save_pretrained and fsync, and beside copying the files with fsync;
`qdq` beside bitsandbytes' quantize_4bit and dequantize_4bit alone, each on whole tensors that are in memory. Linux.

    python -m benchmarks.merge                                     # 30 GB of disk, about an hour
    python -m benchmarks.merge --sizes 0.5B linear --timed 0.5B --pairs 1 --kills 3 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks import record
from benchmarks.record import Row
from s2train.checkpoint import versions

Method = Literal["bf16", "qdq"]
SHARD = 2 << 30  # bytes
RANK = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama's sizes.

    Attributes:
        like: the model that has them.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    groups: int
    vocabulary: int
    like: str


SHAPES = {
    "0.5B": Shape(1280, 3456, 22, 20, 20, 32_000, "a Llama of half a billion parameters"),
    "1B": Shape(2048, 5632, 22, 32, 4, 32_000, "TinyLlama-1.1B"),
    "3B": Shape(3200, 8640, 26, 32, 32, 32_000, "open_llama_3b"),
    "7B": Shape(4096, 11_008, 32, 32, 32, 32_000, "Llama-2-7b"),
    "linear": Shape(4096, 11_008, 2, 32, 32, 1000, "two layers of Llama-2-7b with 1,000 tokens"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement.

    Attributes:
        seconds: wall time.
        peak: most memory above the imports, MiB.
    """

    seconds: float
    peak: float


# --- generated models ------------------------------------------------------------------------------------------


def generate(size: str, folder: Path) -> tuple[Path, Path]:
    """Base and adapter of that size, made if they are not there."""
    base, adapter = folder / f"base-{size}", folder / f"adapter-{size}"
    if not (adapter / "adapter_model.safetensors").exists():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_generate, SHAPES[size], base, adapter).result()
    return base, adapter


def _generate(shape: Shape, base: Path, adapter: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        vocab_size=shape.vocabulary,
        dtype="bfloat16",
        architectures=["LlamaForCausalLM"],
    )
    torch.manual_seed(0)
    base.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(base)
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(config)
    shards: list[dict[str, Any]] = [{}]
    for name, tensor in model.state_dict().items():
        if sum(one.numel() * 2 for one in shards[-1].values()) + tensor.numel() * 2 > SHARD:
            shards.append({})
        shards[-1][name] = tensor
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write(base / file, shard)
        weight_map |= dict.fromkeys(shard, file)
    (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    lora = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=2 * RANK, target_modules="all-linear")
    adapted: Any = get_peft_model(model, lora, low_cpu_mem_usage=True)
    wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    adapted.peft_config["default"].save_pretrained(str(adapter))
    save_file(
        {name: torch.randn(tensor.shape) * 0.02 for name, tensor in wanted.items()},
        adapter / "adapter_model.safetensors",
    )


def _write(path: Path, tensors: dict[str, Any]) -> None:
    """Random numbers of those shapes, one tensor in memory at a time."""
    import torch

    from s2train.weights import header
    from s2train.weights.tensors import as_bytes

    head, entries = header.placed(header.Entry(name, "BF16", tuple(one.shape)) for name, one in tensors.items())
    with path.open("wb") as file:
        file.write(head)
        for entry in entries:
            file.write(as_bytes((torch.randn(entry.shape) * 0.02).bfloat16()))


# --- what is measured, each in a process of its own ------------------------------------------------------------


def status(key: str) -> float:
    """MiB of this process, as Linux tells it; not getrusage's maximum, which begins with the parent's."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.partition(f"{key}:")[2].split()[0]) / 1024


def _imports() -> None:
    """Nobody's merit."""
    import bitsandbytes.functional  # noqa: F401
    import peft  # noqa: F401
    import transformers
    from peft.tuners.lora.layer import Linear  # noqa: F401

    from s2train.merge import preparation, verify  # noqa: F401

    _ = (
        transformers.AutoModelForCausalLM,
        transformers.AutoModelForSequenceClassification,
        transformers.LlamaForCausalLM,
    )


def _measured(work: Callable[[], object]) -> Reading:
    before = status("VmRSS")
    started = time.perf_counter()
    work()
    return Reading(time.perf_counter() - started, status("VmHWM") - before)


def merge(base: Path, adapter: Path, method: Method, out: Path) -> Reading:
    """Ours, from the command's arguments to the folder's name."""
    _imports()
    from s2train.merge.job import Request
    from s2train.merge.preparation import prepare

    return _measured(lambda: prepare(Request(str(base), (str(adapter),), method, out)).run())


def merge_by_peft(base: Path, adapter: Path, out: Path) -> Reading:
    """PEFT's, into shards of the same size."""
    _imports()
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def work() -> None:
        model: Any = AutoModelForCausalLM.from_pretrained(base)
        merged: Any = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        merged.save_pretrained(out, max_shard_size=SHARD)
        _flush(out)

    return _measured(work)


def copy(base: Path, out: Path) -> Reading:
    """The base's files, copied as fast as the disk takes them."""

    def work() -> None:
        shutil.copytree(base, out)
        _flush(out)

    return _measured(work)


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def bitsandbytes_alone(base: Path, quantised: frozenset[str]) -> Reading:
    """Its two calls on every linear; reading them is not counted."""
    _imports()
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    from s2train.weights import shards, tensors

    seconds = 0.0
    for name, place in shards.find(base).places().items():
        if name in quantised:
            matrix = tensors.load(place)
            started = time.perf_counter()
            dequantize_4bit(*quantize_4bit(matrix, blocksize=64, quant_type="nf4"))
            seconds += time.perf_counter() - started
    return Reading(seconds, 0.0)


def alone(function: Callable[..., Reading], *arguments: Any) -> Reading:
    """In a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@contextmanager
def folder_in(root: Path) -> Iterator[Path]:
    """A name for a folder that is removed afterwards."""
    out = root / "merged"
    shutil.rmtree(out, ignore_errors=True)
    yield out
    shutil.rmtree(out, ignore_errors=True)


# --- the table -------------------------------------------------------------------------------------------------


def memory(size: str, root: Path, tell: Callable[[str], object]) -> list[Row]:
    """Peaks of both methods, in multiples of the largest tensor."""
    base, adapter = generate(size, root)
    largest, total, count = _sizes(base)
    rows: list[Row] = []
    for method in ("bf16", "qdq"):
        with folder_in(root) as out:
            ours = alone(merge, base, adapter, method, out)
        note = f"{SHAPES[size].like}, {count / 1e9:.2f} billion parameters, {total / 1e9:.1f} GB; {ours.peak:.0f} MiB, "
        note += f"the largest tensor has {largest:.0f}"
        name = f"memory, {method}, {size}"
        rows.append(Row(name, ours.peak / largest, goal="≤ 2.5", unit="× the largest tensor", note=note))
        tell(f"{name}: {ours.peak:.0f} MiB, {ours.peak / largest:.2f} × the largest tensor; {ours.seconds:.1f} s")
    return rows


def _sizes(base: Path) -> tuple[float, int, int]:
    from s2train.weights import shards

    entries = [place.entry for place in shards.find(base).places().values()]
    sizes = [entry.size for entry in entries]
    return max(sizes) / 2**20, sum(sizes), sum(entry.items for entry in entries)


def times(size: str, root: Path, pairs: int, tell: Callable[[str], object]) -> list[Row]:
    """Ours beside the others', in turns."""
    base, adapter = generate(size, root)
    index = json.loads((base / "model.safetensors.index.json").read_text(encoding="utf-8"))
    quantised = frozenset(name for name in index["weight_map"] if "_proj" in name)
    found: dict[str, list[Reading]] = {"copy": [], "bf16": [], "peft": [], "qdq": [], "bitsandbytes": []}
    works: dict[str, tuple[Any, ...]] = {
        "copy": (copy, base),
        "bf16": (merge, base, adapter, "bf16"),
        "peft": (merge_by_peft, base, adapter),
        "qdq": (merge, base, adapter, "qdq"),
    }
    for _ in range(pairs):
        for name, (function, *arguments) in works.items():
            with folder_in(root) as out:
                found[name].append(alone(function, *arguments, out))
            tell(f"{name}, {size}: {found[name][-1].seconds:.1f} s, {found[name][-1].peak:.0f} MiB")
        found["bitsandbytes"].append(alone(bitsandbytes_alone, base, quantised))
        tell(f"bitsandbytes, {size}: {found['bitsandbytes'][-1].seconds:.1f} s")
    seconds = {name: median(one.seconds for one in readings) for name, readings in found.items()}
    peaks = {name: median(one.peak for one in readings) for name, readings in found.items()}

    def timed(name: str, ours: str, peer: str, goal: str, note: str) -> Row:
        ratio = median(b.seconds / a.seconds for a, b in zip(found[ours], found[peer], strict=True))
        return Row(f"{name}, {size}", seconds[ours], seconds[peer], ratio, goal, "s", note)

    calls = "peer: quantize_4bit and dequantize_4bit alone, NF4, tensors in memory; ours reads, adds and writes too"
    return [
        timed("time, bf16", "bf16", "peft", "≥ 1.43", "peer: PEFT load, merge_and_unload, save_pretrained, fsync"),
        Row(f"memory beside PEFT's, {size}", peaks["bf16"], peaks["peft"], peaks["peft"] / peaks["bf16"], unit="MiB"),
        timed("time beside a copy", "bf16", "copy", "", "peer: shutil.copytree, fsync"),
        timed("time, qdq", "qdq", "bitsandbytes", "≥ 0.667", calls),
    ]


# --- killed ----------------------------------------------------------------------------------------------------


def _merge_and_tell(base: Path, adapter: Path, out: Path, ready: Any) -> None:
    _imports()
    from s2train.merge.job import Request
    from s2train.merge.preparation import prepare

    job = prepare(Request(str(base), (str(adapter),), "bf16", out))
    ready.set()
    job.run()


def kills(size: str, root: Path, times: int, tell: Callable[[str], object]) -> list[Row]:
    """Merges killed at random moments and begun again: how many leave the very files of an undisturbed one."""
    base, adapter = generate(size, root)
    context = get_context("spawn")
    with folder_in(root) as out:
        seconds = alone(merge, base, adapter, "bf16", out).seconds
        expected = _hashes(out)
    random.seed(0)
    good = within = 0
    for number in range(times):
        with folder_in(root) as out:
            ready = context.Event()
            process = context.Process(target=_merge_and_tell, args=(base, adapter, out, ready))
            process.start()
            ready.wait(300)
            time.sleep(random.uniform(0, seconds))
            process.kill()
            process.join()
            within += not out.exists()
            half = out.exists() and _hashes(out) != expected
            alone(merge, base, adapter, "bf16", out)
            good += not half and _hashes(out) == expected and not list(root.glob(".merged.merging*"))
            tell(f"killed {number + 1} times, {within} before the end; the same files {good} times")
    note = f"killed at {times} random moments, {within} times before the end, then run again; {size}"
    return [Row("killed, the same files in the end", good, goal=f"≥ {times}", unit="times", note=note)]


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = record.arguments(__doc__)
    parser.add_argument("--sizes", nargs="*", choices=SHAPES, default=list(SHAPES), help="of which memory is measured")
    parser.add_argument("--timed", choices=SHAPES, default="3B", help="of which time is measured")
    parser.add_argument("--pairs", type=int, default=3, help="of ours and the others', in turns")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--killed", choices=SHAPES, default="linear", help="what is killed")
    parser.add_argument("--folder", type=Path, help="where models are made, and kept; default: a temporary one")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, write it."""
    options = parse()
    rows: list[Row] = []

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        for size in options.sizes:
            rows += memory(size, root, tell)
            if options.folder is None and size not in (options.timed, options.killed):
                for path in root.glob(f"*-{size}"):
                    shutil.rmtree(path)
        rows += kills(options.killed, root, options.kills, tell) if options.kills else []
        timed = times(options.timed, root, options.pairs, tell) if options.pairs else []
    packages = {**record.machine()["packages"], **versions(("peft", "bitsandbytes"))}
    for title, found in (("Merging: memory", rows), ("Merging: time", timed)):
        if found:
            record.write(title, found, {"rank": RANK, "pairs": options.pairs, "packages": packages}, options.out)


if __name__ == "__main__":
    main()

"""examples/accelerate: accelerate reads each file, and the one for CPUs starts two processes that train together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

from s2eval.errors import PrerequisiteError
from s2train import checkpoint
from s2train.training import processes, run
from tests.s2train.training import tiny

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "accelerate"
WHAT = {
    "cpu-two-processes": "MULTI_GPU",
    "multi-gpu": "MULTI_GPU",
    "fsdp": "FSDP",
    "deepspeed-zero2": "DEEPSPEED",
    "deepspeed-zero3": "DEEPSPEED",
}


def test_every_example_is_listed() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(WHAT)


@pytest.mark.parametrize(("name", "kind"), WHAT.items())
def test_accelerate_reads_it(name: str, kind: str) -> None:
    """Its loader refuses unknown keys; its launcher takes every option of FSDP and DeepSpeed by its own name."""
    path = EXAMPLES / f"{name}.yaml"
    read = load_config_from_file(str(path))
    assert read.distributed_type == kind
    assert read.num_processes >= 2
    known = vars(launch_command_parser().parse_args(["script.py"]))
    assert set(read.fsdp_config) | set(read.deepspeed_config) <= known.keys() | {"fsdp_version"}
    first = path.read_text(encoding="utf-8").split("compute_environment")[0]
    assert ("Not run here" in " ".join(first.replace("#", " ").split())) is (name != "cpu-two-processes")
    assert f"--config_file examples/accelerate/{name}.yaml -m s2train" in first


def test_zero3_and_fsdp_split_weights_and_the_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not processes.shards(SimpleNamespace(fsdp=False))
    assert not processes.shards(SimpleNamespace(fsdp=False, deepspeed_plugin=SimpleNamespace(zero_stage=2)))
    assert processes.shards(SimpleNamespace(fsdp=False, deepspeed_plugin=SimpleNamespace(zero_stage=3)))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert processes.shards(SimpleNamespace(fsdp=False))


def test_a_reward_model_is_not_trained_in_shards(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job("reward", tiny.recipe("reward", base, data, tmp_path / "out"), tmp_path)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(PrerequisiteError, match="needs all weights: not with FSDP or ZeRO-3"):
        run.run(job)
    assert not job.work.exists()


def test_fsdp_on_cpus_is_refused_since_accelerate_would_leave_it_out(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out"), tmp_path)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(PrerequisiteError, match="accelerate has none on CPUs"):
        run.run(job)
    assert not job.work.exists()


def test_four_bits_in_floats_are_the_same_numbers(base: Path, data: Path, tmp_path: Path) -> None:
    """`storage` is how FSDP can split them; what is trained does not change."""
    raw = tiny.recipe("sft", base, data, tmp_path / "bytes", max_steps=2)
    raw["model"]["method"] = "qlora"
    tiny.train("sft", raw, tmp_path)
    raw["out"], raw["model"]["quantization"] = str(tmp_path / "floats"), {"storage": "float32"}
    tiny.train("sft", raw, tmp_path)
    assert tiny.same(tmp_path / "bytes", tmp_path / "floats")


def test_the_one_for_cpus_trains_in_two_processes(base: Path, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "sft.yaml"
    raw = tiny.recipe("sft", base, data, tmp_path / "out", per_device_train_batch_size=2, max_steps=2)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    config, command = str(EXAMPLES / "cpu-two-processes.yaml"), ["-m", "s2train", "sft", str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, *command],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("written: ") == 1
    made = checkpoint.read(tmp_path / "out")
    assert made is not None
    assert made.metrics["processes"] == 2

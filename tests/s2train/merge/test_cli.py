"""`s2train merge` as users call it, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import processes
from tests.s2train.merge import tiny


def s2train(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "s2train", *map(str, arguments)]
    root = Path(__file__).parents[3]
    return processes.run(
        command, capture_output=True, text=True, cwd=root, timeout=300, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    base = Path(shutil.copytree(tiny_model, folder / "base"))
    return base, tiny.train(tiny.load(base), folder / "adapter", step=0.3)


def test_from_adapter_to_verified_model(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    command = ["merge", "--base", base, "--adapter", adapter, "--method", "qdq", "--out", tmp_path / "out", "--verify"]
    done = s2train(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, note, verified, *_, last = done.stdout.splitlines()
    assert first.startswith(
        "base + adapter → LlamaForCausalLM, qdq: 14 of 21 tensors change, 14 of them through 4 bits"
    )
    assert "28 adapter tensors go in" in first  # 14 pairs of factors
    assert note.startswith("note: nothing tells how the base was quantised")
    assert verified.startswith("verified on ")
    assert last == f"written: {tmp_path / 'out'}"
    assert json.loads((tmp_path / "out" / "s2train.json").read_text())["method"] == "qdq"
    again = s2train(*command[:-1])
    assert again.stdout.splitlines()[-1] == f"already complete: {tmp_path / 'out'}"


def test_the_base_is_the_one_that_the_adapter_names(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, adapter = pair
    done = s2train("merge", "--adapter", adapter, "--method", "bf16", "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("base + adapter → ")
    assert not list(tmp_path.iterdir())


def test_options_of_the_quantisation(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    options = ["--quant-type", "fp4", "--blocksize", "128", "--double-quant", "--skip-module", "lm_head"]
    options += ["--skip-module", "o_proj", "--dtype", "bfloat16", "--template", "s2-space"]
    done = s2train(
        "merge", "--base", base, "--adapter", adapter, "--method", "qdq", "--out", tmp_path / "out", *options
    )
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "out" / "s2train.json").read_text())
    assert made["quantization"] == {
        "type": "fp4",
        "blocksize": 128,
        "double": True,
        "dtype": "bfloat16",
        "skip": ["lm_head", "o_proj"],
    }
    assert made["template"] == "s2-space"
    assert "12 of them through 4 bits" in done.stdout  # 14 without the two o_proj


def test_several_adapters_with_weights(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    other = tiny.train(tiny.load(base), tmp_path / "other", seed=2)
    options = ["--adapter", adapter, "--weight", "0.7", "--adapter", other, "--weight", "0.3"]
    done = s2train("merge", "--base", base, *options, "--method", "bf16", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "weighted sum" in done.stdout
    adapters = json.loads((tmp_path / "out" / "s2train.json").read_text())["adapters"]
    assert [one["weight"] for one in adapters] == [0.7, 0.3]


def test_what_is_wrong_is_told_in_a_line(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    out = ["--out", tmp_path / "out"]
    unmergeable = tiny.edit_config(Path(shutil.copytree(adapter, tmp_path / "ia3")), peft_type="IA3")
    done = s2train("merge", "--base", base, "--adapter", unmergeable, "--method", "bf16", *out)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: adapter ia3: peft_type IA3 cannot be merged here, only LORA (with DoRA, rsLoRA, …) can\n"
    )
    done = s2train("merge", "--base", tmp_path / "nowhere", "--adapter", adapter, "--method", "bf16", *out)
    assert done.returncode == 1
    assert done.stderr.startswith("error: base ")
    for method, told in (("bf16", "matters for --method qdq only"), ("qdq", "blocksize 65: Input should be 32, 64")):
        done = s2train("merge", "--base", base, "--adapter", adapter, "--method", method, *out, "--blocksize", "65")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert told in done.stderr
    assert (
        s2train("merge", "--base", base, "--adapter", adapter, *out).returncode == 2
    )  # --method is for the user to say


def test_help_imports_nothing_heavy() -> None:
    program = """
import sys
from s2train.cli import main
try:
    main(["merge", "--help"])
except SystemExit:
    print(*sorted({"torch", "transformers", "peft", "numpy"} & set(sys.modules)), file=sys.stderr)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert done.stderr == "\n"
    assert "--double-quant" in done.stdout

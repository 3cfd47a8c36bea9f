"""`--verify`: a right merge passes, a wrong one does not, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import save_file

from s2eval.errors import DisagreementError, PrerequisiteError, UsageError
from s2train.merge import verify
from tests.s2train.merge import tiny


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    base = tiny.base(folder / "base")
    return base, tiny.train(tiny.load(base), folder / "adapter")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("method", ["bf16", "qdq"])
def test_rounding_is_all_that_a_right_merge_differs_by(tmp_path: Path, dtype: torch.dtype, method: str) -> None:
    base = tiny.base(tmp_path / "base", dtype)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    proof = tiny.job(base, adapter, tmp_path / "out", method).run(prove=True)
    assert proof is not None
    assert proof.tokens == 3 * 32  # prompts × made-up tokens: the folder has no tokenizer
    assert proof.error < proof.tolerance / 5
    assert proof.effect > 0.1  # so a merge without the adapter would not pass
    assert proof.agreement > 0.9
    assert (tmp_path / "out" / "config.json").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"use_dora": True},
        {"target_modules": ["embed_tokens", "q_proj"]},
        {"modules_to_save": ["embed_tokens"]},
    ],
    ids=str,
)
def test_tied_models_pass(tmp_path: Path, options: dict[str, Any]) -> None:
    base = tiny.base(tmp_path / "base", tie_word_embeddings=True)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", **options)
    assert tiny.job(base, adapter, tmp_path / "out").run(prove=True) is not None


def test_gpt2_resized_and_classifiers_pass(tmp_path: Path) -> None:
    gpt2 = tiny.base(tmp_path / "gpt2", kind="gpt2")
    adapter = tiny.train(tiny.load(gpt2), tmp_path / "a", target_modules=["c_attn"], lora_bias=True)
    assert tiny.job(gpt2, adapter, tmp_path / "1", "qdq").run(prove=True) is not None
    base = tiny.base(tmp_path / "base")
    model = tiny.load(base)
    model.resize_token_embeddings(260)
    assert tiny.job(base, tiny.train(model, tmp_path / "b"), tmp_path / "2").run(prove=True) is not None
    classifier = tiny.load(base, classifier=True, num_labels=3)
    reward = tiny.train(classifier, tmp_path / "c", task_type="SEQ_CLS")
    proof = tiny.job(base, reward, tmp_path / "3").run(prove=True)
    assert proof is not None
    assert proof.tokens == 3  # one answer a prompt


@pytest.mark.parametrize("weights", [(), (0.7, 0.3)])
def test_several_adapters_pass(pair: tuple[Path, Path], tmp_path: Path, weights: tuple[float, ...]) -> None:
    base, adapter = pair
    other = tiny.train(tiny.load(base), tmp_path / "other", seed=2, r=2, use_rslora=True)
    assert tiny.job(base, [adapter, other], tmp_path / "out", weights=weights).run(prove=True) is not None


def forget_one(tensors: dict[str, torch.Tensor], base: dict[str, torch.Tensor]) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    tensors[name] = base[name]


def halve(tensors: dict[str, torch.Tensor], base: dict[str, torch.Tensor]) -> None:
    for name in tensors:
        tensors[name] = ((tensors[name].float() + base[name].float()) / 2).bfloat16()


def subtract(tensors: dict[str, torch.Tensor], base: dict[str, torch.Tensor]) -> None:
    for name in tensors:
        tensors[name] = (2 * base[name].float() - tensors[name].float()).bfloat16()


def spoil(tensors: dict[str, torch.Tensor], base: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"][0] = float("nan")


@pytest.mark.parametrize("harm", [forget_one, halve, subtract, spoil])
def test_a_wrong_merge_is_found(
    pair: tuple[Path, Path], tmp_path: Path, harm: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    base, adapter = pair
    out = tmp_path / "out"
    tiny.merged(base, adapter, out)
    tensors = tiny.tensors(out)
    harm(tensors, tiny.tensors(base))
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    with pytest.raises(DisagreementError, match="more than rounding explains"):
        verify.verify(tiny.job(base, adapter, out), out)


@pytest.mark.parametrize(("part", "told"), [(0.0, "0.0%"), (0.5, "50.")])
def test_a_weak_adapters_loss_is_not_taken_for_rounding(tmp_path: Path, part: float, told: str) -> None:
    """Its whole change is smaller than what rounding may be, so that alone would not show that it is missing."""
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", lora_alpha=1, r=1, step=0.003)
    out = tmp_path / "out"
    job = tiny.merged(base, adapter, out)
    before, after = tiny.tensors(base), tiny.tensors(out)
    wrong = {name: before[name] + part * (after[name] - before[name]) for name in before}
    save_file(wrong, out / "model.safetensors", {"format": "pt"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(verify.TOLERANCES, "F32", 0.05)
        with pytest.raises(DisagreementError, match=f"{told}.*of the adapter's change arrived"):
            verify.verify(job, out)


def test_a_merge_that_fails_gets_no_name(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "TOLERANCES", dict.fromkeys(verify.TOLERANCES, 1e-9))
    with pytest.raises(DisagreementError, match=r"\.out\.merging"):
        tiny.job(*pair, tmp_path / "out").run(prove=True)
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_changes_nothing_is_found(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", step=0)
    with pytest.raises(DisagreementError, match="answers exactly as without it"):
        tiny.job(base, adapter, tmp_path / "out").run(prove=True)


def test_logits_that_are_no_numbers_prove_nothing(tmp_path: Path) -> None:
    """Finite weights of a training that diverged: 10¹⁵ · 10¹⁵ is within fp32, products of such layers are beyond it."""
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")

    def blow_up(tensors: dict[str, torch.Tensor]) -> None:
        for key in tensors:
            tensors[key] = tensors[key] * 1e15

    tiny.edit_tensors(adapter, blow_up)
    with pytest.raises(DisagreementError, match="PEFT's logits are NaN or infinite"):
        tiny.job(base, adapter, tmp_path / "out").run(prove=True)
    assert not (tmp_path / "out").exists()


def test_a_merge_that_is_there_is_verified_as_it_is(pair: tuple[Path, Path], tmp_path: Path) -> None:
    tiny.merged(*pair, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert tiny.job(*pair, tmp_path / "out").run(prove=True) is not None
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_memory_is_looked_at_before_the_first_byte(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job(*pair, tmp_path / "out")
    numbers = sum(step.entry.items for step in job.plan.steps())
    free = type("free", (), {"available": 5 * numbers - 1})  # 4 bytes for fp32, 1 to read into
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(PrerequisiteError, match="loads the whole model in fp32"):
        job.run(prove=True)
    assert not list(tmp_path.iterdir())
    free.available += 1
    job.run(prove=True)


def test_blocks_that_transformers_does_not_load_are_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    job = tiny.job(*pair, tmp_path / "out", "qdq", options={"blocksize": 128})
    with pytest.raises(UsageError, match="blocks of 64 only, these are of 128"):
        job.run(prove=True)

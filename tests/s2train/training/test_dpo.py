"""DPO on a tiny base: the loss by hand, the reference switched off, copied, or computed before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import logsigmoid

from s2train import checkpoint
from s2train.losses import log_probabilities
from s2train.training import models, progress, run
from tests.s2train.training import tiny


def logged(folder: Path, name: str) -> list[float]:
    return [record[name] for record in progress.read(folder / "metrics.jsonl") if name in record]


def test_from_the_base(base: Path, data: Path, tmp_path: Path) -> None:
    job = tiny.train("dpo", tiny.recipe("dpo", base, data, tmp_path / "dpo", num_train_epochs=2), tmp_path)
    made = checkpoint.read(job.out)
    assert made is not None
    assert made.kind == "dpo"
    losses = logged(job.out, "loss")
    assert losses[0] == pytest.approx(0.6931, abs=1e-4)  # log 2: policy and reference are the same
    assert losses[-1] < losses[0]
    assert made.metrics["eval_rewards/accuracies"] == 1.0
    assert {path.name for path in job.out.iterdir()} >= {"adapter_model.safetensors", "generations.jsonl"}


def test_from_an_sft_adapter_the_reference_is_a_frozen_copy_of_it(
    sft: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    raw = tiny.recipe("dpo", base, data, tmp_path / "dpo")
    raw["model"] = {"base": str(base), "adapter": str(sft)}
    job = tiny.train("dpo", raw, tmp_path)
    assert logged(job.out, "loss")[0] == pytest.approx(0.6931, abs=1e-4)  # not so if the base were the reference
    assert not (job.out / "ref").exists()  # the copy is not part of what was trained
    assert tiny.weights(job.out).keys() == tiny.weights(sft).keys()


def test_precomputed_references_give_the_same_parameters(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    made: list[Path] = []
    for name, before in (("with", True), ("without", False)):
        raw = tiny.recipe("dpo", base, data, tmp_path / name, precompute_ref_log_probs=before, max_steps=3)
        raw["model"] = {"base": str(base), "adapter": str(sft)}
        made.append(tiny.train("dpo", raw, tmp_path).out)
    first, second = map(tiny.weights, made)
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


def test_the_loss_by_hand(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    """-log σ(β (log π(w) - log π_ref(w) - log π(l) + log π_ref(l))), with the base as reference: a new adapter."""
    from peft import PeftModel

    raw = tiny.recipe("dpo", base, data, tmp_path / "dpo", beta=0.3)
    job = tiny.job("dpo", raw, tmp_path)
    job.work.mkdir()
    trainer = run._trainer(job)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # away from the reference
        for weight in trainer.model.parameters():
            if weight.requires_grad:
                weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
    trainer.model.eval()
    batch = next(iter(trainer.get_eval_dataloader()))
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, dict(batch))
    assert isinstance(trainer.model, PeftModel)

    def answers() -> Any:
        with torch.no_grad():
            logits = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        found = log_probabilities(logits[:, :-1], batch["input_ids"][:, 1:])
        return (found * batch["completion_mask"][:, 1:]).sum(1).chunk(2)

    chosen, rejected = answers()
    with trainer.model.disable_adapter():
        chosen_reference, rejected_reference = answers()
    ours = -logsigmoid(0.3 * (chosen - chosen_reference - rejected + rejected_reference)).mean()
    assert theirs.item() == pytest.approx(ours.item(), abs=1e-5)
    assert models.trained(trainer.model).keys() == {
        name for name, weight in trainer.model.named_parameters() if "lora_" in name
    }


@pytest.mark.parametrize("loss", ["ipo", "hinge", "[sigmoid, sft]"])
def test_trls_other_losses(loss: str, base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("dpo", base, data, tmp_path / "dpo", max_steps=1)
    job = tiny.job("dpo", raw, tmp_path, f"arguments.loss_type={loss if loss[0] == '[' else f'[{loss}]'}")
    run.run(job)
    assert len(logged(job.out, "loss")) == 1

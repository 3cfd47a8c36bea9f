"""Whether a merged model predicts what the adapter predicts on its base: logits on a few prompts, computed by PEFT.

All is computed in fp32, so what is left between the two is the rounding of the merged weights to the type that they
are stored in. The models are loaded one after the other; each takes 4 bytes a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from s2eval import prompts
from s2eval.errors import DisagreementError, PrerequisiteError, UsageError
from s2eval.models.sources import quantized
from s2eval.weights import complete, quiet
from s2train.merge.adapters import peft_name
from s2train.merge.quantization import loading_arguments

if TYPE_CHECKING:
    from s2train.merge.job import Job

QUESTIONS = (
    "Why is the sky blue?",
    "How do vaccines teach the body to fight a virus?",
    "What is a black hole, and what would happen to someone who fell into one?",
)
TOLERANCES = {"F32": 1e-4, "F16": 1e-2, "BF16": 5e-2}  # relative
SHARE = 0.2  # by which the part of the adapter's change that arrives may differ from all of it
_TOKENS = 32  # of an artificial prompt, where there is no tokenizer


@dataclass(frozen=True, slots=True)
class Proof:
    """How far a merged model is from its adapter on the base.

    A difference is the length of the difference of two positions' logits, relative to the length of the adapter's on
    its base; the median over positions, since rounding may send a single one to other experts (Mixtral, for one).

    Attributes:
        tokens: positions that were compared.
        error: merged against adapter on base.
        effect: adapter on base against base alone.
        share: of that change in the merged model, by projection: 1 for all of it, 0 for none.
        tolerance: of the error.
        agreement: share of positions with the same best token (or label).
    """

    tokens: int
    error: float
    effect: float
    share: float
    tolerance: float
    agreement: float

    def lines(self) -> list[str]:
        """To print."""
        return [
            f"verified on {self.tokens} tokens of {len(QUESTIONS)} prompts, against PEFT on the unmerged model:",
            f"  the adapter changes the logits by {self.effect:.2%}, and {self.share:.1%} of that change arrived",
            f"  merged, they differ by {self.error:.3%} (at most {self.tolerance:.2%} for rounding)",
            f"  the best token is the same at {self.agreement:.1%} of the positions",
        ]


def check(job: Job) -> None:
    """Raise UsageError or PrerequisiteError if a merge cannot be verified here, before anything is written."""
    import psutil

    how = job.checkpoint.quantization
    if not job.method.peft:
        raise UsageError(f"--verify compares with PEFT, which has no merge like {job.method.name}: leave it out")
    if how and how.blocksize != 64:
        raise UsageError(f"--verify: transformers loads blocks of 64 only, these are of {how.blocksize}")
    needed = 5 * sum(step.entry.items for step in job.plan.steps())  # fp32, and the shard that it is read from
    free = psutil.virtual_memory().available
    if free < needed:
        raise PrerequisiteError(
            f"--verify loads the whole model in fp32: {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. Merge "
            "without it, and repeat the command with --verify on a larger machine"
        )


def verify(job: Job, merged: Path) -> Proof:
    """Compare the model in the folder `merged` with PEFT on the unmerged one; DisagreementError if they differ."""
    with torch.no_grad(), quiet():
        model = _load(job.architecture, merged, {})
        sequences = _tokens(merged, job.checkpoint.template, model.config.get_text_config().vocab_size)
        actual = _logits(model, sequences)
        del model  # one at a time
        model = _adapted(job)
        expected = _logits(model, sequences)
        with model.disable_adapter():
            plain = _logits(model, sequences)
    change = expected - plain
    length = change.square().sum()
    proof = Proof(
        len(actual),
        _distance(actual, expected),
        _distance(plain, expected),
        (((actual - plain) * change).sum() / length).item() if length else 1.0,
        max(TOLERANCES[step.entry.dtype] for step in job.plan.steps() if step.factors or step.replacement),
        (actual.argmax(-1) == expected.argmax(-1)).float().mean().item(),
    )
    if not expected.isfinite().all():
        raise DisagreementError(f"with the adapter PEFT's logits are NaN or infinite. The model is left in {merged}")
    if not (actual.isfinite().all() and proof.error <= proof.tolerance):
        raise DisagreementError(
            f"the merged model's logits differ from PEFT's on the unmerged one by {proof.error:.2%}, more than "
            f"rounding explains ({proof.tolerance:.2%}). It is left in {merged}"
        )
    if proof.effect == 0:
        raise DisagreementError(f"with the adapter the model answers exactly as without it. It is left in {merged}")
    if not abs(proof.share - 1) <= SHARE:
        raise DisagreementError(
            f"{proof.share:.1%} of the adapter's change arrived in the merged model. Either the merge is wrong, or the "
            "change is smaller than the rounding of the weights' type: try --dtype float32. "
            f"It is left in {merged}"
        )
    return proof


def _distance(logits: torch.Tensor, reference: torch.Tensor) -> float:
    """Median over positions, without those where both are zero."""
    return ((logits - reference).norm(dim=-1) / reference.norm(dim=-1)).nanmedian().item()


def _tokens(folder: Path, template: str, rows: int) -> list[torch.Tensor]:
    """The prompts in tokens, 1 × length each; artificial ones where the folder has no tokenizer for `rows` tokens."""
    from transformers import AutoTokenizer

    with suppress(OSError, ValueError, KeyError, TypeError, UsageError):  # no tokenizer, or none for this template
        tokenizer = AutoTokenizer.from_pretrained(folder)
        render = prompts.get(template, tokenizer).render
        texts = [render([prompts.Turn(question)]) for question in QUESTIONS]
        sequences = [tokenizer(text, return_tensors="pt")["input_ids"].long() for text in texts]
        if all(tokens.numel() and int(tokens.max()) < rows for tokens in sequences):
            return sequences
    artificial = torch.linspace(0, rows - 1, _TOKENS * len(QUESTIONS)).long()
    return list(artificial.view(len(QUESTIONS), 1, -1))


def _load(architecture: str, folder: Path, options: dict[str, Any], new: Sequence[str] = ()) -> Any:
    """A model in fp32 unless `options` say otherwise; `new`: modules that the base may lack."""
    import transformers

    with complete(f"model {folder.name}", new=new):
        return getattr(transformers, architecture).from_pretrained(folder, **{"dtype": torch.float32, **options}).eval()


def _adapted(job: Job) -> Any:
    """The adapters on the base as it was in training, by PEFT."""
    from peft import PeftModel
    from peft.tuners.lora.layer import LoraLayer

    from s2eval.models.sources.adapters import readable

    changes, how = job.plan.changes, job.checkpoint.quantization
    options: dict[str, Any] = {"dtype": job.dtype or "auto"}
    if "num_labels" in changes:
        options["num_labels"] = changes["num_labels"]
    if how:
        options["quantization_config"] = quantized.configuration(loading_arguments(how))
    new = [step.entry.name.rpartition(".")[0] for step in job.plan.steps() if step.replacement]
    model = _load(job.architecture, job.base.folder, options, new)
    if how:
        model = quantized.dequantize(model)
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    if "vocab_size" in changes:
        model.resize_token_embeddings(changes["vocab_size"], mean_resizing=False)
    weights = {peft_name(number): adapter.weight for number, adapter in enumerate(job.adapters)}
    adapted: Any = None
    for name, adapter in zip(weights, job.adapters, strict=True):
        with readable(str(adapter.folder)) as folder:
            if adapted is None:
                adapted = PeftModel.from_pretrained(model, folder, adapter_name=name)
            else:
                adapted.load_adapter(folder, adapter_name=name)
    adapted.base_model.set_adapter(list(weights))
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            for name, weight in weights.items():
                module.set_scale(name, weight)
    return adapted.eval()


def _logits(model: Any, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
    """Positions × vocabulary; of a classifier prompts × labels."""
    logits = [model(input_ids=tokens).logits for tokens in sequences]
    return torch.cat([part.reshape(-1, part.shape[-1]) for part in logits]).float()

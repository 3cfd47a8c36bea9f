"""Whether a merged model says what the adapter says on its base: logits on a few prompts, computed by PEFT.

All is computed in fp32, so what is left between the two is the rounding of the merged weights to the type that they
are stored in. The models are loaded one after the other; each takes 4 bytes a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2eval import prompts
from s2eval.errors import DisagreementError, PrerequisiteError, UsageError
from s2eval.models.sources import quantized
from s2eval.weights import complete, quiet
from s2train.checkpoint import Quantization
from s2train.merge.adapters import Adapter
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Plan

QUESTIONS = (
    "Why is the sky blue?",
    "How do vaccines teach the body to fight a virus?",
    "What is a black hole, and what would happen to someone who fell into one?",
)
TOLERANCES = {"F32": 1e-4, "F16": 1e-2, "BF16": 5e-2}  # relative
SHARE = 0.2  # by which the part of the adapter's change that arrives may differ from all of it
_TOKENS = 32  # of a made-up prompt, where there is no tokenizer


@dataclass(frozen=True, slots=True)
class Proof:
    """How far a merged model is from its adapter on the base.

    A difference is the length of the difference of two positions' logits, relative to the length of the adapter's on
    its base; the median over positions, since rounding may send a single one to other experts (Mixtral, for one).

    Attributes:
        tokens: positions that were compared.
        error: merged against adapter on base.
        effect: adapter on base against base: what there was to lose.
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


def check(plan: Plan, method: MergeMethod, how: Quantization | None) -> None:
    """Raise if a merge cannot be verified here; before anything is written.

    Raises:
        PrerequisiteError: the models will not fit into memory.
        UsageError: transformers cannot load the base with these blocks, or PEFT does not compute such a sum.
    """
    import psutil

    if not method.peft:
        raise UsageError(f"--verify compares with PEFT, which has no merge like {method.name}: leave it out")
    if how and how.blocksize != 64:
        raise UsageError(f"--verify: transformers loads blocks of 64 only, these are of {how.blocksize}")
    wanted = 5 * sum(step.entry.items for step in plan.steps())  # fp32, and the shard that it is read from
    free = psutil.virtual_memory().available
    if free < wanted:
        raise PrerequisiteError(
            f"--verify loads the whole model in fp32: {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. Merge "
            "without it, and repeat the command with --verify on a larger machine"
        )


def verify(
    merged: Path,
    base: Path,
    adapters: Sequence[Adapter],
    plan: Plan,
    architecture: str,
    template: str,
    how: Quantization | None,
    dtype: str | None,
) -> Proof:
    """Compare the model in `merged` with `adapters` on `base`.

    Args:
        merged: the merged model's folder.
        base: the base's folder.
        adapters: what was merged.
        plan: how.
        architecture: class of the merged model.
        template: that prompts are written with.
        how: the quantisation that the base goes through first; None: it is taken as it is.
        dtype: that the base is loaded in; None: as its files have it.

    Raises:
        DisagreementError: they differ by more than rounding, or the adapter changes nothing.
    """
    with torch.no_grad(), quiet():
        model = _load(architecture, merged, {})
        sequences = _tokens(merged, template, model.config.get_text_config().vocab_size)
        got = _logits(model, sequences)
        del model  # one at a time
        model = _adapted(base, adapters, plan, architecture, how, dtype)
        wanted = _logits(model, sequences)
        with model.disable_adapter():
            plain = _logits(model, sequences)
    kinds = [step.entry.dtype for step in plan.steps() if step.factors or step.given]
    proof = Proof(
        len(got),
        _distance(got, wanted),
        _distance(plain, wanted),
        _share(got - plain, wanted - plain),
        max(TOLERANCES[kind] for kind in kinds),
        (got.argmax(-1) == wanted.argmax(-1)).float().mean().item(),
    )
    if not wanted.isfinite().all():
        raise DisagreementError(f"with the adapter PEFT's logits are NaN or infinite. The model is left in {merged}")
    if not (got.isfinite().all() and proof.error <= proof.tolerance):
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


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Median over positions, without those where both are zero."""
    return ((one - other).norm(dim=-1) / other.norm(dim=-1)).nanmedian().item()


def _share(got: torch.Tensor, wanted: torch.Tensor) -> float:
    length = wanted.square().sum()
    return ((got * wanted).sum() / length).item() if length else 1.0


def _tokens(folder: Path, template: str, rows: int) -> list[torch.Tensor]:
    """The prompts in tokens, 1 × length each; made up where the folder has no tokenizer for `rows` tokens."""
    from transformers import AutoTokenizer

    with suppress(OSError, ValueError, KeyError, TypeError, UsageError):  # none there, or none for this template
        tokenizer = AutoTokenizer.from_pretrained(folder)
        written = prompts.get(template, tokenizer)
        texts = [written.render([prompts.Turn(question)]) for question in QUESTIONS]
        found = [tokenizer(text, return_tensors="pt")["input_ids"].long() for text in texts]
        if all(tokens.numel() and int(tokens.max()) < rows for tokens in found):
            return found
    made = torch.linspace(0, rows - 1, _TOKENS * len(QUESTIONS)).long()
    return [part[None] for part in made.view(len(QUESTIONS), -1)]


def _load(architecture: str, folder: Path, options: dict[str, Any], brought: Sequence[str] = ()) -> Any:
    """A model in fp32.

    Args:
        brought: modules that the adapter holds whole, and the base may lack.
    """
    import transformers

    with complete(f"model {folder.name}", new=brought):
        return getattr(transformers, architecture).from_pretrained(folder, **{"dtype": torch.float32, **options}).eval()


def _adapted(
    base: Path, adapters: Sequence[Adapter], plan: Plan, architecture: str, how: Quantization | None, dtype: str | None
) -> Any:
    from peft import PeftModel
    from peft.tuners.lora.layer import LoraLayer

    from s2eval.models.sources.adapters import readable

    options: dict[str, Any] = {"dtype": dtype or "auto"}
    if "num_labels" in plan.changes:
        options["num_labels"] = plan.changes["num_labels"]
    if how:
        options["quantization_config"] = _config(how)
    model = _load(
        architecture, base, options, [step.entry.name.rpartition(".")[0] for step in plan.steps() if step.given]
    )
    if how:
        model = quantized.dequantize(model)
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    if "vocab_size" in plan.changes:
        model.resize_token_embeddings(plan.changes["vocab_size"], mean_resizing=False)
    names = [f"s2merge{number}" for number in range(len(adapters))]
    with readable(str(adapters[0].folder)) as folder:
        adapted: Any = PeftModel.from_pretrained(model, folder, adapter_name=names[0])
    for name, adapter in zip(names[1:], adapters[1:], strict=True):
        with readable(str(adapter.folder)) as folder:
            adapted.load_adapter(folder, adapter_name=name)
    adapted.base_model.set_adapter(names)
    for lora in adapted.modules():
        if isinstance(lora, LoraLayer):
            for name, adapter in zip(names, adapters, strict=True):
                lora.set_scale(name, adapter.weight)
    return adapted.eval()


def _config(how: Quantization) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=how.type,
        bnb_4bit_use_double_quant=how.double,
        llm_int8_skip_modules=None if how.skip is None else list(how.skip),
    )


def _logits(model: Any, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
    """Positions × vocabulary; of a classifier prompts × labels."""
    found = [model(input_ids=tokens).logits for tokens in sequences]
    return torch.cat([logits.reshape(-1, logits.shape[-1]) for logits in found]).float()

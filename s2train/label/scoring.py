"""Numbers for answers: a reward model's score, a DPO policy's implicit reward; each text as it is read in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from s2eval import prompts
from s2eval.errors import UsageError
from s2eval.weights import quiet
from s2train.data.preferences import turns_of
from s2train.label.bases import Bases, context
from s2train.label.rankings import Ranker
from s2train.training import models
from s2train.training.models import HEAD
from s2train.training.rows import Encoded, Encoder

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

Score = Callable[[Sequence[tuple[str, str]]], list[float]]
"""(prompt, answer) pairs → their scores, in their order."""

_BATCH = 8
_REFERENCE = "reference"


def scorer(bases: Bases, ranker: Ranker) -> Score:
    """A ranker on its base, until another one is loaded.

    Raises:
        UsageError: the adapter does not fit the base tensor by tensor; an answer beyond the context; NaN.
    """
    tokenizer = models.tokenizer(ranker.base_checkpoint.folder)
    template = prompts.get(ranker.template, tokenizer)
    causal = bases.get(ranker.base_checkpoint)
    limit = context(ranker.base_checkpoint.folder)
    encoder = Encoder(tokenizer, template, limit)
    score = (_rewards if ranker.kind == "reward" else _implicit)(causal, ranker, tokenizer.pad_token_id)

    def checked(pairs: Sequence[tuple[str, str]]) -> list[float]:
        rendered = [template.render(turns_of(prompt)) for prompt, _ in pairs]
        encoded = encoder.encode(rendered, [answer for _, answer in pairs]) if pairs else []
        longest = max((len(sequence.tokens) for sequence in encoded), default=0)
        if longest > limit:
            raise UsageError(f"{ranker.name}: {longest} tokens, its context has {limit}: lower --max-prompt")
        scores = score(encoded)
        if not all(map(math.isfinite, scores)):
            raise UsageError(
                f"{ranker.kind} {ranker.name}: a score is NaN or infinite; its training diverged, or its dtype"
            )
        return scores

    return checked


def _rewards(causal: PreTrainedModel, ranker: Ranker, padding: int) -> Callable[[Sequence[Encoded]], list[float]]:
    """A classifier around the base's own layers, so that they are in memory once."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    from s2train.training.scores import reward_scores

    config = deepcopy(causal.config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = padding
    with torch.device("meta"), quiet(bars=True):
        classifier: Any = AutoModelForSequenceClassification.from_config(config)
    trunk = causal.base_model_prefix
    setattr(classifier, trunk, getattr(causal, trunk))
    width = config.get_text_config().hidden_size
    setattr(classifier, HEAD, torch.nn.Linear(width, 1, bias=False, device=causal.device, dtype=causal.dtype))
    with quiet(bars=True):
        judge: Any = PeftModel.from_pretrained(classifier, str(ranker.folder)).eval()
    models.check_fit(judge, models.stored(ranker.folder), models.ADAPTER, ranker.folder.name)
    return lambda encoded: reward_scores(judge, [sequence.tokens for sequence in encoded], padding, _BATCH)


def _implicit(causal: PreTrainedModel, ranker: Ranker, padding: int) -> Callable[[Sequence[Encoded]], list[float]]:
    """β (log π(y|x) - log π_ref(y|x)): Rafailov et al. 2023 (arXiv 2305.18290), section 4."""
    from s2eval.models.sources import adapters

    policy = adapters.attach(causal, str(ranker.folder))
    if ranker.reference is not None:
        with quiet(bars=True):
            policy.load_adapter(str(ranker.reference), _REFERENCE)
        models.check_fit(policy, models.stored(ranker.reference), _REFERENCE, ranker.reference.name)
        policy.eval()

    def score(encoded: Sequence[Encoded]) -> list[float]:
        policy.set_adapter("default")
        trained = log_likelihoods(policy, encoded, padding)
        if ranker.reference is None:
            with policy.disable_adapter():
                before = log_likelihoods(policy, encoded, padding)
        else:
            policy.set_adapter(_REFERENCE)
            before = log_likelihoods(policy, encoded, padding)
        return [ranker.beta * (a - b) for a, b in zip(trained, before, strict=True)]

    return score


def log_likelihoods(model: PeftModel, encoded: Sequence[Encoded], padding: int) -> list[float]:
    """log π(answer with its end-of-text | prompt) of each, in nats; sequences of like length together."""
    import torch

    from s2train import losses
    from s2train.ppo.rollouts import arrange

    sums = [0.0] * len(encoded)
    order = sorted(range(len(encoded)), key=lambda number: len(encoded[number].tokens))
    for start in range(0, len(order), _BATCH):
        numbers = order[start : start + _BATCH]
        batch = arrange(
            [encoded[n].tokens[: encoded[n].prompt] for n in numbers],
            [encoded[n].tokens[encoded[n].prompt :] for n in numbers],
            padding,
        ).to(model.device)
        with torch.no_grad():
            logits = model(
                input_ids=batch.tokens,
                attention_mask=batch.mask,
                position_ids=(batch.mask.cumsum(-1) - 1).clamp(min=0),
                use_cache=False,
                logits_to_keep=batch.before,
            ).logits
            each = (losses.log_probabilities(logits, batch.answers) * batch.present).double().sum(-1)
        for number, value in zip(numbers, each.tolist(), strict=True):
            sums[number] = value
    return sums

"""Reward adapters on the policy's own base, as the functions that TRL asks for rewards.

A reward model's adapter joins the policy's `PeftModel`, frozen; to score, it alone is switched on, and the score is
read where `s2train.ppo.roles` reads it: at the last token that is no padding. Imports torch and PEFT: import it where
training begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from s2train.ppo.roles import Stored, acting, head_of, last_tokens, lora_of
from s2train.training import models
from s2train.training.rows import tokens_of
from s2train.training.scores import batched_scores

PREFIX = "reward-"  # of the adapter's name in the policy's model
MISSING_END = "missing_end"


class Reward:
    """r(x, y) of one reward model, for TRL.

    Args:
        name: what TRL calls it in its figures.
        stored: the adapter with its head.
        tokenizer: of the base; its padding is what reward models were padded with.
        batch: sequences that go through the model together.
    """

    def __init__(self, name: str, stored: Stored, tokenizer: Any, batch: int) -> None:
        self.__name__ = name
        self.stored, self.tokenizer, self.batch = stored, tokenizer, batch
        self.head = head_of(stored)
        self.model: Any = None

    @property
    def adapter(self) -> str:
        """Its name in the policy's model."""
        return PREFIX + self.__name__

    def join(self, model: Any) -> None:
        """Put the adapter on the policy's `PeftModel`, frozen.

        Raises:
            UsageError: it does not fit, tensor by tensor.
        """
        lora = lora_of(self.stored)
        lora.config.inference_mode = True
        model.add_adapter(self.adapter, lora.config)
        models.fill(model, lora.tensors, self.adapter, lora.name)
        for name, parameter in model.named_parameters():
            if f".{self.adapter}." in name:
                parameter.requires_grad_(False)
        self.head = self.head.to(model.device)
        self.model = model

    def __call__(self, prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        """Scores of the answers; TRL gives more than is needed."""
        heads = tokens_of(self.tokenizer, prompts)
        return self.scores([[*head, *tail] for head, tail in zip(heads, completion_ids, strict=True)])

    def scores(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        """Of prompts with their answers, in their order; padded on the right, as in the reward model's training."""
        padding = self.tokenizer.pad_token_id
        with _only_adapter(self.model, self.adapter) as causal:

            def score(tokens: Tensor, mask: Tensor) -> Tensor:
                tokens, mask = tokens.to(causal.device), mask.to(causal.device)
                trunk = getattr(causal, causal.base_model_prefix)
                hidden = trunk(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
                return self.head(last_tokens(hidden, tokens, mask, padding).to(self.head.weight.dtype))[:, 0]

            return batched_scores(score, sequences, padding, self.batch)


class MissingEnd:
    """-penalty for an answer that did not end by itself, else 0, as PPO's.

    Args:
        penalty: at least 0.

    Attributes:
        ends: ids of tokens that end an answer, as the trainer knows them.
    """

    def __init__(self, penalty: float) -> None:
        self.__name__ = MISSING_END
        self.penalty, self.ends = penalty, frozenset[int]()

    def __call__(self, completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        """One number an answer."""
        return [0.0 if tokens and tokens[-1] in self.ends else -self.penalty for tokens in completion_ids]


@contextmanager
def _only_adapter(model: Any, adapter: str) -> Iterator[Any]:
    """The causal model with that adapter alone, without dropout; then everything is as it was."""
    training = model.training
    model.eval()
    try:
        with acting([module for module in model.modules() if isinstance(module, BaseTunerLayer)], adapter):
            yield model.get_base_model()
    finally:
        model.train(training)


def functions(rewards: Mapping[str, Stored], tokenizer: Any, batch: int, penalty: float) -> list[Reward | MissingEnd]:
    """All that TRL adds up, the penalty last."""
    models: list[Reward | MissingEnd] = [Reward(name, stored, tokenizer, batch) for name, stored in rewards.items()]
    return [*models, MissingEnd(penalty)] if penalty else models

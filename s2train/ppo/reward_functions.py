"""Reward adapters on the policy's own base, as the functions that TRL calls for rewards.

A reward model's adapter joins the policy's `PeftModel`, frozen; to score, it alone is switched on, and the score is
read where `s2train.ppo.roles` reads it: at the last token that is no padding. Imports torch and PEFT: import it where
training begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from s2train.ppo.roles import Stored, acting, head_of, last_tokens, lora_of
from s2train.training import models
from s2train.training.rows import Tokenizer, tokens_of
from s2train.training.scores import batched_scores

PREFIX = "reward-"  # of the adapter's name in the policy's model
MISSING_END = "missing_end"


class Reward:
    """r(x, y) of one reward model, for TRL, which calls it `name` in its figures.

    The tokenizer is the base's; its padding is what reward models were padded with. `batch` sequences go through the
    model together.
    """

    def __init__(self, name: str, stored: Stored, tokenizer: Tokenizer, batch: int) -> None:
        self.__name__ = name
        self.adapter = PREFIX + name  # its name in the policy's model
        self.stored, self.tokenizer, self.batch = stored, tokenizer, batch
        self.head = head_of(stored)
        self.model: Any = None

    def join(self, model: Any) -> None:
        """Put the adapter on the policy's `PeftModel`, frozen; UsageError if it does not fit, tensor by tensor."""
        lora = lora_of(self.stored)
        lora.config.inference_mode = True
        model.add_adapter(self.adapter, lora.config)
        models.fill(model, lora.tensors, self.adapter, lora.name)
        for name, parameter in model.named_parameters():
            if f".{self.adapter}." in name:
                parameter.requires_grad_(False)
        self.head = self.head.to(model.device)
        self.model = model

    def __call__(self, prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], **_: object) -> list[float]:
        """Scores of the answers, as TRL calls it."""
        heads = tokens_of(self.tokenizer, prompts)
        return self.scores([[*head, *tail] for head, tail in zip(heads, completion_ids, strict=True)])

    def scores(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        """Of prompts with their answers, in their order; padded on the right, as in the reward model's training."""
        padding, causal = self.tokenizer.pad_token_id, self.model.get_base_model()
        layers = [module for module in self.model.modules() if isinstance(module, BaseTunerLayer)]

        def score(tokens: Tensor, mask: Tensor) -> Tensor:
            tokens, mask = tokens.to(causal.device), mask.to(causal.device)
            trunk = getattr(causal, causal.base_model_prefix)
            hidden = trunk(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
            return self.head(last_tokens(hidden, tokens, mask, padding).to(self.head.weight.dtype))[:, 0]

        training = self.model.training
        self.model.eval()
        try:
            with acting(layers, self.adapter):
                return batched_scores(score, sequences, padding, self.batch)
        finally:
            self.model.train(training)


class MissingEnd:
    """-penalty for an answer that did not end by itself, else 0, as PPO's.

    `ends` are the tokens that end an answer, as the trainer knows them.
    """

    def __init__(self, penalty: float) -> None:
        self.__name__ = MISSING_END
        self.penalty, self.ends = penalty, frozenset[int]()

    def __call__(self, completion_ids: Sequence[Sequence[int]], **_: object) -> list[float]:
        return [0.0 if tokens and tokens[-1] in self.ends else -self.penalty for tokens in completion_ids]


def functions(
    rewards: Mapping[str, Stored], tokenizer: Tokenizer, batch: int, penalty: float
) -> list[Reward | MissingEnd]:
    """All that TRL adds up, the penalty last."""
    models: list[Reward | MissingEnd] = [Reward(name, stored, tokenizer, batch) for name, stored in rewards.items()]
    return [*models, MissingEnd(penalty)] if penalty else models

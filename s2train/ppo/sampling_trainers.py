"""TRL's trainers that sample their own answers, with rewards from adapters on the policy's base.

Imports TRL and torch: import it where training begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer  # pyright: ignore[reportPrivateImportUsage]
from trl.trainer.utils import RepeatSampler

from s2train.ppo.reward_functions import MissingEnd, Reward
from s2train.training.models import ADAPTER
from s2train.training.rows import tokens_of
from s2train.training.trainers import Watched

_LENGTH = "tokens of a prompt with its answer; rows whose prompt leaves too little room are left out"


@dataclass
class RlooArguments(RLOOConfig):
    """TRL's, and how long a prompt with its answer may be."""

    max_length: int | None = field(default=None, metadata={"help": _LENGTH})


@dataclass
class GrpoArguments(GRPOConfig):
    """TRL's, and how long a prompt with its answer may be."""

    max_length: int | None = field(default=None, metadata={"help": _LENGTH})


class _Epochs(RepeatSampler):
    """TRL's order of prompts, of each epoch from its number: so it is the same after a resume."""

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch."""
        if self.shuffle:
            self.generator.manual_seed((self.seed or 0) + epoch)


class _Sampling(Watched):
    """What both share. Its `reward_funcs` join the policy's model, and stay out of its checkpoints."""

    eos_token_ids: list[int]

    def __init__(self, *, reward_funcs: Sequence[Reward | MissingEnd], **kwargs: Any) -> None:
        super().__init__(reward_funcs=reward_funcs, **kwargs)  # type: ignore[call-arg]  # of TRL's trainers
        for function in reward_funcs:
            if isinstance(function, MissingEnd):
                function.ends = frozenset(self.eos_token_ids)
            else:
                function.join(self.model)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, object]]:
        return tokens_of(self.processing_class, prompts), None, {}  # type: ignore[arg-type]  # a tokenizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        order: Any = super()._get_train_sampler(train_dataset)
        return _Epochs(
            order.data_source, order.mini_repeat_count, order.batch_size, order.repeat_count, order.shuffle, order.seed
        )

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Only what is trained: reference and rewards are loaded whenever training starts."""
        model: Any = self.accelerator.unwrap_model(self.model)
        save = model.save_pretrained
        model.save_pretrained = lambda *args, **options: save(*args, selected_adapters=[ADAPTER], **options)
        try:
            super()._save(output_dir, state_dict)
        finally:
            del model.save_pretrained


class Rloo(_Sampling, RLOOTrainer):  # type: ignore[misc]  # TRL has another name for `train_dataset`
    """REINFORCE with a leave-one-out baseline."""


class Grpo(_Sampling, GRPOTrainer):  # type: ignore[misc]  # TRL has another name for `train_dataset`
    """Group-relative policy optimisation."""

"""TRL's trainers with what they lack: rows that are encoded already, and a stop at the first loss that is no number.

Imports TRL and torch: import it where training begins.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from datasets import Dataset
from pyarrow import compute
from torch import Tensor, nn
from torch.utils import data
from transformers import TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import DPOTrainer, RewardTrainer, SFTTrainer  # pyright: ignore[reportPrivateImportUsage]

from s2train.training import processes, progress
from s2train.training.job import Job
from s2train.training.rows import answer_text, ends, tokens_of

if TYPE_CHECKING:
    from transformers import Trainer, TrainerState, TrainingArguments

    Batch = Mapping[str, Any] | Sequence[Mapping[str, Any]]
    Base = Trainer
else:
    Base = object


T = TypeVar("T")


class Watched(Base):
    """A mixin before one of TRL's trainers: checks every loss, and saves the batch that breaks it."""

    def training_step(self, model: nn.Module, inputs: Batch, *args: object, **kwargs: object) -> Tensor:
        """As the trainer's own. Inputs are tensors by name, or rows of trainers that sample their own answers."""
        batch = dict(inputs) if isinstance(inputs, Mapping) else {"prompt": [row["prompt"] for row in inputs]}
        loss = super().training_step(model, inputs, *args, **kwargs)  # type: ignore[arg-type]  # a trainer's own
        if not torch.isfinite(loss).all():
            self.stop_at(batch, f"the loss is {loss.item()}")
        self.last_batch = batch
        return loss

    def stop_at(self, batch: Mapping[str, Any], problem: str) -> None:
        """Save a batch, and raise DivergedError."""
        texts = batch.get("prompt", [])
        if "input_ids" in batch:
            texts = self.processing_class.batch_decode(batch["input_ids"])  # type: ignore[union-attr]  # a tokenizer
        raise progress.save_broken_batch(
            Path(self.args.output_dir or ""),
            {"step": self.state.global_step + 1, "inputs": batch},
            problem,
            texts,
            "a lower arguments.learning_rate, longer warm-up or arguments.max_grad_norm",
        )

    def create_model_card(self, *_: object, **__: object) -> None:
        """`card.py` writes the card when a checkpoint is complete."""


class ByLength(LengthGroupedSampler):
    """Rows of like length together, in an order of each epoch that depends on its number: the same after a resume.

    `batch` is the number of rows of a step, of all processes, so that several have the batches of one.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        self.order = torch.Generator()
        super().__init__(batch, lengths=lengths, generator=self.order)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.order.manual_seed(self.seed + self.epoch)
        return super().__iter__()


class Grouped(Watched):
    """Watched, and `train_sampling_strategy: group_by_length` for pairs too, of which the longer half counts."""

    def _get_train_sampler(self, train_dataset: data.Dataset[Any] | None = None) -> data.Sampler[int] | None:
        arguments = self.args
        if arguments.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        batch = arguments.train_batch_size * arguments.gradient_accumulation_steps * processes.count()
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
        return ByLength(lengths(rows), batch, seed)

    def _get_eval_sampler(self, eval_dataset: data.Dataset[Any]) -> data.Sampler[int]:
        """In the file's order, so that measurements do not depend on the order of training."""
        return data.SequentialSampler(eval_dataset)  # type: ignore[arg-type]  # sized


def lengths(rows: Dataset) -> list[int]:
    """Tokens of each row that a batch is padded to: of `input_ids`, or of a pair's prompt with its longer half."""
    table: Any = rows.with_format("arrow")[:]
    columns: dict[str, Any] = {
        name: compute.call_function("list_value_length", [table[name]]).to_numpy()
        for name in table.column_names
        if name.endswith("_ids")
    }
    if "input_ids" in columns:
        return columns["input_ids"].tolist()
    return (columns.get("prompt_ids", 0) + np.maximum(columns["chosen_ids"], columns["rejected_ids"])).tolist()


class Sft(Grouped, SFTTrainer):
    """Rows have `input_ids` and `labels`, which TRL takes as they are."""

    def __init__(self, *, args: Any, **kwargs: Any) -> None:
        if not args.packing:  # rows are cut already; without it TRL would refuse padding_free
            args.max_length = None
        super().__init__(args=args, **kwargs)


class Reward(Grouped, RewardTrainer):
    """Rows have `chosen_ids` and `rejected_ids`, which TRL takes as they are."""


class Dpo(Grouped, DPOTrainer):
    """Rows have `prompt_ids`, `chosen_ids` and `rejected_ids`; TRL would encode texts once more, in its own way."""

    def _prepare_dataset(self, dataset: T, *_: object, **__: object) -> T:  # type: ignore[override]  # any data set
        return dataset


class Recorder(TrainerCallback):
    """Writes `metrics.jsonl`, marks complete checkpoints, stops at broken gradients, reports progress.

    The trainer is set when there is one.
    """

    trainer: Watched

    def __init__(self, work: Path) -> None:
        self.work = work
        self._started = time.perf_counter()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, *_: object, logs: Mapping[str, float], **__: object
    ) -> None:
        """A line of metrics, and one for people where no bar shows it."""
        if not state.is_world_process_zero or not logs:
            return
        progress.append(self.work / progress.METRICS, {"step": state.global_step, **logs})
        if args.disable_tqdm and (loss := logs.get("loss", logs.get("eval_loss"))) is not None:
            name = "loss" if "loss" in logs else "validation loss"
            seconds = time.perf_counter() - self._started
            where = f"step {state.global_step:,} of {state.max_steps:,}"
            print(f"{where}: {name} {float(loss):.4f}, {seconds:,.0f} s", file=sys.stderr)  # noqa: T201

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: object, **__: object) -> None:  # noqa: ARG002
        """All processes have written their part of the checkpoint once they are here."""
        processes.wait()
        if state.is_world_process_zero:
            folder = self.work / f"{progress.PREFIX}{state.global_step}"
            progress.mark_complete(folder, tokens=getattr(self.trainer, "_total_train_tokens", 0))

    def on_pre_optimizer_step(self, args: TrainingArguments, *_: object, model: nn.Module, **__: object) -> None:
        """A gradient may break where the loss does not; in fp16 that is usual, and the step is left out."""
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        if gradients and not args.fp16 and not torch.stack([gradient.isfinite().all() for gradient in gradients]).all():
            self.trainer.stop_at(self.trainer.last_batch, "a gradient is NaN or infinite")


class Answers(TrainerCallback):
    """Answers the first validation questions at every evaluation, greedily, in `generations.jsonl`."""

    def __init__(self, job: Job) -> None:
        self.path, self.tokenizer, self.template = job.work / progress.GENERATIONS, job.tokenizer, job.template
        prompts, side = job.config.generations.prompts, job.validation
        self.questions = list(zip(side.prompts[:prompts], side.answers[:prompts], strict=True))
        self.max_tokens = job.config.generations.max_tokens

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, *_: object, model: nn.Module, **__: object
    ) -> None:
        """After every evaluation."""
        if state.is_world_process_zero and not processes.shards(args):
            for prompt, reference in self.questions:
                answer = self._answer(model, prompt)
                record = {"step": state.global_step, "prompt": prompt, "answer": answer, "reference": reference}
                progress.append(self.path, record)

    @torch.no_grad()
    def _answer(self, model: Any, prompt: str) -> str:
        model = getattr(model, "module", model)  # DDP's wrapper
        tokens_in = torch.tensor(tokens_of(self.tokenizer, [prompt]), device=model.device)
        training = model.training
        model.eval()
        try:
            tokens = model.generate(
                input_ids=tokens_in,
                attention_mask=torch.ones_like(tokens_in),
                max_new_tokens=self.max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                use_cache=True,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=sorted(ends(self.tokenizer, self.template)),
            )[0, tokens_in.shape[1] :]
        finally:
            model.train(training)
        return answer_text(self.tokenizer, self.template, tokens)

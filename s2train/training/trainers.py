"""TRL's trainers with what they lack: rows that are encoded already, and a stop at the first loss that is no number.

Imports TRL and torch: import it where training begins.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow import compute
from torch.utils.data import SequentialSampler
from transformers import TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import DPOTrainer, RewardTrainer, SFTTrainer  # pyright: ignore[reportPrivateImportUsage]

from s2eval.prompts import Template
from s2train.training import processes, progress
from s2train.training.job import Job
from s2train.training.rows import ends, tokens_of


class Watched:
    """A mixin before one of TRL's trainers: looks at every loss, and keeps the batch that breaks it."""

    def training_step(self, model: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        """As the trainer's own. Inputs are tensors by name, or rows of trainers that sample their own answers."""
        kept = dict(inputs) if isinstance(inputs, dict) else {"prompt": [row["prompt"] for row in inputs]}
        trainer: Any = self
        loss = super().training_step(model, inputs, *more, **options)  # type: ignore[misc]
        if not torch.isfinite(loss).all():
            trainer.keep_batch(kept, f"the loss is {loss.item()}")
        self._last = kept
        return loss

    def keep_batch(self, inputs: dict[str, Any], what: str) -> None:
        """Save a batch, and raise DivergedError."""
        trainer: Any = self
        folder, step = Path(trainer.args.output_dir), trainer.state.global_step + 1
        texts = inputs.get("prompt", [])
        if "input_ids" in inputs:
            texts = trainer.processing_class.batch_decode(inputs["input_ids"])
        raise progress.keep_batch(
            folder,
            {"step": step, "inputs": inputs},
            what,
            texts,
            "a lower arguments.learning_rate, longer warm-up or arguments.max_grad_norm",
        )

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Cards are written by `card.py`, when a checkpoint is whole."""


class ByLength(LengthGroupedSampler):
    """Rows of like length together, in an order made anew for each epoch from its number: the same after a resume.

    Args:
        lengths: of the rows.
        batch: rows of a step, of all processes: so that several have the batches of one.
        seed: of the order.
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

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        trainer: Any = self
        arguments = trainer.args
        if arguments.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        batch = arguments.train_batch_size * arguments.gradient_accumulation_steps * processes.count()
        rows = trainer.train_dataset if train_dataset is None else train_dataset
        seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
        return ByLength(lengths(rows), batch, seed)

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        """In the file's order, so that what is measured does not hang on how rows are learnt from."""
        return SequentialSampler(eval_dataset)


def lengths(rows: Any) -> list[int]:
    """Tokens of each row that a batch is padded to: of a pair, of its longer half.

    Args:
        rows: a data set with `input_ids`, or with `chosen_ids`, `rejected_ids` and perhaps `prompt_ids`.
    """
    table = rows.with_format("arrow")[:]
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

    def __init__(self, *, args: Any, **rest: Any) -> None:
        if not args.packing:  # rows are cut already; without it TRL would refuse padding_free
            args.max_length = None
        super().__init__(args=args, **rest)


class Reward(Grouped, RewardTrainer):
    """Rows have `chosen_ids` and `rejected_ids`, which TRL takes as they are."""


class Dpo(Grouped, DPOTrainer):
    """Rows have `prompt_ids`, `chosen_ids` and `rejected_ids`; TRL would encode texts once more, in its own way."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class Recorder(TrainerCallback):
    """Writes `metrics.jsonl`, marks checkpoints that are whole, stops at broken gradients, tells where we are.

    Args:
        work: folder of the training.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.trainer: Any = None  # set when there is one
        self._started = time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """A line of metrics, and one for people where no bar shows it."""
        if not state.is_world_process_zero or not logs:
            return
        progress.append(self.work / progress.METRICS, {"step": state.global_step, **logs})
        if args.disable_tqdm and (loss := logs.get("loss", logs.get("eval_loss"))) is not None:
            what = "loss" if "loss" in logs else "validation loss"
            seconds = time.perf_counter() - self._started
            where = f"step {state.global_step:,} of {state.max_steps:,}"
            print(f"{where}: {what} {float(loss):.4f}, {seconds:,.0f} s", file=sys.stderr)  # noqa: T201

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Everything of the checkpoint is written now, by all processes once they are here."""
        processes.wait()
        if state.is_world_process_zero:
            folder = self.work / f"{progress.PREFIX}{state.global_step}"
            progress.mark_whole(folder, tokens=getattr(self.trainer, "_total_train_tokens", 0))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """A gradient may break where the loss does not; in fp16 that is usual, and the step is left out."""
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        if gradients and not args.fp16 and not torch.stack([gradient.isfinite().all() for gradient in gradients]).all():
            self.trainer.keep_batch(self.trainer._last, "a gradient is NaN or infinite")


class Answers(TrainerCallback):
    """Answers a few questions at every evaluation, greedily, in `generations.jsonl`.

    Args:
        work: folder of the training.
        tokenizer: of the model.
        prompts, references: texts.
        most: tokens of an answer.
        template: whose texts and tokens end one.
    """

    def __init__(
        self, work: Path, tokenizer: Any, prompts: list[str], references: list[str], most: int, template: Template
    ) -> None:
        self.work, self.tokenizer = work, tokenizer
        self.prompts, self.references, self.most = prompts, references, most
        self.stop, self.ends = template.stop, sorted(ends(tokenizer, template))

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """After every evaluation."""
        if not state.is_world_process_zero or processes.shards(args):
            return
        for prompt, reference in zip(self.prompts, self.references, strict=True):
            record = {"step": state.global_step, "prompt": prompt, "answer": self._answer(model, prompt)}
            progress.append(self.work / progress.GENERATIONS, {**record, "reference": reference})

    @classmethod
    def of(cls, job: Job) -> list[Answers]:
        """The one of a job, if answers are asked for and there are questions."""
        wanted, side = job.config.generations, job.validation
        if not wanted.prompts or not len(side):
            return []
        prompts, references = side.prompts[: wanted.prompts], side.answers[: wanted.prompts]
        return [cls(job.work, job.tokenizer, prompts, references, wanted.max_tokens, job.template)]

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
                max_new_tokens=self.most,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                use_cache=True,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=self.ends,
            )[0, tokens_in.shape[1] :]
        finally:
            model.train(training)
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in self.stop:
            text = text.partition(stop)[0]
        return text.strip()

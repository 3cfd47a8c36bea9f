"""What the backend `s2` has beside the answers themselves: its model, its engine, and its statistics."""

# lm-eval's register_model hides the class that it decorates from type checkers.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import has_bos_prefix

from s2eval import control_tokens
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models.backend import backend_checks
from s2eval.models.backend.backend_stats import BackendStats
from s2eval.models.backend.request_checks import rows_of
from s2eval.models.cost import memory
from s2eval.models.sources import adapters, quantized
from s2eval.models.sources.embedded import resolve
from s2eval.models.trie.engine import Engine
from s2eval.weights import check_files, complete

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from torch import Tensor
    from transformers import PreTrainedModel

_log = logging.getLogger(__name__)
_REMEMBERED = 8  # texts whose tokens are kept: the context that a document's choices share is encoded once


class Backend(HFLM):
    """lm-eval's HFLM; takes every argument of it.

    Args:
        pretrained: as for `hf`, or the name of an embedded model.
        peft: folder or hub id of an adapter, put on and checked by `adapters.attach`.
        loaded: the transformers model of `pretrained`, if it is in memory already.
        trie: False = hf's path for everything.
        token_budget: tokens of a forward pass at most; None = from the free memory.
        flex: attention through FlexAttention; None = on CUDA.

    Attributes:
        cut: prompt → whether its answer reached the limit of new tokens without ending by itself.
        reasoning: prompt → the reasoning that was taken off its answer.
        stats: since the last reset; a caller may replace it by a new one.
    """

    _model: Any  # of transformers, or PEFT's wrapper around one

    def __init__(
        self,
        pretrained: Any = "smollm2",  # or a model, as for hf
        *,
        peft: str | None = None,
        loaded: PreTrainedModel | None = None,
        trie: bool = True,
        token_budget: int | None = None,
        flex: bool | None = None,
        **arguments: Any,
    ) -> None:
        if peft and arguments.get("delta"):
            raise UsageError("peft and delta: a model has an adapter or delta weights, not both")
        if isinstance(pretrained, str):
            pretrained = str(resolve(pretrained))
            if loaded is None and Path(pretrained).is_dir():
                check_files(Path(pretrained), f"model {pretrained}", arguments.get("gguf_file"))
        if arguments.get("device") is None:
            arguments["device"] = best_device()
        on_cpu = str(arguments["device"]).startswith("cpu")
        if arguments.get("dtype", "auto") == "auto" and on_cpu and not arguments.get("load_in_4bit"):
            arguments["dtype"] = "float32"
        self.cut: dict[str, bool] = {}
        self.reasoning: dict[str, str] = {}
        self.stats = BackendStats()
        self._trie, self._token_budget, self._flex = trie, token_budget, flex
        self._doubted: set[tuple[str, str] | None] = set()  # requests to compare with hf's path
        self._reported: set[str] = set()  # reasons for hf's path
        self._instances: list[Instance] = []  # of the requests that are being encoded
        self._encoded: dict[tuple[object, ...], list[int]] = {}
        self._control: set[str] | None = None  # texts of control tokens, when they are first needed
        self._loaded, self._vocabulary = loaded, None
        super().__init__(pretrained=pretrained, **arguments)
        if peft:  # not in `_create_model`: hf ties the embeddings after that, and so undoes what an adapter brought
            revision = arguments.get("revision", "main")
            self._model = adapters.attach(self._model, peft, revision=revision, vocabulary=self._vocabulary)
            self.peft = peft
        control_tokens.stop_appending(self.tokenizer)
        if (self.tokenizer.pad_token_id or 0) >= rows_of(self.model):  # it is masked, but looked up
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._join(tensor_parallel=bool(arguments.get("tp_plan")))

    def _create_model(self, *args: Any, **kwargs: Any) -> None:
        """hf's, or what is loaded already. On a CPU the weights of one in 4 bits are dequantised, to fp32."""
        self._vocabulary = len(self.tokenizer)  # before hf adds a padding token
        if self._loaded is not None:
            self._model = self._loaded
            return
        quantization = quantized.configuration(kwargs)
        if quantization is not None:
            kwargs["quantization_config"] = quantization
        with complete(f"model {kwargs.get('pretrained') or args[0]}"):
            super()._create_model(*args, **kwargs)
        if getattr(quantization, "load_in_4bit", False) and self._device.type == "cpu":
            self._model = quantized.widen(self._model)

    def _join(self, *, tensor_parallel: bool) -> None:
        """Take the place among several processes that hf leaves empty where there is no GPU."""
        started = int(os.environ.get("WORLD_SIZE", "1"))
        accelerator = getattr(self, "accelerator", None)
        if accelerator is not None and self.world_size == 1 and self.device.type == "cpu":
            self._rank, self._world_size = accelerator.process_index, accelerator.num_processes
        if started > 1 and self.world_size == 1 and not tensor_parallel:
            raise PrerequisiteError(
                f"{started} processes were started, and each would evaluate everything. On a CPU set "
                "ACCELERATE_USE_CPU=true for them; on GPUs start them with accelerate launch, one a GPU"
            )

    def _engine(self) -> Engine:
        tokens, rows = memory.budgets(self.model)
        if self._token_budget:
            tokens, rows = self._token_budget, min(rows, self._token_budget)
        flex = self.device.type == "cuda" if self._flex is None else self._flex
        return Engine(self.model, tokens, rows, autocast=self.mixed_precision_dtype, flex=flex)

    def _count(self, engine: Engine) -> None:
        self.stats.computed += engine.computed
        self.stats.forwards += engine.forwards

    @property
    def _dtype(self) -> str:
        return str(self.mixed_precision_dtype or self.model.dtype).removeprefix("torch.")

    def _fall_back(self, why: str, requests: int) -> None:
        """Count what goes through hf's path, and log each reason once."""
        self.stats.fallbacks[why] = self.stats.fallbacks.get(why, 0) + requests
        if why not in self._reported:
            _log.warning("hf's path instead of the token trie: %s", why)
        self._reported.add(why)

    def _compare(self, what: str, ours: float, by_hf: float) -> None:
        self.stats.difference = max(self.stats.difference, backend_checks.compare(what, ours, by_hf, self._dtype))

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **options: object,
    ) -> list[int]:
        """HFLM's; the texts of control tokens that a template hid are encoded as text."""
        key = (string, add_special_tokens, left_truncate_len, self.add_bos_token, *sorted(options.items()))
        if key in self._encoded:
            return self._encoded[key]
        if control_tokens.JOINER in string:
            special = self.add_bos_token if add_special_tokens is None else add_special_tokens
            if add_special_tokens is None and has_bos_prefix(string, self.tokenizer.decode(self.prefix_token_id)):
                special = False
            tokens = control_tokens.encode(self.tokenizer, [string], special)[0][-(left_truncate_len or 0) :]
        else:
            tokens = super().tok_encode(string, add_special_tokens, left_truncate_len, **options)
        if len(self._encoded) == _REMEMBERED:
            self._encoded.pop(next(iter(self._encoded)))
        self._encoded[key] = tokens
        return tokens

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """HFLM's, for lm-eval's own tasks; the texts of control tokens in the messages stay text."""
        if self._control is None:
            source = str(self.tokenizer.chat_template)
            self._control = control_tokens.special(self.tokenizer) | control_tokens.written_in(self.tokenizer, source)
        control = self._control
        hidden = [
            {**message, "content": control_tokens.hidden(message["content"], control)}
            if isinstance(message.get("content"), str)
            else message
            for message in chat_history
        ]
        return super().apply_chat_template(hidden, add_generation_prompt)

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """HFLM's, by `tok_encode` where a text is hidden; remembers the prompts for `_model_generate`."""
        self._prompts = list(strings)
        if not any(control_tokens.JOINER in string for string in strings):
            return super().tok_batch_encode(strings, padding_side, left_truncate_len, truncation)
        special = False if has_bos_prefix(strings[0], getattr(self.tokenizer, "bos_token", None)) else None
        rows = [self.tok_encode(string, special) for string in strings]
        padded = self.tokenizer.pad({"input_ids": rows}, padding_side=padding_side, return_tensors="pt")
        start = -(left_truncate_len or 0)
        return padded["input_ids"][:, start:], padded["attention_mask"][:, start:]

    def _model_generate(self, context: Tensor, max_length: int, stop: list[str], **generation_kwargs: object) -> Tensor:
        """HFLM's, where it is hf's path that answers; notes which answers were cut."""
        tokens = super()._model_generate(context, max_length, stop, **generation_kwargs)
        ends = {self.eot_token_id, self.tokenizer.pad_token_id}
        for prompt, row in zip(self._prompts, tokens[:, context.shape[1] :].tolist(), strict=True):
            full = context.shape[1] + len(row) >= max_length and not ends & set(row)
            self.cut[prompt] = full and not any(mark in self.tok_decode(row) for mark in stop)
        return tokens

    def get_model_info(self) -> dict[str, object]:
        """hf's, and the statistics."""
        return {**super().get_model_info(), "s2_work": self.stats.as_dict()}


def best_device() -> str:
    """`cuda`, `mps` or `cpu`: the first that is available."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

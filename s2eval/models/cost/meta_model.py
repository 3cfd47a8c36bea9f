"""A model without its weights: configuration, tokenizer and shapes, enough to count what its requests would cost."""

# lm-eval's register_model hides the class that it decorates from type checkers.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.models.utils_hf import get_dtype

from s2eval import weights
from s2eval.models.backend import backend_checks, request_checks
from s2eval.models.backend.backend_stats import BackendStats
from s2eval.models.backend.generation import Prompt
from s2eval.models.backend.likelihood import Request, Scoring
from s2eval.models.cost import arithmetic, memory
from s2eval.models.cost.arithmetic import Counts, Passes, Shape, alone
from s2eval.models.s2 import S2LM, Result, Tokenized
from s2eval.models.trie import support, trie

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

_AT_ONCE = 512  # requests whose tokens are held as Python's lists


@dataclass(frozen=True, slots=True)
class Fit:
    """What is held at once: tokens of a forward pass, answers (or requests of hf's) that are computed together,
    bytes with the weights; and the bytes that are free now."""

    tokens: int
    width: int
    memory: int
    free: int


class MetaModel(S2LM):
    """The backend `s2` with its weights on the `meta` device: it encodes and cuts requests, and answers none. It
    would be computed at `place`, with `weights` bytes of the model and its adapter."""

    place: torch.device
    weights: int
    shape: Shape

    def __init__(self, pretrained: str = "smollm2", *, peft: str | None = None, **arguments: Any) -> None:
        self._scored: list[Request] = []
        self._prompts_read: list[Prompt] = []
        self._apart: list[tuple[int, int]] = []  # what hf answers: tokens of the prompt, and of the answer at most
        super().__init__(pretrained, **arguments)
        self.place = self._device
        if peft is not None:  # an adapter without its weights
            from accelerate import init_empty_weights
            from peft import PeftConfig, get_peft_model

            config = PeftConfig.from_pretrained(peft, revision=self.revision)
            before = {id(weight) for weight in self._model.parameters()}
            with init_empty_weights():
                self._model = get_peft_model(self._model, config, low_cpu_mem_usage=True)
            self.weights += sum(weight.nbytes for weight in self._model.parameters() if id(weight) not in before)
        self.shape = arithmetic.shape(self._model)

    @property
    def device(self) -> Any:
        """Where its weights are: nowhere."""
        return torch.device("meta")

    def _create_model(
        self,
        pretrained: str,
        revision: str | None = "main",
        dtype: str | torch.dtype | None = "auto",
        trust_remote_code: bool | None = False,
        quantization_config: object = None,
        **options: object,
    ) -> None:
        """Instead of hf's. Raises PrerequisiteError if the files of a local folder would leave a part of the model to
        random numbers; those of GGUF, remote code and quantised models are checked when they are loaded."""
        from accelerate import init_empty_weights
        from transformers import GenerationConfig

        typed = {} if dtype in ("auto", None) else {"dtype": get_dtype(dtype or "auto")}
        with init_empty_weights():
            model = self.AUTO_MODEL_CLASS.from_config(self.config, trust_remote_code=trust_remote_code, **typed)
        folder, remote = Path(pretrained), type(model).__module__.startswith("transformers_modules")
        quantized = getattr(self.config, "quantization_config", None) is not None
        if folder.is_dir() and not (options.get("gguf_file") or remote or quantized):
            weights.check_shapes(model, weights.shapes(folder, f"model {pretrained}"), f"model {pretrained}")
        with suppress(OSError):  # many checkpoints have none
            model.generation_config = GenerationConfig.from_pretrained(pretrained, revision=revision or "main")
        model.tie_weights()
        self._model = model
        self.weights = memory.weights(model, memory.bits(quantization_config, options))

    @property
    def dtype(self) -> torch.dtype:
        """In which it would be computed."""
        return self.mixed_precision_dtype or self.model.dtype

    @property
    def signature(self) -> str:
        """Equal for two models whose requests come to the same counts."""
        config = {**self.model.config.to_dict(), "_name_or_path": "", "transformers_version": ""}
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        adapters = getattr(self.model, "peft_config", {}).values()
        parts = [
            json.dumps(config, sort_keys=True, default=str),
            self.model.generation_config.to_json_string(),
            backend.to_str() if backend is not None else repr(self.tokenizer),
            repr(sorted(str(adapter.peft_type) for adapter in adapters)),
            f"{self.max_length} {self._trie} {self.logits_cache} {self.truncation} {self.prefix_token_id}",
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def count(self, requests: Sequence[Instance], bos: bool | None = None) -> Counts:
        """What lm-eval's instances of one task come to. `bos` = whether the tokenizer adds its BOS; None = its
        default."""
        self.add_bos_token = bos
        self._scored, self._prompts_read, self._apart, self.stats = [], [], [], BackendStats()
        method = getattr(self, requests[0].request_type)
        for start in range(0, len(requests), _AT_ONCE):
            method(requests[start : start + _AT_ONCE], disable_tqdm=True)
        counts = self._count_likelihoods(requests) if self._scored else self._count_answers()
        truncated, fallbacks = self.stats.truncated, self.stats.fallbacks
        return replace(counts, requests=len(requests), truncated=truncated, fallbacks=fallbacks)

    def fits(self, counts: Counts, batch: int) -> Fit:
        """What is held at once for such requests, on a device with the memory that is free there now. `batch` is
        lm-eval's batch size, which counts on hf's path."""
        of, free = memory.sizes(self.model.config, self.model.dtype), memory.free_bytes(self.place)
        room, writes = free - self.weights, counts.written.tokens > 0
        if counts.fallbacks:
            width = min(batch, counts.requests)
            tokens = width * counts.longest
            held = of.fallback(tokens, width if writes else tokens)
        else:
            width = min(of.width(self.place, counts.longest, room), counts.requests)
            tokens, rows = of.budgets(self.place, room)
            tokens = min(self._token_budget or tokens, counts.read.tokens)
            rows = max(min(rows, tokens, counts.read.rows), width if writes else 0)
            held = tokens * of.token + rows * of.row + counts.longest * (width if writes else 1) * of.keys
            compared = of.fallback(counts.longest, counts.longest)  # the first document, on hf's path
            held = held + compared if writes else max(held, compared)
        return Fit(tokens, width, self.weights + held, free)

    # --- what lm-eval calls ------------------------------------------------------------------------------------

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Result]:
        """Encoded as by hf; without answers none is too close to call."""
        self._instances = requests
        return HFLM.loglikelihood(self, requests, disable_tqdm)

    def _loglikelihood_tokens(
        self,
        requests: list[Tokenized],
        disable_tqdm: bool = False,  # noqa: ARG002
        override_bs: int | None = None,  # noqa: ARG002
    ) -> list[Result]:
        request_checks.check_choices(self, requests, self._instances)
        self.stats.truncated += sum(len(c) + len(k) > self.max_length + 1 for _, c, k in requests)
        for request in map(self._request, requests):
            parts: Any = (np.asarray(part, np.int32) for part in (request.inputs, request.targets))
            self._scored.append(Request(*parts))  # lists would take nine times the memory
        return [(0.0, False)] * len(requests)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:  # noqa: ARG002
        """Encoded as by `s2` or by hf, whichever would answer them."""
        mine, rest = self._read(requests)
        for number in rest:
            text, settings = requests[number].arguments
            limit = normalize_gen_kwargs(settings, self.max_gen_toks).get("max_gen_toks", self.max_gen_toks)
            tokens, _ = self.tok_batch_encode([text], "left", self.max_length - limit, bool(self.truncation))
            self._apart.append((tokens.shape[1], limit))
        self._prompts_read += mine.values()
        return [""] * len(requests)

    def _fall_back(self, why: str, requests: int) -> None:
        """Counted without a warning: none is computed."""
        self.stats.fallbacks[why] = self.stats.fallbacks.get(why, 0) + requests

    # --- what it comes to --------------------------------------------------------------------------------------

    def _count_likelihoods(self, requests: Sequence[Instance]) -> Counts:
        scored, lengths = self._scored, [len(request.inputs) for request in self._scored]
        naive, longest = sum(lengths), max(lengths)
        why = support.refusal(self.model, longest) if self._trie else "trie=False"
        if not why:
            first = backend_checks.first_of_each(requests) if len(scored) == len(requests) else [0]  # rolling: windows
            compared = alone((len(scored[number].inputs) for number in first), everywhere=True)
            scoring = Scoring(scored)
            read = Passes(len(scoring.trie), _pairs(scoring.trie), len(scoring.rows))
            return Counts(naive=naive, read=read, checks=compared, longest=longest)
        self._fall_back(why, len(lengths))
        if self.backend == "causal" and self.logits_cache:  # hf computes equal inputs once
            lengths = [len(inputs) // 4 for inputs in {np.asarray(request.inputs).tobytes() for request in scored}]
        return Counts(naive=naive, read=alone(lengths, everywhere=True), longest=longest)

    def _count_answers(self) -> Counts:
        prompts = self._prompts_read
        tree = trie.build([prompt.tokens for prompt in prompts])
        greedy = [len(prompt.tokens) + prompt.limit for prompt in prompts if not prompt.decoding.temperature]
        every = [*((len(prompt.tokens), prompt.limit) for prompt in prompts), *self._apart]
        new = sum(limit for _, limit in every)
        seen = sum(limit * length + limit * (limit + 1) // 2 for length, limit in every)
        apart = alone((length for length, _ in self._apart), everywhere=False)
        return Counts(
            naive=sum(length for length, _ in every),
            read=Passes(len(tree), _pairs(tree), len(prompts)) + apart,
            written=Passes(new, seen, new),
            checks=alone(greedy[:1], everywhere=True),
            longest=max(map(sum, every)),
        )


def _pairs(tree: trie.Trie) -> int:
    """Every token sees itself and its ancestors."""
    return int(tree.depth.sum(dtype=np.int64)) + len(tree)

"""The lm-eval backend `s2`: lm-eval's `hf`, with every token of a call computed once.

Arguments, encoding, truncation, special tokens, stop strings and results are `hf`'s own. What differs:

* all requests of a call form one token trie, and each prefix is computed once, packed without padding, the vocabulary
  head only where something is scored (`trie`, `packs`, `attention`, `engine`, `likelihood`);
* answers are decoded in wide batches that lose their ended rows (`generation`);
* what the trie cannot do exactly goes through hf's path, and a line in the log says why (`support`);
* the first document of every task is compared with hf's path before anything else is computed (`checks`);
* embedded models go by name (`pretrained=smollm2`, the default), and `dtype=auto` means fp32 on a CPU (bf16 is 7–10
  times slower there and not reproducible).
"""

# lm-eval's register_model hides the class that it decorates from type checkers.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm

from s2eval.models import checks, memory, support
from s2eval.models.embedded import resolve
from s2eval.models.engine import Engine
from s2eval.models.likelihood import Request, Scoring
from s2eval.models.work import Work

_log = logging.getLogger(__name__)

Tokenized = tuple[tuple[str, str] | None, list[int], list[int]]
Result = tuple[float, bool]


class S2LM(HFLM):
    """lm-eval's HFLM; takes every argument of it.

    Args:
        pretrained: as for `hf`, or the name of an embedded model.
        trie: False = hf's path for everything.
        token_budget: tokens of a forward pass at most; None = from the free memory.
        arguments: hf's.

    Attributes:
        cut: prompt → whether its answer reached the limit of new tokens without ending by itself; filled by
            `generate_until`.
        work: what was done since the last reset; a caller may replace it by a new one.
    """

    def __init__(
        self, pretrained: Any = "smollm2", *, trie: bool = True, token_budget: int | None = None, **arguments: Any
    ) -> None:
        if isinstance(pretrained, str):
            pretrained = str(resolve(pretrained))
        if arguments.get("device") is None:
            arguments["device"] = best_device()
        if arguments.get("dtype", "auto") == "auto" and str(arguments["device"]).startswith("cpu"):
            arguments["dtype"] = "float32"
        self.cut: dict[str, bool] = {}
        self.work = Work()
        self._trie, self._token_budget = trie, token_budget
        self._doubted: set[tuple[str, str] | None] = set()  # requests to compare with hf's path
        self._told: set[str] = set()
        super().__init__(pretrained=pretrained, **arguments)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Result]:
        """hf's; in half precision, documents too close to call are scored again by hf's path."""
        self._doubted = {requests[number].args for number in checks.first_of_each(requests)}
        self.work.requests += len(requests)
        results = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        margin = checks.MARGIN.get(self._dtype)
        if margin is None or not self._trie:
            return results
        again = checks.undecided(requests, results, margin)
        for number, result in zip(again, self._by_hf([requests[number] for number in again]), strict=True):
            results[number] = result
        self.work.rescored += len(again)
        return results

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """hf's, with all windows in one call."""
        self._doubted = {None}
        self.work.requests += len(requests)
        batch_size = self.batch_size_per_gpu
        try:
            self.batch_size_per_gpu = 1 << 30 if self._trie else batch_size
            return super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)
        finally:
            self.batch_size_per_gpu = batch_size

    def _by_hf(self, requests: list[Any]) -> list[Result]:
        self._trie = False
        try:
            return super().loglikelihood(requests, disable_tqdm=True) if requests else []
        finally:
            self._trie = True

    def _loglikelihood_tokens(
        self, requests: list[Tokenized], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Result]:
        why = "" if self._trie and requests else "trie=False"
        longest = max((len(context) + len(continuation) - 1 for _, context, continuation in requests), default=0)
        self.work.truncated += sum(len(c) + len(k) > self.max_length + 1 for _, c, k in requests)
        why = why or support.refusal(self.model, min(longest, self.max_length))
        if not why:
            return self._by_trie(requests, disable_tqdm)
        self._tell(why, len(requests))
        return super()._loglikelihood_tokens(requests, disable_tqdm, min(override_bs or 64, 64))

    def _by_trie(self, requests: list[Tokenized], disable_tqdm: bool) -> list[Result]:
        expected = self._compare_first(requests)
        scoring = Scoring([self._request(request) for request in requests])
        self.work.naive += scoring.naive
        self.work.unique += len(scoring.trie)
        engine = Engine(self.model, *self._budgets(), autocast=self.mixed_precision_dtype)
        results: list[Result] = [(0.0, False)] * len(requests)
        quiet = disable_tqdm or self.rank != 0
        with tqdm(total=len(scoring.trie), unit="tok", unit_scale=True, desc="Log-likelihoods", disable=quiet) as bar:
            for done in scoring.run(engine, self.softmax_dtype):
                for number, total, greedy in done:
                    strings, result = requests[number][0], (total, greedy)
                    if number in expected:
                        checks.compare(_name(strings), total, expected[number], self._dtype)
                    results[number] = result
                    if strings is not None:  # rolling windows are cached whole by hf
                        self.cache_hook.add_partial("loglikelihood", strings, result)
                bar.update(engine.computed - bar.n)
        self.work.computed += engine.computed
        self.work.forwards += engine.forwards
        return results

    def _compare_first(self, requests: list[Tokenized]) -> dict[int, float]:
        """Compare the doubted requests on both paths, before hours are spent; number → what hf's path gives."""
        numbers = [number for number, request in enumerate(requests) if request[0] in self._doubted]
        if None in self._doubted:
            numbers = numbers[:1]
        self._doubted = set()
        few = [requests[number] for number in numbers]
        hook, self.cache_hook = self.cache_hook, type(self.cache_hook)(None)
        try:
            by_hf = super()._loglikelihood_tokens(few, True, 1) if few else []
        finally:
            self.cache_hook = hook
        engine = Engine(self.model, *self._budgets(), autocast=self.mixed_precision_dtype)
        for done in Scoring([self._request(request) for request in few]).run(engine, self.softmax_dtype):
            for number, total, _ in done:
                difference = checks.compare(_name(few[number][0]), total, by_hf[number][0], self._dtype)
                self.work.difference = max(self.work.difference, difference)
        self.work.checked += len(few)
        return {number: result[0] for number, result in zip(numbers, by_hf, strict=True)}

    def _request(self, request: Tokenized) -> Request:
        """Cut from the left as hf cuts: what the model reads is at most its context long."""
        _, context, continuation = request
        return Request((context + continuation)[-(self.max_length + 1) :][:-1], continuation)

    def _budgets(self) -> tuple[int, int]:
        tokens, rows = memory.budgets(self.model)
        return (self._token_budget, min(rows, self._token_budget)) if self._token_budget else (tokens, rows)

    @property
    def _dtype(self) -> str:
        return str(self.mixed_precision_dtype or self.model.dtype).removeprefix("torch.")

    def _tell(self, why: str, requests: int) -> None:
        """Count what goes through hf's path, and say why, once."""
        if self._trie:
            self.work.by_hf[why] = self.work.by_hf.get(why, 0) + requests
            if why not in self._told:
                _log.warning("hf's path instead of the token trie: %s", why)
            self._told.add(why)

    def tok_batch_encode(self, strings: list[str], *args: Any, **kwargs: Any) -> Any:
        """HFLM's; remembers the prompts of the batch for `_model_generate`."""
        self._prompts = list(strings)
        return super().tok_batch_encode(strings, *args, **kwargs)

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **generation_kwargs: Any) -> Any:
        tokens = super()._model_generate(context, max_length, stop, **generation_kwargs)
        ends = {self.eot_token_id, self.tokenizer.pad_token_id}
        for prompt, row in zip(self._prompts, tokens[:, context.shape[1] :].tolist(), strict=True):
            full = context.shape[1] + len(row) >= max_length and not ends & set(row)
            self.cut[prompt] = full and not any(mark in self.tok_decode(row) for mark in stop)
        return tokens

    def get_model_info(self) -> dict[str, Any]:
        """hf's, and what was done for the answers."""
        return {**super().get_model_info(), "s2_work": self.work.as_dict()}


def _name(strings: tuple[str, str] | None) -> str:
    return "a window of a rolling request" if strings is None else f"choice {strings[1][:60]!r}"


def best_device() -> str:
    """`cuda`, `mps` or `cpu`: the first that there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

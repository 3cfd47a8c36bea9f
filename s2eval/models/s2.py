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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from tqdm import tqdm

from s2eval.errors import UsageError
from s2eval.models import checks, decoding, generation, memory, support
from s2eval.models.embedded import resolve
from s2eval.models.engine import Engine
from s2eval.models.generation import Prompt
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
        self._stops: dict[tuple[str, ...], int] = {}
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
        """By hf's path at batch size 1, where its result depends on the request alone."""
        batch_size, self.batch_size_per_gpu, self._trie = self.batch_size_per_gpu, 1, False
        try:
            return super().loglikelihood(requests, disable_tqdm=True) if requests else []
        finally:
            self.batch_size_per_gpu, self._trie = batch_size, True

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
                        self._compare(_name(strings), total, expected[number])
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
                self._compare(_name(few[number][0]), total, by_hf[number][0])
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

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """hf's, in wide batches; sampled answers depend on the seed and the prompt alone."""
        self.work.requests += len(requests)
        answers: list[str | None] = [None] * len(requests)
        mine: list[tuple[int, Prompt]] = []
        rest: list[int] = []
        repeats: Counter[str] = Counter()
        for number, request in enumerate(requests):
            prompt = self._prompt(*request.args, repeats[request.args[0]])
            repeats[request.args[0]] += 1
            if isinstance(prompt, str):
                self._tell(prompt, 1)
                rest.append(number)
            else:
                mine.append((number, prompt))
        quiet = disable_tqdm or self.rank != 0
        with tqdm(total=len(mine), desc="Answers", unit="answer", disable=quiet) as bar:
            for number, text in self._answer(requests, mine):
                answers[number] = text
                bar.update()
        by_hf = super().generate_until([requests[number] for number in rest], disable_tqdm) if rest else []
        for number, text in zip(rest, by_hf, strict=True):
            answers[number] = text
        return [text for text in answers if text is not None]

    def _prompt(self, text: str, settings: dict[str, Any], repeat: int) -> Prompt | str:
        """What is to be generated for a request, or why only hf's path can do it. Encoded and cut as hf does."""
        if not self._trie:
            return "trie=False"
        kwargs: dict[str, Any] = dict(normalize_gen_kwargs(settings, self.max_gen_toks))
        until = handle_stop_sequences(kwargs.pop("until", None), eos=self._eos)
        limit = kwargs.pop("max_gen_toks")
        read = decoding.read(self.model, kwargs)
        if isinstance(read, str):
            return read
        tokens = self._encode(text)
        self.work.truncated += len(tokens) > self.max_length - limit
        if limit >= self.max_length:
            raise UsageError(f"{limit} new tokens leave no room for a prompt in a context of {self.max_length}")
        tokens = tokens[-(self.max_length - limit) :]
        why = support.refusal(self.model, len(tokens) + limit) if tokens else "an empty prompt"
        return why or Prompt(tokens, limit, *read, self._stopping(until), decoding.generator(text, repeat))

    def _encode(self, text: str) -> list[int]:
        """The tokens of a prompt as hf's `tok_batch_encode` gives them, without padding."""
        special = {} if self.add_bos_token is None else {"add_special_tokens": self.add_bos_token}
        if has_bos_prefix(text, getattr(self.tokenizer, "bos_token", None)):
            special = {"add_special_tokens": False}
        return self.tokenizer(text, truncation=self.truncation, **special)["input_ids"]

    def _stopping(self, until: Sequence[str]) -> Callable[[Sequence[int]], bool]:
        """Whether the last tokens of an answer hold a stop string; two more than it takes to write the longest."""
        marks = tuple(mark for mark in until if mark)
        if marks not in self._stops:
            longest = max((len(self.tokenizer.encode(mark, add_special_tokens=False)) for mark in marks), default=0)
            self._stops[marks] = longest + 2

        def stopped(tokens: Sequence[int]) -> bool:
            text = self.tokenizer.decode(tokens[-self._stops[marks] :])
            return any(mark in text for mark in marks)

        return stopped

    @property
    def _eos(self) -> str:
        return self.tok_decode(self.eot_token_id, skip_special_tokens=False)

    def _answer(self, requests: list[Any], prompts: list[tuple[int, Prompt]]) -> Iterator[tuple[int, str]]:
        """The number and the text of each answer as it ends; the first greedy one of each task is compared."""
        engine = Engine(self.model, *self._budgets(), autocast=self.mixed_precision_dtype)
        width = memory.width(self.model, max((len(p.tokens) + p.limit for _, p in prompts), default=1))
        compared: set[str | None] = set()
        for answer in generation.answer(engine, [prompt for _, prompt in prompts], width):
            number, prompt = prompts[answer.number]
            request = requests[number]
            if prompt.decoding.temperature == 0.0 and request.task_name not in compared:
                compared.add(request.task_name)
                self._compare_answer(prompt, answer.tokens)
            text, settings = request.args
            self.cut[text] = answer.cut
            self.work.generated += len(answer.tokens)
            until = handle_stop_sequences(normalize_gen_kwargs(settings, 1).get("until"), eos=self._eos)
            written = self._text(answer.tokens, until)
            self.cache_hook.add_partial("generate_until", request.args, written)
            yield number, written
        self.work.computed += engine.computed
        self.work.forwards += engine.forwards

    def _text(self, tokens: list[int], until: list[str]) -> str:
        """As hf's `generate_until` makes it."""
        thinking = self.think_end_token
        if isinstance(thinking, int):
            ends = [place for place, token in enumerate(tokens) if token == thinking]
            text = self.tok_decode(tokens[ends[-1] + 1 :] if ends else tokens).lstrip()
        else:
            text = self.tok_decode(tokens)
        return postprocess_generated_text(text, until, thinking if isinstance(thinking, str) else None)

    def _compare_answer(self, prompt: Prompt, new: list[int]) -> None:
        """Each token of a greedy answer must be the best, within rounding, by hf's path over the whole text."""
        tokens = torch.tensor([[*prompt.tokens, *new[:-1]]], device=self.device)
        logits = self._model_call(tokens)[0, len(prompt.tokens) - 1 :].float()
        behind = logits.amax(-1) - logits[torch.arange(len(new)), torch.tensor(new)]
        self._compare("the first answer's worst token, against the best one there", -float(behind.max()), 0.0)
        self.work.checked += 1

    def _compare(self, what: str, ours: float, by_hf: float) -> None:
        self.work.difference = max(self.work.difference, checks.compare(what, ours, by_hf, self._dtype))

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

"""The lm-eval backend `s2`: lm-eval's `hf`, with every token of a call computed once.

Arguments, encoding, truncation, special tokens, stop strings and results are `hf`'s own. What differs:

* all requests of a call form one token trie, each prefix of which is computed once, without padding, the vocabulary
  head only where something is scored (`trie`, `backend.likelihood`);
* answers are decoded in wide batches that lose their ended rows (`backend.generation`);
* what the trie cannot do exactly goes through hf's path, and a line in the log says why (`trie.support`);
* the first document of every task is compared with hf's path before any result is returned (`backend.backend_checks`);
* embedded models go by name (`pretrained=smollm2`, the default), and `dtype=auto` means fp32 on a CPU (bf16 is 7–10
  times slower there and not reproducible).
"""

# lm-eval's register_model hides the class that `Backend` inherits from type checkers.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from lm_eval.api.instance import Instance

from s2eval.models.backend import backend_checks, generation, request_checks
from s2eval.models.backend.answers import Rules
from s2eval.models.backend.generation import Prompt
from s2eval.models.backend.hf import Backend
from s2eval.models.backend.likelihood import Request, Scoring
from s2eval.models.backend.progress import ProgressBar
from s2eval.models.cost import memory
from s2eval.models.trie import sharing, support

Tokenized = tuple[tuple[str, str] | None, list[int], list[int]]
"""As lm-eval encodes a request: (context, continuation), None for a rolling window, and the tokens of both."""
Result = tuple[float, bool]


class S2LM(Backend):
    """lm-eval's HFLM as far as its callers see; see `Backend` for its arguments and attributes."""

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Result]:
        """hf's; in half precision, documents too close to call are scored again by hf's path."""
        self.stats.requests += len(requests)
        # tasks share no prefixes; pooled ranks make one call, since one of them may have no request of some task
        tasks: dict[str | None, list[int]] = {None: []} if self._pooled else {}
        for number, request in enumerate(requests):
            tasks.setdefault(None if self._pooled else request.task_name, []).append(number)
        results: list[Result] = [(0.0, False)] * len(requests)
        for numbers in tasks.values():
            part = [requests[number] for number in numbers]
            for number, result in zip(numbers, self._score_task(part, disable_tqdm), strict=True):
                results[number] = result
        return results

    def _score_task(self, requests: list[Instance], disable_tqdm: bool) -> list[Result]:
        self._instances = requests
        self._doubted = {requests[number].args for number in backend_checks.first_of_each(requests)}
        fallbacks = sum(self.stats.fallbacks.values())
        results = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        margin = backend_checks.MARGIN.get(self._dtype)
        if margin is None or not self._trie or sum(self.stats.fallbacks.values()) > fallbacks:
            return results
        again = backend_checks.near_ties(requests, results, margin)
        if again:  # at batch size 1, where hf's result depends on the request alone
            batch_size, self.batch_size_per_gpu, self._trie = self.batch_size_per_gpu, 1, False
            try:
                by_hf = super().loglikelihood([requests[number] for number in again], disable_tqdm=True)
            finally:
                self.batch_size_per_gpu, self._trie = batch_size, True
            for number, result in zip(again, by_hf, strict=True):
                results[number] = result
        self.stats.rescored += len(again)
        return results

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """hf's, with all windows in one call."""
        self._doubted, self._instances = {None}, []
        self.stats.requests += len(requests)
        batch_size = self.batch_size_per_gpu
        try:
            self.batch_size_per_gpu = 1 << 30 if self._trie else batch_size
            return super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)
        finally:
            self.batch_size_per_gpu = batch_size

    def _loglikelihood_tokens(
        self, requests: list[Tokenized], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Result]:
        request_checks.check_choices(self, requests, self._instances)
        self._instances = []
        if not self._trie:
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        longest = max((len(context) + len(continuation) - 1 for _, context, continuation in requests), default=0)
        if self._pooled:  # all ranks must take the same path
            longest = max(sharing.all_gather(longest))
        self.stats.truncated += sum(len(c) + len(k) > self.max_length + 1 for _, c, k in requests)
        why = support.refusal(self.model, min(longest, self.max_length))
        if not why:
            return self._by_trie(requests, disable_tqdm)
        self._fall_back(why, len(requests))
        return super()._loglikelihood_tokens(requests, disable_tqdm, min(override_bs or 64, 64))

    @property
    def _pooled(self) -> bool:
        """Whether the ranks share one trie. Not with a cache: a rank that finds all its results there makes no call,
        and the others would wait for it; also a rank's results should be in its cache as soon as they are known."""
        return self.world_size > 1 and self.cache_hook.dbdict is None

    def _by_trie(self, requests: list[Tokenized], disable_tqdm: bool) -> list[Result]:
        """What is to be compared comes first; nothing enters the cache before that."""
        expected = self._expected(requests)
        cut = [self._request(request) for request in requests]
        self.stats.naive += sum(len(request.inputs) for request in cut)
        results: list[Result] = [(0.0, False)] * len(requests)
        uncached: list[int] = []
        for number, result in self._score(cut, min(expected, default=0), disable_tqdm):
            results[number] = result
            uncached.append(number)
            if number in expected:
                strings = requests[number][0]
                what = "a window of a rolling request" if strings is None else f"choice {strings[1][:60]!r}"
                self._compare(what, result[0], expected.pop(number))
            if not expected:
                for done in uncached:
                    strings = requests[done][0]
                    if strings is not None:  # rolling requests are cached by hf
                        self.cache_hook.add_partial("loglikelihood", strings, results[done])
                uncached.clear()
        return results

    def _score(self, requests: list[Request], first: int, disable_tqdm: bool) -> Iterator[tuple[int, Result]]:
        """The number and the result of each request; where ranks pool theirs, each computes its shard."""
        if not self._pooled:
            yield from self._run(requests, first, disable_tqdm)
            return
        pool = sharing.all_gather(requests)
        everyone = [request for part in pool for request in part]
        mine = sharing.shard([request.inputs for request in everyone], self.world_size)[self.rank]
        results = [(mine[n], result) for n, result in self._run([everyone[n] for n in mine], 0, disable_tqdm)]
        offset = sum(len(part) for part in pool[: self.rank])
        for part in sharing.all_gather(results):
            for number, result in part:
                if offset <= number < offset + len(requests):
                    yield number - offset, result

    def _run(self, requests: list[Request], first: int, disable_tqdm: bool) -> Iterator[tuple[int, Result]]:
        scoring, engine = Scoring(requests, first), self._engine()
        total, hidden = len(scoring.trie), disable_tqdm or self.rank != 0
        self.stats.unique += total
        with ProgressBar(total=total, unit="tok", unit_scale=True, desc="Log-likelihoods", disable=hidden) as bar:
            for scored in scoring.run(engine, self.softmax_dtype):
                yield from ((number, (total, greedy)) for number, total, greedy in scored)
                bar.update(engine.computed - bar.n)
        self._count(engine)

    def _expected(self, requests: list[Tokenized]) -> dict[int, float]:
        """What hf's path gives to the requests that are compared, by number."""
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
        self.stats.checked += len(few)
        return {number: result[0] for number, result in zip(numbers, by_hf, strict=True)}

    def _request(self, request: Tokenized) -> Request:
        """Cut from the left as hf cuts: what the model reads is at most its context long."""
        _, context, continuation = request
        return Request((context + continuation)[-(self.max_length + 1) :][:-1], continuation)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """hf's, in wide batches; sampled answers depend on the seed and the prompt alone."""
        answers = dict(self.stream(requests, disable_tqdm))
        return [answers[number] for number in range(len(requests))]

    def stream(
        self, requests: list[Instance], disable_tqdm: bool = False, repeats: Sequence[int] | None = None
    ) -> Iterator[tuple[int, str]]:
        """The number and the text of each answer as it ends; see `generate_until`. `repeats` numbers the repeats of
        a prompt, on which random numbers depend; None = counted within this call."""
        self.stats.requests += len(requests)
        mine, rest = self._read(requests, repeats)
        hidden = disable_tqdm or self.rank != 0
        with ProgressBar(total=len(mine), desc="Answers", unit="answer", disable=hidden) as bar:
            for answered in self._answer(requests, mine):
                bar.update()
                yield answered
        by_hf = super().generate_until([requests[number] for number in rest], disable_tqdm) if rest else []
        yield from zip(rest, by_hf, strict=True)

    def _read(
        self, requests: list[Instance], repeats: Sequence[int] | None = None
    ) -> tuple[dict[int, Prompt], list[int]]:
        """Requests by number: what is generated here, and which go through hf's path."""
        rules, seen = Rules(self), Counter[str]()
        mine: dict[int, Prompt] = {}
        rest: list[int] = []
        for number, request in enumerate(requests):
            text, settings = request.arguments
            repeat = seen[text] if repeats is None else repeats[number]
            prompt = rules.read(text, settings, repeat) if self._trie else ""
            seen[text] += 1
            tokens = self.tok_encode(text) if isinstance(prompt, str) else prompt.tokens
            request_checks.check_tokens(self, tokens, request_checks.place(request))
            if isinstance(prompt, str):
                if prompt:
                    self._fall_back(prompt, 1)
                rest.append(number)
            else:
                mine[number] = prompt
        self.stats.truncated += sum(prompt.truncated for prompt in mine.values())
        return mine, rest

    def _answer(self, requests: list[Instance], prompts: dict[int, Prompt]) -> Iterator[tuple[int, str]]:
        """The number and the text of each answer as it ends; the first greedy one of each task is compared."""
        rules, engine, compared = Rules(self), self._engine(), set[str | None]()
        numbers = list(prompts)
        width = memory.width(self.model, max((len(p.tokens) + p.limit for p in prompts.values()), default=1))
        for answer in generation.answer(engine, list(prompts.values()), width):
            number = numbers[answer.number]
            prompt, request = prompts[number], requests[number]
            if prompt.decoding.temperature == 0.0 and request.task_name not in compared:
                compared.add(request.task_name)
                self._compare_answer(prompt, answer.tokens)
            text, settings = request.arguments
            self.cut[text] = answer.cut
            self.stats.generated += len(answer.tokens)
            written = rules.text(answer.tokens, settings)
            if self.think_end_token is not None:
                self.reasoning[text] = rules.reasoning(answer.tokens)
            self.cache_hook.add_partial("generate_until", request.args, written)
            yield number, written
        self._count(engine)

    def _compare_answer(self, prompt: Prompt, new: list[int]) -> None:
        """Each token of a greedy answer must be the best, within rounding, by hf's path over the text so far."""
        tokens = torch.tensor([[*prompt.tokens, *new[:-1]]], device=self.device)
        logits = self._model_call(tokens)[0, len(prompt.tokens) - 1 :].float()
        behind = logits.amax(-1) - logits[torch.arange(len(new)), torch.tensor(new)]
        self._compare("the first answer's worst token, against the best one there", -float(behind.max()), 0.0)
        self.stats.checked += 1

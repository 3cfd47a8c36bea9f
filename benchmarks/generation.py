"""Answers: `s2` against lm-eval's own `hf`, on real questions, greedy, with the weights in fp32.

Both get lm-eval's requests of `s2_eli5`. Time is CPU time of `generate_until` with all that belongs to it. hf's batch
size is the best of four on short answers. hf at batch size 1 answers some of the prompts only: it is slow.

Texts are compared with hf at batch size 1. Greedy decoding is not continuous: where the two best logits are equal but
for rounding, either token is right, and what follows differs. So a text that leaves hf's is right if the first step
at which it does so, or one before, has two best logits within 1e-3 in hf's own forward pass over prompt and answer
(teacher forcing). hf at batch size 8 against hf at batch size 1 is counted likewise, for comparison.

    python -m benchmarks.generation
    python -m benchmarks.generation --prompts 3 --tokens 16 --tune 2 --tune-tokens 4 --alone 2 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import record, requests
from benchmarks.backends import Backend, Measured, set_threads
from benchmarks.record import Row

BATCHES = (8, 16, 32, 64)
CLOSE = 1e-3  # of two logits: either token is right


@dataclass(frozen=True, slots=True)
class Steps:
    """hf's view of a text, step by step: each of its tokens, and what would come after the last.

    Attributes:
        tokens: the text's, as the tokenizer gives them.
        followed: whether each is the token that hf finds best there.
        margins: difference of hf's two best logits at each, and after the last: one more than tokens.
    """

    tokens: list[int]
    followed: list[bool]
    margins: list[float]


@dataclass(frozen=True, slots=True)
class Texts:
    """How many of some texts are identical to hf's, leave it at a step too close to call, or differ."""

    identical: int
    close: int
    differ: int

    def __str__(self) -> str:
        return f"{self.identical} identical, {self.close} to the first step within {CLOSE:g}, {self.differ} differ"


def steps(lm: Any, prompts: Sequence[str], texts: Sequence[str]) -> list[Steps]:
    """Inside hf's process: what it thinks of each text after its prompt."""
    import torch

    found: list[Steps] = []
    for prompt, text in zip(prompts, texts, strict=True):
        context = lm.tok_batch_encode([prompt])[0][0].tolist()
        tokens = lm.tok_encode(text.rstrip("�"), add_special_tokens=False)  # half a character at the limit
        with torch.no_grad():
            logits = lm.model(torch.tensor([context + tokens])).logits[0, len(context) - 1 :].float()
        best = logits.topk(2)
        followed = [found == token for found, token in zip(best.indices[:, 0].tolist(), tokens, strict=False)]
        found.append(Steps(tokens, followed, (best.values[:, 0] - best.values[:, 1]).tolist()))
    return found


def against_texts(texts: Sequence[str], others: Sequence[str], seen: Sequence[Steps], theirs: Sequence[Steps]) -> Texts:
    """Texts compared with hf's at batch size 1.

    Args:
        texts, others: what is compared, and hf's.
        seen, theirs: the `steps` of both.
    """
    identical = close = 0
    for text, other, one, true in zip(texts, others, seen, theirs, strict=True):
        pairs = zip(one.tokens, true.tokens, strict=False)
        shared = next((step for step, (a, b) in enumerate(pairs) if a != b), min(len(one.tokens), len(true.tokens)))
        identical += text == other
        close += text != other and min(true.margins[: shared + 1]) <= CLOSE
    return Texts(identical, close, len(texts) - identical - close)


def against_steps(seen: Sequence[Steps]) -> Texts:
    """Texts compared with what hf finds best at each of their tokens."""
    identical = close = 0
    for one in seen:
        left = next((step for step, followed in enumerate(one.followed) if not followed), None)
        identical += left is None
        close += left is not None and min(one.margins[: left + 1]) <= CLOSE
    return Texts(identical, close, len(seen) - identical - close)


def tune(hf: Backend, few: Sequence[Any], say: Any) -> dict[int, float]:
    """Batch size → CPU seconds of hf on a few prompts with short answers."""
    tuned: dict[int, float] = {}
    for batch in BATCHES:
        tuned[batch] = hf.generate(few, batch).cpu
        say(f"hf, batch {batch}: {tuned[batch]:.1f} CPU s")
    return tuned


@dataclass(frozen=True, slots=True)
class Side:
    """Both backends on some prompts, and hf's view of the answers (ours of all prompts, hf's of some)."""

    ours: Measured
    hf: Measured
    answers: list[Steps]

    @property
    def tokens(self) -> int:
        """Of the answers."""
        return sum(len(answer.tokens) for answer in self.answers)


def measure(options: argparse.Namespace, model: str, asked: Sequence[Any], say: Any) -> list[Row]:
    """All rows of the table."""
    some = asked[: options.alone]
    prompts = [one.args[0] for one in asked]
    with Backend("s2", model, bos=None) as ours, Backend("hf", model, bos=None) as hf:
        for backend in (ours, hf):
            backend.generate(requests.limited(asked[:2], 4))
        at_8 = hf.generate(some, 8)  # before anything larger, for its peak memory
        tuned = tune(hf, requests.limited(asked[: options.tune], options.tune_tokens), say)
        best = min(tuned, key=tuned.__getitem__)
        few = ours.generate(some), hf.generate(some, 1)
        say(f"{len(some)} prompts: s2 {few[0].cpu:.1f}, hf at batch 1 {few[1].cpu:.1f} CPU s")
        every = ours.generate(asked), hf.generate(asked, best)
        say(f"{len(asked)} prompts: s2 {every[0].cpu:.1f}, hf at batch {best} {every[1].cpu:.1f} CPU s")
        whole = Side(*every, hf.call(steps, prompts, every[0].results))
        part = Side(*few, hf.call(steps, prompts[: len(some)], few[1].results))
        batched = hf.call(steps, prompts[: len(some)], at_8.results)
        followed = follow(hf, asked, whole)
    texts = against_texts(whole.ours.results[: len(some)], part.hf.results, whole.answers[: len(some)], part.answers)
    by_hf = against_texts(at_8.results, part.hf.results, batched, part.answers)
    tried = f"hf's batch size chosen on {options.tune} prompts, {options.tune_tokens} tokens each (CPU s by size: "
    tried += ", ".join(f"{batch}: {seconds:.3g}" for batch, seconds in tuned.items()) + ")"
    return [
        *_times(options, whole, part, best, tried),
        *_texts(texts, by_hf, followed, options),
        *_peaks(whole, best, at_8),
    ]


def follow(hf: Backend, asked: Sequence[Any], whole: Side) -> Texts:
    """All our answers against what hf finds best at each of their tokens; where they end is not looked at.

    A text may be made of other tokens than the tokenizer gives for it, so one that seems to differ is compared with
    what hf answers at batch size 1.
    """
    seen = [against_steps([answer]) for answer in whole.answers]
    doubted = [number for number, found in enumerate(seen) if found.differ]
    if doubted:
        again = [asked[number] for number in doubted]
        texts = hf.generate(again, 1).results
        theirs = hf.call(steps, [one.args[0] for one in again], texts)
        for number, text, true in zip(doubted, texts, theirs, strict=True):
            seen[number] = against_texts([whole.ours.results[number]], [text], [whole.answers[number]], [true])
    identical, close, differ = (sum(getattr(one, name) for one in seen) for name in ("identical", "close", "differ"))
    return Texts(identical, close, differ)


def _times(options: argparse.Namespace, whole: Side, part: Side, best: int, tried: str) -> list[Row]:
    """CPU time, against hf's best on all prompts, and for a token against batch size 1 on some."""
    about = f"one pair, {options.prompts} prompts of s2_eli5, up to {options.tokens} tokens, {whole.tokens:,} in all "
    about += (
        f"(s2 counts {whole.ours.work['generated']:,}); wall time {whole.ours.wall:.0f} and {whole.hf.wall:.0f} s. "
    )
    about += tried
    each = 1000 * whole.ours.cpu / whole.tokens, 1000 * part.hf.cpu / part.tokens
    alone = f"hf on the first {options.alone} prompts ({part.tokens:,} tokens), s2 on all {options.prompts}; on the "
    alone += f"same {options.alone} prompts s2 takes {part.ours.cpu:.3g}, hf {part.hf.cpu:.3g} CPU s "
    alone += f"({part.hf.cpu / part.ours.cpu:.2f}×)"
    name = f"CPU time, hf at its best batch size ({best})"
    return [
        Row(name, whole.ours.cpu, whole.hf.cpu, whole.hf.cpu / whole.ours.cpu, "≥ 2", "CPU s", about),
        Row("CPU time of a token, hf at batch size 1", *each, each[1] / each[0], "≥ 3", "CPU ms", alone),
    ]


def _texts(ours: Texts, hf: Texts, followed: Texts, options: argparse.Namespace) -> list[Row]:
    """Whether the answers are hf's."""
    of = f"of the first {options.alone} prompts, against hf at batch size 1; s2: {ours}; peer, hf at batch size 8: {hf}"
    return [
        Row("answers identical to hf's", ours.identical, hf.identical, unit="answers", note=of),
        Row("answers that differ before a step too close to call", ours.differ, hf.differ, None, "≤ 0", "answers"),
        Row(
            "answers that leave hf's best token before such a step",
            followed.differ,
            goal="≤ 0",
            unit="answers",
            note=f"all {options.prompts} answers of s2, through hf's forward pass: {followed}",
        ),
    ]


def _peaks(whole: Side, best: int, at_8: Measured) -> list[Row]:
    """Ours on all prompts; hf's at batch size 8 on some."""
    note = "above imports, weights included; s2 and hf on all prompts"
    sides = (best, whole.hf, "", note), (8, at_8, "≥ 1", f"the same; hf on {len(at_8.results)} prompts")
    return [
        Row(
            f"peak memory, hf at batch size {batch}",
            whole.ours.peak,
            hf.peak,
            hf.peak / whole.ours.peak,
            goal,
            "MiB",
            how,
        )
        for batch, hf, goal, how in sides
    ]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = record.arguments(__doc__)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=256, help="of an answer at most")
    parser.add_argument("--tune", type=int, default=64, help="prompts on which hf's batch size is chosen")
    parser.add_argument("--tune-tokens", type=int, default=40, help="of their answers")
    parser.add_argument("--alone", type=int, default=8, help="prompts that hf answers at batch size 1 too")
    parser.add_argument("--threads", type=int, help="of each backend; default: one a core")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print the table, write it."""
    options = parse()
    threads, model = set_threads(options.threads), requests.embedded_model()
    with requests.eli5(model, options.prompts, options.tokens) as asked:
        rows = measure(options, model, asked, lambda text: sys.stderr.write(f"{text}\n"))
    record.write("Generation", rows, {"threads": threads, "model": "SmolLM2-135M-Instruct, fp32"}, options.out)


if __name__ == "__main__":
    main()

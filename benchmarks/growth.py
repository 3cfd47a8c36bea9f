"""How the time of `s2` and of lm-eval's own `hf` grows: with documents, shots and choices.

Made-up multiple-choice questions of a known number of tokens, one size varied at a time. `s2` is measured three times
(median), `hf` once, at batch size 8; CPU time of `loglikelihood` with all that belongs to it.

    python -m benchmarks.growth
    python -m benchmarks.growth --documents 1 2 --shots 20 --common 20 --choices 2 --repeats 1 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from benchmarks import record, requests, roof
from benchmarks.backends import Backend, set_threads
from benchmarks.record import Row
from benchmarks.requests import Shape

BATCH = 8  # of hf


def series(options: argparse.Namespace) -> dict[str, dict[str, Shape]]:
    """Title of each table → name of each row → what is asked."""
    base = Shape()
    tokens = f"{base.shots} tokens of shots, {base.question} of question, {base.choices} choices of {base.choice}"
    others = f"{base.documents} documents, {base.choices} choices"
    return {
        f"Growth with documents ({tokens})": {
            f"{documents} documents": replace(base, documents=documents) for documents in options.documents
        },
        f"Growth with shots, each document's own ({others})": {
            f"{shots} tokens": replace(base, shots=shots) for shots in options.shots
        },
        f"Growth with shots, the same for all ({others})": {
            f"{shots} tokens": replace(base, shots=shots, common=True) for shots in options.common
        },
        f"Growth with choices ({base.documents} documents, {base.shots} tokens of shots)": {
            f"{choices} choices": replace(base, choices=choices) for choices in options.choices
        },
    }


def measure(ours: Backend, hf: Backend, name: str, instances: Sequence[Any], repeats: int) -> Row:
    """One row."""
    by_ours = [ours.loglikelihood(instances) for _ in range(repeats)]
    by_hf = hf.loglikelihood(instances, BATCH)
    cpu = median(one.cpu for one in by_ours)
    necessary = ours.call(roof.necessary, instances)
    note = (
        f"{necessary.unique:,} unique tokens of {by_ours[0].work['naive']:,}; {1e3 * cpu / necessary.unique:.2f} CPU "
    )
    note += f"ms each; the self-check computes {necessary.checked:,} more"
    return Row(name, cpu, by_hf.cpu, by_hf.cpu / cpu, unit="CPU s", note=note)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = record.arguments(__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--shots", type=int, nargs="+", default=[0, 400, 1600], help="tokens, each document's own")
    parser.add_argument("--common", type=int, nargs="+", default=[400, 1600], help="tokens, the same for all")
    parser.add_argument("--choices", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3, help="calls of s2")
    parser.add_argument("--threads", type=int, help="of each backend; default: one a core")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print the tables, write them."""
    options = parse()
    threads, model = set_threads(options.threads), requests.embedded_model()
    words = requests.single_token_words(model)
    facts = {"threads": threads, "hf_batch_size": BATCH, "model": "SmolLM2-135M-Instruct, fp32"}
    with Backend("s2", model, bos=False) as ours, Backend("hf", model, bos=False) as hf:
        for backend in (ours, hf):
            backend.loglikelihood(requests.made_up(Shape(1), words))
        for title, shapes in series(options).items():
            rows: list[Row] = []
            for name, shape in shapes.items():
                rows.append(measure(ours, hf, name, requests.made_up(shape, words), options.repeats))
                sys.stderr.write(f"{title}, {name}: s2 {rows[-1].ours:.1f}, hf {rows[-1].peer or 0:.1f} CPU s\n")
            record.write(title, rows, facts, options.out)


if __name__ == "__main__":
    main()

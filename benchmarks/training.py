"""How fast `s2train sft` is: packed against TRL's padded default, and 4 bits against plain LoRA.

Each side is the command itself, on ELI5's questions with their best answers (S2_SHARED_DATA), once for a step and once
for more: the difference of both runs' real tokens over the difference of their CPU seconds, so that start, loading and
saving fall out. Embedded model, fp32. TRL's default: rows padded to the longest of a batch of 8, drawn at random.

    OMP_NUM_THREADS=1 python -m benchmarks.training             # about an hour
    OMP_NUM_THREADS=1 python -m benchmarks.training --pairs 1 --tokens 2000 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import record
from benchmarks.record import Row
from s2eval import prompts
from s2eval.files import jsonl
from s2eval.prompts import Turn
from s2train import checkpoint
from s2train.training import models
from s2train.training.rows import Encoder
from s2train.weights import location

RECIPE = record.ROOT / "examples" / "recipes" / "smollm2-sft.yaml"
DATA = Path(os.environ.get("S2_SHARED_DATA", record.ROOT.parent / "shared" / "data"))
ALIKE = ["generations.prompts=0", "model.lora.dropout=0"]
PACKED = ["arguments.per_device_train_batch_size=1", "arguments.gradient_accumulation_steps=4"]
PADDED = [
    "arguments.packing=false", "arguments.per_device_train_batch_size=8", "arguments.gradient_accumulation_steps=1"
]  # fmt: skip
ROW, SEQUENCE = 150, 512  # tokens of a row of ELI5 on average, and of a packed sequence


def write_rows(path: Path, rows: int = 600) -> None:
    """Questions with the answers that most people liked, of up to 300 words."""
    with (DATA / "eli5" / "explainlikeimfive.jsonl").open(encoding="utf-8") as source, path.open("w") as file:
        for line in map(json.loads, source):
            texts = zip(line["answers"]["score"], line["answers"]["text"], strict=True)
            answer = max(texts, default=(0, ""))[1]
            if rows and 5 <= len(answer.split()) <= 300:
                pair = {"id": line["q_id"], "question": line["title"], "answer": answer, "source": line["subreddit"]}
                file.write(json.dumps(pair) + "\n")
                rows -= 1


def run(data: Path, steps: int, changes: list[str]) -> tuple[float, float]:
    """Real tokens and CPU seconds of a training of so many steps, start and end included."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        words = [f"out={out}", "data.dir=null", f"data.train={data}", f"arguments.max_steps={steps}", *ALIKE, *changes]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "s2train", "sft", str(RECIPE), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        made = checkpoint.read(out)
        assert made is not None
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return made.metrics["train_tokens"], seconds


def rate(data: Path, more: int, changes: list[str]) -> float:
    """Real tokens a CPU second, of the steps after the first."""
    few, some = run(data, 1, changes), run(data, 1 + more, changes)
    return (some[0] - few[0]) / (some[1] - few[1])


def padding(data: Path, batch: int = 8, draws: int = 4000) -> float:
    """Tokens with padding for one without, in batches drawn at random: about what packing can save."""
    tokenizer = models.tokenizer(location.of_model("smollm2").folder)
    encoder = Encoder(tokenizer, prompts.get("s2", tokenizer), SEQUENCE)
    rows = [row for _, row in jsonl.records(data)]
    asked = [encoder.prompt([Turn(row["question"])]) for row in rows]
    sizes = [len(one.tokens) for one in encoder.encode(asked, [row["answer"] for row in rows])]
    drawn = [random.Random(seed).sample(sizes, batch) for seed in range(draws)]
    return sum(batch * max(some) for some in drawn) / sum(map(sum, drawn))


Way = tuple[list[str], int]
"""What is changed in the recipe, and the tokens of a step."""


def compare(name: str, mine: Way, other: Way, goal: str, data: Path, asked: argparse.Namespace) -> Row:
    """Two ways in turn."""
    rates: list[tuple[float, float]] = []
    for _ in range(asked.pairs):
        first, second = (rate(data, max(1, asked.tokens // each), how) for how, each in (mine, other))
        rates.append((first, second))
    told = ", ".join(f"{one / two:.2f}" for one, two in rates)
    return Row(
        name,
        median(one for one, _ in rates),
        median(two for _, two in rates),
        median(one / two for one, two in rates),
        goal,
        "tokens/CPU s",
        f"about {asked.tokens:,} tokens a side and pair; the ratio is the first / the second, of each pair: {told}",
    )


def main() -> None:
    parser = record.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=8192)
    asked = parser.parse_args()
    packed, padded = (PACKED, 4 * SEQUENCE), (PADDED, 8 * ROW)
    quantised = ([*PACKED, "model.method=qlora"], 4 * SEQUENCE)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "train.jsonl"
        write_rows(data)
        rows = [
            compare("SFT packed, and padded as TRL does by default", packed, padded, "≥ 2.3", data, asked),
            compare("SFT with QLoRA, and with LoRA", quantised, packed, "≥ 0.9", data, asked),
            Row("tokens with padding for one without, 8 rows at a time", padding(data)),
        ]
    record.write("Training", rows, {"pairs": asked.pairs, "tokens": asked.tokens, "recipe": RECIPE.name}, asked.out)


if __name__ == "__main__":
    main()

"""The report in HTML for 12 models of the leaderboard's 26,073 documents: made, opened, filtered, turned.

    OMP_NUM_THREADS=1 python -m benchmarks.report                    # writes 3.9 GB of samples to a temporary folder
    OMP_NUM_THREADS=1 python -m benchmarks.report --models 2 --share 0.02 --out /tmp/report.json

The report is made by a process of its own; memory is its peak, imports included. Chromium opens it from `file://`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import Row, arguments, write
from s2eval.tasks.leaderboard.rows import SUBJECTS

TASKS = {
    "s2_arc_challenge": (1172, 4, 25, "acc_norm"),
    "s2_hellaswag": (10042, 4, 10, "acc_norm"),
    "s2_mmlu": (14042, 4, 5, "acc"),
    "s2_truthfulqa_mc2": (817, 13, 6, "mc2"),
}
"""Documents, continuations, shots, metric."""
MODELS, DATE = 12, "2026-01-01T00-00-00.000000"
CHROMIUM = "/usr/bin/chromium"
BEGINNINGS, ENDINGS = ("", "re", "un", "in"), ("ay", "ow", "ine", "orth")
WORDS = np.array([f"{a}{b}{c}" for a in BEGINNINGS for b in "bdfglmnprst" for c in ENDINGS])

TIMED = """async (work) => {
    const start = performance.now();
    const told = document.querySelector("#count").textContent + document.querySelector("#page").textContent;
    work === "turn" ? document.querySelector("#after").click() : (() => {
        const one = document.querySelector("#show");
        one.value = work;
        one.dispatchEvent(new Event("change", { bubbles: true }));
    })();
    while (document.querySelector("#count").textContent + document.querySelector("#page").textContent === told)
        await new Promise((done) => setTimeout(done));
    document.body.offsetHeight;
    return performance.now() - start;
}"""


def write_logs(folder: Path, models: int, share: float) -> int:
    """What `lm_eval --log_samples` leaves of each model; gives the bytes of the logs."""
    rng = np.random.default_rng(1)
    written = 0
    for model in range(models):
        own = folder / f"model-{model:02}"
        own.mkdir()
        tasks = {task: {"effective": int(n * share)} for task, (n, *_) in TASKS.items()}
        told = {"n-samples": tasks, "configs": {key: {} for key in tasks}, "versions": dict.fromkeys(tasks, 1.0)}
        told |= {"results": {task: {"alias": task} for task in tasks}, "model_name_sanitized": own.name}
        (own / f"results_{DATE}.json").write_text(json.dumps(told))
    for task, (n, choices, shots, metric) in TASKS.items():
        files = [(folder / f"model-{model:02}" / f"samples_{task}_{DATE}.jsonl").open("w") for model in range(models)]
        shown = [_text(rng, 45) for _ in range(shots * 60)]
        for document in range(int(n * share)):
            part = document % len(SUBJECTS) if task == "s2_mmlu" else 0
            texts = [*shown[part : part + shots], _text(rng, 45)]
            head, tail = _asked(document, part, texts, choices, metric, rng)
            for model, file in enumerate(files):
                value = float(rng.random() < 0.4 + 0.02 * model) if metric != "mc2" else float(rng.random())
                scores = {metric: value, "leaderboard_pct": 100 * value}
                scores = {name: [SUBJECTS[part], x] for name, x in scores.items()} if task == "s2_mmlu" else scores
                pairs = [[f"{-20 * x:.6f}", "False"] for x in rng.random(choices).tolist()]
                given = f'"resps": {json.dumps([[one] for one in pairs])}, "filtered_resps": {json.dumps(pairs)}'
                written += file.write(f"{head}{given}{tail}{json.dumps(scores)[1:]}\n")
        for file in files:
            file.close()
    return written


def _text(rng: np.random.Generator, words: int) -> str:
    return " ".join(WORDS[rng.integers(0, len(WORDS), words)])


def _asked(
    number: int, part: int, texts: list[str], choices: int, metric: str, rng: np.random.Generator
) -> tuple[str, str]:
    """A line before and behind what a model answered."""
    context = "\n\n".join(texts)
    doc = {"id": number, "subject": SUBJECTS[part], "query": texts[-1], "shots": texts[:-1]}
    calls = {f"gen_args_{n}": {"arg_0": context, "arg_1": f" {_text(rng, 8)}"} for n in range(choices)}
    head = json.dumps({"doc_id": number, "doc": doc, "target": "0", "arguments": calls})[:-1] + ", "
    hashes = dict.fromkeys(("doc_hash", "prompt_hash", "target_hash"), f"{number:064x}")
    told = {"filter": "none", "metrics": [metric, "leaderboard_pct"], **hashes}
    return head, f", {json.dumps(told)[1:-1]}, "


def make(folder: str, page: Path) -> tuple[float, float, float]:
    """Seconds by the clock, CPU seconds, peak memory in MiB of `s2eval report`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "s2eval", "report", folder, "--format", "html", "--out", str(page)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, after.ru_maxrss / 1024


def browse(page: Path) -> Iterator[tuple[str, float]]:
    """Seconds until the page shows its samples; milliseconds of the slowest filter, page of the list, and sample."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page()
        start = time.perf_counter()
        view.goto(page.as_uri())
        view.wait_for_function("document.querySelector('#count').textContent.includes('samples')")
        yield "load", time.perf_counter() - start
        task = view.locator("#task option", has_text="s2_mmlu").get_attribute("value")
        view.select_option("#task", task)
        view.wait_for_function("document.querySelectorAll('table.list tbody tr').length")
        view.wait_for_timeout(1000)
        view.select_option("#b", index=2)
        view.wait_for_timeout(300)
        kinds = ("above", "below", "differ", "")
        yield "filter", max(view.evaluate(TIMED, kind) for kind in kinds)
        yield "turn", max(view.evaluate(TIMED, "turn") for _ in range(5))
        yield "sample", max(_open(view, number) for number in range(5))
        browser.close()


def _open(view: Any, number: int) -> float:
    """The sample at that place of the list, from the click to its text."""
    return view.evaluate(
        """async (number) => {
            const article = document.querySelector("#sample"), was = article.firstChild;
            const start = performance.now();
            document.querySelectorAll("table.list tbody button")[number].click();
            while (article.firstChild === was) await new Promise((done) => setTimeout(done));
            article.offsetHeight;
            return performance.now() - start;
        }""",
        number,
    )


def main() -> None:
    """Measure, print the table, write it."""
    parser = arguments(__doc__)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--share", type=float, default=1.0, help="of each task's documents")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "logs"
        folder.mkdir()
        size = write_logs(folder, options.models, options.share)
        page = Path(temporary) / "report.html"
        wall, cpu, memory = make(str(folder), page)
        beside = sum(path.stat().st_size for path in page.with_name("report_files").glob("*"))
        seen = dict(browse(page))
        of_page = page.stat().st_size
    documents = sum(int(n * options.share) for n, *_ in TASKS.values())
    name = f"report in HTML, {options.models} models × {documents:,} documents"
    note = f"from {size / 1e9:.1f} GB of lm-eval's sample logs to {(of_page + beside) / 1e6:.0f} MB; by the clock"
    rows = [
        Row(name, wall, goal="≤ 30", unit="s", note=note),
        Row(f"{name}: CPU time", cpu, unit="CPU s"),
        Row(f"{name}: memory", memory, goal="≤ 1536", unit="MiB", note="peak of the process, imports included"),
        Row("that page in Chromium: open", seen["load"], goal="≤ 2", unit="s", note="from `file://` to its samples"),
        Row("that page: filter", seen["filter"], goal="≤ 100", unit="ms", note="slowest of 4, 14,042 questions"),
        Row("that page: next page of the list", seen["turn"], goal="≤ 100", unit="ms", note="slowest of 5"),
        Row("that page: open a sample", seen["sample"], unit="ms", note="slowest of 5"),
    ]
    write("Report", rows, {"models": options.models}, options.out)


if __name__ == "__main__":
    main()

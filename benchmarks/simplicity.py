"""A reward model of simplicity on the embedded model: 5 folds by title over Simple against regular Wikipedia, both
leads on one line and cut to the same number of sentences; then the same five models on OneStopEnglish's articles.

Set beside what words a sentence and the Flesch-Kincaid grade alone give. Real data from S2_SHARED_DATA. A fold that was
trained before is not trained again; a stopped one goes on. `calibration.svg` in the folder is of all held-out pairs.

    python -m benchmarks.simplicity --work runs/simplicity                # about two and a half hours
    python -m benchmarks.simplicity --work DIR --folds 2 --limit 40 --steps 4 --articles 4 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.record import Row
from s2eval import prompts
from s2eval.files import jsonl
from s2eval.metrics import readability
from s2eval.prompts import Turn
from s2eval.stats import clustered_mean, paired_difference, proportion
from s2train.data.preferences.leads import LeadRecord, leads
from s2train.data.preferences.records import Preference
from s2train.data.preferences.settings import LeadSettings
from s2train.data.rules import sentences
from s2train.stages.reward import CALIBRATION, HELD_OUT
from s2train.training import calibration
from s2train.training.calibration import Judged

RECIPE = record.ROOT / "examples" / "recipes" / "smollm2-reward.yaml"
DATA = Path(os.environ.get("S2_SHARED_DATA", record.ROOT.parent / "shared" / "data"))
EVERY = LeadSettings(min_grades=-1000, min_words=1)  # whatever a formula says of the pair
EDITORS = 0.83  # of pairs have fewer words a sentence on the Simple side, before the cut


@dataclass(frozen=True, slots=True)
class Titled:
    """A pair of leads, with the subject that both are about."""

    title: str
    pair: Preference


def pairs_of_leads(most: int) -> list[Titled]:
    """All pairs, both leads cut to the sentences of the shorter, and to `most`."""
    found: list[Titled] = []
    with (DATA / "simplewiki" / "swipe_pairs.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            for pair in leads(LeadRecord.model_validate(row), EVERY).pairs:
                chosen, rejected = (" ".join(sentences(text)[:most]) for text in (pair.chosen, pair.rejected))
                if chosen != rejected:
                    found.append(Titled(row["title"], replace(pair, chosen=chosen, rejected=rejected, margin=0.0)))
    return found


def fold_of(title: str, folds: int) -> int:
    """Which fold a title is held out in."""
    return int.from_bytes(hashlib.sha256(title.encode()).digest()[:4]) % folds


def words_per_sentence(text: str) -> float:
    """Of a text on one line."""
    return len(text.split()) / len(sentences(text))


def grade(text: str) -> float:
    """Flesch-Kincaid."""
    return readability(text).fkg


def train(work: Path, fold: int, folds: int, pairs: Sequence[Titled], steps: int | None) -> Path:
    """The reward model that did not see the titles of a fold."""
    folder = work / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, held_out in (("train", False), ("validation", True)):
        chosen = [one for one in pairs if (fold_of(one.title, folds) == fold) is held_out]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one.pair.row()) + "\n" for one in chosen))
    changes = [f"out={folder / 'model'}", "data.dir=null", f"data.train={folder / 'train.jsonl'}"]
    changes += [f"data.validation={folder / 'validation.jsonl'}", "arguments.eval_strategy=no"]
    changes += [f"arguments.max_steps={steps}"] if steps else []
    with (folder / "log.txt").open("a") as log:
        command = [sys.executable, "-m", "s2train", "reward", str(RECIPE), *changes]
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return folder / "model"


def held_out(model: Path) -> list[Judged]:
    """The pairs of its fold; the Simple lead is the chosen one."""
    return [Judged(**record) for _, record in jsonl.records(model / HELD_OUT)]


@dataclass(frozen=True, slots=True)
class Levels:
    """Two levels of an article, on one line and of as many sentences.

    Attributes:
        article: its name.
        easier, harder: texts.
        between: the levels.
    """

    article: str
    easier: str
    harder: str
    between: str


def levels(count: int, articles: int | None) -> list[Levels]:
    """OneStopEnglish's pairs of levels, of each text the first sentences."""
    texts: dict[str, list[tuple[str, str]]] = {}
    with (DATA / "readability" / "onestopenglish.jsonl").open(encoding="utf-8") as file:
        for row in sorted(map(json.loads, file), key=lambda row: (row["id"], row["level_num"])):
            texts.setdefault(row["id"], []).append((row["level"], " ".join(sentences(row["text"])[:count])))
    return [
        Levels(article, easier, harder, f"{low} < {high}")
        for article, of in list(texts.items())[:articles]
        for (low, easier), (high, harder) in combinations(of, 2)
        if easier != harder
    ]


def judge(model: Path, found: Sequence[Levels], length: int) -> list[bool]:
    """Whether the easier text of each got the higher reward; texts of more tokens are cut."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    from s2train.training import models
    from s2train.training.rows import Encoder
    from s2train.training.scores import reward_scores
    from s2train.weights import location

    base = location.of_model("smollm2").folder
    tokenizer = models.tokenizer(base)
    classifier: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    classifier.config.pad_token_id = tokenizer.pad_token_id
    adapted = PeftModel.from_pretrained(classifier, str(model))
    encoder = Encoder(tokenizer, prompts.get("s2", tokenizer), length)
    texts = list(dict.fromkeys((one.article, text) for one in found for text in (one.easier, one.harder)))
    asked = [encoder.prompt([Turn(f"What is {article}?")]) for article, _ in texts]
    encoded = [one.tokens[:length] for one in encoder.encode(asked, [text for _, text in texts])]
    rewards = dict(zip(texts, reward_scores(adapted, encoded, tokenizer.pad_token_id, 8), strict=True))
    return [rewards[one.article, one.easier] > rewards[one.article, one.harder] for one in found]


def share(name: str, right: Sequence[bool], of: Sequence[str], goal: str = "", note: str = "") -> Row:
    """A share of pairs with its interval, clustered by `of`."""
    each = len(set(of)) == len(of)
    found = proportion(sum(right), len(right)) if each else clustered_mean([float(one) for one in right], of)
    text = (
        f"{found.ci_low:.3f} to {found.ci_high:.3f}, {len(right)} pairs{'' if each else f' of {len(set(of))} articles'}"
    )
    value = found.ci_low if goal else found.value
    assert value is not None
    return Row(name, value, goal=goal, note=f"{text}{'; ' if note else ''}{note}")


def lower(measure: Callable[[str], float], easier: str, harder: str) -> bool:
    """Whether a formula calls the easier text easier; equal is wrong."""
    return measure(easier) < measure(harder)


def of_leads(asked: argparse.Namespace) -> tuple[list[Row], list[Path]]:
    """The folds' rows, and their models."""
    pairs = pairs_of_leads(asked.sentences)[: asked.limit]
    models = [train(asked.work, fold, asked.folds, pairs, asked.steps) for fold in range(asked.folds)]
    template = prompts.get("s2")
    by_prompt = {template.render([Turn(one.pair.prompt)]): one for one in pairs}
    judged = [pair for model in models for pair in held_out(model)]
    titles = [by_prompt[one.prompt].title for one in judged]
    right = [one.right for one in judged]
    texts = [by_prompt[one.prompt].pair for one in judged]
    sure = calibration.bins(judged)
    calibration.draw(sure, asked.work / f"{CALIBRATION}.svg")
    formulas = {
        name: [lower(measure, pair.chosen, pair.rejected) for pair in texts]
        for name, measure in (("words a sentence", words_per_sentence), ("Flesch-Kincaid grade", grade))
    }
    gain = paired_difference([float(x) for x in formulas["words a sentence"]], [float(x) for x in right])
    about = f"{asked.folds} folds by title, all pairs, at most {asked.sentences} sentences"
    about_gain = f"{gain.estimate.ci_low:.3f} to {gain.estimate.ci_high:.3f}, p = {gain.p:.4f}"
    rows = [
        share("Simple above regular Wikipedia: reward model", right, titles, note=about),
        share("the same: lower end of its interval", right, titles, f"≥ {EDITORS}"),
        *(share(f"Simple above regular Wikipedia: {name}", found, titles) for name, found in formulas.items()),
        Row("reward model less words a sentence", gain.estimate.value or 0.0, note=about_gain),
        Row("expected calibration error", calibration.calibration_error(sure), note=f"{len(sure)} bins of equal n"),
    ]  # fmt: skip
    return rows, models


def of_articles(asked: argparse.Namespace, models: Sequence[Path]) -> list[Row]:
    """What the models, trained on Wikipedia, say of OneStopEnglish: the share of all verdicts that are right."""
    found = levels(asked.sentences, asked.articles)
    verdicts = [judge(model, found, 512) for model in models]
    rows: list[Row] = []
    for between in dict.fromkeys(one.between for one in found):
        some = [number for number, one in enumerate(found) if one.between == between]
        right = [verdict[number] for verdict in verdicts for number in some]
        articles = [found[number].article for _ in verdicts for number in some]
        rows.append(share(f"OneStopEnglish, {between}: reward model", right, articles, note=f"{len(models)} models"))
        for name, measure in (("words a sentence", words_per_sentence), ("Flesch-Kincaid grade", grade)):
            formula = [lower(measure, found[number].easier, found[number].harder) for number in some]
            rows.append(share(f"OneStopEnglish, {between}: {name}", formula, [found[n].article for n in some]))
    return rows


def main() -> None:
    parser = record.arguments(__doc__)
    parser.add_argument("--work", type=Path, default=record.ROOT / "runs" / "simplicity")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=3)
    parser.add_argument("--limit", type=int, help="the first pairs only")
    parser.add_argument("--articles", type=int, help="the first articles only")
    parser.add_argument("--steps", type=int, help="of each training, in place of an epoch")
    asked = parser.parse_args()
    rows, models = of_leads(asked)
    rows += of_articles(asked, models)
    about = {"folds": asked.folds, "sentences": asked.sentences, "recipe": RECIPE.name, "steps": asked.steps}
    record.write("Simplicity, rewarded", rows, about, asked.out)


if __name__ == "__main__":
    main()

"""`DIR/dataset_card.md`: a folder's sets as one reads them on the hub; made of the manifest, without examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from tabulate import tabulate

from s2train.data.layout import PREFERENCES, SIDES

if TYPE_CHECKING:
    from s2train.data.build.manifest import Manifest, SetMade

_TEMPLATES = 20  # of the most frequent

TITLES = {
    "eli5": "questions and best-voted answers of Reddit",
    "wiki": "leads of Simple English Wikipedia with questions",
    "full": "the union of both, mixed",
    "helpfulness": "of two answers the one that readers voted higher",
    "simplicity": "of two texts that say the same the simpler one",
    "harmlessness": "of two answers the one that people found to do less harm",
}


def card(manifest: Manifest) -> str:
    """The card as Markdown, with the front matter of the Hugging Face hub, which leaves out sides without a row."""
    sections = [
        _front_matter(manifest),
        "# Simple and safe answers",
        "Question–answer pairs to fine-tune language models on, and preferences to align them by. Built with "
        f"`s2train data` {manifest.versions['s2train']}; `manifest.json` has every hash, threshold and count, and "
        "examples of what was left out.",
        "## Sets",
        _table(
            ["set", "", "train", "validation"],
            [
                *((one.name, TITLES[one.name], one.train, one.validation) for one in manifest.sets.values()),
                *((one.aspect, TITLES[one.aspect], one.train, one.validation) for one in manifest.preferences.values()),
            ],
        ),
        "Each line of a set has `id, question, answer, source` and what its source adds; each line of a preference "
        "file `prompt, chosen, rejected, aspect, margin, source`.",
        *_funnels(manifest),
        *_preferences(manifest),
        "## Split",
        _split(manifest),
        *_contamination(manifest),
        "## Sources and licences",
        _table(
            ["of", "input", "records", "SHA-256"],
            [
                (name, one["name"], one.get("records", one.get("lines")), f"`{one['sha256'][:16]}…`")
                for name, inputs in _inputs(manifest)
                for one in inputs
            ],
        ),
        "Text on Reddit is its authors' and no licence is stated; Wikipedia is CC BY-SA; hh-rlhf is MIT. What is built "
        "from them stays within their terms. Answers are people's opinions and mistakes; the filters see words and "
        "counts, not truth.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(manifest: Manifest) -> str:
    paths = {name: {side: f"{name}/{side}.parquet" for side in SIDES} for name in manifest.sets}
    paths |= {
        name: {"train": f"{PREFERENCES}/{name}.parquet", "validation": f"{PREFERENCES}/{name}.validation.parquet"}
        for name in manifest.preferences
    }
    made = {**manifest.sets, **manifest.preferences}
    configs = [
        {
            "config_name": name,
            "data_files": [{"split": side, "path": path} for side, path in sides.items() if getattr(made[name], side)],
        }
        for name, sides in paths.items()
    ]
    facts = {"language": ["en"], "license": "other", "task_categories": ["question-answering", "text-generation"]}
    return f"---\n{yaml.safe_dump({**facts, 'configs': configs}, sort_keys=False)}---"


def _funnels(manifest: Manifest) -> Iterable[str]:
    made = [one for one in manifest.sets.values() if one.funnel]
    if not made:
        return
    steps = dict.fromkeys(drop.step for one in made for drop in one.funnel)
    yield "## What was left out"
    rows: list[Sequence[Any]] = [("records read", *(one.read for one in made))]
    for step in steps:
        rows.append((step, *(_dropped(one, step) for one in made)))
    rows.append(("kept", *(one.train + one.validation for one in made)))
    yield _table(["step", *(one.name for one in made)], rows)
    lost = Counter[str]()
    for one in made:
        lost.update(one.lost_templates)
    if lost:
        yield (
            f"In Wikipedia's markup {lost.total():,} sentences held a template whose text is not known and were left "
            "out as well; the most frequent:"
        )
        yield _table(["template", "sentences"], lost.most_common(_TEMPLATES))


def _dropped(one: SetMade, step: str) -> int:
    return sum(drop.dropped for drop in one.funnel if drop.step == step)


def _preferences(manifest: Manifest) -> Iterable[str]:
    if not manifest.preferences:
        return
    yield "## Preferences"
    yield _table(
        ["aspect", "candidates", "refused", "contaminated", "kept", "by source"],
        [
            (
                one.aspect,
                one.reading.candidates,
                sum(one.reading.refused.values()),
                one.contaminated,
                one.train + one.validation,
                ", ".join(f"{source} {count:,}" for source, count in one.reading.pairs.items()),
            )
            for one in manifest.preferences.values()
        ],
    )


def _split(manifest: Manifest) -> str:
    split = manifest.configuration.split
    return (
        f"A question is held out if a hash of it lies below {split.validation_share:g} (seed {split.seed}). What is "
        "hashed is the smallest question of its cluster of near-duplicates over all sets and preferences, so that no "
        "question stands on both sides of anything."
    )


def _contamination(manifest: Manifest) -> Iterable[str]:
    reports = {one.name: one.contamination for one in manifest.sets.values() if one.contamination}
    reports |= {one.aspect: one.contamination for one in manifest.preferences.values()}
    if not reports:
        return
    yield "## Overlap with evaluation sets"
    verb = "were left out" if manifest.configuration.contamination.drop else "were kept"
    yield f"Training rows that share so many words in a row with an item {verb}; how many, by evaluation set."
    sets = next(iter(reports.values()))["sets"]
    hit = [{one["name"]: one["pairs_hit"] for one in report["sets"]} for report in reports.values()]
    yield _table(
        ["evaluation set", "words", "items", *reports],
        [(one["name"], one["words"], one["items"], *(counts[one["name"]] for counts in hit)) for one in sets],
    )
    if manifest.evaluations_missing:
        missing = ", ".join(f"{name} (`{files}`)" for name, files in manifest.evaluations_missing.items())
        yield f"Not looked up, because their files were not there: {missing}."


def _inputs(manifest: Manifest) -> Iterable[tuple[str, Sequence[Mapping[str, Any]]]]:
    for one in manifest.sets.values():
        if one.contamination:
            yield one.name, one.inputs
    for preferences in manifest.preferences.values():
        yield preferences.aspect, preferences.reading.inputs


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    shown = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    align = ["right" if isinstance(cell, int) else "left" for cell in rows[0]] if rows else None
    return tabulate(shown, head, "github", disable_numparse=True, colalign=align)

"""`DIR/dataset_card.md`: a folder's sets as one reads them on the hub; made of the manifest, without examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import yaml
from tabulate import tabulate

from s2train.data.layout import PREFERENCES, SIDES

if TYPE_CHECKING:
    from s2train.data.build.manifest import Manifest

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
    parts = {**manifest.sets, **manifest.preferences}
    split = manifest.configuration.split
    sections = [
        _front_matter(manifest),
        "# Simple and safe answers",
        "Question–answer pairs to fine-tune language models on, and preferences to align them by. Built with "
        f"`s2train data` {manifest.versions['s2train']}; `manifest.json` has every hash, threshold and count, and "
        "examples of what was left out.",
        "## Sets",
        _table(
            ["set", "", "train", "validation"],
            [(name, TITLES[name], part.train, part.validation) for name, part in parts.items()],
        ),
        "Each line of a set has `id, question, answer, source` and what its source adds; each line of a preference "
        "file `prompt, chosen, rejected, aspect, margin, source`.",
        *_funnels(manifest),
        *_preferences(manifest),
        "## Split",
        f"A question is held out if a hash of it lies below {split.validation_share:g} (seed {split.seed}). What is "
        "hashed is the smallest question of its cluster of near-duplicates over all sets and preferences, so that no "
        "question stands on both sides of anything.",
        *_contamination(manifest),
        "## Sources and licences",
        _table(
            ["of", "input", "records", "SHA-256"],
            [
                (name, entry["name"], entry.get("records", entry.get("lines")), f"`{str(entry['sha256'])[:16]}…`")
                for name, inputs in _inputs(manifest)
                for entry in inputs
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
    parts = {**manifest.sets, **manifest.preferences}
    configs = [
        {
            "config_name": name,
            "data_files": [{"split": side, "path": path} for side, path in sides.items() if getattr(parts[name], side)],
        }
        for name, sides in paths.items()
    ]
    facts = {"language": ["en"], "license": "other", "task_categories": ["question-answering", "text-generation"]}
    return f"---\n{yaml.safe_dump({**facts, 'configs': configs}, sort_keys=False)}---"


def _funnels(manifest: Manifest) -> Iterable[str]:
    sets = [part for part in manifest.sets.values() if part.funnel]
    if not sets:
        return
    yield "## What was left out"
    dropped = [Counter({drop.step: drop.dropped for drop in part.funnel}) for part in sets]
    steps = dict.fromkeys(drop.step for part in sets for drop in part.funnel)
    rows: list[Sequence[object]] = [("records read", *(part.read for part in sets))]
    rows += [(step, *(counts[step] for counts in dropped)) for step in steps]
    rows.append(("kept", *(part.train + part.validation for part in sets)))
    yield _table(["step", *(part.name for part in sets)], rows)
    lost = Counter[str]()
    for part in sets:
        lost.update(part.lost_templates)
    if lost:
        yield (
            f"In Wikipedia's markup {lost.total():,} sentences held a template whose text is not known and were left "
            "out as well; the most frequent:"
        )
        yield _table(["template", "sentences"], lost.most_common(_TEMPLATES))


def _preferences(manifest: Manifest) -> Iterable[str]:
    if not manifest.preferences:
        return
    yield "## Preferences"
    yield _table(
        ["aspect", "candidates", "refused", "contaminated", "kept", "by source"],
        [
            (
                part.aspect,
                part.reading.candidates,
                sum(part.reading.refused.values()),
                part.contaminated,
                part.train + part.validation,
                ", ".join(f"{source} {count:,}" for source, count in part.reading.pairs.items()),
            )
            for part in manifest.preferences.values()
        ],
    )


def _contamination(manifest: Manifest) -> Iterable[str]:
    reports = {part.name: part.contamination for part in manifest.sets.values() if part.contamination}
    reports |= {part.aspect: part.contamination for part in manifest.preferences.values()}
    if not reports:
        return
    yield "## Overlap with evaluation sets"
    verb = "were left out" if manifest.configuration.contamination.drop else "were kept"
    yield f"Training rows that share so many words in a row with an item {verb}; how many, by evaluation set."
    sets = next(iter(reports.values()))["sets"]
    hits = [{entry["name"]: entry["pairs_hit"] for entry in report["sets"]} for report in reports.values()]
    yield _table(
        ["evaluation set", "words", "items", *reports],
        [
            (entry["name"], entry["words"], entry["items"], *(counts[entry["name"]] for counts in hits))
            for entry in sets
        ],
    )
    if manifest.evaluations_missing:
        missing = ", ".join(f"{name} (`{files}`)" for name, files in manifest.evaluations_missing.items())
        yield f"Not looked up, because their files were not there: {missing}."


def _inputs(manifest: Manifest) -> Iterable[tuple[str, Sequence[dict[str, object]]]]:
    for part in manifest.sets.values():
        if part.contamination:
            yield part.name, part.inputs
    for preferences in manifest.preferences.values():
        yield preferences.aspect, preferences.reading.inputs


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    shown = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    align = ["right" if isinstance(cell, int) else "left" for cell in rows[0]] if rows else None
    return tabulate(shown, head, "github", disable_numparse=True, colalign=align)

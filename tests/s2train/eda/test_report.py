"""The report of a folder: what is in it, its two formats, and what becomes of a folder that lacks files."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import s2train
from s2eval.errors import DataError
from s2eval.report.document import Charts, Document, Prose, Section, TextTable
from s2eval.report.html.shell import render_page
from s2eval.report.render.markdown import render_markdown
from s2train.data import layout
from s2train.data.build import candidates
from s2train.data.build.manifest import read as read_manifest
from s2train.data.build.sets import build
from s2train.data.config import DataConfig
from s2train.data.dedup.evaluations import Evaluations
from s2train.data.eda import explore
from s2train.data.eda.charts import distribution
from s2train.data.eda.folder import measure_folder
from s2train.data.eda.measures import MARGIN, PAIR, PROMPT_WORDS, VOTES, Measure
from s2train.data.eda.tallies import Histogram
from s2train.data.engine import Local
from s2train.data.preferences import PreferenceSettings, read_preferences
from tests.s2train.eda.made_up import HOSTILE, make_folder, preference, row, svg_of, write, write_candidates

HERE = Local()


# --- folders by hand ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = random.Random(2)
    return make_folder(tmp_path / "sets", [row(number, rng) for number in range(60)], kept=40)


def test_every_candidate_is_in_one_part(folder: Path) -> None:
    eli5 = measure_folder(folder, HERE).sets["eli5"]
    assert eli5.left_out is not None
    assert (eli5.train.pairs, eli5.validation.pairs, eli5.left_out.pairs, eli5.kept.pairs) == (32, 8, 20, 40)


def test_measured_numbers_are_those_of_the_files(folder: Path) -> None:
    train = measure_folder(folder, HERE).sets["eli5"].train
    rows = [json.loads(line) for line in (folder / "eli5" / "train.jsonl").read_text().splitlines()]
    votes = train.numbers.get(VOTES.name)
    assert votes is not None
    assert votes.mean == pytest.approx(sum(one["score"] for one in rows) / len(rows))
    assert train.shares("category") == Counter(one["category"] for one in rows)


def test_written_questions_stand_for_the_candidates_own(tmp_path: Path) -> None:
    titles = ["Cat", "Dog", "Cow"]
    rows = [
        {"id": f"wiki-{title}", "question": f"What is {title}?", "answer": f"A {title} is an animal.", "source": "w"}
        for title in titles
    ]
    write_candidates(tmp_path, "wiki", rows)
    asked = {"wiki-Cat": "Which animal says meow?", "wiki-Dog": "Why do dogs bark at night?"}
    told = {"model": "m", "prompt_hash": "h"}
    write(layout.candidates(tmp_path, "questions"), [{"id": one, "question": q, **told} for one, q in asked.items()])
    write(tmp_path / "wiki" / "train.jsonl", [rows[0] | {"question": asked["wiki-Cat"]} | told])
    write(tmp_path / "wiki" / "validation.jsonl", [])
    wiki = measure_folder(tmp_path, HERE).sets["wiki"]
    assert wiki.left_out is not None
    assert wiki.train.shares("question word") == {"which": 1}
    assert wiki.left_out.pairs == 2
    assert wiki.left_out.shares("question word") == {"why": 1}  # of the cow nobody asks: "What is Cow?" is no question


def test_pairs_of_one_prompt_are_drawn_once(tmp_path: Path) -> None:
    lines = [preference("Why?", f"Chosen {n}.", "Rejected one.") for n in range(3)] + [preference("How?", "A.", "B.")]
    write(tmp_path / "preferences" / "helpfulness.jsonl", lines)
    train = measure_folder(tmp_path, HERE).preferences["helpfulness"].train
    assert (train.pairs, train.drawn) == (4, 2)
    prompts = train.numbers.get(PROMPT_WORDS.name)
    assert prompts is not None
    assert prompts.n == 2


# --- folders that lack something ---


def test_a_folder_without_sets_says_what_builds_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no set to show; build one: s2train data eli5 .*--input FILE --out"):
        explore(tmp_path, HERE)
    assert not list(tmp_path.iterdir())


def test_candidates_alone_are_no_set(folder: Path) -> None:
    shutil.rmtree(folder / "eli5")
    with pytest.raises(DataError, match="no set to show"):
        explore(folder, HERE)


def test_without_candidates_the_rest_is_shown_and_said_so(folder: Path) -> None:
    shutil.rmtree(folder / "candidates")
    explore(folder, HERE)
    text = (folder / "eda.md").read_text()
    assert "The candidates of eli5 are not in the folder" in text
    assert "s2train data eli5 --input FILE" in text
    assert "### All pairs" in text
    assert "Before against after" not in text
    assert "There is no manifest.json in the folder" in text


def test_a_side_that_is_missing_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "candidates")
    (folder / "eli5" / "validation.jsonl").unlink()
    explore(folder, HERE)
    text = (folder / "eda.md").read_text()
    assert "eli5/validation.jsonl is not in the folder." in text
    assert "There is nothing to compare: validation is empty." in text


def test_pairs_that_are_all_alike_are_shown_without_pictures(tmp_path: Path) -> None:
    one = {"question": "Why is it so?", "answer": "It is so by nature.", "source": "reddit/x"}
    write(tmp_path / "eli5" / "train.jsonl", [{"id": "a"} | one, {"id": "b"} | one])
    write(tmp_path / "eli5" / "validation.jsonl", [{"id": "c"} | one])
    explore(tmp_path, HERE)
    assert "There is nothing to compare: all pairs are alike" in (tmp_path / "eda.md").read_text()
    assert not Page((tmp_path / "eda.html").read_text()).tags["svg"]


def test_sets_of_other_candidates_are_refused(folder: Path) -> None:
    rng = random.Random(9)
    write_candidates(folder, "eli5", [row(number, rng) for number in range(5, 60)])
    with pytest.raises(DataError, match=r"train\.jsonl: 'eli5-1' is not among .*s2train data eli5 --out"):
        measure_folder(folder, HERE)


def test_a_broken_line_is_named_and_the_old_report_stays(folder: Path) -> None:
    for name in layout.EDA:
        (folder / name).write_text("old")
    with (folder / "eli5" / "train.jsonl").open("a") as file:
        file.write('{"id": "eli5-99"}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:33: field 'question'"):
        explore(folder, HERE)
    assert [(folder / name).read_text() for name in layout.EDA] == ["old", "old"]
    assert not list(folder.glob(".*"))


# --- the two formats ---


class Page(HTMLParser):
    """The tags of a page, its ids, and the text that is not in a script or a style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.said: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on")]
        if name := values.get("id"):
            self.ids.append(name)
        self.links += [link for name in ("href", "src", "xlink:href") if (link := values.get(name))]
        if tag == "svg":
            self.labels.append(values.get("aria-labelledby") or "")

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of texts that are out to break it."""
    rng = random.Random(4)
    rows = [
        row(number, rng, source=HOSTILE if number % 3 else "reddit/x", created_utc=1.4e9 + number * 5e5)
        for number in range(700)
    ]
    for one in rows[640:]:
        one["answer"] += " Purple elephants dance <img src=x onerror=alert(1)>."
    for one in rows[:100]:
        one["category"] = "| --- | `code` <b>"
    out = make_folder(tmp_path_factory.mktemp("hostile"), rows, kept=500)
    lines = [preference(f"Why {n}?", "One two three four.", "One two.", source=HOSTILE) for n in range(9)]
    write(out / "preferences" / "helpfulness.jsonl", lines)
    write(out / "preferences" / "helpfulness.validation.jsonl", lines[:2])
    explore(out, HERE)
    return out


def test_no_text_becomes_markup(hostile: Path) -> None:
    page = Page((hostile / "eda.html").read_text())
    assert not {"img", "b", "iframe", "object"} & page.tags.keys()
    assert page.tags["script"] == 1  # the shell's own
    assert HOSTILE in page.said
    assert all(link.startswith("#") or link == "data:," for link in page.links)  # nothing is fetched


def test_pictures_are_whole_and_their_ids_their_own(hostile: Path) -> None:
    text = (hostile / "eda.html").read_text()
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) > 15
    for picture in pictures:
        svg_of(picture)
    page = Page(text)
    assert [name for name, times in Counter(page.ids).items() if times > 1] == []
    named = {link[1:] for link in page.links if link != "data:,"} | set(re.findall(r"url\(#([^)]*)\)", text))
    assert named <= set(page.ids)
    assert all(page.labels)
    assert len(page.labels) == page.tags["figcaption"]


def test_names_do_not_break_a_markdown_table(hostile: Path) -> None:
    lines = (hostile / "eda.md").read_text().splitlines()
    assert any(r"\<script\>alert(1)\</script\>" in line for line in lines)
    for _, group in itertools.groupby(lines, key=lambda line: line.startswith("|")):
        table = [re.sub(r"\\.", "", line).count("|") for line in group if line.startswith("|")]
        assert len(set(table)) <= 1


def test_years_stand_in_their_order(hostile: Path) -> None:
    text = (hostile / "eda.md").read_text()
    years = re.search(r"\| year .*?\n\n", text, re.DOTALL)
    assert years
    assert re.findall(r"^\| (\d{4}) ", years[0], re.MULTILINE)[:3] == ["2014", "2015", "2016"]


def test_of_texts_only_single_words_are_shown(hostile: Path) -> None:
    for name in layout.EDA:
        text = (hostile / name).read_text()
        assert "elephants" in text  # in the words that are left
        assert not re.search(r"purple\W+elephants\W+dance", text, re.IGNORECASE)


def test_the_same_folder_gives_the_same_bytes_in_any_process(hostile: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hostile, tmp_path / "copy", ignore=shutil.ignore_patterns("eda.*"))
    command = [sys.executable, "-m", "s2train", "data", "eda", "--out", str(copy), "--processes", "2"]
    root = Path(s2train.__file__).parents[1]
    environment = os.environ | {"PYTHONHASHSEED": "7"}  # another order of sets
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=180)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"written: {copy / 'eda.md'}\nwritten: {copy / 'eda.html'}\n"
    for name in layout.EDA:
        assert (copy / name).read_bytes() == (hostile / name).read_bytes()


def test_a_document_in_both_formats() -> None:
    document = Document(
        "A & B",
        intro=[Prose("1 < 2")],
        sections=[Section("Set one", [TextTable(["word", "n"], [["a|b", "3"]])], [Section("Part", [])])],
    )
    assert render_markdown(document) == (
        "# A \\& B\n\n1 \\< 2\n\n## Set one\n\n| word   |   n |\n|--------|-----|\n| a\\|b   |   3 |\n\n### Part\n"
    )
    page = render_page(document)
    assert '<h2 id="set-one">Set one</h2>' in page
    assert "<p>1 &lt; 2</p>" in page
    assert '<tr><td>a|b</td><td class="n">3</td></tr>' in page


def test_histograms_are_rows_of_blocks_in_markdown() -> None:
    before, after = Histogram(1, Counter({0: 8, 1: 4})), Histogram(1, Counter({0: 1, 9: 11}))
    charts = distribution(Measure("words", "words", 1), [("before", "before", before), ("after", "after", after)])
    lines = render_markdown(Document("T", sections=[Section("S", [Charts(charts)])])).splitlines()
    assert lines[4:] == ["```text", "words, 0 to 10", "  before ▆▃", "  after  ▁        █", "```"]


# --- real data ---


def head(path: Path, number: int, to: Path) -> str:
    with path.open() as file:
        to.write_text("".join(itertools.islice(file, number)))
    return str(to)


@pytest.fixture(scope="module")
def built(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets and preferences of a few hundred real records, and their report."""
    out = tmp_path_factory.mktemp("built")
    posts = head(shared_data / "eli5" / "explainlikeimfive.jsonl", 150, out / "posts.jsonl")
    leads = head(shared_data / "simplewiki" / "swipe_pairs.jsonl", 80, out / "leads.jsonl")
    dialogues = head(shared_data / "preferences" / "hh_harmless_base.jsonl", 40, out / "dialogues.jsonl")
    config = DataConfig()
    candidates.read_eli5([posts], out, config, HERE)
    candidates.read_wiki([leads], out, config, HERE)
    read_preferences([posts, leads, dialogues], out, PreferenceSettings(), HERE)
    build(out, config, HERE, Evaluations((), {}))
    assert explore(out, HERE) == [out / "eda.md", out / "eda.html"]
    return out


def test_parts_add_up_to_the_manifest(built: Path) -> None:
    made = read_manifest(built)
    assert made is not None
    explored = measure_folder(built, HERE)
    assert explored.notes == ()
    for name in ("eli5", "wiki"):
        one, told = explored.sets[name], made.sets[name]
        assert one.left_out is not None
        assert (one.train.pairs, one.validation.pairs) == (told.train, told.validation)
        reading, *steps = told.funnel
        assert one.left_out.pairs == sum(step.dropped for step in steps)
        assert one.left_out.pairs + one.kept.pairs == told.read - reading.dropped
    parts = [explored.sets[name].kept.pairs for name in ("eli5", "wiki")]
    assert explored.sets["full"].kept.pairs == sum(parts)
    for aspect, told in made.preferences.items():
        assert explored.preferences[aspect].kept.pairs == told.train + told.validation


def test_filters_show_in_what_is_kept(built: Path) -> None:
    """Grades above 10 and reading ease below 50 are left out, by default."""
    kept = measure_folder(built, HERE).sets["eli5"].kept
    ease, grade = kept.numbers.get("reading ease"), kept.numbers.get("grade")
    assert ease is not None
    assert grade is not None
    assert ease.percentile(0.0) >= 50
    assert grade.percentile(1.0) <= 10 + 0.005  # a bin stands for its middle


def sections(lines: Iterable[str], level: str) -> Iterator[str]:
    return (line.removeprefix(level) for line in lines if line.startswith(level))


def test_the_report_has_every_set_and_aspect(built: Path) -> None:
    lines = (built / "eda.md").read_text().splitlines()
    assert list(sections(lines, "## ")) == [
        "At a glance",
        "eli5",
        "wiki",
        "full",
        "Preferences: helpfulness",
        "Preferences: simplicity",
        "Preferences: harmlessness",
        "How it was measured",
    ]
    for measure in PAIR:
        assert any(line.startswith(f"| {measure.name} ") for line in lines), measure.name
    assert any("All margins are equal" in line for line in lines)  # hh-rlhf has none
    assert any(line.startswith(f"| {MARGIN.name} ") for line in lines)


def test_examples_are_to_be_opened_and_only_in_the_page(built: Path) -> None:
    made = read_manifest(built)
    assert made is not None
    examples = [one for part in made.sets.values() for drop in part.funnel for one in drop.examples]
    assert examples
    text = (built / "eda.md").read_text()
    page = Page((built / "eda.html").read_text())
    examples_to_open = sum(bool(drop.examples) for part in made.sets.values() for drop in part.funnel)
    assert page.tags["details"] == examples_to_open + page.tags["figure"]
    for one in examples:
        assert one["question"] in page.said
        assert one["id"] not in text


def test_another_file_than_the_manifests_is_told(built: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    shutil.rmtree(copy / "candidates")
    path = copy / "eli5" / "train.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    notes = measure_folder(copy, HERE).notes
    assert "eli5/train.jsonl is not the file that manifest.json describes: its funnel is of another build." in notes

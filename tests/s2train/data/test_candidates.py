"""Records of every kind become candidates: Reddit's dumps, MediaWiki's, files of both; no id comes twice."""

from __future__ import annotations

import bz2
import hashlib
import json
import re
from pathlib import Path

import pytest

from s2eval.errors import DataError
from s2train.data.build import candidates
from s2train.data.build.candidates import DUPLICATE, pairs_of, read_back, read_wiki
from s2train.data.config import DataConfig
from s2train.data.eli5 import reddit
from s2train.data.engine import Local
from s2train.data.wiki import dump as wikidump
from tests.s2train import dumps, wikipages
from tests.s2train.data.folders import article, built, checked, contents, lines, plain, post, refused, rows, told, words
from tests.s2train.dumps import START, comment, submission
from tests.s2train.wikipages import MadeUp


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """A dump of submissions."""
    things = [submission(f"p{n}", title=f"ELI5: why {words(n, 5)}?", created_utc=START + n) for n in range(12)]
    return dumps.write(tmp_path / "RS_2020-09.zst", [*things, submission("x", subreddit="aww")])


@pytest.fixture
def comments(tmp_path: Path) -> Path:
    """Two answers to each, a reply, and what is left out."""
    things = [comment(f"c{n}", f"p{n}", body=f"Because {words(('a', n), 12)}.", score=3) for n in range(12)]
    better = [comment(f"d{n}", f"p{n}", body=f"For {words(('b', n), 12)}.", score=50) for n in range(12)]
    more = [comment("e", "p1", parent_id="t1_c1"), comment("f", "p1", body="[deleted]"), comment("g", "nowhere")]
    return dumps.write(tmp_path / "RC_2020-09.zst", [*more, *things, *better])


# --- Reddit ---


def test_dumps_become_the_set_eli5(tmp_path: Path, posts: Path, comments: Path) -> None:
    out = tmp_path / "out"
    built("eli5", "--input", comments, posts, "--out", out, "--config", plain(tmp_path))
    made = checked(out)["sets"]["eli5"]
    assert made["read"] == 12
    assert [pair.id for pair in pairs_of(out, "eli5")] == [f"eli5-p{n}" for n in range(12)]  # by time
    assert next(pairs_of(out, "eli5")).row() == {
        "id": "eli5-p0",
        "question": f"ELI5: why {words(0, 5)}?",
        "answer": f"For {words(('b', 0), 12)}.",
        "source": "reddit/explainlikeimfive",
        "score": 50,
        "category": "Physics",
        "created_utc": START,
    }
    joined = out / "candidates" / "reddit.jsonl"
    reddit.write([posts, comments], tmp_path / "expected.jsonl")
    assert joined.read_bytes() == (tmp_path / "expected.jsonl").read_bytes()
    assert sorted(path.name for path in (out / "candidates").iterdir()) == ["eli5.json", "eli5.jsonl", "reddit.jsonl"]
    assert not list(out.rglob(".*"))  # of the join nothing stays


def test_what_dumps_held_is_told(tmp_path: Path, posts: Path, comments: Path) -> None:
    out = tmp_path / "out"
    built("eli5", "--input", posts, comments, "--out", out, "--config", plain(tmp_path))
    first, second, joined = told(out)["sets"]["eli5"]["inputs"]
    for source, path in ((first, posts), (second, comments)):
        assert source["name"] == path.name
        assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (first["lines"], first["posts"], first["others"]) == (13, 12, 1)
    assert (second["lines"], second["comments"], second["replies"]) == (27, 27, 1)
    assert (joined["name"], joined["records"], joined["answers"]) == ("reddit.jsonl", 12, 24)
    assert {name: n for name, n in joined["comments_left_out"].items() if n} == {
        "deleted or removed": 1,
        reddit.NO_POST: 1,
    }
    assert joined["sha256"] == hashlib.sha256((out / "candidates" / "reddit.jsonl").read_bytes()).hexdigest()
    card = (out / "dataset_card.md").read_text(encoding="utf-8")
    for name, count in ((posts.name, 13), (comments.name, 27), ("reddit.jsonl", 12)):
        assert [name, str(count)] in [[cell.strip() for cell in row.split("|")[2:4]] for row in card.splitlines()]


def test_records_and_dumps_together(tmp_path: Path, posts: Path, comments: Path) -> None:
    """The dumps' records come last, wherever they are named; a post that a file of records has is not read twice."""
    records = lines(tmp_path / "records.jsonl", [post(1), post(2, q_id="p3")])
    out = tmp_path / "out"
    built("eli5", "--input", posts, records, comments, "--out", out, "--config", plain(tmp_path))
    ids = [pair.id for pair in pairs_of(out, "eli5")]
    assert ids == ["eli5-q1", "eli5-p3", *(f"eli5-p{n}" for n in range(12) if n != 3)]
    reading = read_back(out, "eli5")
    assert (reading.read, reading.dropped[DUPLICATE], reading.rows) == (14, 1, 13)
    assert [one["name"] for one in reading.inputs] == ["records.jsonl", posts.name, comments.name, "reddit.jsonl"]
    assert len(rows(out / "candidates" / "reddit.jsonl")) == 12  # preferences are made of all
    checked(out)


def test_preferences_are_made_of_the_dumps_that_were_read(tmp_path: Path, posts: Path, comments: Path) -> None:
    out = tmp_path / "out"
    easy, hard = "It is so. " * 10, f"Incontrovertibly {'characteristically ' * 19}."
    equal = [comment(f"h{n}", "p0", body=body, score=9) for n, body in enumerate((easy, hard))]
    more = dumps.write(tmp_path / "RC_2020-10.zst", equal)
    built("eli5", "--input", posts, comments, more, "--out", out, "--config", plain(tmp_path))
    built("preferences", "--out", out, "--config", plain(tmp_path))
    made = checked(out)["preferences"]
    assert made["helpfulness"]["reading"]["inputs"][0]["name"] == "reddit.jsonl"
    lines_of = [
        *rows(out / "preferences" / "helpfulness.jsonl"),
        *rows(out / "preferences" / "helpfulness.validation.jsonl"),
    ]
    assert len([row for row in lines_of if row["margin"] == round(2.8134, 4)]) == 12  # ln(50 / 3)
    assert made["simplicity"]["reading"]["pairs"] == {"reddit/explainlikeimfive": 1}


def test_records_of_earlier_dumps_go_when_the_set_is_read_without(tmp_path: Path, posts: Path, comments: Path) -> None:
    out = tmp_path / "out"
    built("eli5", "--input", posts, comments, "--out", out, "--config", plain(tmp_path))
    built("eli5", "--out", out)  # built again, not read again
    assert (out / "candidates" / "reddit.jsonl").is_file()
    built("eli5", "--input", lines(tmp_path / "records", [post(1)]), "--out", out)
    assert not (out / "candidates" / "reddit.jsonl").exists()
    assert "no input" in refused("preferences", "--out", out)


def test_a_dump_that_is_cut_off_is_told_and_what_was_read_is_not_read_again(
    tmp_path: Path, posts: Path, comments: Path
) -> None:
    out, whole = tmp_path / "out", comments.read_bytes() * 2  # two frames
    comments.write_bytes(whole)
    built("eli5", "--input", posts, comments, "--out", tmp_path / "expected", "--config", plain(tmp_path))
    comments.write_bytes(whole[:-20])
    arguments = ("eli5", "--input", posts, comments, "--out", out, "--config", plain(tmp_path))
    assert f"{comments}: cut off: the zstd data end within a frame" in refused(*arguments)
    assert [path.name for path in out.iterdir()] == ["candidates"]
    (census,) = out.glob("candidates/.reddit/reddit-*/census.json")
    assert json.loads(census.read_bytes())["file"] == posts.name
    comments.write_bytes(whole)
    built(*arguments)
    assert contents(out) == contents(tmp_path / "expected")


def test_the_subreddits_are_those_of_the_configuration(tmp_path: Path, posts: Path, comments: Path) -> None:
    config = plain(tmp_path, "reddit: {subreddits: [aww]}")
    arguments = ("eli5", "--out", tmp_path / "out", "--config", config, "--input", posts, comments)
    assert "no eli5 pair in 1 records (dropped: 1 no answer)" in refused(*arguments)
    more = dumps.write(tmp_path / "RC.zst", [comment("y", "x", subreddit="aww")])
    built(*arguments, more)
    assert [pair.id for pair in pairs_of(tmp_path / "out", "eli5")] == ["eli5-x"]


# --- Wikipedia ---

LEAD = "'''{0}''' is a [[town]] in Norway. " + "It has a river and a road{1}. " * 4
OSLO, BERGEN, MOSS = (MadeUp(name, LEAD.format(name, name[:2])) for name in ("Oslo", "Bergen", "Moss"))
TALK, MOVED = MadeUp("Talk:Oslo", "Text.", namespace=1), MadeUp("Christiania", "#REDIRECT [[Oslo]]", redirect="Oslo")


@pytest.mark.parametrize("form", ["xml", "bz2", "multistream"])
def test_a_dump_of_mediawiki_becomes_the_set_wiki(tmp_path: Path, form: str) -> None:
    path = tmp_path / "pages-articles"
    pages = [OSLO, TALK, MOVED, BERGEN, MadeUp("Stubby", "Short.")]
    if form == "multistream":
        wikipages.write(path, pages, per_stream=2)
    else:
        path.write_bytes(bz2.compress(wikipages.dump(pages)) if form == "bz2" else wikipages.dump(pages))
    out = tmp_path / "out"
    printed = built("wiki", "--input", path, "--out", out, "--config", plain(tmp_path))
    made = checked(out)["sets"]["wiki"]
    assert made["read"] == 5
    assert sorted(made["funnel"][0]["reasons"].values()) == [1, 1, 1]
    assert made["funnel"][0]["reasons"][wikidump.NAMESPACE] == 1
    assert f"{wikidump.NAMESPACE}" in printed
    (source,) = made["inputs"]
    assert source == {
        "name": "pages-articles",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": 5,
    }
    first, second = pairs_of(out, "wiki")
    assert (first.question, second.question) == ("What is Oslo?", "What is Bergen?")
    assert first.answer.startswith("Oslo is a town in Norway. It has a river and a roadOs.")


def test_sentences_lost_to_templates_are_told_by_name(tmp_path: Path) -> None:
    text = LEAD.format("Ski", "") + "It is {{foo|5}} old. It is {{foo|6}} big and {{bar}} wide."
    dump = wikipages.write(tmp_path / "pages.xml.bz2", [OSLO, MadeUp("Ski", text)])
    out = tmp_path / "out"
    printed = built("wiki", "--input", dump, "--out", out, "--config", plain(tmp_path))
    made = checked(out)["sets"]["wiki"]
    assert made["inputs"][0]["lost_templates"] == {"foo": 2, "bar": 1}
    assert re.search(r"sentences left out for a template +3\n +foo +2\n +bar +1\n", printed)
    assert re.search(r"\| foo +\| +2 \|", (out / "dataset_card.md").read_text())


def test_dumps_and_records_of_articles_together(tmp_path: Path) -> None:
    """An article is known by its title, whatever it came in."""
    dump = wikipages.write(tmp_path / "pages.xml.bz2", [OSLO, TALK, BERGEN])
    records = lines(
        tmp_path / "leads.jsonl", [article(1), article(2, title="Oslo"), {"title": "Moss", "simple_text": "A town."}]
    )
    other = tmp_path / "other.xml"
    other.write_bytes(wikipages.dump([MOSS, BERGEN]))
    out = tmp_path / "out"
    built("wiki", "--input", dump, records, other, "--out", out, "--config", plain(tmp_path))
    assert [pair.extra["title"] for pair in pairs_of(out, "wiki")] == ["Oslo", "Bergen", article(1)["title"], "Moss"]
    reading = read_back(out, "wiki")
    assert (reading.read, reading.dropped[DUPLICATE], reading.dropped[wikidump.NAMESPACE]) == (3 + 3 + 2, 3, 1)
    assert [one["records"] for one in reading.inputs] == [3, 3, 2]
    checked(out)


def test_the_limits_of_articles_are_those_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "pages.xml"
    path.write_bytes(wikipages.dump([OSLO, MadeUp("Stubby", "'''Stubby''' is short but a [[town]].")]))
    read_wiki([str(path)], tmp_path / "few", DataConfig(), Local())
    config = DataConfig.model_validate({"wiki": {"min_words": 3}})
    read_wiki([str(path)], tmp_path / "more", config, Local())
    assert [len(list(pairs_of(tmp_path / name, "wiki"))) for name in ("few", "more")] == [1, 2]


def test_generated_dumps_are_the_same_on_two_processes(tmp_path: Path) -> None:
    """The reader of a dump and what makes pairs of it share the engine."""
    path = wikipages.write(tmp_path / "pages.xml.bz2", wikipages.generated(700))
    one, two = (read_wiki([str(path)], tmp_path / str(n), DataConfig(), Local(n)) for n in (1, 2))
    assert one == two
    assert one.rows > 100
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


# --- what is told, what is refused ---


def test_what_a_reading_tells_adds_up(tmp_path: Path) -> None:
    unanswered = post(1, answers={"text": [], "score": []})
    marked = post(2, title="Why &amp; how does [this](https://a.org/b) work?")
    given = [post(0), unanswered, marked, post(0), post(3, title="[deleted]")]
    built("eli5", "--input", lines(tmp_path / "in", given), "--out", tmp_path / "out", "--config", plain(tmp_path))
    reading = read_back(tmp_path / "out", "eli5")
    assert (reading.read, reading.rows) == (5, 2)
    assert {reason: n for reason, n in reading.dropped.items() if n} == {
        "no answer": 1,
        "question empty after cleaning": 1,
        DUPLICATE: 1,
    }
    assert reading.changed["entities"] == reading.changed["links"] == (1, 0)  # the dropped title does not count


def test_no_pair_at_all_is_an_error_that_tells_why(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = lines(tmp_path / "in.jsonl", [post(1, answers={"text": [], "score": []}), post(2, title="[removed]")])
    message = refused("eli5", "--input", source, "--out", out)
    assert f"{source}: no eli5 pair in 2 records (dropped: 1 no answer, 1 question empty after cleaning)" in message
    talk = tmp_path / "talk.xml"
    talk.write_bytes(wikipages.dump([TALK]))
    message = refused("wiki", "--input", talk, "--out", out)
    assert f"{talk}: no wiki pair in 1 records (dropped: 1 {wikidump.NAMESPACE})" in message
    assert not out.exists()


def test_candidates_that_lost_their_other_half(tmp_path: Path) -> None:
    """A run may be killed while it puts the two files in place."""
    out = tmp_path / "out"
    source = lines(tmp_path / "in", map(post, range(5)))
    built("eli5", "--input", source, "--out", out, "--config", plain(tmp_path))
    file, facts = (out / "candidates" / name for name in ("eli5.jsonl", "eli5.json"))
    before, complete = file.read_bytes(), contents(out)
    file.write_bytes(b"".join(before.splitlines(keepends=True)[:4]))
    for command in (["eli5"], ["wiki", "--input", lines(tmp_path / "w", [article(1)])]):
        message = refused(*command, "--out", out)
        assert f"{file}: not the file that eli5.json describes; read it again, with --input" in message
    assert contents(out)["manifest.json"] == complete["manifest.json"]
    (out / "candidates" / "wiki.jsonl").unlink()
    facts.unlink()
    assert f"cannot read {facts}: " in refused("eli5", "--out", out)
    built("eli5", "--input", source, "--out", out)
    (out / "candidates" / "wiki.json").unlink()
    assert contents(out) == complete


def test_a_reading_that_fails_leaves_the_candidates_of_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    built("eli5", "--input", lines(tmp_path / "in", [post(1)]), "--out", out, "--config", plain(tmp_path))
    before = contents(out)
    engine, config = Local(), DataConfig()
    broken = tmp_path / "broken"
    broken.write_bytes(json.dumps(post(2)).encode() + b'\n{"q_id": "a"}\n')
    with pytest.raises(DataError, match=r"broken:2: field 'title'"):
        candidates.read_eli5([str(broken)], out, config, engine)
    assert contents(out) == before

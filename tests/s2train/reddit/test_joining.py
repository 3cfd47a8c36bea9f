"""A post and its top-level comments become a record, in the order of time, whatever the files and their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from s2train.data.eli5 import pairs as eli5
from s2train.data.eli5 import reddit
from s2train.data.eli5.reddit import joining
from s2train.data.records import Kept
from tests.s2train import dumps
from tests.s2train.dumps import START, comment, line, submission
from tests.s2train.reddit.things import balanced, made_up, read, records


def test_a_post_and_its_top_level_comments_become_a_record(tmp_path: Path) -> None:
    found, summary = read(
        tmp_path,
        comment("c2", "p1", body="Second.", created_utc=START + 9, score=5),
        submission("p1", title="Why?", selftext="Because?", created_utc=START, score=12),
        comment("c1", "p1", body="First.", created_utc=START + 5, score=-2),
        comment("c3", "p1", parent_id="t1_c1", body="A reply."),
        comment("c4", "p1", subreddit="aww"),
    )
    assert found == [
        {
            "q_id": "p1",
            "title": "Why?",
            "selftext": "Because?",
            "subreddit": "explainlikeimfive",
            "category": "Physics",
            "score": 12,
            "created_utc": START,
            "answers": {
                "a_id": ["c1", "c2"],
                "text": ["First.", "Second."],
                "score": [-2, 5],
                "created_utc": [START + 5, START + 9],
            },
        }
    ]
    assert balanced(summary)
    census = summary.files[0]
    assert (census.lines, census.posts, census.comments, census.replies, census.others) == (5, 1, 3, 1, 1)
    pair = eli5.pair(eli5.Eli5Record.model_validate(found[0]))
    assert isinstance(pair, Kept)
    assert (pair.pair.question, pair.pair.answer) == ("Why?\n\nBecause?", "Second.")


def test_records_come_by_time_then_by_id_as_a_number(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        submission("10", created_utc=START),  # 36
        submission("z", created_utc=START),  # 35
        submission("a", created_utc=START + 1),
        submission("zz", created_utc=START - 1),
        comment("10", "a"),
        comment("z", "a"),
    )
    assert [one["q_id"] for one in found] == ["zz", "z", "10", "a"]
    assert found[3]["answers"]["a_id"] == ["z", "10"]


def plain_join(things: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Post → its answers, the obvious way."""
    things = list(things)
    posts = [one for one in things if "title" in one and not any(rule.leaves_out(one) for rule in reddit.POST_RULES)]
    found: dict[str, list[str]] = {one["id"]: [] for one in sorted(posts, key=lambda one: one["created_utc"])}
    comments = [one for one in things if "body" in one and one["parent_id"] == one["link_id"]]
    for one in sorted(comments, key=lambda one: one["created_utc"]):
        if one["link_id"][3:] in found and not any(rule.leaves_out(one) for rule in reddit.COMMENT_RULES):
            found[one["link_id"][3:]].append(one["id"])
    return found


def test_like_the_obvious_join_whatever_the_files_and_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "PART", 2000)  # so that parts are spread again, and many sorted files merged
    monkeypatch.setattr(joining, "FAN_IN", 3)
    things = made_up(1)
    ours = [one for one in things if one["subreddit"] != "aww"]
    assert 30 < len(ours) < len(things)
    files = [
        dumps.write(tmp_path / "a.zst", things[::3]),
        dumps.write(tmp_path / "b.jsonl", things[1::3]),
        dumps.write(tmp_path / "c.zst", (line(one, ascii_only=True) for one in things[2::3]), window_log=31),
    ]
    summary = reddit.write(files, tmp_path / "one.jsonl")
    reddit.write(files[::-1], tmp_path / "two.jsonl")
    found = {one["q_id"]: one["answers"]["a_id"] for one in records(tmp_path / "one.jsonl")}
    assert list(found.items()) == list(plain_join(ours).items())
    assert sum(map(len, found.values())) == summary.answers > 20
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert balanced(summary)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zst", "b.jsonl", "c.zst", "one.jsonl", "two.jsonl"]


def test_what_is_joined_at_a_time_is_small_or_one_post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "PART", 2000)
    pieces: list[list[bytes]] = []
    join = reddit.join

    def seen(rows: Iterable[bytes], *counts: Any) -> list[bytes]:
        pieces.append(list(rows))
        return join(pieces[-1], *counts)

    monkeypatch.setattr(joining, "join", seen)
    read(tmp_path, *made_up(1, posts=400))
    links = [{row.partition(b"\t")[0] for row in rows} for rows in pieces]
    assert all(sum(map(len, rows)) <= 2000 or len(of) == 1 for rows, of in zip(pieces, links, strict=True))
    assert sum(map(len, links)) == len(set().union(*links)) > 200  # no post is in two pieces


def test_the_copy_retrieved_last_counts_and_the_order_of_copies_does_not(tmp_path: Path) -> None:
    early = {"retrieved_on": START + 10, "score": 1}
    late = {"retrieved_on": START + 20, "score": 8}
    updated = {"retrieved_on": START + 5, "_meta": {"retrieved_2nd_on": START + 30}, "score": 11}
    things = [
        submission("p", **early),
        submission("p", **late),
        comment("a", "p", **late),
        comment("a", "p", **early),
        comment("a", "p", **updated),
        comment("b", "p", **early),
        comment("b", "p", body="[deleted]", **late),  # so it stays out
        comment("c", "p", body="x", **late),
        comment("c", "p", body="y", **late),  # equally late: the greater bytes
    ]
    found, summary = read(tmp_path, *things)
    other, _ = read(tmp_path, *things[::-1])
    assert found == other
    assert found[0]["score"] == 8
    assert found[0]["answers"]["score"] == [11, 8]
    assert found[0]["answers"]["text"][1] == "y"
    assert (summary.duplicate_posts, summary.duplicate_comments) == (1, 4)
    assert summary.comments_left_out["deleted or removed"] == 1
    assert balanced(summary)


def test_real_records_come_back(tmp_path: Path, shared_data: Path) -> None:
    """Taken apart into a dump and joined again; scores make the times, as the schema has none."""
    real = records(shared_data / "eli5" / "explainlikeimfive.jsonl")[:300]
    things: list[dict[str, Any]] = []
    for number, one in enumerate(real):
        things.append(
            submission(
                one["q_id"], title=one["title"], selftext=one["selftext"], created_utc=START + number, author="someone"
            )
        )
        answers = one["answers"]
        for place, (identity, text, score) in enumerate(
            zip(answers["a_id"], answers["text"], answers["score"], strict=True)
        ):
            made = comment(identity, one["q_id"], body=text, score=score, created_utc=START + place, author="someone")
            things.append(made)
    found, summary = read(tmp_path, *things[::-1])
    kept = {name: count for name, count in summary.comments_left_out.items() if count}
    assert set(kept) <= {"deleted or removed", "bot's words", reddit.POST_LEFT_OUT}
    assert sum(kept.values()) <= 0.02 * summary.answers, kept
    given = {one["q_id"]: one for one in real}
    assert len(found) >= 295
    for one in found:
        before = given[one["q_id"]]
        assert (one["title"], one["selftext"]) == (before["title"], before["selftext"])
        texts = dict(zip(before["answers"]["a_id"], before["answers"]["text"], strict=True))
        assert all(texts[a] == text for a, text in zip(one["answers"]["a_id"], one["answers"]["text"], strict=True))

"""Dumps of Reddit become records of the ELI5 schema: every line is accounted for, and a damaged file is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2train.data import eli5, reddit
from s2train.data.lines import Lines
from s2train.data.records import Kept
from s2train.data.reddit import joining
from tests.s2train import dumps
from tests.s2train.dumps import START, MadeUp, comment, line, submission


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def read(
    folder: Path, *things: bytes | Mapping[str, Any], name: str = "dump.zst", **options: Any
) -> tuple[list[dict[str, Any]], reddit.Summary]:
    """The records of one file with these lines."""
    summary = reddit.write([dumps.write(folder / name, things)], folder / "out.jsonl", **options)
    return records(folder / "out.jsonl"), summary


def balanced(summary: reddit.Summary) -> bool:
    """Whether every line, every post and every comment is counted once."""
    files = summary.files
    posts, comments = sum(file.posts for file in files), sum(file.comments for file in files)
    return (
        all(file.lines == file.others + file.broken + file.posts + file.comments for file in files)
        and posts == summary.duplicate_posts + sum(summary.posts_left_out.values()) + summary.records
        and comments
        == sum(file.replies for file in files)
        + summary.duplicate_comments
        + sum(summary.comments_left_out.values())
        + summary.answers
    )


# --- the join ---


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


def made_up(seed: int, posts: int = 120, share: float = 0.7) -> list[dict[str, Any]]:
    """Things with creation times of their own, so that the order is the times'."""
    things = [one for post, comments in MadeUp(seed, share=share).posts(posts) for one in (post, *comments)]
    for number, thing in enumerate(things):
        thing["created_utc"] = START + number * 7919 % 100_003
    return things


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


# --- which lines ---


def spelled(text: str, choices: list[int]) -> str:
    """A JSON string in which each character stands in one of the spellings that JSON has for it."""
    spellings = [
        (char, f"\\u{ord(char):04x}", f"\\u{ord(char):04X}", char.swapcase())[choice]
        for char, choice in zip(text, choices, strict=True)
    ]
    return f'"{"".join(spellings)}"'


@given(st.sampled_from(reddit.SUBREDDITS), st.data(), st.text(), st.booleans())
def test_no_spelling_of_a_name_is_missed(name: str, data: st.DataObject, noise: str, before: bool) -> None:
    value = spelled(name, data.draw(st.lists(st.integers(0, 3), min_size=len(name), max_size=len(name))))
    other = f'"title": {json.dumps(noise)}'
    text = f'{{{other}, "subreddit": {value}}}' if before else f'{{"subreddit": {value}, {other}}}'
    assert json.loads(text)["subreddit"].lower() == name.lower()
    block = b'{"subreddit":"aww"}\n' + text.encode() + b'\n{"subreddit":"pics"}\n'
    found = [block[start:end] for start, end in reddit.candidates(block, [name.lower().encode() for name in (name,)])]
    assert found == [text.encode() + b"\n"]


def test_lines_without_a_name_are_not_looked_at() -> None:
    block = b'{"subreddit":"aww","body":"caf\\u00e9 \\u0026amp; \\u2019"}\n\n{"subreddit":"explainlikeimfiv"}\n'
    assert list(reddit.candidates(block, [b"explainlikeimfive"])) == []
    assert list(reddit.candidates(b"", [b"askscience"])) == []
    both = b'{"a":"askscience AskHistorians askscience"}\n'
    assert list(reddit.candidates(both * 2, [b"askscience", b"askhistorians"])) == [(0, 44), (44, 88)]


@given(
    st.sampled_from(["t1_a", "t3_p"]),
    st.text(alphabet='"\\:_,{}parent_id t1', max_size=30) | st.just('"parent_id":"t1_x"'),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_what_bytes_call_a_reply_is_one(parent: str, body: str, first: bool, separators: tuple[str, str]) -> None:
    fields = {"body": body, "flair": "parent_id", "parent_id": parent, "more": {"parent_id": "t1_b"} if first else {}}
    text = json.dumps(fields, separators=separators).encode()
    if reddit.is_reply(text):
        assert parent == "t1_a"


def test_a_plain_reply_is_seen_by_its_bytes_and_an_answer_is_not() -> None:
    assert reddit.is_reply(line(comment("c", "p", parent_id="t1_b")))
    assert not reddit.is_reply(line(comment("c", "p")))
    assert not reddit.is_reply(line(submission("p")))


def test_other_subreddits_that_name_ours(tmp_path: Path) -> None:
    crosspost = {"crosspost_parent_list": [submission("p0")], "subreddit": "bestof"}
    found, summary = read(
        tmp_path,
        submission("p1"),
        comment("c1", "p1"),
        submission("p2", **crosspost),
        submission("p3", subreddit="explainlikeimfiveyearsold"),
        submission("p4", subreddit="EXPLAINLIKEIMFIVE"),
    )
    assert [one["q_id"] for one in found] == ["p1", "p4"]
    assert summary.files[0].others == 2


def test_sparse_and_dense_files_give_the_same(tmp_path: Path) -> None:
    ours = [submission("p1"), comment("c1", "p1"), comment("c2", "p1", parent_id="t1_c1")]
    others = [comment(f"o{number}", "x", subreddit="aww") for number in range(500)]
    dense, summary = read(tmp_path, *ours * 60)
    sparse, wide = read(tmp_path, *(one for thing in ours for one in (*others, thing)), *ours * 59)
    assert dense == sparse
    assert summary.duplicate_comments == wide.duplicate_comments == 59
    assert wide.files[0].others == 1500
    assert balanced(summary)
    assert balanced(wide)


# --- what is left out ---

REMOVED = "deleted or removed"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"selftext": "[removed]"}, REMOVED),
        ({"selftext": " [deleted]\n"}, REMOVED),
        ({"title": "[deleted by user]"}, REMOVED),
        ({"selftext": "[ Removed by Reddit ]"}, REMOVED),
        ({"removed_by_category": "moderator"}, REMOVED),
        ({"_meta": {"was_deleted_later": True, "removal_type": "deleted"}}, REMOVED),
        ({"_meta": {"was_initially_deleted": True, "removal_type": "moderator"}}, None),  # and is there again
        ({"selftext": "I read [removed] here. [deleted]"}, None),
        ({"author": "[deleted]"}, "author deleted"),
        ({"author": None}, "author deleted"),
        ({"author": "AutoModerator"}, "bot"),
        ({"stickied": True}, "stickied"),
        ({"distinguished": "moderator"}, "by a moderator"),
        ({"selftext": None}, None),
        ({"score": None}, None),
    ],
)
def test_posts_left_out(tmp_path: Path, more: dict[str, Any], reason: str | None) -> None:
    found, summary = read(tmp_path, submission("p1", **more), submission("p2"), comment("c1", "p1"))
    assert [one["q_id"] for one in found] == (["p2"] if reason else ["p1", "p2"])
    assert {name: count for name, count in summary.posts_left_out.items() if count} == ({reason: 1} if reason else {})
    assert summary.comments_left_out[reddit.POST_LEFT_OUT] == (1 if reason else 0)
    assert balanced(summary)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"body": "[removed]"}, REMOVED),
        ({"author": "[deleted]"}, "author deleted"),
        ({"author": "RemindMeBot"}, "bot"),
        ({"author": "explainlikeimfive-ModTeam"}, "bot"),
        ({"body": "^(*I* ^am a **bot**, beep)"}, "bot's words"),
        ({"body": "Your submission has been removed for the following reason(s): rule 2."}, "bot's words"),
        ({"stickied": True}, "stickied"),
        ({"distinguished": "admin"}, "by a moderator"),
        ({"collapsed": True}, "collapsed"),
        ({"score": None}, "no score"),
        ({"link_id": "t3_nowhere", "parent_id": "t3_nowhere"}, reddit.NO_POST),
        ({"body": "Both bots and robots: I am a bottle. Nothing was removed."}, None),
    ],
)
def test_comments_left_out(tmp_path: Path, more: dict[str, Any], reason: str | None) -> None:
    found, summary = read(tmp_path, submission("p1"), comment("c1", "p1", **more), comment("c2", "p1"))
    assert found[0]["answers"]["a_id"] == (["c2"] if reason else ["c1", "c2"])
    left_out = {name: count for name, count in summary.comments_left_out.items() if count}
    assert left_out == ({reason: 1} if reason else {})
    assert balanced(summary)


@pytest.mark.parametrize(
    ("author", "bot"),
    [
        ("sneakpeekbot", True),
        ("WikiTextBot", True),
        ("some-helpful_bot_2", True),
        ("TotesMessenger", True),
        ("MAGIC_EYE_BOT", True),
        ("HelperBot_", True),
        ("mr_robot", False),
        ("MrRobot99", False),
        ("Talbot", False),
        ("JohnAbbot", False),
        ("botanist", False),
        ("Bottle", False),
    ],
)
def test_names_of_bots(author: str, bot: bool) -> None:
    assert reddit.bot_author({"author": author}) is bot


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
    assert summary.comments_left_out[REMOVED] == 1
    assert balanced(summary)


def test_early_dumps_write_numbers_in_other_ways(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        submission("p", created_utc="1420070400", retrieved_on=None),
        comment("c", "p", created_utc=1420070401.0),
    )
    assert (found[0]["created_utc"], found[0]["answers"]["created_utc"]) == (1420070400, [1420070401])


# --- bad input ---


def many(number: int = 30) -> list[bytes]:
    return [line(submission("p")), *(line(comment(f"c{place}", "p")) for place in range(number))]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b'{"subreddit":"explainlikeimfive", "body": "a\n', "broken JSON: "),
        (b'{"subreddit":"explainlikeimfive", "body": NaN}\n', "broken JSON: "),
        (b'["explainlikeimfive"]\n', "an object is expected, not list"),
        (
            b'{"subreddit":"explainlikeimfive", "body": "caf\xe9"}\n',
            "not UTF-8: invalid continuation byte at column 47",
        ),
        (b'{"subreddit":"explainlikeimfive"}\n', "neither a submission (title) nor a comment (body)"),
        (line(comment("x", "p", created_utc="soon")), "field 'created_utc': a number is expected, not 'soon'"),
        (line(comment("x", "p", created_utc=-1)), "field 'created_utc': -1, where seconds since 1970 are expected"),
        (line(comment("x", "p", author=5)), "field 'author': text is expected"),
        (line(comment("x", "p", body=None)), "field 'body': text is expected"),
        (line(comment("", "p")), "field 'id': '' is no id"),
        (line(comment("x", "p", link_id="p", parent_id="p")), "field 'link_id': 'p', where t3_… is expected"),
        (b"[" * 100_000 + b'"explainlikeimfive"\n', "broken JSON: "),
    ],
)
def test_a_broken_line_is_counted_with_its_place(tmp_path: Path, bad: bytes, told: str) -> None:
    lines = many()
    found, summary = read(tmp_path, *lines[:7], bad, *lines[7:])
    assert len(found[0]["answers"]["a_id"]) == 30
    census = summary.files[0]
    assert (census.broken, census.lines) == (1, 32)
    assert census.examples[0].startswith(f"{tmp_path / 'dump.zst'}:8: {told}")
    assert balanced(summary)
    assert any(census.examples[0] in text for text in summary.lines())


def test_the_place_of_a_broken_line_far_into_a_sparse_file(tmp_path: Path) -> None:
    others = [line(comment(f"o{number}", "x", subreddit="aww")) for number in range(3000)]
    bad = b'{"subreddit":"askscience"\n'
    _, summary = read(tmp_path, *others[:2000], bad, *others[2000:], *many())
    assert summary.files[0].examples[0].startswith(f"{tmp_path / 'dump.zst'}:2001: ")


def test_too_many_broken_lines_are_an_error(tmp_path: Path) -> None:
    bad = b'{"subreddit":"explainlikeimfive"\n'
    _, summary = read(tmp_path, *many(989), *[bad] * 10)  # 10 are allowed in any file
    assert summary.files[0].broken == 10
    with pytest.raises(DataError, match=r"11 of 1,001 lines looked at are broken; up to 1.0%, or 10, may be") as caught:
        read(tmp_path, *many(989), *[bad] * 11)
    assert str(caught.value).count("dump.zst:99") == 5  # lines 991 to 995
    read(tmp_path, *many(989), *[bad] * 11, broken_share=0.02)


def test_a_file_that_is_no_dump(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 of 3 lines looked at are broken.*Is it a dump of Reddit\?"):
        read(tmp_path, b"<html>\n", b"<body>404\n", b"{}}\n", name="dump.json")


def test_half_a_surrogate_pair_is_repaired_and_a_whole_one_stays(tmp_path: Path) -> None:
    text = '"cut \\ud83d, whole \\ud83d\\ude00, literal \\\\ud83d"'
    row = line(comment("c", "p", body="BODY")).replace(b'"BODY"', text.encode())
    found, summary = read(tmp_path, submission("p"), row)
    assert found[0]["answers"]["text"] == ["cut �, whole 😀, literal \\ud83d"]
    assert summary.files[0].repaired == 1


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_cut_zstd_is_an_error_with_its_place(tmp_path: Path, share: float) -> None:
    whole = dumps.write(tmp_path / "whole.zst", made_up(2)).read_bytes()
    (tmp_path / "cut.zst").write_bytes(whole[: int(len(whole) * share)])
    place = f"{int(len(whole) * share):,}"
    with pytest.raises(DataError, match=rf"cut.zst: cut off: .* at byte {place} of the file, after line [\d,]+; fetch"):
        reddit.write([tmp_path / "cut.zst"], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_plain_file_cut_within_a_line(tmp_path: Path) -> None:
    rows = b"".join(many(5))
    (tmp_path / "a.json").write_bytes(rows.rstrip(b"\n"))  # only the last line's end is missing
    assert reddit.write([tmp_path / "a.json"], tmp_path / "out.jsonl").answers == 5
    (tmp_path / "b.json").write_bytes(rows[:-40])
    with pytest.raises(
        DataError, match=rf"b.json:6: cut off: the file ends within this line, at byte {len(rows) - 40:,}"
    ):
        reddit.write([tmp_path / "b.json"], tmp_path / "out.jsonl")


def test_damaged_zstd_is_an_error_with_its_place(tmp_path: Path) -> None:
    whole = bytearray(dumps.write(tmp_path / "a.zst", made_up(2)).read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 50] = bytes(50)
    (tmp_path / "a.zst").write_bytes(whole)
    with pytest.raises(DataError, match=r"a.zst: (damaged: .*, between bytes [\d,]+ and [\d,]+|cut off)"):
        reddit.write([tmp_path / "a.zst"], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.zst", b"", "the file is empty; fetch it again"),
        ("a.zst", b"<html>", r"not zstd, whatever its name says: it begins with b'<html>'"),
        ("a.json", b"BZh91AY", "bzip2, where UTF-8, gzip or zstd is expected; convert it first"),
        ("a.json", '{"a":1}\n'.encode("utf-16"), "UTF-16, where UTF-8"),
    ],
)
def test_files_that_are_nothing_of_the_kind(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=told):
        reddit.write([tmp_path / name], tmp_path / "out.jsonl")


def test_several_frames_skippable_frames_and_a_byte_order_mark(tmp_path: Path) -> None:
    rows = many(3)
    first = dumps.write(tmp_path / "1.zst", [b"\xef\xbb\xbf" + rows[0], rows[1][:50]]).read_bytes()
    second = dumps.write(tmp_path / "2.zst", [rows[1][50:], *rows[2:]]).read_bytes()
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note"
    (tmp_path / "all.zst").write_bytes(skippable + first + skippable + second)
    assert reddit.write([tmp_path / "all.zst"], tmp_path / "out.jsonl").answers == 3


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2train.data.lines.MAX_LINE", 10**6)
    bomb = dumps.write(tmp_path / "bomb.zst", [b" " * 10**8])
    assert bomb.stat().st_size < 20_000
    with pytest.raises(DataError, match=r"bomb.zst:1: a line of more than 1,000,000 bytes"):
        reddit.write([bomb], tmp_path / "out.jsonl")


@given(st.lists(st.binary(max_size=30).filter(lambda row: b"\n" not in row), max_size=20), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_in_are_lines_out(tmp_path: Path, rows: list[bytes], plain: bool) -> None:
    rows = [b"{", *rows]
    path = tmp_path / ("a.json" if plain else "a.zst")
    dumps.write(path, [row + b"\n" for row in rows])
    lines = Lines(path)
    assert b"".join(lines) == b"".join(row + b"\n" for row in rows)
    assert lines.lines == len(rows)
    assert lines.size == sum(len(row) + 1 for row in rows)
    assert lines.read == path.stat().st_size


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p")])
    out = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match=r"no comments of r/explainlikeimfive, .* in 1 files of 1 lines; name RC_"):
        reddit.write([posts], out)
    with pytest.raises(DataError, match=r"no submissions of r/aww"):
        reddit.write([posts], out, subreddits=["aww"])
    with pytest.raises(DataError, match=r"cannot read .*RC.zst: No such file"):
        reddit.write([posts, tmp_path / "RC.zst"], out)
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        reddit.write([tmp_path], out)
    with pytest.raises(UsageError, match=r"RS.zst is named twice"):
        reddit.write([posts, tmp_path / "." / "RS.zst"], out)
    with pytest.raises(UsageError, match=r"'r/aww' is no subreddit's name"):
        reddit.write([posts], out, subreddits=["r/aww"])


def test_a_dump_is_told_from_records(tmp_path: Path) -> None:
    found, _ = read(tmp_path, submission("p"), comment("c", "p"))
    assert found
    assert reddit.is_dump(tmp_path / "dump.zst")
    assert not reddit.is_dump(tmp_path / "out.jsonl")


# --- interrupted ---


def test_files_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p")])
    comments = dumps.write(tmp_path / "RC.zst", many(3)[1:])
    whole = comments.read_bytes()
    comments.write_bytes(whole[:-10])
    work, out = tmp_path / "work", tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="cut off"):
        reddit.write([posts, comments], out, work=work)
    assert len(list(work.glob("reddit-*/census.json"))) == 1
    assert not out.exists()
    comments.write_bytes(whole)
    content, time_before = posts.read_bytes(), posts.stat().st_mtime_ns
    posts.write_bytes(b"x" * len(content))  # the same to the eye: size and time; it is not opened
    os.utime(posts, ns=(time_before, time_before))
    summary = reddit.write([posts, comments], out, work=work)
    assert (summary.records, summary.answers) == (1, 3)
    assert not work.exists()


def test_rows_of_other_subreddits_or_of_a_changed_file_are_not_taken_up(tmp_path: Path) -> None:
    posts = dumps.write(tmp_path / "RS.zst", [submission("p"), submission("q", subreddit="aww")])
    work, out = tmp_path / "work", tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="no comments"):
        reddit.write([posts], out, work=work)
    before = list(work.glob("reddit-*"))
    comments = dumps.write(tmp_path / "RC.zst", [comment("d", "q", subreddit="aww")])
    with reddit.joined([posts, comments], work, subreddits=["aww"]) as found:
        assert [orjson.loads(row)["q_id"] for row in found] == ["q"]
        assert not before[0].exists()  # cleared
    assert not work.exists()


def test_what_else_lies_in_the_work_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("mine")
    read(tmp_path, *many(2), work=tmp_path / "work")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["mine.txt"]


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    path = dumps.write(tmp_path / "a.zst", many(2))
    with reddit.joined([path], tmp_path / "work"):  # noqa: SIM117
        with pytest.raises(UsageError, match="in use by another run"), reddit.joined([path], tmp_path / "work"):
            pass


def test_an_unwritable_place(tmp_path: Path) -> None:
    path = dumps.write(tmp_path / "a.zst", many(2))
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError, match="cannot be written"):
        reddit.write([path], tmp_path / "file" / "out.jsonl")


def test_killed_it_leaves_no_output_and_the_next_run_gives_the_whole(tmp_path: Path) -> None:
    things = made_up(3, posts=400)
    files = [
        dumps.write(tmp_path / "RS.zst", (one for one in things if "title" in one)),
        dumps.write(tmp_path / "RC.zst", (one for one in things if "body" in one)),
    ]
    reddit.write(files, tmp_path / "expected.jsonl")
    pipe = tmp_path / "RC.pipe"
    os.mkfifo(pipe)
    program = (
        "import sys; from pathlib import Path; from s2train.data import reddit; "
        "reddit.write([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out.jsonl"), str(files[0]), str(pipe)]
    with subprocess.Popen(command) as process, pipe.open("wb") as file:  # opens when it comes to the second file
        file.write(files[1].read_bytes()[:5000])
        file.flush()
        work = tmp_path / ".out.jsonl.work"
        deadline = time.monotonic() + 30
        while not list(work.glob(".unfinished-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "out.jsonl").exists()
    assert list(work.glob(".unfinished-*"))
    assert list(work.glob("reddit-*/census.json"))
    reddit.write(files, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()
    assert not work.exists()


def test_made_up_dumps_are_the_same_for_a_seed_and_of_the_size_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        MadeUp(5).files(tmp_path / name, 1)
    first, second = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b"))
    assert first == second
    summary = reddit.write(sorted((tmp_path / "a").iterdir()), tmp_path / "out.jsonl")
    posts, comments = sum(file.posts for file in summary.files), sum(file.comments for file in summary.files)
    size = sum(file.size for file in summary.files)
    assert posts == 2000
    assert 5 < comments / posts < 11  # 8 in the mean
    assert 1200 < size / (posts + comments) < 2200
    assert balanced(summary)
    assert summary.duplicate_posts == summary.duplicate_comments == summary.comments_left_out[reddit.NO_POST] == 0

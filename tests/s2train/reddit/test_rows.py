"""A line of a dump is a post, an answer or nothing; what is wrong with one is told by its field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.s2train.dumps import comment, line, submission
from tests.s2train.reddit.things import balanced, many, read


def test_early_dumps_write_numbers_in_other_ways(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        submission("p", created_utc="1420070400", retrieved_on=None),
        comment("c", "p", created_utc=1420070401.0),
    )
    assert (found[0]["created_utc"], found[0]["answers"]["created_utc"]) == (1420070400, [1420070401])


def test_half_a_surrogate_pair_is_repaired_and_a_whole_one_stays(tmp_path: Path) -> None:
    text = '"cut \\ud83d, whole \\ud83d\\ude00, literal \\\\ud83d"'
    row = line(comment("c", "p", body="BODY")).replace(b'"BODY"', text.encode())
    found, summary = read(tmp_path, submission("p"), row)
    assert found[0]["answers"]["text"] == ["cut �, whole 😀, literal \\ud83d"]
    assert summary.files[0].repaired == 1


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
        (line(comment("x", "p", score=1e300)), "field 'score': 1e+300 is too large a number"),
        (line(submission("x", score=-1e19)), "field 'score': -1e+19 is too large a number"),
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

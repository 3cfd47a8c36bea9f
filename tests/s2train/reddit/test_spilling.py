"""A dump is read once: lines of other subreddits are passed over, broken ones counted, too many of them refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import DataError
from tests.s2train.dumps import comment, line, submission
from tests.s2train.reddit.things import balanced, many, read


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

"""The page in Chromium, from a file: tables, samples, keys, theme, and what must not happen."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from s2eval.errors import PrerequisiteError
from s2eval.report.document import Document
from s2eval.report.html import write_page
from s2eval.report.read.items import Scored
from tests.report.html.made_up import ARC, ATTACKS, JUDGED, MODELS, QA, N, report, rights
from tests.report.html.visits import Visit, visit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, list[Scored]]:
    return report(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def one_file(made: tuple[Document, list[Scored]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("one") / "report.html", *made)


@pytest.fixture(scope="module")
def with_folder(made: tuple[Document, list[Scored]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("two") / "my report.html", *made, largest=1000)


@pytest.fixture(params=["one file", "with a folder"])
def place(request: pytest.FixtureRequest, one_file: Path, with_folder: Path) -> Path:
    return one_file if request.param == "one file" else with_folder


@pytest.fixture
def seen(browser: Browser, one_file: Path) -> Iterator[Visit]:
    with visit(browser, one_file) as found:
        found.counted(f"{N} of {N} samples")
        yield found
        assert found.problems == []
        assert found.asked == [one_file.as_uri()]


def test_samples_from_a_file_and_from_a_folder_beside_it(browser: Browser, place: Path) -> None:
    folder = place.with_name(f"{place.stem}_files")
    with visit(browser, place) as found:
        found.counted(f"{N} of {N} samples")
        text = found.open_sample(ARC, "7")
        assert found.problems == []
    assert "Question: why 7?" in text
    assert "▸ -1.25" in text  # of " yes", the likelier
    assert "-2.50" in text
    assert set(found.asked[1:]) == {path.as_uri() for path in folder.glob("0-*.js")}  # nothing; or what is shown alone
    assert folder.exists() == (place.stem == "my report")
    assert all(path.stat().st_size < 1_500_000 for path in [place, *folder.glob("*")])


def test_pieces_of_another_page_are_not_shown(browser: Browser, with_folder: Path, tmp_path: Path) -> None:
    """As a kill between the folder and the page leaves them, or copying one of the two."""
    page = tmp_path / with_folder.name
    page.write_bytes(with_folder.read_bytes())
    shutil.copytree(with_folder.with_name("my report_files"), tmp_path / "my report_files")
    with visit(browser, page) as found:
        found.counted(f"{N} of {N} samples")
    for path in (tmp_path / "my report_files").glob("*.js"):
        name, _, rest = path.read_text(encoding="ascii").partition(",")
        path.write_text(f'{name},"0123456789abcdef",{rest.partition(",")[2]}', encoding="ascii")
    with visit(browser, page) as found:
        found.page.get_by_text("belongs to another page: make the report again").wait_for()
        assert found.page.locator("table.list tbody tr").count() == 0


def test_a_column_sorts_both_ways(seen: Visit) -> None:
    table = seen.page.locator("#tables table").first
    names = table.locator("tbody th[scope=row]")
    button = table.locator("thead button").nth(2)  # ARC, after the model and the average
    assert button.inner_text() == "ARC"
    button.click()
    assert names.all_inner_texts() == ["b<i>", "a"]  # 90 of 120 right, 80 of 120
    assert table.locator("th[aria-sort=descending]").inner_text() == "ARC"
    button.press("Enter")
    assert names.all_inner_texts() == ["a", "b<i>"]


def test_what_one_model_got_right_and_the_other_wrong(seen: Visit) -> None:
    page = seen.page
    page.select_option("#metric", "acc_norm")
    page.select_option("#a", "a")
    page.select_option("#b", "b<i>")
    page.select_option("#show", label="A right, B wrong")
    first, second = rights(0), rights(1)
    only = [at for at in range(N) if first[at] > second[at]]
    assert len(only) == 20  # of 120: a quarter is wrong for B, a third of these for A too
    seen.counted(f"20 of {N} samples")
    assert seen.questions == [f"Question: why {at}?" for at in only]
    page.select_option("#show", label="A wrong, B right")
    seen.counted(f"30 of {N} samples")  # 40 wrong for A, 10 of these for B too


def test_a_range_of_scores_and_words(seen: Visit) -> None:
    seen.page.select_option("#metric", "leaderboard_pct")
    seen.page.fill("#low", "50")
    seen.counted(f"80 of {N} samples")  # two thirds of the first model's
    seen.page.fill("#query", "WHY 11")
    seen.counted(f"8 of {N} samples")  # of 11 and 110 to 119 those that 3 does not divide: not 111, 114, 117
    seen.page.click("button[type=reset]")
    seen.counted(f"{N} of {N} samples")


def test_words_within_prompts_and_answers(seen: Visit) -> None:
    seen.page.select_option("#task", QA)
    seen.counted("7 of 7 samples")
    seen.page.fill("#query", "שלום")
    seen.counted("0 of 7 samples")
    seen.page.check("#everywhere")
    seen.counted("1 of 7 samples")


def test_pages_of_the_list(seen: Visit) -> None:
    assert len(seen.questions) == 50
    seen.page.click("#after")
    seen.page.click("#after")
    assert seen.questions == [f"Question: why {at}?" for at in range(100, N)]
    assert seen.page.locator("#page").inner_text() == "Page 3 of 3"
    assert seen.page.locator("#after").is_disabled()


def test_keys(seen: Visit) -> None:
    page = seen.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("why 1")
    seen.counted(f"31 of {N} samples")  # 1, 10 to 19, 100 to 119
    page.keyboard.press("Escape")
    title = page.locator("#sample h3")
    page.keyboard.press("j")
    title.get_by_text(f"{ARC}, no. 1", exact=True).wait_for()
    page.keyboard.press("j")
    title.get_by_text(f"{ARC}, no. 10", exact=True).wait_for()
    page.keyboard.press("k")
    title.get_by_text(f"{ARC}, no. 1", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.locator("#sample").wait_for(state="hidden")


def test_all_is_reached_by_tab_with_a_visible_focus(seen: Visit) -> None:
    page = seen.page
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, outline = page.evaluate(
            "[document.activeElement.id || document.activeElement.className || document.activeElement.tagName,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.append(tag)
        assert outline != "none", tag
        if tag == "everywhere":
            break
    wanted = [
        "skip",
        "theme",
        "sort",
        "task",
        "metric",
        "a",
        "b",
        "show",
        "order",
        "low",
        "high",
        "query",
        "everywhere",
    ]
    assert [one for one in reached if one in wanted and (one != "sort" or reached.index("sort") >= 0)][-10:] == wanted[
        3:
    ]
    assert {"skip", "theme", "sort"} <= set(reached)


def test_an_address_leads_to_a_sample(browser: Browser, one_file: Path) -> None:
    with visit(browser, f"{one_file.as_uri()}#task={ARC}&show=wrong&metric=acc_norm&doc=9&theme=dark") as found:
        found.page.locator("#sample h3").get_by_text(f"{ARC}, no. 9", exact=True).wait_for()
        found.counted(f"40 of {N} samples")
        assert found.page.evaluate("document.documentElement.dataset.theme") == "dark"
        found.page.keyboard.press("j")
        found.page.locator("#sample h3").get_by_text(f"{ARC}, no. 12", exact=True).wait_for()
        assert "doc=12" in found.page.url


def test_the_theme_follows_the_system_and_the_switch(browser: Browser, one_file: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, one_file, color_scheme="dark") as found:
        dark = found.page.evaluate(ground)
        found.page.get_by_role("button", name="Light").click()
        assert found.page.evaluate(ground) == "rgb(255, 255, 255)" != dark
        found.page.get_by_role("button", name="Dark").click()
        assert found.page.evaluate(ground) == dark
        assert found.page.evaluate("[document.cookie, localStorage.length]") == ["", 0]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_answer_is_text_whatever_it_is(seen: Visit, name: str) -> None:
    number = list(ATTACKS).index(name)
    seen.open_sample(QA, str(number))
    told = seen.page.locator(".answer").nth(1).locator("pre").first
    if name == "long":
        seen.page.get_by_role("button", name="Show all 1,000,000 characters").click()
    wanted = ATTACKS[name].replace("\ud800", "\ufffd").replace("BROKEN", "\ufffd\ufffd\ufffd(")
    shown = str(told.evaluate("one => one.textContent.toWellFormed()"))
    assert shown == wanted
    markdown = seen.page.get_by_role("button", name="As Markdown")
    if markdown.is_visible():
        markdown.click()
        seen.page.locator(".marked").first.wait_for()
    assert seen.page.locator("#sample :is(a, script, img, svg, iframe, [onerror], [onload])").count() == 0
    assert seen.page.evaluate("window.hit") is None


def test_markdown_is_shown_where_it_is_asked_for(seen: Visit) -> None:
    seen.open_sample(QA, str(list(ATTACKS).index("link")))
    assert seen.page.locator(".marked").count() == 0
    seen.page.get_by_role("button", name="As Markdown").click()
    seen.page.locator(".marked strong").get_by_text("here", exact=True).wait_for()
    assert seen.page.locator(".marked li").all_inner_texts() == ["one"]


def test_a_judges_words(seen: Visit) -> None:
    text = seen.open_sample(JUDGED, "81")
    for told in ("Hello there.", "Judgment, turn 1: 7", "Clear and true.", "Judgment, turn 2: 4", "rating 5.5"):
        assert told in text  # (7 + 4) / 2 = 5.5
    assert "What the judge was given, turn 1" in text


def test_scripts_that_are_not_its_own_do_not_run(seen: Visit) -> None:
    seen.page.evaluate("""() => {
        const one = document.createElement("script");
        one.textContent = "window.hit = 1";
        document.body.append(one);
        const chart = new Image();
        chart.src = "https://example.org/x.png";
    }""")
    assert seen.page.evaluate("window.hit") is None
    assert len(seen.problems) == 2  # one for each, from the policy
    assert all("Content Security Policy" in problem for problem in seen.problems)
    seen.problems.clear()
    seen.asked.remove("https://example.org/x.png")  # what was asked for and refused


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_axe_finds_nothing_serious(browser: Browser, one_file: Path, scheme: str, width: int) -> None:
    with visit(browser, one_file, color_scheme=scheme, viewport={"width": width, "height": 900}) as found:
        found.open_sample(QA, "2")
        found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        violations: list[Any] = Axe().run(found.page).response["violations"]
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in violations]
        assert [
            one for one, raw in zip(told, violations, strict=True) if raw["impact"] in ("serious", "critical")
        ] == []
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_printed_all_is_open_and_without_controls(seen: Visit) -> None:
    seen.page.emulate_media(media="print")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details:not([open])").count() == 0
    for control in ("#filter", ".top", "#theme"):
        assert not seen.page.locator(control).is_visible()
    seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert seen.page.locator("#charts details[open]").count() == 0


def test_without_samples_nothing_of_the_data_is_there(made: tuple[Document, list[Scored]], tmp_path: Path) -> None:
    page = write_page(tmp_path / "report.html", *made, largest=1000)
    assert (tmp_path / "report_files").is_dir()
    write_page(page, made[0])
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"why \d|Tell|Answer \d|piece-", text)


def test_a_page_keeps_its_pieces_until_another_has_its_name(
    made: tuple[Document, list[Scored]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = write_page(tmp_path / "report.html", *made, largest=1000)
    before = {path.name: path.read_bytes() for path in (tmp_path / "report_files").iterdir()}

    def fail(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2eval.store.write_atomically", fail)
    with pytest.raises(KeyboardInterrupt):
        write_page(page, made[0])
    assert {path.name: path.read_bytes() for path in (tmp_path / "report_files").iterdir()} == before


def test_a_prompt_that_models_share_is_there_once(one_file: Path) -> None:
    pieces = re.findall(r'id="piece-0-\d+">([^<]*)<', one_file.read_text(encoding="utf-8"))
    documents = [one for piece in pieces for one in json.loads(gzip.decompress(base64.b64decode(piece)))]
    assert len(documents) == N
    assert json.dumps(documents[7]).count("Question: why 7?") == 1
    assert documents[7]["a"] == [{"r": [-1.25, -2.5], "g": [1, 0]}] * len(MODELS)


def test_the_same_report_is_the_same_file(made: tuple[Document, list[Scored]], one_file: Path, tmp_path: Path) -> None:
    assert write_page(tmp_path / "report.html", *made).read_bytes() == one_file.read_bytes()


def test_a_folder_of_other_files_is_left_alone(made: tuple[Document, list[Scored]], tmp_path: Path) -> None:
    (tmp_path / "report_files").mkdir()
    (tmp_path / "report_files" / "thesis.tex").write_text("years of work")
    with pytest.raises(PrerequisiteError, match="report_files: holds other files"):
        write_page(tmp_path / "report.html", *made, largest=1000)
    assert (tmp_path / "report_files" / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "report.html").exists()

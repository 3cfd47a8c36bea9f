"""A page's markup becomes its lead in plain text, or a named reason why not."""

from __future__ import annotations

import re
import time

import mwparserfromhell
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2train.data.wiki import templates as wikitemplates
from s2train.data.wiki import text as wikitext
from s2train.data.wiki.text import Article, LeftOut, Limits, Outline
from tests.s2train import wikipages

ANY = Limits(min_words=1)


def outcome(text: str, title: str = "Oslo", limits: Limits = ANY) -> Article | LeftOut:
    page = wikitext.outline(title, text, limits)
    return wikitext.article(page, limits) if isinstance(page, Outline) else page


def lead(text: str, title: str = "Oslo") -> str:
    made = outcome(text, title)
    assert isinstance(made, Article), made
    return made.text


PAGE = """{{Infobox settlement
| name = Oslo {{small|(city)}}
| links = [[a]]
== no heading: it stands in a template ==
}}
:''For the film, see [[Oslo (film)]].''
[[File:Oslo.jpg|thumb|A [[picture]] of it]]
'''{{PAGENAME}}''' ({{lang-no|Oslo}}; {{IPA|/uslu/}}) is the ''[[capital city|capital]]'' of
[[Norway]].<ref name="a">{{cite web|title=x}}</ref><ref name="a" /> It covers {{convert|1454|km2|sqmi}}.<!-- sure? -->
{| class="wikitable"
| a || b
|}

It has museums &amp; a palace. The largest museums are:
* one
* two

== History ==
It is old.
[[Category:Cities]]
"""


def test_a_whole_page() -> None:
    assert lead(PAGE) == "Oslo (Oslo) is the capital of Norway. It covers 1,454 km².\n\nIt has museums & a palace."


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''bold''', ''italic'', '''''both'''''", "bold, italic, both"),
        ("L'''amour'' is", "L'amour is"),  # doQuotes: one bold and one italic mark; the bold one is ' and ''
        ("''''four'''' and '''''''seven'''''''", "'four' and ''seven''"),  # 4 = 1 + 3, 7 = 2 + 5
        ("[[a]] [[b|c]] [[a]]s [[:Category:X]] [[:d|e]]", "a c as Category:X e"),
        ("a[[Category:X]] [[Image:x.png|left]] [[fr:Oslo]] [[wikt:word|word]]", "a word"),
        ("[[File:x.jpg|thumb|a [[b]] {{c|[[d]]}}]]text", "text"),
        ("[http://x.y label] [http://x.y] end", "label end"),
        ("a<ref>b</ref> <ref name=x/>c", "a c"),
        ("H<sub>2</sub>O, m<sup>2</sup>, 4<sup>th</sup>", "H₂O, m², 4th"),
        ("a<br>b<br />c <small>d</small> <span style='x'>e</span></div>", "a b c d e"),
        ("<math>E=mc^2</math> or <math>\\frac{1}{2}</math> or <math>\\sqrt{x}</math>.", "E=mc² or 1/2 or √x."),
        ("<math>x_i \\times a^{n+1}</math>, <math>\\ce{H2O}</math>", "xᵢ × aⁿ⁺¹, H₂O"),
        ("<chem>CO2</chem>, <ce>SO4^2-</ce>, <chem>2H2 + O2 -> 2H2O</chem>", "CO₂, SO₄²⁻, 2H₂ + O₂ → 2H₂O"),
        ("<nowiki>[[a]] {{b}} ''c''</nowiki>", "[[a]] {{b}} ''c''"),
        ("__NOTOC__ a __TOC__", "a"),
        ("a &lt;b&gt; &nbsp; &#233; &eacute;", "a <b> é é"),
        ("a <!-- b\n\n-->c<!-- never closed", "a c"),
        ("one\ntwo\n\nthree", "one two\n\nthree"),
        ("* a\nb\n# c\n; d : e\n: f", "b"),
        ("Yes. It can be:\n* a", "Yes."),
        ("It can be:\n\na", "It can be:\n\na"),  # announces no list
        ("a {{{1|b}}} c", "a b c"),
        ("a\n----\nb", "a\n\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<gallery>\nx.jpg|y\n</gallery>a<timeline>b</timeline>", "a"),
        ("a ({{IPA|x}}; {{unknown}}) b (, born 1950) (1900 ; ) c , d", "a b (born 1950) (1900) c, d"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert lead(markup) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{lang|fr|mot}}", "mot"),
        ("{{Lang|fr|2=''mot''}}", "mot"),
        ("{{lang-ja|{{nowrap|東 京}}}}", "東 京"),
        ("{{transl|ja|Hepburn|Tōkyō}}", "Tōkyō"),
        ("{{nihongo|Tokyo|東京|Tōkyō}}", "Tokyo"),
        ("{{convert|5|km|mi}}", "5 km"),
        ("{{convert|5|to|10|km|mi|abbr=on}}", "5 to 10 km"),
        ("{{convert|5|-|10|C|F}}", "5–10 °C"),
        ("{{cvt|5|ft|6|in|m}}", "5 ft 6 in"),
        ("{{convert|12345|sqmi|0}}", "12,345 sq mi"),
        ("{{birth date and age|2001|2|3}}", "February 3, 2001"),
        ("{{death date|df=yes|2001|2|3|1950|1|1}}", "3 February 2001"),
        ("{{birth year and age|1950}}", "1950"),
        ("{{As of|2015|4}}", "As of April 2015"),
        ("{{as of|2015|lc=y}}", "as of 2015"),
        ("{{formatnum:1234567}}", "1,234,567"),
        ("{{frac|3|1|2}} {{frac|1|2}}", "3 1/2 1/2"),
        ("1{{ndash}}2 {{US$|5}} {{circa|1500}}", "1–2 US$5 c. 1500"),
        ("{{nowrap|a {{cn|{{nowrap|b}}}} c}}", "a c"),
        ("{{as of}} {{US$}} {{circa}} {{nowrap|}}", "As of US$ c."),
        ("{{val|384399|u=km}} {{val|1.5|0.2|e=6|u=m/s}} {{val|5|s=%}}", "384,399 km (1.5±0.2)×10⁶ m/s 5%"),
        ("{{val|1.2e-5|ul=m.s-2}} {{val|12345.678|(9)|u=kg}}", "1.2×10⁻⁵ m⋅s⁻² 12,345.678(9) kg"),
        ("{{chem2|CO2}} {{chem2|SO4(2-)}} {{chem2|Na+}}", "CO₂ SO₄²⁻ Na⁺"),
        ("{{chem|H|2|O}} {{chem|SO|4|2-}} {{Chem|235|U}}", "H₂O SO₄²⁻ ²³⁵U"),
        ("{{w|Paris|the city}} {{W|Paris}}", "the city Paris"),
        ("{{USS|Enterprise|CV-6}} {{HMS|Hood|51|6}}", "USS Enterprise (CV-6) HMS Hood"),
        ("{{ship|HMCS|Haida||2}} {{SS|Great Britain}}", "Haida SS Great Britain"),
        (
            "{{sclass|Nimitz|aircraft carrier}} {{sclass|Nimitz|carrier|2}}",
            "Nimitz-class aircraft carrier Nimitz class",
        ),
        ("{{height|m=1.83}} {{height|ft=6|in=2}}", "1.83 m 6 ft 2 in"),
        ("{{convert|5+1/2|in}} {{convert|3|x|4|m}} {{km to mi|5}}", "5 1/2 in 3 × 4 m 5 km"),
        ("{{frac|3}} {{sfrac|1|2}} x{{sup|2}} H{{sub|2}}O", "1/3 1/2 x² H₂O"),
        ("{{circa|1490|1500}} {{floruit|1500}}", "c. 1490 – c. 1500 fl. 1500"),
        ("{{£|1000}} {{INR|5 crore}} {{US$|1.5 million}}", "£1,000 ₹5 crore US$1.5 million"),
        ("{{coord|59|55|N|10|45|E}}{{coord|1|N|2|E|display=title}}", "59°55′N 10°45′E"),
        ("{{coord|59.9|-10.7}} {{DEC|+12|30}} {{RA|1|2|3}}", "59.9°N 10.7°W +12° 30′ 1h 2m 3s"),
        ("{{abbr|UN|United Nations}} {{ill|Foo|fr|Bar|lt=Baz}} {{sic|tex|t}}", "UN Baz text"),
        ("{{age|1990|5|5|2000|1|1}} {{ordinal|22}} {{e|6}} {{gaps|1|234|567}}", "9 22nd ×10⁶ 1,234,567"),
        ("[[b|c {{val|5|u=km}}]] '''d {{nowrap|{{val|6}} e}}'''", "c 5 km d 6 e"),
    ],
)
def test_templates_that_stand_for_text(template: str, text: str) -> None:
    assert lead(f"a {template} b") == " ".join(f"a {text} b".split())


@pytest.mark.parametrize(
    ("title", "text", "reason"),
    [
        ("A", "#REDIRECT [[B]]", wikitext.REDIRECT),
        ("A", " # redirect [[B]]", wikitext.REDIRECT),
        ("List of towns", "Text.", wikitext.LIST),
        ("Towns (list)", "Text.", wikitext.LIST),
        ("A (disambiguation)", "Text.", wikitext.DISAMBIGUATION),
        ("A", "A may be:\n* b\n{{Disambig}}", wikitext.DISAMBIGUATION),
        ("A", "Text.\n== b ==\n{{ School_Disambiguation |x}}", wikitext.DISAMBIGUATION),
        ("A", "Text. __DISAMBIG__", wikitext.DISAMBIGUATION),
        ("A", "Text.\n\n== b ==\n{{stub}}", wikitext.STUB),
        ("A", "Text.\n{{US-geo-stub|date=x}}", wikitext.STUB),
        ("A", "{{Infobox}}\n== b ==\nText.", wikitext.NO_LEAD),
        ("A", "* a\n* b", wikitext.NO_LEAD),
        ("A", "{{Infobox\n|a=b\nText.\n== b ==\n", wikitext.BROKEN),
        ("A", "Text [[File:a.jpg|thumb.", wikitext.BROKEN),
        ("A", "Text.<ref>never closed", wikitext.BROKEN),
        ("A", "{| class='x'\n| never closed\n\nText.", wikitext.BROKEN),
        ("A", "a " * (wikitext.MAX_LEAD // 2 + 1), wikitext.LONG_MARKUP),
        ("A", "four words are here", wikitext.SHORT_LEAD),
    ],
)
def test_what_is_left_out_and_why(title: str, text: str, reason: str) -> None:
    assert outcome(text, title, Limits(min_words=5)) == LeftOut(title, reason)
    assert reason in wikitext.REASONS


def test_what_only_looks_like_a_reason() -> None:
    assert lead("Text.{{disambiguation needed}}{{other uses}}") == "Text."
    assert lead("Text.<!-- {{stub}} -->") == "Text."
    assert lead("Text.", title="Listing of towns") == "Text."
    stub = "one two three four five {{stub}}"
    assert outcome(stub, limits=Limits(min_words=5, stubs=True)) == Article("Oslo", "one two three four five")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("a\n== b ==\nc\n== d ==", "a\n"),
        ("a\n= b =  \nc", "a\n"),
        ("== b ==\nc", ""),
        ("a = b\n=\n==\n== c\nd", "a = b\n=\n==\n== c\nd"),  # none is a heading
        ("{{x|\n== a ==\n}}b\n== c ==", "{{x|\n== a ==\n}}b\n"),
        ("{{x|\n== a ==\nb\n== c ==", "{{x|\n"),  # never closed: the first heading
    ],
)
def test_the_lead_ends_before_the_first_heading(text: str, markup: str) -> None:
    assert wikitext.before_heading(text) == markup


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("[[wikt:forge]]", "forge"),
        ("[[wikt:forge#Noun]]", "forge"),
        ("[[Wiktionary:forge]]", "forge"),
        ("[[:wikt:forge]]", "forge"),
        ("[[:fr:Paris]]", "Paris"),
        ("[[w:Foo]]", "Foo"),
        ("[[w:fr:Paris]]", "Paris"),
        ("[[s:The Raven|poem]]", "poem"),
        ("[[voy:Oslo]]", "Oslo"),  # three letters, but no language
        ("[[wikt:forge|]]", "forge"),
        ("[[Oslo (city)|]]", "Oslo"),
        ("[[Oslo, Norway|]]", "Oslo"),
        ("[[Help:Oslo (city)|]]", "Oslo"),
        ("[[Alien: Romulus]]", "Alien: Romulus"),
        ("[[fr:Oslo]]", ""),  # beside the text
    ],
)
def test_links_to_other_projects_and_pipe_tricks(link: str, text: str) -> None:
    assert lead(f"a {link} b") == " ".join(f"a {text} b".split())


# --- templates of unknown text ---

FIRST = "Oslo is a city."


@pytest.mark.parametrize(
    "markup",
    [
        "{{Foo}}\n{{Bar|a\n|b=c}}\nOslo is a city.",
        "{{Foo|a=b}}'''Oslo''' is a city.",
        "{{Foo}} '''Oslo''' is a city.",
        "{{Foo\n|a=b\n}}Oslo is a city.",
        "Oslo is a city.{{foo|x}}",
        "Oslo is a city.{{foo}}{{bar}}<ref>x</ref>",
        "Oslo is a city. {{foo}}\n\n{{bar}}",
        "Oslo is a{{citation needed|date=x}} city{{efn|a}}{{r|b}}{{rp|5}}.{{sfn|c}}",
        "Oslo is{{clarify}} a city.",
        "Oslo ({{foo}}) is a city.",
        "Oslo ({{foo|[[b]]}}; {{IPA|x}}) is a city.",
        "Oslo (about {{foo}} km, {{pron|x}}) is a city.",
        "Oslo (pronounced {{IPAc-en|x}}) is a city.",
        "'''Oslo''' {{IPA|x}} is a city.",
        "'''Oslo''' {{zh-cp|c=x|p=y}} is a city.",
        "Oslo ([[Norwegian]]: {{IPA-no|x}}) is a city.",
        "Oslo, pronounced {{IPA|x}} or {{IPA|y}}, is a city.",
        "Oslo is a city<sup>{{foo}}</sup>.",
        "Oslo is a city.\n* one {{foo}} two",
    ],
)
def test_where_a_template_vanishes(markup: str) -> None:
    assert outcome(markup) == Article("Oslo", FIRST)


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("It is {{foo|5}} long.", ("foo",)),
        ("It is {{Foo Bar|5}} long and {{foo_bar}} wide.", ("foo bar", "foo bar")),
        ("It is ''{{foo}}'' long.", ("foo",)),
        ("It has [[river|{{foo}} rivers]].", ("foo",)),
        ("It has {{nowrap|{{foo}} rivers}}.", ("foo",)),
        ("It lies near St. {{foo}} in the U.S. {{bar}} zone.", ("foo", "bar")),
        ("It is approx. {{foo}} old.", ("foo",)),
        ("It is pronounced {{IPA|x}} here.", ("ipa",)),
        ("It is {{#if:a|b|c}} here.", ("#if",)),
        ("It is {{age|1950|1|1}} years old.", ("age",)),
        ("It is {{convert}} long.", ("convert",)),
        ("It is <math>\\begin{matrix}a\\end{matrix}</math>.", ("<math>",)),
        ("It is {{{1}}} long.", ("{{{argument}}}",)),
        ("See http://x.y for more.", ("bare URL",)),
    ],
)
def test_a_sentence_that_loses_something_is_left_out(sentence: str, names: tuple[str, ...]) -> None:
    assert outcome(f"{FIRST} {sentence} It is old.") == Article("Oslo", f"{FIRST} It is old.", names)
    assert outcome(f"{FIRST}\n\n{sentence}") == Article("Oslo", FIRST, names)


def test_a_lead_that_loses_its_first_sentence_is_left_out() -> None:
    assert outcome("Oslo is {{foo}} old. It is big.") == LeftOut("Oslo", wikitext.LOST_OPENING, ("foo",))
    assert outcome("{{foo}} is a city. It is big.") == LeftOut("Oslo", wikitext.LOST_OPENING, ("foo",))


def test_brackets_keep_what_lost_nothing() -> None:
    text = "Oslo (French: mot, born {{foo}} 1900; 1,454 people) is (about {{bar}} km) big."
    assert lead(text) == "Oslo (French: mot, 1,454 people) is big."


PIECES = st.recursive(
    st.sampled_from(
        ["a", "b c", "{{x}}", "{{y|z=1}}", "[[d]]", "{{lang|fr|e}}", "<nowiki>}}</nowiki>", "<ref>f</ref>"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        inner.map("{{{{box|{}}}}}".format),
        inner.map("{{{{nowrap|1={} }}}}".format),
        inner.map("[[g|{}]]".format),
    ),
    max_leaves=8,
)


@given(st.lists(PIECES, min_size=1, max_size=4).map(" ".join))
def test_cutting_templates_by_their_braces_changes_nothing(markup: str) -> None:
    """The linear scan is there for speed alone: the parser on the whole markup gives the same text."""
    cut = wikitext.without_templates(markup)
    assert cut is not None
    assert wikitext.article(Outline("A", cut), ANY) == wikitext.article(Outline("A", markup), ANY)


PLAIN = st.lists(
    st.sampled_from(["word", "[[town]]", "[[a|label]]", "''it''", "'''bold'''", "&amp;", "end.", "é"]),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(st.lists(PLAIN, min_size=1, max_size=3).map("\n\n".join))
def test_on_plain_prose_it_agrees_with_strip_code(markup: str) -> None:
    naive = mwparserfromhell.parse(f"{markup}\n\n== b ==\nc").strip_code().partition("\n\n b \n")[0].strip()
    assert lead(f"{markup}\n\n== b ==\nc") == naive


MARKS = [
    *("{{", "}}", "[[", "]]", "{|", "|}", "<b>", "</b>", "<ref>", "</ref>", "<ref a='", "<br", "<br>", "<p>", "/>"),
    *("'''", "''", "|", "||", "*", ";", ":", "[http://a ", "]", "{{{", "}}}", "<nowiki>", "</nowiki>", "<!--", "-->"),
    *("== a ==", "&lt;", "{{lang|fr|", "{{nowrap|", "[[File:", "(", ")", "<math>", "word ", "\n", "\n|-\n", " "),
]


@given(st.lists(st.sampled_from(MARKS), max_size=60).map("".join))
@settings(max_examples=300)
def test_any_markup_gives_clean_text_or_a_reason(markup: str) -> None:
    made = outcome(markup.replace("nowiki", "b"))
    if isinstance(made, LeftOut):
        assert made.reason in wikitext.REASONS
    else:
        assert not re.search(r"\{\{|\[\[|\]\]|\}\}|</?ref|\n\n\n|\ue000", made.text)
        assert made.text == made.text.strip() != ""


@pytest.mark.parametrize(
    "tangle",
    [
        "{{a}}", "{{a}} ", "({{a}},", "({{a}})", "(({{a}}", "{{a}}. A", "<math>\\frac{", "<math>a</math>", "{{val|1|",
        "{{a|", "{{", "[[a|", "<ref>", "<b><i></b></i>", "<i>[[a|</i>]]", "[http://a <b>] </b>", "<br a='", "<hr ",
        "{|\n", "{{{", "{{lang|fr|", "<nowiki><!--", "[http://a ", "*", "; a : b ", "{{ ", "\n=a", "= ", "(, ", "x   ",
        "'''",
    ],
)  # fmt: skip
def test_tangled_markup_costs_seconds_at_most(tangle: str) -> None:
    """The parser alone needs minutes for some of these (its time grows with the square): 50,000 characters each."""
    started = time.process_time()
    outcome((tangle * wikitext.MAX_LEAD)[: wikitext.MAX_LEAD])
    assert time.process_time() - started < 10  # measured: 0.1 s


ARGUMENTS = [
    "",
    "1",
    "²",
    "٣",
    "-5",
    "9" * 5000,
    "1e5",
    "N",
    "m",
    "x",
    "(5)",
    "+",
    "{{a}}",
    "[[b|c]]",
    "e=²",
    "u=m2",
    "1=",
    "s=",
]


@given(st.sampled_from(sorted(wikitemplates.RENDERED)), st.lists(st.sampled_from(ARGUMENTS), max_size=7))
@settings(max_examples=1000)
def test_any_arguments_of_a_template_give_text_or_a_reason(name: str, arguments: list[str]) -> None:
    made = outcome(f"It is {{{{{'|'.join([name, *arguments])}}}}} old.")
    assert isinstance(made, Article) or made.reason in wikitext.REASONS


def test_what_the_parser_calls_a_bug_of_its_own_is_broken_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise mwparserfromhell.parser.ParserError("tokenizer exited with BAD_ROUTE")

    monkeypatch.setattr(mwparserfromhell, "parse", fail)
    assert outcome("Text.") == LeftOut("Oslo", wikitext.BROKEN)


def test_generated_pages_are_as_they_say() -> None:
    pages = list(wikipages.generated(300))
    kept = [outcome(page.text, page.title) for page in pages if page.namespace == 0 and not page.redirect]
    assert len(kept) == pytest.approx(0.6 * 300, abs=40)
    assert {type(one) for one in kept} == {Article, LeftOut}

"""The page that people judge a release by: whole, safe, light, and readable without a script."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.report import Finding, Report
from tasks.render import render_report
from tasks.report_numbers import show
from tests.tasks.report_pages import (
    PROVENANCE,
    Page,
    category_column,
    findings,
    named,
    number_column,
    pictures,
    proof,
    report,
)

SECTIONS = [
    "verdict", "figures", "columns", "pairs", "detection", "utility", "copies", "proof",
    "provenance", "everything", "reading",
]  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></svg><b>x</b>",
    "{{ 7 * 7 }}{% raw %}",
    "'&amp;\"",
]
STRANGE = ["اسم العميل الكامل", "שם משפחה", "😀 happiness 🎉", "顧客の名前と住所", "x" * 300]


def test_a_page_has_all_sections_in_order_and_every_tag_is_closed() -> None:
    page = Page(render_report(report()))
    assert [name for name in page.ids() if name in SECTIONS] == SECTIONS
    assert len(page.ids()) == len(set(page.ids()))
    assert (page.wrong, page.open) == ([], [])


@pytest.mark.parametrize(
    ("state", "word"),
    [("pass", "Published"), ("refuse", "Refused"), ("inconclusive", "Inconclusive")],
)
def test_the_verdict_comes_first_and_tells_why(state: str, word: str) -> None:
    html = render_report(report(state))
    body = html[html.index("<body>") :]
    assert body.index("<h1>") < body.index("<h2")
    assert re.search(rf"<h1>.*<span>{word}</span></h1>", body)
    head = Page(body[: body.index("<main")]).text
    assert ("What you can do." in head) == (state != "pass")
    assert ("bar 3.00" in head) == (state != "pass")


def test_a_figure_beyond_its_bar_within_chance_is_not_told_as_too_few_rows() -> None:
    text = Page(render_report(report("inconclusive"))).text
    assert "Shape error is beyond its bar, but by no more than chance may explain." in text
    within = findings()[0].model_copy(update={"value": 2.9, "high": 3.2, "state": "inconclusive"})
    text = Page(render_report(report(findings=(within,)))).text
    assert "Shape error is within its bar, but by no more than chance may explain." in text
    few = findings()[0].model_copy(update={"value": None, "state": "inconclusive"})
    text = Page(render_report(report(findings=(few,)))).text
    assert "Shape error could not be decided. " in " ".join(text.split()) + " "
    assert "There were too few rows to decide." in text


def test_a_release_that_mirrors_its_training_rows_is_not_told_as_a_success() -> None:
    found = tuple(
        finding.model_copy(update={
            "value": 0.4, "low": 0.38, "high": 0.42, "reference": 0.5, "state": "inconclusive"
        }) if finding.name == "detection_auc" else finding
        for finding in findings()
    )  # fmt: skip
    text = " ".join(Page(render_report(report(findings=found))).text.split())
    assert "mirror the training rows more closely than fresh rows could (AUC 0.400)" in text
    assert "can hardly tell" not in text and "Detection AUC is beyond its bar" not in text
    assert "Train for fewer steps" in text


def test_the_smallest_leak_that_would_have_been_seen_stands_in_the_verdict() -> None:
    html = render_report(report())
    head = " ".join(Page(html[html.index("<body>") : html.index("<main")]).text.split())
    assert "Would have seen a leak of 4 rows (0.5 %) or more, copied verbatim." in head
    blind = tuple(
        finding.model_copy(update={
            "value": None, "state": "inconclusive",
            "detail": "Would not have seen a leak of one row in ten, copied verbatim.",
        }) if finding.name == "smallest_exact_leak" else finding
        for finding in findings()
    )  # fmt: skip
    html = render_report(report(findings=blind))
    head = " ".join(Page(html[html.index("<body>") : html.index("<main")]).text.split())
    assert "Would not have seen a leak of one row in ten" in head
    assert "could not see a leak of the share that the contract asks for" in head


def test_a_reason_that_no_finding_explains_is_still_shown() -> None:
    told = report().model_copy(
        update={"verdict": "refused", "reasons": ("withdrawn by <i>its owner</i>",)}
    )
    assert "withdrawn by <i>its owner</i>" in Page(render_report(told)).text


@pytest.mark.parametrize(
    "made", [report(), named(HOSTILE), named(STRANGE), Report(verdict="refused")]
)
def test_a_page_needs_no_script_and_nothing_from_elsewhere(made: Report) -> None:
    html = render_report(made)
    page = Page(html)
    forbidden = {
        "script",
        "iframe",
        "object",
        "embed",
        "link",
        "img",
        "base",
        "form",
        "foreignobject",
    }
    assert not forbidden & set(page.tags)
    for _, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "style")
        ]
        assert all(str(attributes[name]).startswith("#") for name in attributes if "href" in name)
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face|http", style)
    assert (page.wrong, page.open) == ([], [])


def test_every_link_inside_the_page_leads_somewhere() -> None:
    page = Page(render_report(report()))
    links = {str(found["href"]).removeprefix("#") for tag, found in page.elements if tag == "a"}
    assert links <= set(page.ids())
    assert len(links) > 5


def test_hostile_names_are_shown_as_they_are_and_never_become_markup() -> None:
    html = render_report(named(HOSTILE))
    page = Page(html)
    for name in HOSTILE:
        assert name in page.text
    assert "<script" not in html and "<b>x" not in html


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=2))
def test_no_name_changes_the_structure_of_the_page(names: list[str]) -> None:
    assert Page(render_report(named(names))).tags == Page(render_report(named(["one", "two"]))).tags


def test_thirty_wide_columns_stay_below_two_megabytes() -> None:
    labels = [f"{place:02d} {'very long category ' * 5}" for place in range(20)]
    columns = [category_column(f"column {place} {'name ' * 20}", labels) for place in range(15)]
    for place in range(15):
        bins = 60
        columns.append(
            number_column(f"figure {place}")
            | {"edges": [float(edge) for edge in range(bins + 1)]}
            | {side: [1 / bins] * bins for side in ("training", "synthetic", "holdout")}
        )
    one = findings()
    many = one + tuple(
        one[0].model_copy(update={"column": f"figure {place}"}) for place in range(300)
    )
    html = render_report(report(findings=many, pictures=pictures(columns)))
    assert html.count('class="picture"') == 30
    assert len(html.encode()) < 2_000_000


def test_columns_come_worst_first_and_all_of_them_are_listed() -> None:
    columns = [number_column(f"n{place}", float(place)) for place in range(30)]
    html = render_report(report(pictures=pictures(columns)))
    cards = re.findall(r"<h4><bdi>(n\d+)</bdi>", html)
    assert cards == [f"n{place}" for place in reversed(range(30))]
    assert html.count('<tr><th scope="row"><bdi>n') >= 30


def test_a_page_without_utility_rejects_or_pictures_says_so() -> None:
    bare = tuple(finding for finding in findings() if finding.group != "utility")
    clean = proof(rows_rejected=0, rows_proven=1_000, reject_reasons=[], notes=[])
    page = Page(render_report(report(findings=bare, proof=clean, pictures={})))
    assert "A contract that names a target column gets them." in page.text
    assert "No row was rejected." in page.text
    assert "Why rows were rejected" not in page.text
    assert "This report holds no pictures of columns." in page.text
    assert "This report holds no figures of pairs." in page.text


@pytest.mark.parametrize("verdict", ["published", "refused", "inconclusive"])
def test_an_empty_report_still_makes_a_whole_page(verdict: str) -> None:
    page = Page(render_report(Report.model_validate({"verdict": verdict})))
    assert [name for name in page.ids() if name in SECTIONS] == SECTIONS
    assert (page.wrong, page.open) == ([], [])


def test_one_column_has_no_pairs_and_figures_may_be_undefined() -> None:
    alone = {**number_column("age"), "shape_error": None, "edges": [], "training": [],
             "synthetic": [], "holdout": []}  # fmt: skip
    table = pictures([alone])["tables"][0]
    table["pairs"] = {"columns": ["age"], "error": [[None]], "ceiling": [[None]]}
    page = Page(render_report(report(pictures={"tables": [table]})))
    assert "This report holds no figures of pairs." in page.text
    assert "undefined" in page.text


@pytest.mark.parametrize("key", ["column", "kind", "edges", "labels", "training", "synthetic",
                                 "holdout", "missing", "shape_error", "shape_ceiling"])  # fmt: skip
def test_any_part_of_a_column_may_be_missing(key: str) -> None:
    columns = [number_column("age"), category_column("town", ["Graz", "Linz"])]
    for column in columns:
        del column[key]
    drawn = pictures([{"column": "?", **column} for column in columns])
    drawn["tables"][0]["columns"] = columns
    page = Page(render_report(report(pictures=drawn)))
    assert (page.wrong, page.open) == ([], [])


def test_proof_shows_rejects_and_tells_a_crashed_check_from_a_broken_rule() -> None:
    text = " ".join(Page(render_report(report())).text.split())
    assert "age: between 0 and 120" in text
    assert "Rows read 1,000 Proven 993 Rejected 7" in text
    assert "Crashed" in text and "the check raised ValueError" in text


def test_provenance_is_complete() -> None:
    text = Page(render_report(report())).text
    for fact in ("People of a town", "1.2.0", "20260101T000000Z-abcdef-01", "0123", "4567",
                 "812 MiB", "1 min 15 s", "epochs", "torch"):  # fmt: skip
        assert fact in text


def test_attacks_that_were_not_run_are_named() -> None:
    text = Page(render_report(report())).text
    assert "This is not the full privacy gate." in text
    assert "membership inference" in text
    run = Finding(name="membership_inference", group="copies", value=0.5)
    text = Page(render_report(report(findings=(*findings(), run)))).text
    assert "membership inference (G3)" not in text


def test_an_attack_that_says_it_was_not_run_is_among_those_not_run() -> None:
    silent = Finding(name="attribute_inference", group="copies", value=None, detail="Not run.")
    for finding, told in ((silent, True), (silent.model_copy(update={"value": 0.01}), False)):
        page = Page(render_report(report(findings=(*findings(), finding))))
        assert ("attribute inference (G5)" in page.text) == told


def test_columns_give_rows_away_only_where_rows_were_told_apart() -> None:
    score = Finding(name="detection_score", group="fidelity", value=0.8, table="people")
    found = (*findings(), score)
    assert "The columns that gave synthetic rows away" in render_report(report(findings=found))
    alike = tuple(
        one.model_copy(update={"value": 0.5, "low": 0.49, "high": 0.51})
        if one.name == "detection_auc" else one
        for one in found
    )  # fmt: skip
    text = Page(render_report(report(findings=alike))).text
    assert "The columns that gave synthetic rows away" not in text
    assert "No column gave synthetic rows away." in text


@pytest.mark.parametrize(
    ("figure", "shown"),
    [(0.00033, "0.000330"), (-0.0005, "−0.000500"), (0.000021, "2.1e−5"), (1.0, "1.00")],
)
def test_small_figures_are_written_out_as_far_as_an_eye_can_count(
    figure: float, shown: str
) -> None:
    assert show(figure) == shown


def test_counts_have_no_digits_behind_the_point() -> None:
    caught = Finding(name="planted_leaks", group="copies", value=3.0, bar=4.0, unit="count")
    text = Page(render_report(report(findings=(caught,), pictures={}))).text
    assert "Planted leaks caught: 3, bar 4," in text
    assert "3.00" not in text and "4.00" not in text


def test_a_report_under_a_budget_leads_with_what_was_spent_and_has_no_empty_parts() -> None:
    spent = Finding(name="dp_epsilon", group="other", value=2.9, bar=3.0, state="pass")
    kept_back = {**PROVENANCE, "withheld": "It stays with the model.", "privacy": {}}
    made = report(findings=(spent,), pictures={}, proof={}, provenance=kept_back)
    page = Page(render_report(made))
    assert (page.wrong, page.open) == ([], [])
    left = [name for name in page.ids() if name in SECTIONS]
    assert left == ["verdict", "figures", "provenance", "everything", "reading"]
    links = [found["href"] for tag, found in page.elements if tag == "a" and found.get("href")]
    assert {str(link)[1:] for link in links} <= set(page.ids())
    assert "holds no" not in page.text and "It stays with the model." in page.text


def test_several_tables_are_told_apart() -> None:
    both = findings() + tuple(
        finding.model_copy(update={"table": "orders"}) for finding in findings()
    )
    tables = pictures([number_column("age"), number_column("size")])["tables"]
    drawn = {"tables": [*tables, {**tables[0], "table": "orders"}]}
    text = Page(render_report(report(findings=both, pictures=drawn))).text
    assert "orders: Single columns are off by" in text
    assert "people: Single columns are off by" in text


def test_the_page_is_drawn_from_json_alone_and_always_the_same() -> None:
    made = report("refuse")
    again = Report.model_validate(json.loads(made.model_dump_json()))
    assert render_report(again) == render_report(made)


def test_each_figure_is_told_once_beside_the_full_table() -> None:
    html = render_report(report())
    sections = html[html.index('id="figures"') : html.index('id="everything"')]
    for label in ("Shape error", "Detection AUC", "Utility gap", "Exact copies (G1)"):
        assert sections.count(f'<span class="label">{label}</span>') == 1
    full = html[html.index('id="everything"') :]
    assert all(full.count(f"<code>{finding.name}</code>") == 1 for finding in findings())


def test_a_count_that_is_a_band_is_told_by_both_ends() -> None:
    band = Finding(
        name="exact_copies", group="copies", value=500.0, low=201.0, high=500.0, reference=1_000.0,
        reference_name="from held-out rows: 501 to", unit="rows", state="pass",
    )  # fmt: skip
    text = " ".join(Page(render_report(report(findings=(band,)))).text.split())
    assert "201 to 500 rows" in text and "501 to 1,000 rows" in text
    assert text.count("500 rows") == text.count("201 to 500 rows")


def test_a_test_without_power_is_one_reason_not_two() -> None:
    blind = [
        Finding(name=name, group="copies", value=value, unit="%", bar=bar, state="inconclusive")
        for name, value, bar in (("exact_copies", 0.0, None), ("smallest_exact_leak", 7.0, 5.0))
    ]
    html = render_report(report(findings=tuple(blind)))
    assert html.count('class="reason inconclusive"') == 1
    assert "could not see a leak of the share" in html


def test_every_drawing_is_told_in_words_too() -> None:
    html = render_report(report())
    drawings = re.findall(r'<svg class="(?:bullet|picture|heat-map)"[^>]*role="img"><title>', html)
    assert len(drawings) == html.count('role="img"') > 5

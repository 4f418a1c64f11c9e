from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.medians import lines_of
from benchmarks.page import CHART, page_text, write_page


def done(generator: str, seed: int, fit_s: float, **more: Any) -> dict[str, Any]:
    area = more.pop("area", 0.6)
    figures = {
        "detection_auc": (area, 0.5),
        "shape_error": (1.5, 0.5),
        "trend_error": (2.0, 1.0),
        "missingness_error": (0, 0),
        "trtr": (0.9, None),
        "utility_gap": (None, None),
    }
    costs = {
        "rows": 1000,
        "fit": {"wall_s": fit_s, "cpu_s": fit_s},
        "sample": {"wall_s": 0.5, "cpu_s": 0.5},
        "peak_mib": 300.0,
    }
    return {
        "job": "tabular", "generator": generator, "origin": "ours", "table": "adult", "seed": seed,
        "cpus": 2, "code": "1f", "when": "2026-01-02", "state": "done",
        "verdict": "published", "unread": {},
        "costs": costs,
        "figures": {n: {"value": v, "reference": r} for n, (v, r) in figures.items()}, **more,
    }  # fmt: skip


def lost(generator: str, state: str, reason: str) -> dict[str, Any]:
    return {**done(generator, 1, 1.0), "state": state, "reason": reason, "origin": "peer"}


def test_medians_and_ratios_are_those_of_equal_seeds() -> None:
    rows = [done("a", seed, fit) for seed, fit in ((1, 10.0), (2, 30.0), (3, 20.0))]
    rows += [
        done("mostlyai-engine", seed, fit, origin="peer") for seed, fit in ((1, 40.0), (2, 50.0))
    ]
    line = lines_of(rows)[0]
    assert line.runs == 3
    assert line.values["fit_s"] == 20.0
    assert line.spread["fit_s"] == (10.0, 30.0)
    assert line.values["fit_ratio"] == pytest.approx((10 / 40 + 30 / 50) / 2)
    assert line.values["shape_ratio"] == pytest.approx(3.0)
    assert line.values["rows_per_s"] == 2000
    assert "missingness_ratio" not in line.values
    assert "utility_gap" not in line.values


@pytest.mark.parametrize(
    "other", [{"when": "2026-01-03"}, {"code": "20"}, {"cpus": 4}, {"seed": 2}], ids=str
)
def test_times_of_another_day_code_or_machine_are_not_compared(other: dict[str, Any]) -> None:
    peer = {**done("mostlyai-engine", 1, 40.0, origin="peer"), **other}
    line = lines_of([done("a", 1, 10.0), peer])[0]
    assert "fit_ratio" not in line.values
    assert "| **a** | 10.0 | – |" in page_text([done("a", 1, 10.0), peer])


def test_the_page_tells_risks_support_and_each_class() -> None:
    row = done("any_order", 1, 12.34)
    row["figures"] |= {
        "alpha_precision": {"value": 0.95, "reference": 0.99, "low": 0.94, "high": 0.96},
        "linkability": {"value": 0.02, "reference": None, "low": None, "high": None},
        "tstr_recall Class 'b'": {"value": 0.5, "reference": None, "low": 0.4, "high": 0.6},
        "tstr_precision Class 'b'": {"value": None, "reference": None, "low": None, "high": None},
    }
    other = done("vae", 1, 20.0)
    other["figures"]["tstr_precision Class 'b'"] = {"value": 0.25, "reference": None}
    page = page_text([row, other])
    assert "| 0.950 (0.990) |" in page
    assert "| **any_order** | – | – | – | – | – | 0.020 | – | – |" in page
    assert "| generator | recall of 'b' | precision of 'b' |" in page
    assert "| **any_order** | 0.500 (0.400 to 0.600) | undefined |" in page
    assert "| **vae** | undefined | 0.250 |" in page


def test_the_page_tells_figures_failures_and_values_that_did_not_read() -> None:
    rows = [
        done("any_order", 1, 12.34),
        done("other", 1, 5.0, origin="published", unread={"age": 3, "sex": 4}, verdict="refused"),
        lost("sdv-tvae", "failed", "not done within 10 s"),
        done("slow", 1, 9.0, origin="peer", remark="beside other work"),
        lost("sdv-ctgan", "skipped", "no peers' environment: make peers"),
    ]
    page = page_text(rows)
    table = [line for line in page.splitlines() if line.startswith("| **any_order**")]
    assert "| 12.3 | – | 2,000 | 300 | 0.600 | 1.50 × 3.00 | 2.00 × 2.00 |" in table[0]
    assert "- `sdv-tvae`: failed: not done within 10 s." in page
    assert "- `slow`: beside other work." in page
    assert "- `sdv-ctgan`: skipped: no peers' environment: make peers." in page
    assert "- `other`: 7 values did not read" in page
    assert "| sdv-tvae |" not in page


def test_the_page_is_made_from_nothing_too() -> None:
    assert page_text([]).startswith("# Benchmarks")


def test_every_table_is_as_wide_as_its_head() -> None:
    scale = {**done("any_order", 1, 9.0), "job": "scale", "table": "stream rows"}
    page = page_text([done("any_order", 1, 1.0), scale])
    widths: list[int] = []
    for line in page.splitlines():
        if line.startswith("|"):
            widths.append(line.count("|"))
        elif widths:
            assert len(set(widths)) == 1
            widths = []


def test_page_and_chart_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    rows = [done("any_order", seed, 9.0, area=0.5 + seed / 10) for seed in (1, 2)]
    rows.append(done("a<b (published)", 1, 0.1, origin="published"))
    page = tmp_path / "docs" / "page.md"
    write_page(rows, page)
    first = page.read_bytes(), (page.parent / "pictures" / CHART).read_bytes()
    write_page(rows, page)
    assert first == (page.read_bytes(), (page.parent / "pictures" / CHART).read_bytes())
    ElementTree.fromstring(first[1].decode())

"""The report of shared codes: what it tells a reader of attacks, and what it leaves out."""

from pathlib import Path
from typing import cast

import pytest

from data_contracts.report import Finding, Report, judge
from data_contracts.share import Recipient, ShareBars
from models.representation.keyed_encoder import KeyedEncoder
from tasks.attack_codes import cautions, runs_finding, state_of_attacks, terms_of
from tasks.gate_runs import GateRuns
from tasks.render import render_report
from tasks.storage import Store
from tests.models.representation.people import contract
from tests.tasks.report_pages import Page

FOUND = (
    Finding(name="task_kept", group="utility", value=0.97, low=0.96, high=0.98, bar=0.95,
            state="pass", table="people", column="outcome"),
    *(Finding(name=f"inversion_gain_{pairs}", group="attacks", value=value, low=value - 0.01,
              high=value + 0.01, bar=0.1, state="pass", table="people", column="weight")
      for pairs, value in ((20, 0.011), (2000, 0.345))),
    Finding(name="relinkage", group="attacks", value=6.0, low=5.5, high=6.5, bar=5.0,
            state="refuse", table="people"),
)  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> GateRuns:
    return GateRuns(Store(str(tmp_path)), "people/attacks/rows")


def attacked(runs: GateRuns, content: str, terms: str, state: str) -> Finding:
    """The finding on a run whose attacks end as they are told to."""
    record = runs.judged_once(content, terms, lambda _: {"state": state, "findings": []})
    return runs_finding(runs, record, "people")


def test_what_is_refused_stays_refused_by_its_terms_and_every_run_counts(runs: GateRuns) -> None:
    assert attacked(runs, "one", "terms", "pass").value == 1
    assert attacked(runs, "two", "terms", "refused").state == "info"
    again = attacked(runs, "three", "terms", "pass")
    assert (again.state, again.value) == ("refuse", 3) and "refused before" in again.detail
    other = attacked(runs, "four", "more noise", "pass")
    assert (other.state, other.value) == ("info", 4) and "divided by 4" in other.detail


def test_the_same_codes_again_are_no_run(runs: GateRuns) -> None:
    attacked(runs, "one", "terms", "inconclusive")
    assert attacked(runs, "one", "terms", "pass").value == 1
    assert [record["state"] for record in runs.records()] == ["inconclusive"]


def test_a_task_that_is_not_kept_is_no_refusal_of_the_attacks() -> None:
    lost = Finding(name="task_kept", group="utility", value=0.5, bar=0.95, state="refuse")
    found = Finding(name="relinkage", group="attacks", value=9.0, bar=5.0, state="refuse")
    assert state_of_attacks((lost,)) == "pass"
    assert state_of_attacks((lost, found)) == "refused"


def test_terms_are_what_codes_are_made_by_and_what_is_known_beside_them() -> None:
    agreed = contract(public=("group", "size"))
    share = agreed.share
    assert share is not None

    def other(**changes: object) -> str:
        return terms_of(agreed.model_copy(update={"share": share.model_copy(update=changes)}))

    same = terms_of(agreed)
    lax = ShareBars(relinkage=1000.0)
    recipients = (Recipient(name="hospital", key="env:OTHER_KEY"),)
    assert {other(bars=lax), other(recipients=recipients), other(known_pairs=0),
            other(public=("size", "group"))} == {same}  # fmt: skip
    changes = ({"noise": 0.4}, {"outcomes": True}, {"public": ("size",)}, {"epochs": 20})
    assert len({same, *(other(**change) for change in changes)}) == 5


def test_what_roles_make_public_or_leave_uncoded_is_among_the_terms_and_words_are_not() -> None:
    """A column that turns out to name people is made an identifier: that is no other draw."""
    agreed = contract()
    (table,) = agreed.tables

    def other(**changes: object) -> str:
        columns = tuple(
            column.model_copy(update=changes) if column.name == "size" else column
            for column in table.columns
        )
        changed = table.model_copy(update={"columns": columns})
        return terms_of(agreed.model_copy(update={"tables": (changed,)}))

    same = terms_of(agreed)
    assert {other(description="other words"), other(role="sensitive")} == {same}
    assert len({same, other(role="quasi_identifier"), other(role="identifier")}) == 3


class Encoder:
    """What cautions ask an encoder: its share, and its epsilon."""

    def __init__(self, **changes: object) -> None:
        agreed = contract(**changes).share
        assert agreed is not None
        self.share = agreed

    def epsilon(self, delta: float, *, copies: int = 1) -> float:
        return 100.0 * copies if self.share.noise < 1 else 1.5


def told(**changes: object) -> str:
    return " ".join(cautions(cast(KeyedEncoder, Encoder(**changes)), FOUND))


def test_it_says_in_figures_what_a_holder_of_known_pairs_can_do() -> None:
    words = told()
    assert "20 pairs, +0.011 (weight, up to +0.021); 2000 pairs, +0.345" in words
    assert "Codes are not encryption" in words
    assert "more than 20 codes is beyond" in words


def test_it_says_what_the_noise_is_worth_and_what_it_does_not_cover() -> None:
    two = [{"name": name, "key": "env:KEY"} for name in ("clinic", "insurer")]
    words = told(recipients=two, outcomes=True)
    assert "epsilon of 100 at delta 1e-06 (200 against all 2 recipients together)" in words
    assert "no protection worth the name" in words
    assert "does not cover the true outcomes" in words
    assert "further releases of the same rows add up" in words
    quiet = told(noise=5.0)
    assert "epsilon of 1.5" in quiet
    assert "worth the name" not in quiet and "outcomes in the parcels" not in quiet


def test_its_page_speaks_of_codes_and_not_of_synthetic_rows() -> None:
    verdict, reasons = judge(FOUND)
    provenance = {"caution": ["Codes are not encryption."], "contract": "people"}
    html = render_report(
        Report(verdict=verdict, reasons=reasons, findings=FOUND, provenance=provenance)
    )
    page = Page(html[html.index("<body>") : html.index("</body>")])
    assert not page.wrong
    assert page.open == ["body"]
    assert {"attacks", "utility", "proof"} <= set(page.ids())
    assert not {"columns", "pairs", "detection", "copies", "figures"} & set(page.ids())
    anchors = [found["href"] for tag, found in page.elements if tag == "a"]
    assert {anchor[1:] for anchor in anchors if anchor} <= set(page.ids())
    assert "ynthetic" not in page.text
    assert "Two recipients could put their releases together row by row." in page.text
    assert "Codes are not encryption." in page.text


def test_epsilon_of_several_parcels_is_that_of_their_noise_averaged() -> None:
    agreed = contract(noise=8.0, hidden=1).share
    quieter = contract(noise=4.0, hidden=1).share
    assert agreed is not None and quieter is not None
    encoders = [KeyedEncoder(share) for share in (agreed, quieter)]
    for encoder in encoders:
        encoder.tasks_ = type("Tasks", (), {"outcomes_": [{"classes": ["n", "y"]}]})()
    four = encoders[0].epsilon(1e-5, copies=4)
    # Four codes of a row are as telling as one with half the noise; the hidden part scales along.
    assert four == pytest.approx(encoders[1].epsilon(1e-5), rel=0.35)
    assert four > 1.8 * encoders[0].epsilon(1e-5)

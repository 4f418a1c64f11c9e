"""The words for the figures of a privacy budget."""

from tasks.report_measure import Measure

_FIT_ANEW = "Don't use the model. Find out who changed its code or its folder, and fit again."

BUDGET_MEASURES: dict[str, Measure] = {
    "dp_epsilon": Measure(
        "Epsilon spent",
        "How much surer anybody can become that a unit's rows were there: the odds change by at "
        "most e to this power. The dearer of two accountants.",
        "lower", 0,
        failing="More was spent than was claimed.", remedy=_FIT_ANEW,
    ),
    "dp_accountants": Measure(
        "Epsilon, second accountant",
        "The same sum by another method, from the mechanisms that ran alone.",
        "lower", 0,
        failing="The accountants don't agree: one of them is wrong.", remedy=_FIT_ANEW,
    ),
    "dp_audit": Measure(
        "Epsilon shown by an attack",
        "What guesses about planted rows prove to have been spent at least. A low one proves "
        "nothing.",
        "lower", 0,
        failing="An attack shows that more was spent than was claimed.", remedy=_FIT_ANEW,
    ),
    "dp_together": Measure(
        "Epsilon of all fits together",
        "What all models of the contract in this store have cost in sum: each new one tells more.",
        "lower", 0,
        failing="The contract's models together cost more than it allows.",
        remedy="Publish no further model of these people, or allow a larger total_epsilon.",
    ),
}  # fmt: skip

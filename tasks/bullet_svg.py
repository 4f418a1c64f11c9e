"""Inline SVG for one figure: where value, interval, reference and bar lie on one scale.

Colours are CSS classes, so that one drawing serves light, dark and print; every meaning carried by
colour is carried by a shape too.
"""

from markupsafe import Markup

from data_contracts.report import Finding
from tasks.report_measures import Measure, reference_words
from tasks.report_numbers import axis_number, nice_ceiling, number, show

# The drawing's own units; the page scales it to the room there is.
WIDTH, HEIGHT = 320, 50
_LEFT, _RIGHT, _MIDDLE = 34, 286, 23

# A shape for each state, drawn around the origin.
_SHAPES = {
    "pass": Markup('<circle r="5.5"/>'),
    "refuse": Markup('<path d="M-5.2-5.2H5.2V5.2H-5.2z"/>'),
    "inconclusive": Markup('<path d="M0-7 7 0 0 7-7 0z"/>'),
    "info": Markup('<circle r="4.5"/>'),
}
_SIGNS = {
    "pass": Markup(
        '<circle cx="8" cy="8" r="7"/><path class="sign" d="M4.6 8.3 7 10.7 11.5 5.6"/>'
    ),
    "refuse": Markup(
        '<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/>'
        '<path class="sign" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/>'
    ),
    "inconclusive": Markup(
        '<path d="M8 .2 15.8 8 8 15.8.2 8z"/>'
        '<path class="sign" d="M6.2 6.6c0-2.3 3.7-2.3 3.7 0 0 1.5-1.9 1.4-1.9 2.8M8 11.3v.5"/>'
    ),
    "info": Markup('<circle cx="8" cy="8" r="6" class="hollow"/>'),
}
_SAME_SIGN = {"fail": "refuse", "crashed": "inconclusive"}


def state_sign(state: str) -> Markup:
    """The small sign of a state: a tick in a disc, a cross in an octagon, a mark in a diamond."""
    drawn = _SAME_SIGN.get(state, state)
    return Markup(
        '<svg class="sign-box {}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>'
    ).format(drawn, _SIGNS.get(drawn, _SIGNS["info"]))


def bullet(finding: Finding, measure: Measure, title: str) -> Markup:
    """A bullet chart of the finding; empty when it holds nothing that could be drawn."""
    value, reference, bar = number(finding.value), number(finding.reference), number(finding.bar)
    present = [
        figure
        for figure in (value, number(finding.low), number(finding.high), reference, bar)
        if figure is not None
    ]
    if not present:
        return Markup("")
    low, high = _domain(present, measure)
    parts = [
        _track(),
        _zone(finding, measure, low, high),
        _interval(finding, low, high),
        _reference(finding, low, high),
        _bar(finding, low, high),
        _value(finding, low, high),
        _ends(finding, low, high),
    ]
    head = Markup('<svg class="bullet" viewBox="0 0 {} {}" role="img"><title>{}</title>').format(
        WIDTH, HEIGHT, title
    )
    return head + Markup("").join(parts) + Markup("</svg>")


def is_band(finding: Finding) -> bool:
    """Whether a count is told as a band: only its ends mean something."""
    low, high = number(finding.low), number(finding.high)
    return finding.unit == "rows" and low is not None and high is not None and low < high


def better_direction(finding: Finding, measure: Measure) -> str:
    """Which way is better; where the words don't tell, a passed or refused bar does."""
    value, bar = number(finding.value), number(finding.bar)
    if measure.better != "either" or value is None or bar is None or value == bar:
        return measure.better
    if finding.state == "pass":
        return "lower" if value < bar else "higher"
    if finding.state == "refuse":
        return "lower" if value > bar else "higher"
    return "either"


def _domain(present: list[float], measure: Measure) -> tuple[float, float]:
    """The measure's own scale where every figure fits it, else one that holds them all."""
    low = min([*present, measure.low if measure.low is not None else 0.0])
    if measure.low is not None and low < measure.low and measure.low > 0:
        low = 0.0 if low >= 0 else low
    if low < 0:
        low = -nice_ceiling(-low)
    if measure.high is not None and max(present) <= measure.high:
        return low, measure.high
    return low, max(nice_ceiling(1.05 * max(*present, 0.0)), low + 1e-9)


def _place(value: float, low: float, high: float) -> float:
    inside = min(max((value - low) / (high - low), 0.0), 1.0)
    return round(_LEFT + inside * (_RIGHT - _LEFT), 1)


def _track() -> Markup:
    return Markup('<rect class="track" x="{}" y="{}" width="{}" height="10" rx="2"/>').format(
        _LEFT, _MIDDLE - 5, _RIGHT - _LEFT
    )


def _zone(finding: Finding, measure: Measure, low: float, high: float) -> Markup:
    """The stretch of the scale that the bar allows."""
    bar, better = number(finding.bar), better_direction(finding, measure)
    if bar is None or better == "either":
        return Markup("")
    at = _place(bar, low, high)
    left, right = (_LEFT, at) if better == "lower" else (at, _RIGHT)
    return Markup('<rect class="zone" x="{}" y="{}" width="{}" height="10" rx="2"/>').format(
        left, _MIDDLE - 5, round(right - left, 1)
    )


def _interval(finding: Finding, low: float, high: float) -> Markup:
    start, end = number(finding.low), number(finding.high)
    if start is None or end is None:
        return Markup("")
    left, right = _place(start, low, high), _place(end, low, high)
    shape = Markup('<path class="interval {}" d="M{} {}v8m0-4H{}m0-4v8"/>')
    return shape.format(finding.state, left, _MIDDLE - 4, right)


def _reference(finding: Finding, low: float, high: float) -> Markup:
    reference = number(finding.reference)
    if reference is None:
        return Markup("")
    at = _place(reference, low, high)
    words = f"{reference_words(finding.reference_name)} {show(reference, finding.unit)}"
    return Markup('<path class="reference" d="M{} {}l4.5 7h-9z"/>').format(
        at, _MIDDLE + 6
    ) + _label(at, HEIGHT - 3, words, "reference-label")


def _bar(finding: Finding, low: float, high: float) -> Markup:
    bar = number(finding.bar)
    if bar is None:
        return Markup("")
    at = _place(bar, low, high)
    return Markup('<path class="bar" d="M{} {}v20"/>').format(at, _MIDDLE - 10) + _label(
        at, 10, f"bar {show(bar, finding.unit)}", "bar-label"
    )


def _value(finding: Finding, low: float, high: float) -> Markup:
    value = number(finding.value)
    if value is None or is_band(finding):
        return Markup("")
    return Markup('<g class="value {}" transform="translate({} {})">{}</g>').format(
        finding.state, _place(value, low, high), _MIDDLE, _SHAPES[finding.state]
    )


def _label(at: float, baseline: float, words: str, name: str) -> Markup:
    """A label centred on its mark, pulled in where it would leave the drawing."""
    room = 2.7 * len(words)
    x = min(max(at, room), WIDTH - room)
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        name, round(x, 1), baseline, words
    )


def _ends(finding: Finding, low: float, high: float) -> Markup:
    sign = "%" if finding.unit == "%" else ""
    text = Markup('<text class="end" x="{}" y="{}" text-anchor="{}">{}</text>')
    return text.format(_LEFT - 6, _MIDDLE + 3, "end", axis_number(low) + sign) + text.format(
        _RIGHT + 6, _MIDDLE + 3, "start", axis_number(high) + sign
    )

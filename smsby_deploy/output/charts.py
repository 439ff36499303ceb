"""Charts as inline SVG without scripts, for light and dark themes.

Their colors are CSS variables of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.wording import shorten

_WIDTH = 480  # a small drawing with large letters is readable on a phone
_ROW = 34
_MOST_ROWS = 24
_LABEL_LETTERS = 24
_LEGEND_COLUMNS = 2
_LEGEND_LETTERS = 17  # of the longest word that fits into a column of the legend


def bars(
    name: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    colors: Sequence[str],
    stacked: bool = False,
    t: Translator = ENGLISH,
) -> str:
    """Horizontal bars, the first label on top; at most 24 rows are drawn.

    `name` identifies the chart within the page. `colors` names a CSS variable for each series.
    """
    import pygal

    shown = list(labels)[:_MOST_ROWS]
    per_row = 1 if stacked else len(series)
    legend_columns = _LEGEND_COLUMNS if max(map(len, series), default=0) <= _LEGEND_LETTERS else 1
    legend_rows = -(-len(series) // legend_columns) if len(series) > 1 else 0
    height = (
        60
        + _ROW * max(1, len(shown)) * (1 if per_row == 1 else 1.4)
        + 24 * legend_rows
        + (12 if legend_rows else 0)
    )
    kind = pygal.HorizontalStackedBar if stacked else pygal.HorizontalBar
    # pygal reserves no room for a legend below the axis, nor for half of the last number on it.
    margins = {"margin_bottom": 8 + 10 * legend_rows, "margin_right": 24}
    config = _config(height, colors, t, legend=legend_rows > 0)
    chart = kind(**config | margins | {"legend_at_bottom_columns": legend_columns})
    if all(isinstance(value, int) for values in series.values() for value in values):
        chart.order_min = 0  # an axis of counts has no fractions
    # pygal draws the first label at the bottom.
    chart.x_labels = [shorten(label, _LABEL_LETTERS) for label in reversed(shown)]
    for title, values in series.items():
        chart.add(title, list(reversed(list(values)[:_MOST_ROWS])))
    return _svg(chart, name)


def columns(
    name: str, labels: Sequence[str], values: Sequence[int], *, color: str, t: Translator = ENGLISH
) -> str:
    """Vertical bars along a time axis with about four labels."""
    import pygal

    chart = pygal.Bar(**_config(260, [color], t, legend=False), show_minor_x_labels=False, margin_bottom=10)
    chart.order_min = 0
    chart.x_labels = list(labels)
    every = max(1, -(-len(labels) // 4))
    chart.x_labels_major = list(labels)[::every]
    chart.add("", list(values))
    return _svg(chart, name)


def _config(height: float, colors: Sequence[str], t: Translator, *, legend: bool) -> dict[str, Any]:
    from pygal.style import Style

    ink = "var(--ink)"
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=ink,
        foreground_strong=ink,
        foreground_subtle="var(--line)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        colors=tuple(f"var({color})" for color in colors),
        opacity="1",
        font_family="inherit",
        label_font_size=14,
        major_label_font_size=14,
        legend_font_size=14,
        no_data_font_size=18,
    )
    return {
        "style": style,
        "js": [],
        "disable_xml_declaration": True,
        "width": _WIDTH,
        "height": int(height),
        "show_legend": legend,
        "legend_at_bottom": True,
        "value_formatter": lambda value: t.number(f"{value:,.10g}") if value is not None else "",
        "margin": 8,
        "max_scale": 5,
        "no_data_text": t.gettext("nothing yet"),
        "truncate_legend": -1,
        "truncate_label": -1,
    }


def _svg(chart: Any, name: str) -> str:
    """The SVG without scripts and titles, and without ids that would differ between runs."""
    chart.uuid = name
    chart.add_xml_filter(_strip)
    svg: str = chart.render(is_unicode=True)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _strip(root: Any) -> Any:
    for parent in list(root.iter()):
        if parent is not root:
            parent.attrib.pop("id", None)
        for child in list(parent):
            tag = child.tag
            if not isinstance(tag, str) or tag.rpartition("}")[2] in ("script", "title", "desc"):
                parent.remove(child)
    return root

"""Draws the panels of a dashboard from what Prometheus holds, as Grafana would lay them out."""

import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402

import kit  # noqa: E402

SPAN, STEP = 300, 5
INK, PAPER, PANEL, GRID = "#d8d9da", "#111217", "#181b1f", "#2c3235"
COLOURS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#b877d9", "#5794f2", "#fade2a"]


def shown(value, unit):
    if value is None or math.isnan(value):
        return "no data"
    if unit == "percentunit":
        return f"{value * 100:.1f} %"
    if unit == "s":
        return f"{value * 1e6:.0f} µs" if value < 1e-3 else f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.1f} s"
    return f"{value:.3g}{'/s' if unit in ('reqps', 'ops') else ''}"


def legend(template, labels):
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def draw_panel(axes, panel, expand):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.set_facecolor(PANEL)
    axes.set_title(panel["title"], color=INK, fontsize=9, loc="left")
    for side in axes.spines.values():
        side.set_color(GRID)
    axes.tick_params(colors=INK, labelsize=6, length=0)
    kind = panel["type"]
    if kind == "stat":
        result = kit.query(expand(panel["targets"][0]["expr"]))
        value = float(result[0]["value"][1]) if result else None
        axes.text(0.5, 0.45, shown(value, unit), color=COLOURS[0], fontsize=17, ha="center", va="center", transform=axes.transAxes)
        axes.set_xticks([]), axes.set_yticks([])
    elif kind == "bargauge":
        rows = kit.query(expand(panel["targets"][0]["expr"]))[:10]
        names = [legend(panel["targets"][0]["legendFormat"], row["metric"]) for row in rows]
        axes.barh(names, [float(row["value"][1]) for row in rows], color=COLOURS[0])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: shown(value, unit))
    elif kind == "table":
        rows = {}
        for target in panel["targets"]:
            for row in kit.query(expand(target["expr"])):
                rows.setdefault(row["metric"].get("instance", ""), {}).update(row["metric"])
        lines = [f"{instance}  {row.get('revision', '')[:16]}  {row.get('version', '')}" for instance, row in sorted(rows.items())]
        axes.text(0.02, 0.9, "\n".join(lines), color=INK, fontsize=8, va="top", family="monospace", transform=axes.transAxes)
        axes.set_xticks([]), axes.set_yticks([])
    else:
        index = 0
        for target in panel["targets"]:
            for row in kit.query_range(expand(target["expr"]), SPAN, STEP):
                moments = [float(moment) for moment, _ in row["values"]]
                axes.plot([moment - moments[-1] for moment in moments], [float(value) for _, value in row["values"]],
                          color=COLOURS[index % len(COLOURS)], linewidth=1, label=legend(target["legendFormat"], row["metric"]))
                index += 1
        axes.grid(color=GRID, linewidth=0.5)
        axes.yaxis.set_major_formatter(lambda value, _: shown(value, unit))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 60:.0f} min")
        axes.set_ylim(bottom=0)
        if 0 < index <= 8:
            axes.legend(fontsize=5.5, labelcolor=INK, facecolor=PANEL, edgecolor=GRID, loc="upper left")


def draw(boards, expand, folder):
    names = []
    for name, board in boards.items():
        rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        figure = pyplot.figure(figsize=(15, rows * 0.3), facecolor=PAPER)
        for panel in board["panels"]:
            place = panel["gridPos"]
            box = [place["x"] / 24 + 0.027, 1 - (place["y"] + place["h"]) / rows + 0.008,
                   place["w"] / 24 - 0.033, place["h"] / rows - 0.024]
            if panel["type"] == "row":
                figure.text(box[0] - 0.01, 1 - (place["y"] + 0.7) / rows, panel["title"], color=INK, fontsize=11, weight="bold")
            else:
                draw_panel(figure.add_axes(box), panel, expand)
        figure.savefig(folder / f"{name}.png", facecolor=PAPER, dpi=80)
        pyplot.close(figure)
        names.append(f"{name}.png")
    return names

"""The benchmark's results as a table and as a chart."""

import os
import platform
import subprocess
from xml.sax.saxutils import escape

COLOURS = {"berth": "#1f6feb", "crun": "#9a6700", "runc": "#cf222e", "floor": "#6e7781"}
#: What the chart shows; the table shows everything.
CHARTED = ("run, Docker bundle", "create + start + delete", "exec", "state", "list of 1,000")
START, END = "<!-- bench -->", "<!-- end of bench -->"


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def version(path):
    first = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return first.split()[-1]


def number(value, unit):
    if unit == "ms":
        return f"{value:.2f} ms"
    if unit == "1/s":
        return f"{value:.0f} /s"
    return f"{value:,.0f} {unit}" if unit != "calls" else f"{value:,.0f}"


def names_of(results):
    """The runtimes in the order of the command line, the floor last."""
    names = list(results["versions"])
    return names + ["floor"] * any("floor" in row["values"] for row in results["rows"])


def table(results):
    """Medians, and berth's ratio to each other one, as a Markdown table."""
    names = names_of(results)
    titles = [f"{name} {results['versions'].get(name, '')}".strip() for name in names]
    lines = ["| | " + " | ".join(titles) + " | " + " | ".join(f"berth / {name}" for name in names[1:]) + " |",
             "| --- |" + " ---: |" * (2 * len(names) - 1)]
    for row in results["rows"]:
        values = row["values"]
        cells = [number(values[name], row["unit"]) if name in values else "" for name in names]
        ratios = [f"{values['berth'] / values[name]:.2f}" if "berth" in values and name in values else ""
                  for name in names[1:]]
        lines.append(f"| {row['subject']} | " + " | ".join(cells + ratios) + " |")
    return "\n".join(lines) + f"\n\nMedians on {results['machine']}.\n"


def chart(results):
    """Horizontal bars for each charted subject; the longest of a subject fills the width."""
    rows = [row for row in results["rows"] if row["subject"] in CHARTED]
    names = names_of(results)
    width, left, bar, gap = 760, 190, 16, 14
    y, parts = 30, []
    for row in rows:
        present = [name for name in names if name in row["values"]]
        longest = max(row["values"].values())
        parts.append(f'<text x="{left - 10}" y="{y + bar * len(present) / 2 + 4:.0f}" text-anchor="end">'
                     f'{escape(row["subject"])}</text>')
        for name in present:
            length = max(2.0, row["values"][name] / longest * (width - left - 150))
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{COLOURS.get(name, "#57606a")}"/>')
            parts.append(f'<text x="{left + length + 6:.1f}" y="{y + bar - 5}" font-size="11">{escape(name)} '
                         f'{escape(number(row["values"][name], row["unit"]))}</text>')
            y += bar
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" font-family="sans-serif" font-size="13">'
            f'<rect width="100%" height="100%" fill="white"/><text x="10" y="18" font-size="12" fill="#57606a">'
            f'Shorter is faster. {escape(results["machine"])}</text>' + "".join(parts) + "</svg>\n")


def put_into_readme(top, table_text, chart_text):
    """Replaces what is between the two marks of README.md, and the chart beside the benchmark."""
    with open(os.path.join(top, "integration/benchmark/chart.svg"), "w") as file:
        file.write(chart_text)
    path = os.path.join(top, "README.md")
    with open(path) as file:
        text = file.read()
    before, after = text.split(START)[0], text.split(END)[1]
    with open(path, "w") as file:
        file.write(f"{before}{START}\n\n{table_text}\n{END}{after}")

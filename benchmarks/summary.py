"""The README's table: the main figure of each benchmark, from the results on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.tables import table as markdown

Row = tuple[str, str, str]


def _transcode(result: dict[str, Any]) -> Iterator[Row]:
    rows = ", ".join(f"{r['ratio']:.2f} ({r['preset']})" for r in result["rows"])
    yield "decode and encode, CPU time", f"ffmpeg {result['peers']['ffmpeg']}", f"{rows}; below 1 is cheaper"
    short, long = result["memory"][0], result["memory"][-1]
    grown = long["rss_mib"] - short["rss_mib"]
    yield (
        "memory, long against short clip",
        "itself",
        f"{grown:+.0f} MiB from {short['seconds']:.0f} s to {long['seconds']:.0f} s",
    )


def _network(result: dict[str, Any]) -> Iterator[Row]:
    by_threads: dict[int, dict[str, float]] = {}
    for r in result["rows"]:
        by_threads.setdefault(r["threads"], {})[r["engine"]] = r["ms"]
    for peer in next(iter(by_threads.values())):
        if peer != "vidprod":
            speeds = [f"{ms[peer] / ms['vidprod']:.2f}x ({t} threads)" for t, ms in by_threads.items()]
            yield (
                "network on the CPU, speed",
                peer,
                f"{', '.join(speeds)}; above 1 is faster".replace("1 threads", "1 thread"),
            )


def _end_to_end(result: dict[str, Any]) -> Iterator[Row]:
    shares = [r["end_to_end"] / r["bare"] for r in result["rows"]]
    yield "file to file, speed", "our bare network", f"{min(shares):.2f}x to {max(shares):.2f}x"
    best = max(result["rows"], key=lambda r: r["reuse"] / r["bare"])
    yield (
        "with reuse of unchanged areas",
        "our bare network",
        f"{best['reuse'] / best['bare']:.2f}x ({best['clip'].split(',')[0]})",
    )


def _quality(result: dict[str, Any]) -> Iterator[Row]:
    targets = result["targets"]
    flicker = targets["temporal error over bicubic's, CRF 18-28"]
    yield "quality, CRF 18 to 28, PSNR", "span-x2 as published", f"{targets['gain over span-x2, CRF 18-28']:+.2f} dB"
    yield "quality, CRF 18 to 28, PSNR", "bicubic", f"{targets['gain over bicubic, CRF 18-28']:+.2f} dB"
    yield "quality, worst clip and rate", "bicubic", f"{targets['least gain over bicubic on any clip']:+.2f} dB"
    yield "flicker, CRF 18 to 28", "bicubic", f"{flicker:.2f}x; below 1 is steadier"


def _erase(result: dict[str, Any]) -> Iterator[Row]:
    against = "OpenCV's Telea given the true mask"
    given, product = result["targets"]["PSNR over Telea given the true mask, dB: mean"]
    yield (
        "subtitles erased, PSNR where they were",
        against,
        f"{product:+.1f} dB found by itself, {given:+.1f} dB given the mask",
    )
    _, flicker = result["targets"]["flicker against Telea's"]
    yield "the same, flicker", against, f"{flicker:.2f}x; below 1 is steadier"


def _erase_logos(result: dict[str, Any]) -> Iterator[Row]:
    gains = [
        f"{value:+.1f} dB ({key.rsplit(': ', 1)[1]})"
        for key, value in result["targets"].items()
        if key.startswith("with box, PSNR")
    ]
    yield "logos taken off, PSNR where they were", "OpenCV's Telea given the true mask", ", ".join(gains)


def _shots(result: dict[str, Any]) -> Iterator[Row]:
    rows = [row for row in result["rows"] if row["group"] == "real edits"]
    ours = next(row["f1"] for row in rows if row["detector"] == "vidprod")
    best = max(row["f1"] for row in rows if not row["detector"].startswith("vidprod"))
    against = f"best detector of PySceneDetect {result['peers']['scenedetect']}"
    yield "shots, F1 on real edits (5 clips, seen while tuning)", against, f"{ours:.2f} against {best:.2f}"


def _reframe(result: dict[str, Any]) -> Iterator[Row]:
    means = result["means"]["figure"]
    peer = next(name for name in means if name.startswith("pyautoflip"))
    kept = means["ours, its width"]["kept"]
    yield (
        "known subject kept at 9:16, same width of window",
        f"{peer}; the middle",
        f"{kept:.2f} against {means[peer]['kept']:.2f} and {means['centre']['kept']:.2f}",
    )
    costs = result["costs_ms"]
    ours, theirs = (costs[f"the same clip at 640 pixels, {who}"] for who in ("ours", "pyautoflip"))
    yield "the same, cost of its analysis", peer, f"{ours / theirs:.1f}x; below 1 is cheaper"


def _lut(result: dict[str, Any]) -> Iterator[Row]:
    for peer, name in (("ffmpeg", "ffmpeg lut3d"), ("ocio", "OpenColorIO")):
        parts = []
        for depth in ("8 bits", "16 bits", "float"):
            times = [row[f"times_{peer}"] for row in result["speed"] if row["depth"] == depth]
            parts.append(f"{min(times):.2f}x ({depth})")
        yield "look-up tables, speed on the CPU", name, ", ".join(parts) + "; above 1 is faster"


def _selection(result: dict[str, Any]) -> Iterator[Row]:
    rows = [row for row in result["rows"] if row["what"] == "filler shown"]
    ours, even = (sum(row[name] for row in rows) / len(rows) for name in ("vidprod", "even"))
    yield "summaries, share of planted filler", "uniform sampling", f"{ours:.0%} against {even:.0%}"


def _shorts(result: dict[str, Any]) -> Iterator[Row]:
    if not result["peers"]:
        return
    for row in result["rows"]:
        programs = row["programs"]
        if len(programs) > 1:
            ours, *theirs = programs.values()
            speeds = [
                f"{min(found):.1f}x to {max(found):.1f}x"
                for key in ("cpu", "cpu_alone")
                if (found := [one[key] / ours[key] for one in theirs])
            ]
            yield (
                f"short rendered, CPU time: {row['short']}",
                f"MoviePy {result['peers']['moviepy']}, tuned and as documented",
                f"{speeds[0]} with encoding, {speeds[1]} without; above 1 is faster",
            )


def _beats(result: dict[str, Any]) -> Iterator[Row]:
    rows = [row for row in result["rows"] if row["songs"] == "not seen"]
    ours, *theirs = rows
    for other in theirs:
        yield "beats of songs not seen, F at 70 ms", other["tracker"], f"{ours['f']:.2f} against {other['f']:.2f}"


def _service(result: dict[str, Any]) -> Iterator[Row]:
    for row in result["rows"]:
        yield (
            f"{row['kind']} over HTTP, {result['rate']:.0f} requests/s, a job running",
            "clients' patience, 10 s",
            f"p50 {row['p50_ms']:.0f} ms, p99 {row['p99_ms']:.0f} ms",
        )
    first = result["first_frame_ms"]
    yield (
        "submit to first decoded picture, warm",
        "our decoder alone",
        f"{first['median']:.0f} ms against {first['alone']:.0f} ms",
    )
    yield "memory of the idle API process", "target 300 MiB", f"{result['idle_rss_mib']:.0f} MiB"


def _events(result: dict[str, Any]) -> Iterator[Row]:
    scores = [one for clips in result["styles"].values() for one in clips.values()]
    true, exact, false = (sum(one[key] for one in scores) for key in ("true", "exact", "false"))
    yield (
        "subtitles, first and last picture exact",
        "target 98 %",
        f"{100 * exact / true:.1f} % of {true}, {false} false",
    )


_PARTS: dict[str, Callable[[dict[str, Any]], Iterator[Row]]] = {
    "transcode": _transcode,
    "sr-network": _network,
    "sr-end-to-end": _end_to_end,
    "sr-quality": _quality,
    "erase-events": _events,
    "erase": _erase,
    "erase-logos": _erase_logos,
    "shots": _shots,
    "reframe": _reframe,
    "lut": _lut,
    "summary-selection": _selection,
    "shorts": _shorts,
    "shorts-beats": _beats,
    "service": _service,
}


def summary(results: Path) -> str:
    """A markdown table of whatever results there are."""
    rows: list[Row] = []
    machine: dict[str, Any] = {}
    for name, part in _PARTS.items():
        file = results / f"{name}.json"
        if file.exists():
            result = json.loads(file.read_text(encoding="utf-8"))
            machine = result["machine"]
            rows += part(result)
    if not rows:
        return ""
    where = f"{machine['processor']}, {machine['cores']} cores, no GPU" if "gpu" not in machine else machine["gpu"]
    text = markdown(["what", "against", "vidprod"], rows)
    return f"{text}\n\n{where}; torch {machine['torch']}, av {machine['av']}, {machine['date']}."

"""python -m benchmarks NAME...: runs benchmarks, writes JSON, refreshes the tables in README and docs."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.summary import summary
from benchmarks.tables import fill

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = (
    "transcode",
    "sr-network",
    "sr-end-to-end",
    "sr-quality",
    "inpaint-network",
    "erase",
    "erase-events",
    "erase-logos",
    "shots",
    "summary-selection",
    "shorts",
    "shorts-beats",
    "shorts-transitions",
    "reframe",
    "lut",
    "color",
    "service",
)
PAGES = ("benchmarks", "models", "erase", "shots", "color", "color-grading", "reframing", "summaries", "shorts")
DOCUMENTS = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in PAGES))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*NAMES, "all"])
    parser.add_argument("--media", type=Path, help="folder of real clips (default: ../shared/media, if there)")
    parser.add_argument("--quick", action="store_true", help="fewer pictures: to see that it runs, not to quote")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    arguments = parser.parse_args()
    beside = ROOT.parent / "shared" / "media"
    media = arguments.media or (beside if beside.is_dir() else None)
    names = NAMES if "all" in arguments.names else arguments.names
    arguments.results.mkdir(parents=True, exist_ok=True)
    for name in names:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        result = {"machine": machine(), **module.run(media, quick=arguments.quick)}
        text = module.table(result)
        print(f"\n{name}\n\n{text}\n", flush=True)
        if arguments.quick:
            continue
        (arguments.results / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        for document in DOCUMENTS:
            if document.exists():
                fill(document, name, text)
    if not arguments.quick and arguments.results.resolve() == RESULTS:  # elsewhere lie only some of them
        fill(ROOT / "README.md", "summary", summary(arguments.results))


if __name__ == "__main__":
    main()

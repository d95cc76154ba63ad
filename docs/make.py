"""Makes the documentation site: `python docs/make.py`, then open build/docs/html/index.html. Nothing is downloaded.

--real     the gallery also on ImageNet's MobileNetV2, from the folder that PELLUCID_DATA names (some minutes)
--no-html  only the Markdown pages and their pictures
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("docs", "notebooks", "tests")]


def main(arguments: list[str]) -> None:
    """Write the pages and build the site."""
    unknown = set(arguments) - {"--real", "--no-html"}
    if unknown:
        raise SystemExit(f"unknown option {min(unknown)!r}\n\n{__doc__}")
    from handbook import site

    start = time.perf_counter()
    config = site.write(ROOT / "build" / "docs", real=_real() if "--real" in arguments else None)
    if "--no-html" not in arguments:
        print(f"The site is at {site.build(config)}")
    print(f"Made in {time.perf_counter() - start:.0f} s.")


def _real() -> Path:
    folder = os.environ.get("PELLUCID_DATA")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("--real needs the folder of real data: set PELLUCID_DATA to it")
    return Path(folder)


if __name__ == "__main__":
    main(sys.argv[1:])

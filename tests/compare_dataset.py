"""Compares the images that the example `make_dataset` writes with SciPy and scikit-image, pixel by pixel, and
times both on the same slices, one after the other, each on two cores.

    cargo build --release --example make_dataset
    python tests/compare_dataset.py [--count 200] [--defects all] [--seed 0]

Slices are 310 x 258, as the paper's are. Without D6 the draws differ, so that only times are compared. Ends with
an error if a pixel differs by more than 1e-6. Needs numpy, scipy and scikit-image; the folder for temporary files
needs 1.5 MB a slice.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import Pool
from pathlib import Path

# Two processes are the two cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", RAYON_NUM_THREADS="2")

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
import published

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=200)
parser.add_argument("--defects", default="all")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--program", default=Path(__file__).parent.parent / "target/release/examples/make_dataset")
options = parser.parse_args()
defects = published.ALL if options.defects == "all" else set(options.defects.split(","))


def smooth_brain(seed):
    """Noise like tissue, scaled as nobody would expect."""
    raw = published.brain(seed, 310, 258)
    return np.where(raw > 0, 200 * ndimage.gaussian_filter(raw, 1.5), 0)


def item(number):
    return published.dataset_item(slices[number], library, options.seed + number, defects)


library = published.library()
slices = np.stack([smooth_brain(seed % 50) for seed in range(options.count)])
with tempfile.TemporaryDirectory() as folder, Pool(2) as pool:
    np.save(f"{folder}/slices.npy", slices)
    ratios = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        theirs = pool.map(item, range(options.count), chunksize=8)
        np.save(f"{folder}/theirs.npy", np.stack([image for image, _, _ in theirs]))
        python = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run(
            [options.program, "--slices", f"{folder}/slices.npy", "--defects", options.defects,
             "--seed", str(options.seed), "--out", f"{folder}/ours"],
            check=True, stdout=subprocess.DEVNULL,
        )
        rust = time.perf_counter() - start
        ratios.append(python / rust)
        print(f"{options.count} images: Python {python:.2f} s, make_dataset {rust:.2f} s, {ratios[-1]:.1f} times as fast")
    print(f"median ratio {np.median(ratios):.1f}")
    if "D6" in defects:
        images, truth, cls = (np.load(f"{folder}/ours/{name}.npy") for name in ("images", "truth", "class"))
        assert images.dtype == truth.dtype == np.float32 and cls.dtype == np.int64
        assert (cls == [c for _, _, c in theirs]).all()
        worst = [max(np.abs(ours - their).max() for ours, their in zip(all_ours, all_theirs))
                 for all_ours, all_theirs in ((images, [i for i, _, _ in theirs]), (truth, [t for _, t, _ in theirs]))]
        print(f"largest difference: images {worst[0]:.1e}, truth {worst[1]:.1e}; {int(cls.sum())} irregular")
        assert max(worst) < 1e-6

"""Compares the images that the example `make_dataset` writes with SciPy and scikit-image, pixel by pixel, and
times both on the same slices, one after the other, each on two cores.

    cargo build --release --example make_dataset
    python tests/compare_dataset.py [--count 1000] [--defects all] [--seed 0]

The second ratio, of time that processors spent, holds even while other programs run.
Slices are 310 x 258, as the paper's are. Without D6 the draws differ, so that only times are compared. Ends with
an error if a pixel differs by more than 1e-6. Needs numpy, scipy and scikit-image; the folder for temporary files
needs 1.5 MB a slice.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

# Two processes are the two cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", RAYON_NUM_THREADS="2")

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
import published

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=1000)
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


def work_in(path):
    global folder
    folder = path


def item(number):
    """Writes one image where make_dataset would; how long the processor worked."""
    start = time.process_time()
    image, truth, cls = published.dataset_item(slices[number], library, options.seed + number, defects)
    for name, made in (("images", image), ("truth", truth), ("class", cls)):
        np.load(f"{folder}/theirs/{name}.npy", mmap_mode="r+")[number] = made
    return time.process_time() - start


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


library = published.library()
slices = np.stack([smooth_brain(seed % 50) for seed in range(options.count)])
with tempfile.TemporaryDirectory() as folder, get_context("fork").Pool(2, work_in, (folder,)) as pool:
    np.save(f"{folder}/slices.npy", slices)
    os.mkdir(f"{folder}/theirs")
    n = options.count
    ratios = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        for name, kind, shape in (("images", "f4", (n, 3, 224, 224)), ("truth", "f4", (n, 224, 224)), ("class", "i8", (n,))):
            np.lib.format.open_memmap(f"{folder}/theirs/{name}.npy", "w+", kind, shape)
        python_cpu = sum(pool.map(item, range(n), chunksize=8))
        python = time.perf_counter() - start
        start, before = time.perf_counter(), children()
        subprocess.run(
            [options.program, "--slices", f"{folder}/slices.npy", "--defects", options.defects,
             "--seed", str(options.seed), "--out", f"{folder}/ours"],
            check=True, stdout=subprocess.DEVNULL,
        )
        rust, rust_cpu = time.perf_counter() - start, children() - before
        ratios.append((python / rust, python_cpu / rust_cpu))
        print(f"{options.count} images: Python {python:.2f} s, make_dataset {rust:.2f} s, {ratios[-1][0]:.1f} times as fast; "
              f"time of the processors {python_cpu:.2f} s, {rust_cpu:.2f} s, ratio {ratios[-1][1]:.1f}", flush=True)
    print("median ratios {:.1f}, {:.1f}".format(*np.median(ratios, axis=0)))
    if "D6" in defects:
        for name in ("images", "truth", "class"):
            ours, theirs = (np.load(f"{folder}/{who}/{name}.npy", mmap_mode="r") for who in ("ours", "theirs"))
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (name, ours.dtype, ours.shape)
            worst = max(np.abs(our - their).max() for our, their in zip(ours, theirs))
            print(f"{name}: largest difference {worst:.1e}")
            assert worst < 1e-6

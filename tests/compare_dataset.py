"""Compares the images that the example `make_dataset` writes with SciPy and scikit-image, pixel by pixel, and
times both on the same slices in turn, on one core each and on two.

    cargo build --release --example make_dataset
    python tests/compare_dataset.py [--count 2500] [--defects all] [--seed 0] [--folder /dev/shm]

Python makes the images by as many processes as there are cores; its lesions are searched once, and both ratios are given: of
the images alone, where make_dataset still searches its lesions each time, and with the search on both sides. What the
processors worked, user and system together, is comparable even while other programs run. Without --folder files go to
the usual folder for temporary files, whose disk may decide the times; /dev/shm is memory. Before each of the two, as
many bytes are written to a new file and removed: that is the time of writing alone, and it has a virtual machine's
memory fetched from its host, which takes several times as long as the writing. (Where much memory is free, the first round may still get other memory.)
Slices are 310 x 258, as the paper's are. Without D6 the draws differ, so that only times are compared. Ends with
an error if a pixel differs by more than 1e-6. Needs numpy, scipy and scikit-image, and 2.2 MB a slice.
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

# Each process is one core.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
import published

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=2500)
parser.add_argument("--defects", default="all")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--folder", help="where to put the files")
parser.add_argument("--program", default=Path(__file__).parent.parent / "target/release/examples/make_dataset")
options = parser.parse_args()
defects = published.ALL if options.defects == "all" else set(options.defects.split(","))


def smooth_brain(seed):
    """Noise like tissue, scaled as nobody would expect."""
    raw = published.brain(seed, 310, 258)
    return np.where(raw > 0, 200 * ndimage.gaussian_filter(raw, 1.5), 0)


def work_in(path, cores):
    global folder
    folder = path
    os.sched_setaffinity(0, cores)


def item(number):
    """Writes one image where make_dataset would; how long the processor worked."""
    start = time.process_time()
    image, truth, cls = published.dataset_item(slices[number], library, options.seed + number, defects)
    for name, made in (("images", image), ("truth", truth), ("class", cls)):
        np.load(f"{folder}/theirs/{name}.npy", mmap_mode="r+")[number] = made
    return time.process_time() - start


def writing(folder, images):
    """Removes the images of an earlier round and writes as many bytes, on one core: seconds of the processor, the second time."""
    for file in Path(images).glob("*.npy"):
        file.unlink()
    page = os.urandom(4 * 224 * 224)
    for _ in range(2):
        with open(f"{folder}/alone", "wb", buffering=0) as file:
            start = time.process_time()
            for _ in range(4 * options.count):
                file.write(page)
            took = time.process_time() - start
        os.remove(f"{folder}/alone")
    return took


def theirs(folder, pool):
    """Makes all images by Python: seconds on the clock and of the processors."""
    start = time.perf_counter()
    n = options.count
    for name, kind, shape in (("images", "f4", (n, 3, 224, 224)), ("truth", "f4", (n, 224, 224)), ("class", "i8", (n,))):
        np.lib.format.open_memmap(f"{folder}/theirs/{name}.npy", "w+", kind, shape)
    worked = sum(pool.map(item, range(n), chunksize=8))
    return time.perf_counter() - start, worked


def ours(folder, slices, cores):
    """The same by make_dataset."""
    def worked():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start, before = time.perf_counter(), worked()
    subprocess.run(
        [options.program, "--slices", f"{folder}/{slices}.npy", "--defects", options.defects, "--seed", str(options.seed),
         "--out", f"{folder}/ours"],
        check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        env=os.environ | {"RAYON_NUM_THREADS": str(len(cores))},
    )
    return time.perf_counter() - start, worked() - before


start, worked = time.perf_counter(), time.process_time()
library = published.library()
search = time.perf_counter() - start, time.process_time() - worked
some = [smooth_brain(seed) for seed in range(50)]
all_cores = sorted(os.sched_getaffinity(0))[:2]
with tempfile.TemporaryDirectory(dir=options.folder) as folder:
    slices = np.lib.format.open_memmap(f"{folder}/slices.npy", "w+", "f8", (options.count, 310, 258))
    for number in range(options.count):
        slices[number] = some[number % len(some)]
    np.save(f"{folder}/one.npy", slices[:1])
    os.mkdir(f"{folder}/theirs")
    _, searched = ours(folder, "one", set(all_cores))
    print(f"search of the lesions: Python {search[1]:.2f} s of a processor, make_dataset for one image {searched:.2f} s")
    for cores in [set(all_cores[:1]), set(all_cores)]:
        with get_context("fork").Pool(len(cores), work_in, (folder, cores)) as pool:
            rounds = []
            for _ in range(options.rounds):
                writing(folder, f"{folder}/theirs")
                python = theirs(folder, pool)
                written = writing(folder, f"{folder}/ours")
                rounds.append((*python, *ours(folder, "slices", cores), written))
                print("  Python {:.2f} s, of processors {:.2f} s; make_dataset {:.2f} s, {:.2f} s; writing alone {:.2f} s"
                      .format(*rounds[-1]), flush=True)
        python, python_worked, rust, rust_worked, written = np.median(rounds, axis=0)
        print(f"{options.count} images, {len(cores)} core(s), medians of {options.rounds}: Python {python:.2f} s, "
              f"make_dataset {rust:.2f} s: {python / rust:.1f} times as fast; of processors {python_worked:.2f} s, {rust_worked:.2f} s: "
              f"{python_worked / rust_worked:.1f}; without the writing {(python_worked - written) / (rust_worked - written):.1f}; "
              f"with the search on both sides {(python_worked + search[1]) / rust_worked:.1f}", flush=True)
    if "D6" in defects:
        for name in ("images", "truth", "class"):
            ours_, theirs_ = (np.load(f"{folder}/{who}/{name}.npy", mmap_mode="r") for who in ("ours", "theirs"))
            assert ours_.dtype == theirs_.dtype and ours_.shape == theirs_.shape, (name, ours_.dtype, ours_.shape)
            worst = max(np.abs(our - their).max() for our, their in zip(ours_, theirs_))
            print(f"{name}: largest difference {worst:.1e}")
            assert worst < 1e-6

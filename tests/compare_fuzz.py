"""What other programs read from the changed files that ours read: the same numbers, or it is a fault of ours.

    FUZZ_KEEP=DIR FUZZ_SECONDS=60 cargo test --release -p tests --test fuzz
    python tests/compare_fuzz.py DIR

Files that the other program refuses are only counted: what it refuses, ours may read. Needs torch, safetensors,
nibabel and NumPy.
"""

import io
import json
import logging
import sys
import warnings
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from safetensors.torch import load, load_file

logging.disable()
warnings.simplefilter("ignore")
np.seterr(all="ignore")

WRAPPERS = {"module", "_orig_mod"}


def dicts(value):
    """All dictionaries of tensors in a checkpoint."""
    if isinstance(value, dict):
        tensors = {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
        if tensors:
            yield tensors
        for v in value.values():
            yield from dicts(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from dicts(v)


def has_ours(theirs, ours):
    """Whether `theirs` holds our tensors under names with the same ends."""
    names = {".".join(p for p in name.split(".") if p not in WRAPPERS): name for name in theirs}
    for shared in {name.removesuffix("0.weight") for name in names if name.endswith("0.weight")} | {""}:
        found = {name: theirs.get(names.get(shared + name, "")) for name in ours}
        if all(v is not None and v.shape == ours[k].shape and torch.equal(v.float().nan_to_num(7), ours[k].nan_to_num(7))
               for k, v in found.items()):
            return True
    return False


def weights(bytes_, read, reader):
    try:
        value = reader(bytes_)
    except Exception:
        return "refused"
    ours = load_file(read)
    return "same" if any(has_ours(theirs, ours) for theirs in dicts(value)) else "DIFFERENT"


def scan(bytes_, read, unpack):
    import gzip

    if unpack:
        try:
            bytes_ = gzip.decompress(bytes_)
        except Exception:
            return "refused"
    ours = json.loads(read.read_text())
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        try:
            image = kind.from_bytes(bytes_)
            theirs, affine = image.get_fdata(), image.affine
        except Exception:
            continue
        theirs = theirs.reshape(theirs.shape[:3])
        voxels = np.array([np.nan if v is None else v for v in ours["voxels"]]).reshape(ours["shape"])
        back = np.linalg.inv(np.array(ours["matrix"]))
        index = np.moveaxis(np.indices(theirs.shape), 0, -1)
        mm = index @ affine[:3, :3].T + affine[:3, 3]
        at = (mm - ours["offset"]) @ back.T
        places = np.rint(at).astype(int)
        if np.abs(at - places).max() > 1e-3 or (places < 0).any() or (places >= voxels.shape).any():
            return "DIFFERENT"
        with np.errstate(over="ignore"):
            theirs = theirs.astype(np.float32).astype(float)
        found = voxels[tuple(np.moveaxis(places, -1, 0))]
        theirs[~np.isfinite(theirs)] = np.nan
        scale = np.nanmax(np.abs(theirs), initial=0) + 1
        return "same" if np.allclose(found, theirs, rtol=1e-5, atol=1e-6 * scale, equal_nan=True) else "DIFFERENT"
    return "refused"


def array(bytes_, read):
    try:
        theirs = np.load(io.BytesIO(bytes_))
    except Exception:
        return "refused"
    ours = np.load(read)
    same = ours.shape == theirs.shape and np.array_equal(ours, theirs.astype(float), equal_nan=True)
    return "same" if same else "DIFFERENT"


def torch_load(bytes_):
    return torch.load(io.BytesIO(bytes_), weights_only=True, map_location="cpu")


def main():
    counts = Counter()
    for read in sorted(Path(sys.argv[1]).glob("*.read")):
        file = read.with_suffix("")
        target, bytes_ = file.name.rsplit("_", 1)[0], file.read_bytes()
        match target:
            case "zipped_pth" | "legacy_pth":
                result = weights(bytes_, read, torch_load)
            case "safetensors":
                result = weights(bytes_, read, load)
            case "nii" | "nii_gz":
                result = scan(bytes_, read, target == "nii_gz")
            case "npy":
                result = array(bytes_, read)
            case _:
                continue
        counts[target, result] += 1
        if result == "DIFFERENT":
            print(file)
    for (target, result), count in sorted(counts.items()):
        print(f"{target}: {count} {result}")


if __name__ == "__main__":
    main()

"""Writes a BIDS folder of synthetic people, to try `--data` on: `python bids.py DIR COUNT [MM]`.

Everyone is Colin27, stretched by up to 4 % along each axis, turned by up to 10 degrees, with noise, as int16 with a slope,
on a grid of MM millimetres (2 unless given). Women and men alternate; men are 3 % larger. Made with nibabel 5.4, SciPy 1.17.
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

root, count = Path(sys.argv[1]), int(sys.argv[2])
spacing = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
atlas = nib.load(Path(__file__).parent.parent / "xai-core/assets/colin27_t1_brain_1mm.nii.gz")
grey = atlas.get_fdata(dtype=np.float32)
middle = (np.array(grey.shape) - 1) / 2
shape = np.ceil(np.array(grey.shape) / spacing).astype(int)

rows = ["participant_id\tage\tsex"]
for person in range(count):
    rng = np.random.default_rng(person)
    sex = "FM"[person % 2]
    name = f"sub-{person:04}"
    size = rng.uniform(0.96, 1.04, 3) * (1.0 if sex == "M" else 0.97)
    # From voxels of the person to voxels of the atlas.
    matrix = np.diag(spacing / size)
    offset = middle - matrix @ ((shape - 1) / 2)
    voxels = ndimage.affine_transform(grey, matrix, offset, tuple(shape), order=1)
    voxels = np.where(voxels > 20, voxels + rng.normal(0, 2, shape).astype(np.float32), 0)
    tilt, turn = np.deg2rad(rng.uniform(-10, 10, 2))
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z * spacing
    image = nib.Nifti1Image(voxels, affine)
    image.set_data_dtype(np.int16)
    image.header.set_slope_inter(0.01, 0)
    place = root / name / "anat"
    place.mkdir(parents=True, exist_ok=True)
    nib.save(image, place / f"{name}_T1w.nii.gz")
    rows.append(f"{name}\t{20 + person % 60}\t{sex}")
(root / "participants.tsv").write_text("\n".join(rows) + "\n")

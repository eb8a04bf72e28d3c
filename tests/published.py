"""The published benchmark in NumPy, SciPy and scikit-image: the oracle of the lesions and of the images.

Written after the description in xai-core/src/lesion and in book/src/defects.md. Used by the scripts that make
fixtures and by compare_lesions.py and compare_dataset.py.
"""

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, perimeter_crofton, regionprops
from skimage.transform import rescale, resize

ALL = {f"D{i}" for i in range(1, 11)}


def lesions_of_seed(seed, area=70):
    """All lesions in one noise image: (regular?, compactness, patch)."""
    smooth = ndimage.gaussian_filter(np.random.RandomState(seed).uniform(size=(256, 256)), 2)
    bright = smooth > threshold_otsu(smooth)
    opened = ndimage.binary_opening(ndimage.binary_erosion(bright))
    for stage in (opened, ndimage.binary_erosion(opened)):
        for part in regionprops(label(stage, connectivity=1)):
            if part.area != area:
                continue
            compactness = 4 * np.pi * part.area / perimeter_crofton(part.image, 4) ** 2
            if 0.4 <= compactness <= 0.8:
                continue
            regular = bool(compactness > 0.8)
            patch = ndimage.gaussian_filter(np.pad(part.image.astype(float), 2), 0.75)
            patch[patch < (0.2 if regular else 0.15)] = 0
            if abs(round(patch.sum(), 2) - area * (1 - 0.05 * 0.75)) <= 1:
                yield regular, compactness, patch


def search(count, area=70):
    """Regular and irregular (compactness, patch), more than count of each, and the number of seeds."""
    regular, irregular, seed = [], [], 0
    while len(regular) <= count or len(irregular) <= count:
        for is_regular, compactness, patch in lesions_of_seed(seed, area):
            (regular if is_regular else irregular).append((compactness, patch))
        seed += 1
    return regular, irregular, seed


def library(count=30, area=70, factor=2):
    """The first lesions of both classes, enlarged: two lists of patches."""
    return tuple([rescale(patch, factor, order=1) for _, patch in found[:count]] for found in search(count, area)[:2])


def paint(raw, library, seed, defects=ALL):
    """One image at the slice's resolution, with NumPy's draws (D6): image, truth, class, number of lesions."""
    slice_ = (raw - raw.min()) / (raw.max() - raw.min()) * 0.7
    draws = np.random.RandomState(seed)
    count, cls = draws.randint(3, 6), draws.randint(0, 2)
    chosen = list(library[cls])
    if not ("D2" in defects and cls == 0):
        draws.shuffle(chosen)
    draws = np.random.RandomState(seed)

    weakest = 0.1 if "D1" in defects else 0.0
    inside = slice_ > 0
    places = np.argwhere(inside)
    mask, truth = np.zeros_like(slice_), np.zeros_like(slice_)
    for patch in chosen[:count]:
        seen = (patch - patch.min()) / (patch.max() - patch.min()) * (0.5 - weakest) + weakest
        while True:
            top, left = places[draws.choice(len(places))]
            box = np.s_[top : top + patch.shape[0], left : left + patch.shape[1]]
            if inside[box].shape == patch.shape and inside[box].all() and not mask[box].any():
                break
        mask[box] += seen
        truth[box] += patch
    image = np.where(inside, 1 - (1 - slice_) * (1 - mask), 0)
    return image, truth, int(cls), int(count)


def dataset_item(raw, library, seed, defects=ALL):
    """What make_dataset writes of one slice: [3, 224, 224], [224, 224], class."""
    image, truth, cls, _ = paint(raw, library, seed, defects)
    image = resize(np.repeat(image[:, :, None], 3, axis=2), (224, 224)).transpose(2, 0, 1)
    return image.astype(np.float32), resize(truth, (224, 224)).astype(np.float32), cls


def brain(seed, rows=220, columns=180):
    """A slice for tests that any language can make alike: uniform noise in an ellipse."""
    noise = np.random.RandomState(seed).uniform(size=(rows, columns))
    r, c = np.mgrid[:rows, :columns]
    inside = ((r + 0.5) / rows - 0.5) ** 2 + ((c + 0.5) / columns - 0.5) ** 2 < 0.23
    return np.where(inside, noise + 0.1, 0)

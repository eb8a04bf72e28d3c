"""Reads the medians of the paper's Figure 4 off its two pictures, and writes them beside the published accuracies.

    python read.py figure4_best.png figure4_same_accuracy.png > published.csv

The pictures are those of Oliveira et al. (2024), 2590 pixels wide, where one pixel is a precision of 0.0014. A median
is the dark line in a box, so a value is exact to about 0.002. Needs NumPy and Pillow.
"""

import sys

import numpy as np
from PIL import Image

METHODS = ["integrated_gradients", "gradient_shap", "deep_lift", "saliency",
           "input_x_gradient", "guided_backprop", "deconvolution", "lrp"]
DEPTHS = ["1conv", "2conv", "3conv", "4conv", "all"]
COLOURS = {"imagenet": (204, 121, 167), "mri": (86, 180, 233)}
# The means of three seeds on 8,539 test images, from the paper's table.
ACCURACY = {
    ("best", "imagenet"): [0.744, 0.957, 0.989, 0.992, 0.990],
    ("best", "mri"): [0.821, 0.931, 0.960, 0.967, 0.942],
    ("same", "imagenet"): [0.745, 0.880, 0.889, 0.885, 0.888],
    ("same", "mri"): [0.822, 0.907, 0.880, 0.885, 0.893],
}


def runs(flags):
    """The beginnings and ends of stretches that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2]))


def frames(dark):
    """The panels: (top, bottom) of the two rows and (left, right) of the four columns, by their longest lines."""
    height, width = dark.shape
    across = [(a + b - 1) / 2 for a, b in runs(dark.sum(1) > 0.7 * width)]
    # Grid lines at 0.0, 0.2, 0.6 and 0.8 of each row of panels; that at 0.4 is fainter.
    halves = [[at for at in across if (at > height / 2) == below] for below in (False, True)]
    rows = [(half[0], half[-1]) for half in halves]
    assert all(abs(bottom - top - 564) < 2 for top, bottom in rows), rows
    down = [(a + b - 1) / 2 for a, b in runs(dark[int(rows[0][0]):int(rows[0][1])].mean(0) > 0.9)]
    assert len(down) == 8, down
    return rows, list(zip(down[::2], down[1::2]))


def medians(path):
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    dark = picture.max(2) < 110
    rows, columns = frames(dark)
    found = {}
    for panel, method in enumerate(METHODS):
        (top, bottom), (left, right) = rows[panel // 4], columns[panel % 4]
        part = picture[int(top):int(bottom), int(left) + 3:int(right) - 2]
        for corpus, colour in COLOURS.items():
            of_colour = np.abs(part - colour).max(2) < 40
            # A box is a rectangle; the curve of the accuracies rises.
            boxes = []
            for start, end in runs(of_colour.sum(0) >= 9):
                tops = of_colour[:, start + 2:end - 2].argmax(0)
                bottoms = of_colour[::-1, start + 2:end - 2].argmax(0)
                if end - start >= 12 and (np.ptp(tops) <= 2 or np.ptp(bottoms) <= 2):
                    boxes.append((start, end))
            assert len(boxes) == 5, (path, method, corpus, boxes)
            for depth, (start, end) in zip(DEPTHS, boxes):
                # Left and right of the whiskers. A curve may cover the line on one side.
                third = (end - start) // 3
                found[method, corpus, depth] = []
                for side in (np.s_[start + 2:start + third], np.s_[end - third:end - 2]):
                    lines = runs((part[:, side].max(2) < 125).mean(1) > 0.8)
                    found[method, corpus, depth] += [
                        (a, b) for a, b in lines
                        if of_colour[max(a - 6, 0):a, side].any() and of_colour[b:b + 6, side].any()]
        scale = bottom - top
        for key in [key for key in found if key[0] == method]:
            found[key] = [0.8 * (scale - ((a + b - 1) / 2 + int(top) - top)) / scale for a, b in found[key]]
    return found


def main():
    print("selection,corpus,depth,method,precision_median,test_accuracy")
    for selection, path in zip(["best", "same"], sys.argv[1:3]):
        found = medians(path)
        for corpus in COLOURS:
            for at, depth in enumerate(DEPTHS):
                for method in METHODS:
                    values = found[method, corpus, depth]
                    # The grid is behind the boxes, so there is one line.
                    assert values and np.ptp(values) < 0.003, (path, method, corpus, depth, values)
                    accuracy = ACCURACY[selection, corpus][at]
                    print(f"{selection},{corpus},{depth},{method},{np.mean(values):.3f},{accuracy}")


main()

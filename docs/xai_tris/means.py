#!/usr/bin/env python3
"""Means of the scores of a run of XAI-TRIS, one row per data set and method: linear_64.csv and no_model_64.csv.

    cargo run --release --example xai_tris -- --scale paper --where model=linear
    python docs/xai_tris/means.py runs/xai_tris/partial/model=linear > docs/xai_tris/linear_64.csv
    cargo run --release --example xai_tris_no_network -- --scale paper --where scenario=multiplicative,translations_rotations,xor
    python docs/xai_tris/means.py runs/xai_tris_no_network/partial/* > docs/xai_tris/no_model_64.csv

The cells are those of the folder's plan, which must have one model. A mean is over the images of all networks. The distance
score is also given as a median. A map of zeros has no precision and no distance, but 0 as the other two scores (X11);
`maps_of_zeros` counts such maps. Needs pyarrow and numpy.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

METRICS = ["precision_without_zeros", "relevance_mass_accuracy", "emd", "emd_false_negative_invariant"]


def main(folder):
    values, images, networks = defaultdict(list), defaultdict(set), defaultdict(set)
    models = set()
    for planned in json.loads((folder / "plan.json").read_text())["cells"]:
        cell, file = planned["values"], folder / "cells" / planned["key"] / "scores.parquet"
        models.add(cell.get("model"))
        data = cell["scenario"], cell["background"]
        networks[data].update([cell["seed"]] if "seed" in cell else [])
        table = parquet.read_table(file).to_pydict()
        for image, method, metric, value in zip(table["image"], table["method"], table["metric"], table["value"]):
            images[data].add(image)
            values[data, method, metric.removesuffix("_chance")].append(value)
    assert len(models) == 1, f"more than one model: {models}"
    print("scenario,background,method,images,networks,maps_of_zeros", *METRICS, "emd_median", sep=",")
    for data, method in sorted({key[:2] for key in values}):
        scores = [values[data, method, metric] for metric in METRICS]
        zeros = sum(values[data, method, "zero_map"])
        print(*data, method, len(images[data]), len(networks[data]), round(zeros),
              *(f"{number:.6f}" for number in [*map(np.mean, scores), np.median(values[data, method, "emd"])]), sep=",")


main(Path(sys.argv[1]))

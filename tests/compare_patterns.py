"""Which estimator of patterns gives the published maps of PatternNet and PatternAttribution?

    cargo run --release --example xai_tris_twins
    python tests/compare_patterns.py --program target/release/examples/make_tetromino

For the networks of `xai_tris_twins` that were trained with one softmax, this prints precision and distance score of both methods
beside the published ones. The patterns of the last layer, which no ReLU follows, are fitted to all examples (`linear`, as the
paper on PatternNet defines it and as this project does), or to those with a positive output (`relu`, as in layers with a ReLU).
Everything is computed by NumPy and POT. A distance score is the median over 60 images.

The five Keras runs of the paper share one draw of initial weights. How far draws differ is shown by

    cargo run --release --example xai_tris_twins -- --seeds 20 --where loss=one_softmax
    python tests/compare_patterns.py --program target/release/examples/make_tetromino --range
"""

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import ot
from safetensors.numpy import load_file

PUBLISHED = {
    ("white", "linear", "pattern_net"): (1.00, 0.863),
    ("white", "mlp", "pattern_net"): (0.80, 0.862),
    ("correlated", "linear", "pattern_net"): (0.18, 0.838),
    ("correlated", "mlp", "pattern_net"): (0.03, 0.825),
    ("white", "linear", "pattern_attribution"): (1.00, 0.846),
    ("white", "mlp", "pattern_attribution"): (0.63, 0.872),
    ("correlated", "linear", "pattern_attribution"): (1.00, 0.895),
    ("correlated", "mlp", "pattern_attribution"): (0.59, 0.860),
}
IMAGES = 60

places = np.array([(i // 8, i % 8) for i in range(64)], float)
costs = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))


def images(program, background):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--scenario", "linear", "--background", background, "--size", "8", "--count", "10000"]
        subprocess.run([*command, "--protocol", "published", "--out", folder], check=True, stdout=subprocess.DEVNULL)
        load = lambda part, name: np.load(Path(folder) / part / f"{name}.npy")
        pixels = lambda part: load(part, "images").reshape(-1, 64).astype(float)
        return pixels("train"), pixels("test"), load("test", "class"), load("test", "truth")[0].reshape(64) > 0


def layers_of(path):
    arrays = load_file(path)
    weights = sorted((name for name in arrays if name.endswith("weight")), key=lambda name: int(name.split(".")[0]))
    bias = lambda name: arrays.get(name.replace("weight", "bias"), np.zeros(len(arrays[name])))
    return [(arrays[name].astype(float), bias(name).astype(float)) for name in weights]


def outputs(layers, x):
    """The output of each layer, before its ReLU."""
    found = []
    for weight, bias in layers:
        found.append(x @ weight.T + bias)
        x = np.maximum(found[-1], 0)
    return found


def patterns(layers, x, last):
    found = []
    for at, ((weight, bias), z) in enumerate(zip(layers, outputs(layers, x))):
        with_relu = at < len(layers) - 1 or last == "relu"
        active = (z > 0).astype(float) if with_relu else np.ones_like(z)
        y, count = z - bias, np.maximum(active.sum(0), 1)
        covariance = (active * y).T @ x / count[:, None] - active.T @ x / count[:, None] * y.mean(0)[:, None]
        along = (covariance * weight).sum(1, keepdims=True)
        found.append(np.divide(covariance, along, where=along != 0, out=np.zeros_like(covariance)))
        x = np.maximum(z, 0)
    return found


def scores(layers, found, times_weights, x, classes, truth):
    z = outputs(layers, x)
    rows = np.arange(len(x))
    flow = np.zeros_like(z[-1])
    flow[rows, classes] = z[-1][rows, classes]
    for at in reversed(range(len(layers))):
        flow = flow @ (found[at] * layers[at][0] if times_weights else found[at])
        flow = flow * (z[at - 1] > 0) if at > 0 else flow
    maps, k = np.abs(flow), truth.sum()
    top = np.argsort(-maps, axis=1, kind="stable")[:, :k]
    precision = (truth[top] & (np.take_along_axis(maps, top, 1) > 0)).mean()
    some = [row for row in maps[:: max(1, len(maps) // IMAGES)] if row.sum() > 0]
    distance = [1 - ot.emd2(row / row.sum(), truth / k, costs) / np.sqrt(128) for row in some]
    return precision, np.median(distance)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/xai_tris_twins"))
    parser.add_argument("--program", default="target/release/examples/make_tetromino")
    parser.add_argument("--range", action="store_true", help="show the lowest and the highest score of the networks, not the mean")
    options = parser.parse_args()

    networks = defaultdict(list)
    for path in options.run.glob("cells/*/manifest.json"):
        values = dict(pair.split("=") for pair in json.loads(path.read_text())["cell"].split())
        if values["loss"] == "one_softmax":
            networks[values["background"]].append((values["model"], layers_of(path.parent / "model.safetensors")))
    measured = defaultdict(list)
    for background, of_background in networks.items():
        train, test, classes, truth = images(options.program, background)
        right = [outputs(layers, test)[-1].argmax(1) == classes for _, layers in of_background]
        right = np.all(right, axis=0)
        for model, layers in of_background:
            for last in ("linear", "relu"):
                found = patterns(layers, train, last)
                for method in ("pattern_net", "pattern_attribution"):
                    score = scores(layers, found, method == "pattern_attribution", test[right], classes[right], truth)
                    measured[background, model, method, last].append(score)
    if options.range:
        for key, published in PUBLISHED.items():
            found = np.array(measured[(*key, "relu")])
            low, high = found.min(0), found.max(0)
            print(f"{key[0]:10}  {key[1]:6}  {key[2]:19}  published {published[0]:.2f} {published[1]:.3f}; relu, {len(found)} networks: "
                  f"precision {low[0]:.2f} to {high[0]:.2f}, distance score {low[1]:.3f} to {high[1]:.3f}")
        return
    print("background  model   method               published      linear         relu")
    for key, published in PUBLISHED.items():
        rows = [published, *(np.mean(measured[(*key, last)], axis=0) for last in ("linear", "relu"))]
        numbers = "  ".join(f"{precision:.3f} {distance:.3f}" for precision, distance in rows)
        print(f"{key[0]:10}  {key[1]:6}  {key[2]:19}  {numbers}")


if __name__ == "__main__":
    main()

"""PatternNet, PatternAttribution and deep Taylor decomposition of XAI-TRIS, on networks trained as Keras trains them.

    pip install torch numpy pot safetensors
    python tests/compare_keras.py [--cells LIN-W,RIGID-C] [--models linear,mlp,cnn]

The paper computes these methods by iNNvestigate on Keras networks. Neither installs any more. This program does the same in NumPy and
PyTorch, and uses nothing of this project but the networks' initial weights (`experiments/src/xai_tris/keras_start.py`) and the table of
published scores. It has its own images (equal to the public code's, bit for bit), Keras's layers and Adam, the methods and the scores (by
POT). `xai_tris_keras` is the same study in this project.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import ot
import torch
from safetensors.numpy import load_file

XAI_TRIS = Path(__file__).parent / "../experiments/src/xai_tris"
SEED, COUNT, RUNS = 4000002, 10_000, 5
ALPHA = {"LIN": (0.18, 0.0125), "MULT": (0.7, 0.1), "RIGID": (0.65, 0.2), "XOR": (0.35, 0.15)}
NAMES = {"LIN": "linear", "MULT": "multiplicative", "RIGID": "translations_rotations", "XOR": "xor"}
SHAPES = [np.array([[1, 0], [1, 1], [1, 0]]), np.array([[1, 0], [1, 0], [1, 1]])]
PLACES = np.array([(i // 8, i % 8) for i in range(64)], float)
COSTS = np.hypot(*(PLACES[:, None] - PLACES[None]).transpose(2, 0, 1))


# ---- Images -------------------------------------------------------------------------------------


def blur(images, sigma=3, radius=12):
    weights = np.exp(-np.arange(-radius, radius + 1.0) ** 2 / (2 * sigma**2))
    weights /= weights.sum()
    matrix = np.zeros((8, 8))
    for row in range(8):
        for offset, weight in zip(range(-radius, radius + 1), weights):
            at = (row + offset) % 16
            matrix[row, at if at < 8 else 15 - at] += weight
    return matrix @ images @ matrix.T


def patterns_and_truth(scenario, rng):
    """The signed patterns, the truth and the class of each image, `[n, 8, 8]` and `[n]`."""
    fixed = np.zeros((2, 8, 8))
    fixed[0, 1:4, 1:3], fixed[1, 4:7, 5:7] = SHAPES
    half = COUNT // 2
    classes = np.repeat([0, 1], half)
    both = np.broadcast_to(fixed.sum(0) > 0, (COUNT, 8, 8))
    if scenario in ("LIN", "MULT"):
        return fixed[classes], both, classes
    if scenario == "XOR":
        signs = np.repeat([(1, 1), (-1, -1), (1, -1), (-1, 1)], COUNT // 4, axis=0)
        return np.einsum("ns,sij->nij", signs, fixed), both, classes
    images = np.zeros((COUNT, 8, 8))
    for image, shape in zip(images, classes):
        turned = np.rot90(SHAPES[shape], rng.randint(0, 4))
        height, width = turned.shape
        # As before commit 515184e, which the published plots have (X8).
        row, column = rng.randint(0, 8 - height), rng.randint(0, 8 - width)
        image[row : row + height, column : column + width] = turned
    return images, images > 0, classes


def split(classes):
    def once(labels, share):
        rng = np.random.RandomState(SEED)
        kept, held = [], []
        for shape in (0, 1):
            of_class = np.flatnonzero(labels == shape)
            count = round(len(of_class) * share)
            drawn = of_class[rng.permutation(len(of_class))]
            kept.extend(drawn[: len(of_class) - count]), held.extend(drawn[len(of_class) - count :])
        return rng.permutation(kept), rng.permutation(held)

    train, rest = once(classes, 0.2)
    validation, test = once(classes[rest], 0.5)
    return train, rest[validation], rest[test]


def data_set(scenario, background):
    rng = np.random.RandomState(SEED)
    noise = rng.normal(0, 0.5, (COUNT, 64)).reshape(COUNT, 8, 8)
    if background == "C":
        noise = blur(noise)
    patterns, truth, classes = patterns_and_truth(scenario, rng)
    alpha = ALPHA[scenario]["WC".index(background)]
    norm = np.linalg.norm
    flat = lambda images: images.reshape(COUNT, 64)
    if scenario == "MULT":
        patterns = 1 - alpha * patterns
        pixels = flat(patterns) / norm(patterns) * (flat(noise) / norm(noise))
    else:
        pixels = alpha * flat(patterns) / norm(patterns) + (1 - alpha) * flat(noise) / norm(noise)
    pixels = (pixels / np.abs(pixels).max()).astype(np.float32).astype(np.float16).astype(np.float32)
    parts = split(classes)
    return [(pixels[part], classes[part], flat(truth)[part]) for part in parts]


# ---- Networks, as layers of weights -----------------------------------------------------------------


def start(model):
    """The layers' first weights in Keras's order of axes."""
    arrays = load_file(XAI_TRIS / "keras_start.safetensors")
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{model}.")]


def windows(x):
    """`[..., h, w, c]` as `[..., h, w, 4 c]`: the pixels under a kernel of 2 x 2 with padding "same"."""
    pad = torch.nn.functional.pad(x, (0, 0, 0, 1, 0, 1))
    height, width = x.shape[-3:-1]
    return torch.cat([pad[..., i : i + height, j : j + width, :] for i in (0, 1) for j in (0, 1)], -1)


def forward(layers, x):
    """Inputs (as windows) and outputs before the ReLU of each layer. `layers` are `[runs, in, out]` and `[runs, out]`; `x` is
    `[runs, n, 64]`."""
    found = []
    convolutions = len(layers) == 5 and layers[0][0].shape[1] == 4
    if convolutions:
        x = x.reshape(*x.shape[:2], 8, 8, 1)
    for at, (weight, bias) in enumerate(layers):
        convolution = convolutions and at < 4
        inputs = windows(x) if convolution else x
        runs = inputs.shape[0]
        z = torch.baddbmm(bias[:, None], inputs.reshape(runs, -1, weight.shape[1]), weight)
        z = z.reshape(*inputs.shape[:-1], weight.shape[2])
        found.append((inputs, z))
        if at == len(layers) - 1:
            break
        x = z.relu()
        if convolution:
            height = x.shape[2]
            if height > 1:
                x = x.reshape(*x.shape[:2], height // 2, 2, height // 2, 2, x.shape[-1]).amax((3, 5))
            if at == 3:
                x = x.reshape(*x.shape[:2], -1)
    return found


def train(model, data, epochs=500, batch=512, rate=0.0005):
    """All runs at once. They differ by the order of images only. Returns the best layers of each run and their test accuracies."""
    (pixels, classes, _), (of_validation, class_validation, _), (of_test, class_test, _) = data
    weights = start(model)
    with_bias = model != "linear"
    parameters = []
    for weight in weights:
        flat = weight.reshape(-1, weight.shape[-1])
        parameters.append(torch.tensor(np.stack([flat] * RUNS)).requires_grad_())
        parameters.append(torch.zeros(RUNS, weight.shape[-1]).requires_grad_(with_bias))
    moving = [p for p in parameters if p.requires_grad]
    first = [torch.zeros_like(p) for p in moving]
    second = [torch.zeros_like(p) for p in moving]
    pixels, classes = torch.tensor(pixels), torch.tensor(classes)
    every = lambda x: torch.tensor(x)[None].expand(RUNS, *x.shape)
    of_validation, class_validation = every(of_validation), every(class_validation)
    layers = lambda: list(zip(parameters[::2], parameters[1::2]))
    rng = np.random.default_rng(1)
    loss_of = lambda z, c: torch.nn.functional.cross_entropy(z.reshape(-1, 2), c.reshape(-1), reduction="none").reshape(RUNS, -1)
    best = torch.full((RUNS,), torch.inf)
    kept = [p.detach().clone() for p in parameters]
    step = 0
    for _ in range(epochs):
        order = np.stack([rng.permutation(len(pixels)) for _ in range(RUNS)])
        for at in range(0, len(pixels), batch):
            index = torch.tensor(order[:, at : at + batch])
            z = forward(layers(), pixels[index])[-1][1]
            loss_of(z, classes[index]).mean(1).sum().backward()
            step += 1
            scaled = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            with torch.no_grad():
                for p, m, v in zip(moving, first, second):
                    m.mul_(0.9).add_(p.grad, alpha=0.1)
                    v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                    p.addcdiv_(m, v.sqrt().add_(1e-7), value=-scaled)
                    p.grad = None
        with torch.no_grad():
            loss = loss_of(forward(layers(), of_validation)[-1][1], class_validation).mean(1)
            better = loss < best
            best = torch.where(better, loss, best)
            for keep, p in zip(kept, parameters):
                keep[better] = p[better]
    layers = [(w.double(), b.double()) for w, b in zip(kept[::2], kept[1::2])]
    answers = forward(layers, every(of_test).double())[-1][1].argmax(-1)
    return layers, (answers == torch.tensor(class_test)).numpy()


# ---- Methods, one run at a time, in float64 -----------------------------------------------------------


def patterns(found, layers):
    """A pattern per layer, `[in, out]`: the covariance over positive outputs, also at the end, as iNNvestigate fits unless told otherwise."""
    result = []
    for (inputs, z), (weight, bias) in zip(found, layers):
        x, y = inputs.reshape(-1, weight.shape[0]), z.reshape(-1, weight.shape[1])
        active = (y > 0).astype(float)
        y, count = y - bias, np.maximum(active.sum(0), 1)
        covariance = x.T @ (active * y) / count - x.T @ active / count * y.mean(0)
        along = (weight * covariance).sum(0)
        result.append(covariance / (along + (along == 0)))
    return result


def spread(windows_flow, side):
    """The gradient of `windows`: adds what the windows of a pixel give it."""
    n, channels = len(windows_flow), windows_flow.shape[-1] // 4
    out = np.zeros((n, side + 1, side + 1, channels))
    for at, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        out[:, i : i + side, j : j + side] += windows_flow[..., at * channels : (at + 1) * channels]
    return out[:, :side, :side]


def unpool(flow, z):
    """The gradient of a maximum pooling of ReLU(z); the first maximum takes all."""
    n, side, _, channels = z.shape
    if side == 1:
        return flow
    cells = np.maximum(z, 0).reshape(n, side // 2, 2, side // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4).reshape(n, side // 2, side // 2, channels, 4)
    chosen = np.eye(4)[cells.argmax(-1)] * flow[..., None]
    return chosen.reshape(n, side // 2, side // 2, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, side, side, channels)


def backward(found, layers, through):
    """Walks back from the largest output. `through(at, flow, inputs)` takes a layer's flow from its outputs to its inputs."""
    z = found[-1][1]
    flow = z * np.eye(2)[z.argmax(-1)]
    for at in reversed(range(len(layers))):
        inputs, z = found[at]
        if at < len(layers) - 1:
            if z.ndim == 4:
                side = z.shape[1]
                flow = unpool(flow.reshape(len(z), max(side // 2, 1), max(side // 2, 1), -1), z)
            flow = through.gate(flow, z)
        flow = through.layer(at, flow, inputs)
        if z.ndim == 4:
            flow = spread(flow, z.shape[1])
    return flow.reshape(len(flow), -1)


class Pattern:
    def __init__(self, matrices):
        self.matrices = matrices

    def gate(self, flow, z):
        return flow * (z > 0)

    def layer(self, at, flow, inputs):
        return flow @ self.matrices[at].T


class DeepTaylor:
    """By positive contribution (z+), without biases."""

    def __init__(self, layers):
        self.layers = layers

    def gate(self, flow, z):
        return flow

    def layer(self, at, flow, inputs):
        weight, _ = self.layers[at]
        plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)
        high, low = np.maximum(inputs, 0), np.minimum(inputs, 0)
        total = high @ plus + low @ minus
        share = flow / (total + (total == 0))
        return high * (share @ plus.T) + low * (share @ minus.T)


def scores(maps, truth, images=200):
    maps = np.abs(maps)
    k = truth.sum(1)
    order = np.argsort(-maps, axis=1, kind="stable")
    precision = []
    for row, top, inside, count in zip(maps, order, truth, k):
        if row.sum() > 0:
            top = top[:count]
            precision.append((inside[top] & (row[top] > 0)).mean())
    distance = [
        1 - ot.emd2(row / row.sum(), inside / count, COSTS) / np.sqrt(128)
        for row, inside, count in list(zip(maps, truth, k))[:: max(1, len(maps) // images)]
        if row.sum() > 0
    ]
    return (np.mean(precision), np.median(distance)) if precision else (np.nan, np.nan)


def explain(data, runs, right):
    """The scores of each method on the images `right`, run by run."""
    pixels, test, truth = data[0][0], data[2][0][right], data[2][2][right]
    measured = {}
    for run in range(RUNS):
        layers = [(w[run].numpy(), b[run].numpy()) for w, b in runs]
        one = lambda x: [(i[0].numpy(), z[0].numpy()) for i, z in forward([(w[run : run + 1], b[run : run + 1]) for w, b in runs], torch.tensor(x)[None].double())]
        of_train, found = one(pixels), one(test)
        fitted = patterns(of_train, layers)
        walks = {
            "pattern_net": Pattern(fitted),
            "pattern_attribution": Pattern([p * w for p, (w, _) in zip(fitted, layers)]),
            "deep_taylor": DeepTaylor(layers),
        }
        for name, walk in walks.items():
            measured.setdefault(name, []).append(scores(backward(found, layers, walk), truth))
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(f"{s}-{b}" for s in ALPHA for b in "WC"))
    parser.add_argument("--models", default="linear,mlp,cnn")
    parser.add_argument("--epochs", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    published = {tuple(row[:4]): row[4:] for row in csv.reader((XAI_TRIS / "published.csv").open())}
    rows = csv.writer(sys.stdout)
    rows.writerow(["scenario", "background", "model", "method", "accuracies", "images", "published precision", "precision", "published emd", "emd"])
    for cell in options.cells.split(","):
        scenario, background = cell.split("-")
        data = data_set(scenario, background)
        models = [m for m in options.models.split(",") if m != "linear" or scenario == "LIN"]
        trained = {model: train(model, data, options.epochs) for model in models}
        right = np.all(np.concatenate([of for _, of in trained.values()]), axis=0)
        for model, (layers, of) in trained.items():
            accuracies = " ".join(f"{a:.3f}" for a in of.mean(1))
            if not right.any():
                rows.writerow([NAMES[scenario], background, model, "no image is classified correctly by all", accuracies])
                continue
            for method, values in explain(data, layers, right).items():
                key = (NAMES[scenario], "white" if background == "W" else "correlated", model, method)
                precision, emd = published.get(key, ["", ""])
                ours = np.array(values)
                rows.writerow([*key, accuracies, right.sum(), precision, f"{np.nanmean(ours[:, 0]):.3f}", emd, f"{np.nanmedian(ours[:, 1]):.3f}"])
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Times XAI-TRIS's models in this project and in PyTorch with Captum and POT: training, and explaining with scores.

    cargo build --release -p experiments --examples
    python tests/compare_xai_tris.py --data DIR [--program target/release/examples/xai_tris_time] [--epochs 500] [--images 50]

DIR is what `make_tetromino --scenario linear --background white --size 8 --count 10000` wrote. Both sides use two threads in
the same run: two models are trained and explained, each by one thread (of PyTorch: one process with one thread each, which for
such small networks is faster than two threads in one). Methods are the paper's with its settings; what Captum does
not have (PatternNet, PatternAttribution, deep Taylor) runs on our side alone. Scores are precision and the earth mover's distance;
ours has two more.
"""

import argparse
import json
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np


def read(folder, part):
    load = lambda name: np.load(Path(folder) / part / f"{name}.npy")
    return load("images")[:, None], load("truth") > 0, load("class")


def model(kind):
    from torch import nn

    block = lambda inputs: [nn.Conv2d(inputs, 4, 2, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)]
    layers = {
        "linear": [nn.Flatten(), nn.Linear(64, 2, bias=False)],
        "mlp": [nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(),
                nn.Linear(8, 2)],
        "cnn": [*block(1), *block(4), *block(4), *block(4), nn.Flatten(), nn.Linear(4, 2)],
    }[kind]
    net = nn.Sequential(*layers, nn.Softmax(1))
    for p in net.parameters():
        if p.ndim > 1:
            nn.init.kaiming_normal_(p)
    return net


def train(kind, folder, epochs, seed):
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    (x, _, y), (vx, _, vy) = (read(folder, part) for part in ("train", "validation"))
    net, loss = model(kind), nn.CrossEntropyLoss()
    adam = torch.optim.Adam(net.parameters(), lr=0.0005)
    x, y, vx, vy = map(torch.tensor, (x, y, vx, vy))
    start = time.perf_counter()
    best = None
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for batch in order.split(512):
            adam.zero_grad()
            loss(net(x[batch]), y[batch]).backward()
            adam.step()
        with torch.no_grad():
            value = sum(loss(net(a), b).item() for a, b in zip(vx.split(512), vy.split(512)))
        if best is None or value <= best[0]:
            best = (value, {key: tensor.clone() for key, tensor in net.state_dict().items()})
    seconds = time.perf_counter() - start
    net.load_state_dict(best[1])
    with torch.no_grad():
        accuracy = (net(vx).argmax(1) == vy).double().mean().item()
    return seconds, accuracy, {key: tensor.numpy() for key, tensor in net.state_dict().items()}


def explain(kind, state, folder, count):
    import captum.attr as attr
    import ot
    import torch

    torch.set_num_threads(1)
    net = model(kind)
    net.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    images, truth, classes = (part[:count] for part in read(folder, "test"))
    x, y = torch.tensor(images), torch.tensor(classes)
    zeros = torch.zeros_like(x[:1])
    start = time.perf_counter()
    maps = {}
    for first in range(0, count, 50):
        a, t = x[first:first + 50], y[first:first + 50]
        batch = {
            "feature_permutation": attr.FeaturePermutation(net).attribute(a, target=t),
            "integrated_gradients": attr.IntegratedGradients(net).attribute(a, target=t),
            "saliency": attr.Saliency(net).attribute(a, target=t),
            "deep_lift": attr.DeepLift(net).attribute(a, target=t),
            "gradient_shap": attr.GradientShap(net).attribute(a, target=t, baselines=zeros),
            "deconvolution": attr.Deconvolution(net).attribute(a, target=t),
            "guided_backprop": attr.GuidedBackprop(net).attribute(a, target=t),
            "shapley_value_sampling": attr.ShapleyValueSampling(net).attribute(a, target=t),
        }
        for name, method in (("lime", attr.Lime(net)), ("kernel_shap", attr.KernelShap(net))):
            batch[name] = torch.cat([method.attribute(a[i:i + 1], target=t[i:i + 1], n_samples=25) for i in range(len(a))])
        if kind == "cnn":
            batch["guided_grad_cam"] = attr.GuidedGradCam(net, net[9]).attribute(a, target=t)
        for name, values in batch.items():
            maps.setdefault(name, []).append(values.detach().numpy())
    places = np.argwhere(np.ones((8, 8))).astype(float)
    costs = ot.dist(places, places, metric="euclidean")
    precisions = {}
    for name, parts in maps.items():
        for heat, inside in zip(np.abs(np.concatenate(parts)[:, 0]).astype(float), truth):
            k = inside.sum()
            top = np.argsort(-heat.ravel(), kind="stable")[:k]
            precisions.setdefault(name, []).append((inside.ravel()[top] & (heat.ravel()[top] > 0)).sum() / k)
            if heat.any():
                ot.emd2((heat / heat.sum()).ravel(), (inside / k).ravel(), costs)
    return time.perf_counter() - start, np.mean(precisions["saliency"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--program", default="target/release/examples/xai_tris_time")
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--models", default="linear,mlp,cnn")
    options = parser.parse_args()
    for kind in options.models.split(","):
        command = [options.program, "--data", options.data, "--model", kind, "--epochs", str(options.epochs),
                   "--images", str(options.images)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        with ProcessPoolExecutor(2) as pool:
            trained = list(pool.map(train, [kind] * 2, [options.data] * 2, [options.epochs] * 2, [0, 1]))
            explained = list(pool.map(explain, [kind] * 2, [one[2] for one in trained], [options.data] * 2,
                                      [options.images] * 2))
        theirs = [max(one[0] for one in trained), max(one[0] for one in explained)]
        for what, a, b in zip(("training", "explaining"), (ours["training"], ours["explaining"]), theirs):
            print(f"{kind:7} {what:11} ours {a:8.2f} s   PyTorch {b:8.2f} s   ratio {a / b:.3f}")
        print(f"{kind:7} validation  ours {ours['validation']}   PyTorch {[one[1] for one in trained]}")
        print(f"{kind:7} saliency    ours {ours['precision of saliency']:.3f}   PyTorch {np.mean([one[1] for one in explained]):.3f}",
              flush=True)


if __name__ == "__main__":
    main()

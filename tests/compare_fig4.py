"""The whole job against what a user would write instead: Figure 4 at desk scale here, and in PyTorch with Captum.

    cargo build --release -p experiments --example fig4_best --example fig4_images
    python tests/compare_fig4.py [--corpora shapes,mri] [--depths 1conv,2conv,3conv,4conv,all] [--rates 0.001,0.003]

Both pre-train a network on each corpus, fine-tune it at each depth with each rate, select the rate by the validation images,
predict the test images with the winners, explain the images that all winners classify correctly (at most 64) with the
eight methods, score them by precision, and explain an untrained network as well. Images, first weights, the order of the
images in each epoch, sizes, epochs, optimisers, batch norm and the rules of checkpoints and of stopping are those of
`fig4_best --scale desk`. PyTorch reads the images, weights and orders, which `fig4_images` writes beforehand; our time includes
making them, and drawing the figure. The first losses agree; after some steps, rounding has grown until both trainings are as
different as two seeds. With `--draws K`, PyTorch draws its own weights and orders from the seed K.

PyTorch is used as a good user would: the outputs of frozen layers are computed once per corpus and depth, batch norm is
folded before explaining, and two processes with one thread each share the work, which for networks this narrow is
faster than two threads in one process. Ours uses two threads as well, one for each of two cells. Both run alone, one
after the other. On a machine that others use too, compare the processor seconds.

Peak memory of ours is that of its one process, of PyTorch the sum of its processes. Needs torch, captum, numpy, safetensors.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONWARNINGS="ignore")

import numpy as np

import side_by_side

BLOCKS = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]]
DEPTHS = {"1conv": 1, "2conv": 2, "3conv": 3, "4conv": 4, "all": 5}
LUMA = np.array([0.2989, 0.5870, 0.1140], np.float32)[:, None, None]


def load(folder):
    """Grey images `[n, 1, h, w]` and classes."""
    import torch

    torch.set_num_threads(1)
    return torch.tensor(np.load(folder / "images.npy"))[:, None], torch.tensor(np.load(folder / "class.npy"))


def network(settings, classes, norms, weights=None):
    """The layers of VGG-16 in order, and where each block of convolutions begins. `weights` is a file of them."""
    import torch
    from safetensors.torch import load_file
    from torch import nn

    config, layers, starts, channels = settings["network"], [], [], 3
    for block in BLOCKS:
        starts.append(len(layers))
        for width in block:
            width //= config["width_divisor"]
            layers += [nn.Conv2d(channels, width, 3, padding=1)] + [nn.BatchNorm2d(width)] * norms + [nn.ReLU()]
            nn.init.normal_(layers[-2 - norms].weight, std=(2 / (9 * width)) ** 0.5)
            channels = width
        layers.append(nn.MaxPool2d(2))
    side, hidden = config["pooled"], 4096 // config["width_divisor"]
    layers += [nn.AdaptiveAvgPool2d(side), nn.Flatten()]
    for inputs in (channels * side**2, hidden):
        layers += [nn.Linear(inputs, hidden)] + [nn.BatchNorm1d(hidden)] * norms + [nn.ReLU(), nn.Dropout(config["dropout"])]
    layers.append(nn.Linear(hidden, classes))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
        if hasattr(layer, "bias"):
            nn.init.zeros_(layer.bias)
    net = nn.Sequential(*layers)
    if weights is not None:
        unknown = net.load_state_dict(load_file(weights), strict=False)
        assert all(name.endswith("num_batches_tracked") for name in unknown.missing_keys) and not unknown.unexpected_keys
    return net, starts


def coloured(x):
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x


def calibrate(net, x):
    """Sets the statistics of batch norm to those of these images."""
    import torch

    norms = [layer for layer in net if "BatchNorm" in type(layer).__name__]
    for norm in norms:
        norm.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(coloured(x))
    for norm in norms:
        norm.momentum = 0.1


def outputs(net, x):
    import torch

    net.eval()
    with torch.no_grad():
        return torch.cat([net(coloured(part)) for part in x.split(64)])


def settled(history):
    """Whether three validation accuracies agree, each below the training accuracy of its epoch."""
    last = history[-3:]
    return (len(last) == 3 and all(abs(a[1] - b[1]) < 0.005 for a, b in zip(last, last[1:]))
            and all(training > validation for training, validation in last))


def train(net, data, held_out, orders, rate, batch, decay, largest_gap):
    """Trains it to the best epoch by validation accuracy. Returns that accuracy, and of each epoch the accuracies in training
    and validation. An epoch takes the images in the order of its row in `orders`."""
    import torch
    from torch import nn

    x, y = data
    loss = nn.CrossEntropyLoss()
    adam = torch.optim.Adam(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.StepLR(adam, decay, 0.1)
    best, history = None, []
    for order in orders:
        net.train()
        correct = 0
        for part in torch.as_tensor(order).split(batch):
            adam.zero_grad()
            logits = net(coloured(x[part]))
            loss(logits, y[part]).backward()
            adam.step()
            correct += (logits.argmax(1) == y[part]).sum().item()
        schedule.step()
        calibrate(net, x[:192])
        accuracy = (outputs(net, held_out[0]).argmax(1) == held_out[1]).double().mean().item()
        history.append((correct / len(x), accuracy))
        fair = abs(correct / len(x) - accuracy) <= largest_gap + 1e-9
        if best is None or (fair, accuracy) > best[0]:
            best = ((fair, accuracy), {name: value.clone() for name, value in net.state_dict().items()})
        if settled(history):
            break
    net.load_state_dict(best[1])
    return best[0][1], history


def beginning(folder, draws):
    """The file of the first weights, and the orders of the images in each epoch: ours, or for `draws` its own."""
    import torch

    orders = np.load(folder / "order.npy")
    if draws is None:
        return folder / "start.safetensors", orders
    torch.manual_seed(draws)
    return None, np.stack([torch.randperm(orders.shape[1]).numpy() for _ in orders])


def pretrain(folder, settings, corpus, draws):
    here = folder / f"pretraining-{corpus}"
    data, held_out = (load(here / part) for part in ("train", "validation"))
    classes = int(data[1].max()) + 1
    weights, orders = beginning(here, draws)
    net, _ = network(settings, classes, True, weights)
    _, history = train(net, data, held_out, orders, 0.003, 32, max(len(orders) * 3 // 4, 1), 1.0)
    calibrate(net, load(folder / "train")[0][:256])
    return {name: value.numpy() for name, value in net.state_dict().items()}, classes, history, resident()


def fine_tune(folder, settings, pretrained, classes, depth, rates, draws):
    """The winner of a corpus and depth: its folded network, and its predictions of the test images."""
    import torch

    data, held_out = load(folder / "train"), load(folder / "validation")
    winner, frozen = None, None
    for rate in rates:
        net, starts = network(settings, classes, True)
        net.load_state_dict({name: torch.tensor(value) for name, value in pretrained.items()})
        weights, orders = beginning(folder, draws)
        net[-1] = network(settings, 2, False, weights)[0][-1]
        first = starts[5 - DEPTHS[depth]]
        if frozen is None:
            frozen = [(outputs(net[:first], x) if first else x, y) for x, y in (data, held_out)]
        accuracy, history = train(net[first:], *frozen, orders, rate, settings["batch"], 7, 0.05)
        if winner is None or accuracy > winner[0]:
            winner = (accuracy, net, history)
    net = folded(winner[1].eval())
    predicted = outputs(net, load(folder / "test")[0]).argmax(1)
    return net, predicted.numpy(), winner[2], resident()


def folded(net):
    """The network without batch norm."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    layers = []
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        elif isinstance(layer, nn.BatchNorm1d):
            layers[-1] = fuse_linear_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def explain(folder, net, chosen, rows, settings, draws):
    """The mean precision of each method."""
    import captum.attr as attr
    import torch

    class Flat(torch.nn.Module):
        """Captum's LRP knows no Flatten."""

        def __init__(self, layers):
            super().__init__()
            layers = torch.nn.Sequential(*(layer for layer in layers if not isinstance(layer, torch.nn.Dropout)))
            flatten = next(at for at, layer in enumerate(layers) if isinstance(layer, torch.nn.Flatten))
            self.features, self.classifier = layers[:flatten], layers[flatten + 1:]

        def forward(self, x):
            return self.classifier(torch.flatten(self.features(x), 1))

    if net is None:
        net = network(settings, 2, False, beginning(folder, draws)[0])[0]
    net = Flat(net).eval()
    images, classes = load(folder / "test")
    truth = np.load(folder / "test/truth.npy")[chosen] > 0
    x, y = coloured(images[chosen]).contiguous(), classes[chosen]
    zero = torch.zeros_like(x[:1])
    methods = {
        "integrated_gradients": lambda: attr.IntegratedGradients(net).attribute(
            x, target=y, n_steps=50, internal_batch_size=max(rows, len(x))),
        "gradient_shap": lambda: attr.GradientShap(net).attribute(x, baselines=zero, target=y),
        "deep_lift": lambda: attr.DeepLift(net).attribute(x, target=y),
        "saliency": lambda: attr.Saliency(net).attribute(x, target=y),
        "input_x_gradient": lambda: attr.InputXGradient(net).attribute(x, target=y),
        "guided_backprop": lambda: attr.GuidedBackprop(net).attribute(x, target=y),
        "deconvolution": lambda: attr.Deconvolution(net).attribute(x, target=y),
        "lrp": lambda: attr.LRP(net).attribute(x, target=y),
    }
    precision = {}
    for name, method in methods.items():
        heat = (method().detach().abs().numpy() * LUMA).sum(1)
        shares = []
        for one, inside in zip(heat, truth):
            top = np.argsort(-one.ravel(), kind="stable")[:inside.sum()]
            shares.append(inside.ravel()[top].mean())
        precision[name] = float(np.mean(shares))
    return precision, resident()


def resident():
    """The peak of this process, with its number."""
    return os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def whole_job(options):
    """All of it in PyTorch, by two processes. Prints one line of JSON."""
    folder = Path(options.data)
    settings = json.loads((folder / "settings.json").read_text())
    corpora, rates = options.corpora.split(","), [float(rate) for rate in options.rates.split(",")]
    start = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        peaks, seconds = {}, {}

        def done(part, results):
            nonlocal start
            results = [result.result() for result in results]
            for result in results:
                process, peak = result[-1]
                peaks[process] = max(peaks.get(process, 0), peak)
            now = time.perf_counter()
            seconds[part], start = now - start, now
            return results

        draws, depths = options.draws, options.depths.split(",")
        trained = done("pre-training", [pool.submit(pretrain, folder, settings, corpus, draws) for corpus in corpora])
        cells = [(corpus, depth) for depth in reversed(depths) for corpus in corpora]
        states = dict(zip(corpora, trained))
        tuned = done("fine-tuning", [pool.submit(fine_tune, folder, settings, *states[corpus][:2], depth, rates, draws)
                                     for corpus, depth in cells])
        truth = np.load(folder / "test/class.npy")
        right = np.flatnonzero(np.all([predicted == truth for _, predicted, *_ in tuned], axis=0))
        count = min(len(right), settings["explained"])
        chosen = right[np.arange(count) * len(right) // max(count, 1)]
        nets = [net for net, *_ in tuned] + [None]
        precisions = done("explaining", [pool.submit(explain, folder, net, chosen, options.rows, settings, draws) for net in nets])
    peak = sum(peaks.values()) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak / 2**20, "seconds": seconds, "images": count,
                      "accuracy": [float((predicted == truth).mean()) for _, predicted, *_ in tuned],
                      "history": {corpus: history for corpus, (*_, history, _) in states.items()}
                      | {f"{corpus} {depth}": history for (corpus, depth), (*_, history, _) in zip(cells, tuned)},
                      "precision": [precision for precision, _ in precisions]}))


def measured(command, **how):
    """What it prints, and its seconds, processor seconds and peak in GiB."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, command
    return text, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default="shapes,mri")
    parser.add_argument("--depths", default=",".join(DEPTHS))
    parser.add_argument("--rates", default="0.001,0.003")
    parser.add_argument("--rows", type=int, default=64, help="images in a pass of Captum's integrated gradients")
    parser.add_argument("--draws", type=int, help="PyTorch's own weights and orders, from this seed")
    parser.add_argument("--data", help="where the images are, for PyTorch's part alone")
    options = parser.parse_args()
    if options.data:
        return whole_job(options)
    chosen = [f"--{name}={getattr(options, name)}" for name in ("corpora", "depths", "rates", "rows")]
    chosen += [] if options.draws is None else [f"--draws={options.draws}"]
    with tempfile.TemporaryDirectory() as folder:
        images, runs = Path(folder) / "images", Path(folder) / "runs"
        subprocess.run([side_by_side.EXAMPLES / "fig4_images", "--scale", "desk", "--out", images], check=True,
                       stdout=subprocess.DEVNULL)
        print(f"load before: {os.getloadavg()[0]:.1f}", flush=True)
        text, *ours = measured(
            [side_by_side.EXAMPLES / "fig4_best", "--json", "--out", runs, "--jobs", "2", "--where",
             f"corpus={options.corpora}", f"depth={options.depths}", f"rate={options.rates}"],
            stderr=subprocess.DEVNULL)
        ours_result = json.loads(text.splitlines()[-1])
        print(f"load between: {os.getloadavg()[0]:.1f}", flush=True)
        text, *torch = measured([sys.executable, __file__, "--data", str(images), *chosen])
        torch_result = json.loads(text.splitlines()[-1])
        torch[2] = torch_result["peak"]
        print(f"load after: {os.getloadavg()[0]:.1f}\n")
    print(f"{'':20}{'ours':>10}{'PyTorch':>10}{'ratio':>8}")
    for name, a, b in zip(("seconds", "processor seconds", "peak memory [GiB]"), ours, torch):
        print(f"{name:20}{a:10.2f}{b:10.2f}{a / b:8.3f}")
    print("\nPyTorch's parts, s:", {part: round(value, 1) for part, value in torch_result["seconds"].items()})
    for name, epochs in torch_result["history"].items():
        accuracies = ", ".join(f"{training:.3f} {validation:.3f}" for training, validation in epochs)
        print(f"PyTorch's accuracies in training and validation, {name}: {accuracies}")
    # That both did the same job: accuracies and precisions are alike, up to the draws.
    mean = lambda values: float(np.mean(values))
    accuracy = mean([cell["test_accuracy"] for cell in ours_result["cells"]])
    print(f"mean test accuracy: ours {accuracy:.3f}, PyTorch {mean(torch_result['accuracy']):.3f}; "
          f"PyTorch explained {torch_result['images']} images")
    for name in torch_result["precision"][0]:
        here = mean([cell["scores"][name]["precision"] for cell in ours_result["cells"]])
        there = mean([cell[name] for cell in torch_result["precision"][:-1]])
        print(f"mean precision of {name:21} ours {here:.3f}, PyTorch {there:.3f}")


if __name__ == "__main__":
    main()

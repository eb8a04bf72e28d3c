#!/usr/bin/env python3
"""Time and memory of the eight-method panel against Captum's, on one machine and in one run.

    cargo build --release -p experiments --example panel_time --example explain_image
    python tests/compare_captum.py [--size 224] [--images 2] [--threads 2] [--rounds 1] [--accuracy]

The network is a VGG-16 with random weights of a fixed seed and He's scale, the images are slices of
the brain that the benchmark is made of. Both programs get the same weights and images. They take
turns, method by method, so that a machine that slows down slows down both. Captum runs in evaluation
mode and computes integrated gradients in passes of `--captum-rows` images (all 50 points at once
would take more memory than most machines have, and are no faster).

Each method is timed by itself, which for ours includes the forward pass; `panel` is all eight by one
panel, which shares it, against the sum of Captum's. On a machine that others use as well, the
processor seconds (of all threads) are the better measure. `--accuracy` compares attributions of both with
PyTorch's in 64 bits instead: the largest error and the share of values beyond 1e-4. Needs torch, torchvision,
captum, safetensors, nibabel, numpy, and for `--accuracy` zennit, with which the fixtures are made.
"""

import argparse
import importlib.util
import resource
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from captum.attr import (LRP, Deconvolution, DeepLift, GradientShap, GuidedBackprop,
                         InputXGradient, IntegratedGradients, Saliency)
from safetensors.torch import save_file

import side_by_side

ROOT = Path(__file__).resolve().parent.parent
METHODS = ["integrated_gradients", "gradient_shap", "deep_lift", "saliency", "input_x_gradient",
           "guided_backprop", "deconvolution", "lrp"]
TARGET = 0


def network():
    """Torchvision's VGG-16. Not in place: Captum's hooks want to see what goes into a ReLU."""
    torch.manual_seed(0)
    net = torchvision.models.vgg16(weights=None, init_weights=False)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.ReLU):
                layer.inplace = False
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
                layer.weight.normal_(0, (2 / layer.weight[0].numel()) ** 0.5)
                layer.bias.normal_(0, 0.01)
    return net.eval()


def slices(count, size):
    """Axial slices of Colin27 in [0, 1], as three equal channels."""
    import nibabel
    volume = nibabel.load(ROOT / "xai-core/assets/colin27_t1_brain_1mm.nii.gz").get_fdata(dtype=np.float32)
    planes = np.linspace(0.4, 0.7, count) * volume.shape[2]
    planes = torch.tensor(np.stack([volume[:, :, int(z)] for z in planes]))[:, None]
    planes = torch.nn.functional.interpolate(planes, (size, size), mode="bilinear")
    return (planes / planes.amax((1, 2, 3), keepdim=True)).repeat(1, 3, 1, 1).contiguous()


def attribute(net, name, x, rows):
    zero = torch.zeros_like(x[:1])
    return {
        "integrated_gradients": lambda: IntegratedGradients(net).attribute(
            x, target=TARGET, n_steps=50, internal_batch_size=max(rows, len(x))),
        "gradient_shap": lambda: GradientShap(net).attribute(x, baselines=zero, target=TARGET),
        "deep_lift": lambda: DeepLift(net).attribute(x, target=TARGET),
        "saliency": lambda: Saliency(net).attribute(x, target=TARGET),
        "input_x_gradient": lambda: InputXGradient(net).attribute(x, target=TARGET),
        "guided_backprop": lambda: GuidedBackprop(net).attribute(x, target=TARGET),
        "deconvolution": lambda: Deconvolution(net).attribute(x, target=TARGET),
        "lrp": lambda: LRP(net).attribute(x, target=TARGET),
    }[name]().detach()


def compare_time(net, x, folder, options):
    ours = side_by_side.Program("panel_time", ["--weights", folder / "w.safetensors", "--input", folder / "x.npy",
                                               "--target", str(TARGET)], options.threads)
    attribute(net, "saliency", x, options.captum_rows)  # both once before the clock runs
    ours.seconds("saliency")
    names = options.methods.split(",")
    captum, alone, panel = {name: [] for name in names}, {name: [] for name in names}, []
    for _ in range(options.rounds):
        for name in names:
            alone[name].append(ours.seconds(name))
            captum[name].append(side_by_side.seconds(lambda: attribute(net, name, x, options.captum_rows)))
        panel.append(ours.seconds(options.methods))
    median = lambda times: np.median(times, axis=0)
    side_by_side.heading("Captum")
    for name in names:
        side_by_side.row(name, *zip(median(alone[name]), median(captum[name])))
    side_by_side.row("panel", *zip(median(panel), sum(median(captum[name]) for name in names)))
    side_by_side.row("peak memory [GiB]", (ours.peak(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))
    ours.end()


def fixtures():
    """What made the fixtures of deep networks: the published DeepLIFT by Captum, and our draws of GradientShap."""
    spec = importlib.util.spec_from_file_location("deep", ROOT / "tests/fixtures/deep/make.py")
    deep = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(deep)
    return deep


def maps_of(net, separate, name, x, rows, reference):
    zero = torch.zeros_like(x[:1])
    if name == "deep_lift":
        return reference.deep_lift(separate, x, TARGET, zero).detach().numpy()
    if name == "gradient_shap":
        return reference.gradient_shap(net, x, TARGET, zero, reference.ALPHAS).detach().numpy()
    return attribute(net, "deep_lift" if name == "deep_lift_captum" else name, x, rows).numpy()


def compare_accuracy(net, x, folder, options):
    """The largest error as a share of the largest attribution, and the share of values that are off by more than 1e-4
    of it, against PyTorch in 64 bits. In an even background whole planes of maxima tie from black, where rounding
    decides in PyTorch; that shows in DeepLIFT."""
    deep = fixtures()
    assert len(x) <= len(deep.reference.ALPHAS), "more images than the fixtures have draws for"
    layers = deep.vgg16(False)
    layers[-1] = deep.reference.LINEAR(4096, 1000)
    separate = deep.reference.Net(layers, separate=True).eval()
    separate.load_state_dict(dict(zip(separate.state_dict(), net.state_dict().values(), strict=True)))
    names = options.methods.split(",") + ["deep_lift_captum"]
    subprocess.run([ROOT / "target/release/examples/explain_image", "--network", "vgg16", "--weights", folder / "w.safetensors",
                    "--input", folder / "x.npy", "--target", str(TARGET), "--methods", ",".join(names), "--out", folder],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = options.captum_rows
    single = {name: maps_of(net, separate, name, x, rows, deep.reference) for name in names}
    net, separate = net.double(), separate.double()
    print(f"{'':24}{'largest error':>20}{'beyond 1e-4':>22}")
    print(f"{'':24}{'ours':>10}{'PyTorch':>10}{'ours':>12}{'PyTorch':>10}")
    for name in names:
        exact = maps_of(net, separate, name, x.double(), rows, deep.reference)
        errors = [np.abs(found - exact) / np.abs(exact).max() for found in (np.load(folder / f"{name}.npy"), single[name])]
        print(f"{name:24}" + "".join(f"{error.max():10.1e}" for error in errors) + "  "
              + "".join(f"{(error > 1e-4).mean():10.3%}" for error in errors), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--captum-rows", type=int, default=10)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--accuracy", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # of Captum, that it sets hooks
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        net, x = network(), slices(options.images, options.size)
        save_file(net.state_dict(), folder / "w.safetensors")
        np.save(folder / "x.npy", x.numpy())
        (compare_accuracy if options.accuracy else compare_time)(net, x, folder, options)


if __name__ == "__main__":
    main()

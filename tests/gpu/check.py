"""What tests/gpu/check runs; README.md says what it shows. One step after the other, each with its results in
check.json as soon as it is over, so that a run that is cut off loses only the step that it was in."""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent / "tests"))
import compare_captum
from compare_captum import METHODS

START = time.monotonic()

# Left out of `all of explain_image`, as their passes are those of lime, some thousands of them.
LONG = ["occlusion", "shapley_value_sampling", "rise"]


class Check:
    def __init__(self, options):
        self.options, self.results = options, {}
        self.bin = options.work / "bin"
        self.gpu = torch.cuda.is_available()
        self.torch_device = "cuda" if self.gpu else "cpu"
        # On CUDA with 32-bit products as well.
        self.devices = [options.device] + (["cuda-f32"] if options.device == "cuda" else [])
        self.environment = environment(options.work)
        self.cache = Path(self.environment["XDG_CACHE_HOME"])
        torch.set_num_threads(os.cpu_count())

    def left(self):
        return self.options.seconds - (time.monotonic() - START)

    def step(self, name, needs, work):
        """Runs a step if there is time for it, and keeps its result or why it has none."""
        begin = time.monotonic()
        if self.left() < needs:
            result = {"skipped": f"{self.left():.0f} s are left, it wants {needs}"}
        else:
            try:
                result = work()
            except Exception as problem:  # the other steps go on
                result = {"failed": f"{type(problem).__name__}: {problem}"[-2000:]}
        result["took"] = round(time.monotonic() - begin, 1)
        self.results[name] = result
        (self.options.out / "check.json").write_text(json.dumps(self.results, indent=1))
        print(f"\n== {name}\n{json.dumps(result, indent=1)}", flush=True)

    def run(self, program, *arguments, timeout=120, **environment):
        """What a program of ours prints; an error that says what it said, if it fails."""
        command = [self.bin / program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=self.environment | environment)
        if done.returncode != 0:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stdout[-2500:]} {done.stderr[-1500:]}")
        return done.stdout

    # --- the inputs, the same for both programs

    def make_inputs(self):
        options = self.options
        self.net = compare_captum.network()
        if options.tiny:
            self.net = Tiny(self.net)
        self.weights = options.work / "w.safetensors"
        names = {"head.weight": "7.weight", "head.bias": "7.bias"}  # as our JSON numbers the layers
        name = lambda name: names.get(name, name.removeprefix("features.")) if options.tiny else name
        save_file({name(key): value for key, value in self.net.state_dict().items()}, self.weights)
        self.network = ["--network", "vgg16"]
        if options.tiny:
            conv = lambda inputs: {"conv2d": {"in": inputs, "out": 64, "kernel": 3, "stride": 1, "padding": 1}}
            layers = [conv(3), "relu", conv(64), "relu", {"max_pool2d": {"kernel": 2, "stride": 2}},
                      {"adaptive_avg_pool2d": [2, 2]}, "flatten", {"linear": {"in": 256, "out": 10}}]
            (options.work / "tiny.json").write_text(json.dumps(layers))
            self.network = ["--network", str(options.work / "tiny.json")]
        pixels = torch.from_numpy(np.load(options.work / "slices.npy"))
        if options.size != pixels.shape[-1]:
            pixels = torch.nn.functional.interpolate(pixels, (options.size, options.size), mode="bilinear")
        self.x = pixels[: options.images].repeat(1, 3, 1, 1).contiguous()
        for count in {2, len(self.x)}:
            np.save(options.work / f"x{count}.npy", self.x[:count].numpy())
        return {"images": list(self.x.shape)}

    # --- the steps

    def machine(self):
        found = {"python": sys.version.split()[0], "torch": torch.__version__, "cores": os.cpu_count(),
                 "programs_MiB": {p.name: round(p.stat().st_size / 2**20, 1) for p in sorted(self.bin.iterdir())},
                 "CUDA_PATH": self.environment.get("CUDA_PATH"), "LD_LIBRARY_PATH": self.environment.get("LD_LIBRARY_PATH")}
        if self.gpu:
            query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"]
            found["gpu"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
            found.update(ceilings())
        return found

    def starts(self):
        """The first explanation of a machine, and again with what the first left in the caches."""
        seconds = {"caches_at_the_start_MiB": self.size_of_caches()}
        for start in ["first", "second"]:
            begin = time.monotonic()
            self.explain(self.options.device, ["saliency"], self.options.work / "start", timeout=min(400, self.left()))
            seconds[f"{start}_s"] = round(time.monotonic() - begin, 2)
        seconds["caches_at_the_end_MiB"] = self.size_of_caches()
        return seconds

    def size_of_caches(self):
        return round(sum(file.stat().st_size for file in self.cache.rglob("*") if file.is_file()) / 2**20, 1)

    def explain(self, device, methods, out, count=2, memory="300MiB", timeout=120):
        """With so little memory every pass is of few images, so that few kernels are chosen among."""
        self.run("explain_image", *self.network, "--weights", self.weights, "--input", self.options.work / f"x{count}.npy",
                 "--target", compare_captum.TARGET, "--methods", ",".join(methods), "--device", device, "--out", out,
                 "--segments", "8x8", "--memory", memory, timeout=timeout)

    def tests(self):
        """Tests of this repository, whose expected values are those of Captum and zennit in 64 bits, on the device."""
        result = {}
        wanted = {"attribution": ["captum::", "deep::"], "operations": [""]}
        for device in reversed(self.devices):
            for program, filters in wanted.items():
                if not (self.bin / program).exists():
                    continue
                for name in filters:
                    begin = time.monotonic()
                    try:
                        out = self.run(program, *filter(None, [name]), "--nocapture", "--test-threads=1", timeout=min(60, max(10, self.left())),
                                       XAI_DEVICE=device, XAI_FIXTURES=str(self.options.work / "tests/fixtures"))
                        said = out[-1500:]
                    except Exception as problem:
                        said = f"{type(problem).__name__}: {problem}"[-3000:]
                    result[f"{device} {program} {name}"] = {"took": round(time.monotonic() - begin, 1), "said": said.splitlines()}
        return result

    def parity(self):
        """Each method's largest difference from PyTorch (Captum) in 64 bits, or from our CPU where Captum has no such
        method, as a share of the largest value; the median, and the share of values off by more than 1e-4 of it. Our CPU
        and PyTorch in 32 bits differ from 64 bits as well, where a ReLU or a maximum hangs on the last digit."""
        listed = [line.split()[0] for line in self.run("explain_image", "--list").splitlines()[1:]]
        names = [name for name in listed if name not in LONG]
        devices = ["flex"] + self.devices
        for device in devices:
            self.explain(device, names, self.options.work / device, timeout=min(240, self.left()))
            # To look later at single pixels, such as those where a ReLU hangs on the last digit.
            maps = {name: np.load(self.options.work / device / f"{name}.npy") for name in METHODS}
            np.savez_compressed(self.options.out / f"maps_{device}.npz", **maps)
        load = lambda device, name: np.load(self.options.work / device / f"{name}.npy")
        exact = None if self.options.tiny else Exact(self.net, self.x[:2], self.torch_device)
        result = {}
        for name in names:
            ours = load("flex", name)
            rows = {f"{device} to flex": difference(load(device, name), ours) for device in self.devices}
            if exact and name in METHODS + ["deep_lift_captum"]:
                try:
                    expected = exact.map(name)
                    rows |= {f"{device} to 64 bits": difference(load(device, name), expected) for device in devices}
                    rows["pytorch_f32 to 64 bits"] = difference(exact.map(name, bits=32), expected)
                except Exception as problem:
                    rows["64 bits"] = f"{type(problem).__name__}: {problem}"[:300]
            result[name] = rows
        # By the kernels that are chosen for batches, as the panel below has them.
        if not self.options.tiny:
            few, count = ["saliency", "guided_backprop", "lrp"], len(self.x)
            for device in ["flex", self.options.device]:
                self.explain(device, few, self.options.work / f"batch {device}", count, self.options.memory.split(",")[0])
            for name in few:
                found, ours = (np.load(self.options.work / f"batch {device}/{name}.npy") for device in [self.options.device, "flex"])
                result[f"{name}, {count} images"] = {f"{self.options.device} to flex": difference(found, ours)}
        return result

    def captum(self, name, x, rows):
        self.net.to(self.torch_device)
        return compare_captum.attribute(self.net, name, x, rows)

    def panel(self):
        """Seconds an image of the eight methods, ours at several amounts of memory, Captum's at several batches."""
        ours, theirs = {}, {}
        for memory in self.options.memory.split(","):
            try:
                ours[memory] = self.panel_time(self.options.device, memory)
            except Exception as problem:
                ours[memory] = {"failed": f"{type(problem).__name__}: {problem}"[:300]}
        for batch in self.options.batches:
            theirs[batch] = self.captum_time(batch)
        timed = lambda name: [times[name] for times in theirs.values() if isinstance(times.get(name), float)]
        best_theirs = {name: min(timed(name), default=float("nan")) for name in METHODS}
        best_ours = min((times["panel"] for times in ours.values() if "panel" in times), default=float("nan"))
        result = {"ours": ours, "captum": theirs, "best_ours": best_ours, "best_captum_sum": sum(best_theirs.values())}
        result["ratio"] = best_ours / result["best_captum_sum"]
        if len(self.devices) > 1 and self.left() > 150:
            result["ours_cuda_f32"] = self.panel_time("cuda-f32", self.options.memory.split(",")[0])
        return result

    def panel_time(self, device, memory):
        count = len(self.x)
        arguments = ["--weights", self.weights, "--input", self.options.work / f"x{count}.npy", "--target",
                     compare_captum.TARGET, "--device", device, "--memory", memory, *self.network]
        process = subprocess.Popen([self.bin / "panel_time", *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, env=self.environment)
        timer = threading.Timer(self.options.panel_seconds, process.kill)
        timer.start()
        try:
            def ask(methods):
                process.stdin.write(",".join(methods) + "\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline())
                assert answer["finite"]
                return answer["seconds"] / count

            seconds = {"first_panel": ask(METHODS)}
            with Memory(self.gpu) as memory_used:
                seconds["panel"] = min(ask(METHODS) for _ in range(self.options.rounds))
            seconds["memory_MiB"] = memory_used.most
            for name in METHODS:
                seconds[name] = ask([name])
            return {name: round(value, 6) for name, value in seconds.items()}
        finally:
            timer.cancel()
            process.kill()
            process.wait()

    def captum_time(self, batch):
        """PyTorch as it is: TF32 in convolutions, not in matrix products."""
        x = self.x[:batch].to(self.torch_device)
        seconds = {}
        if self.gpu:
            torch.cuda.reset_peak_memory_stats()
        for name in METHODS:
            try:
                times = []
                for _ in range(1 + self.options.rounds):
                    if self.gpu:
                        torch.cuda.synchronize()
                    begin = time.monotonic()
                    self.captum(name, x, max(batch, 50))
                    if self.gpu:
                        torch.cuda.synchronize()
                    times.append((time.monotonic() - begin) / len(x))
                seconds[name] = round(min(times[1:]), 6)
            except Exception as problem:  # such as no memory for this method at this batch
                seconds[name] = f"{type(problem).__name__}: {problem}"[:300]
                if self.gpu:
                    torch.cuda.empty_cache()
        if self.gpu:
            seconds["memory_MiB"] = torch.cuda.max_memory_reserved() >> 20
        return seconds

    def layers(self):
        """Each convolution forward, back and for its weight, in TFLOP/s: ours as the device's autotune chooses, and cuDNN's
        with TF32, which is how PyTorch comes."""
        arguments = ["--batch", self.options.layer_batch, "--size", self.options.size, "--repeat", 5]
        arguments += ["--width-divisor", 16] if self.options.tiny else []
        result = {"ours": json.loads(self.run("layer_time", "--device", self.options.device, "--json", *arguments))["layers"]}
        if self.gpu:
            result["pytorch"] = torch_layers(self.options.layer_batch, self.options.size)
        sums = lambda rows, key: sum(row[key] or 0 for row in rows if "conv" in row["layer"])
        result["sum_of_convolutions_s"] = {who: {key: sums(rows, key) for key in ("forward_s", "back_s", "weight_s")}
                                           for who, rows in result.items()}
        others = {}
        for row in result["ours"]:
            kind = row["layer"].split(" ", 1)[1] if "conv" not in row["layer"] else "convolutions"
            kind = "linear" if kind.startswith("linear") else kind
            others.setdefault(kind, [0, 0, 0])
            others[kind] = [round(a + (row[key] or 0), 6) for a, key in zip(others[kind], ("forward_s", "back_s", "weight_s"))]
        result["ours_by_kind_s"] = others
        return result

    def training(self):
        """Training steps a second, of all layers and of the last block alone."""
        scale, batch = ("smoke", 4) if self.options.tiny else ("paper", 32)
        out = self.run("cost", "--device", self.options.device, "--scale", scale, "--batch", batch, "--steps", 5, "--images", 2 if self.options.tiny else 32,
                       "--repeat", 2, "--json", timeout=200)
        cost = json.loads(out)
        ours = {part["part"]: 1 / (part["seconds_an_image"] * batch) for part in cost["parts"] if "fine-tuning" in part["part"]}
        result = {"batch": batch, "ours_steps_a_second": ours, "figure_4": cost}
        if not self.options.tiny:
            steps = {depth: self.torch_steps(first, batch) for depth, first in [("1conv", 24), ("all", 0)]}
            result["pytorch_steps_a_second"] = steps
        return result

    def torch_steps(self, first, batch, steps=10):
        """With the layers before `first` frozen and computed before the clock runs, as ours."""
        import torchvision
        net = torchvision.models.vgg16(weights=None, num_classes=2).to(self.torch_device).train()
        with torch.no_grad():
            x = net.features[:first](torch.rand(batch, 3, self.options.size, self.options.size, device=self.torch_device))
        target = torch.arange(batch, device=self.torch_device) % 2
        end = torch.nn.Sequential(net.features[first:], net.avgpool, torch.nn.Flatten(), net.classifier)
        optimizer = torch.optim.SGD(end.parameters(), lr=1e-4, momentum=0.5)
        for step in range(3 + steps):
            if step == 3:
                torch.cuda.synchronize() if self.gpu else None
                begin = time.monotonic()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(end(x), target).backward()
            optimizer.step()
        torch.cuda.synchronize() if self.gpu else None
        return steps / (time.monotonic() - begin)

    def figure(self):
        """As much of Figure 4 as the time allows, one set of options after the other; run again on the same machine, it goes
        on from there."""
        result = {}
        for number, text in enumerate(self.options.figure):
            arguments = text.split()
            # `--weights` alone takes the file that came along.
            weights = next((file for file in self.options.work.iterdir() if file.suffix in (".onnx", ".pth")), None)
            if "--weights" in arguments and weights is None:
                result[text] = {"skipped": "no weights came along"}
                continue
            more = len(self.options.figure) - number - 1
            limit = max(10, (self.left() - 25) * (0.7 if more else 1))
            with_weights = [part for one in arguments for part in ([one, str(weights)] if one == "--weights" else [one])]
            result[text] = self.figure_of("_".join(text.replace("--", " ").replace("=", " ").replace(",", " ").split()), with_weights, limit)
        return result

    def figure_of(self, name, arguments, limit):
        options = self.options
        runs = options.work / "runs" / name
        command = [self.bin / "fig4_best", "--device", options.device, "--out", runs, "--json", *arguments]
        begin = time.monotonic()
        with open(options.work / f"{name}.jsonl", "a") as events:
            process = subprocess.Popen([str(part) for part in command], stdout=events, stderr=subprocess.PIPE, text=True, env=self.environment)
            try:
                _, stderr = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # it stops at the next safe point
                try:
                    _, stderr = process.communicate(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    _, stderr = process.communicate()
        seconds = round(time.monotonic() - begin)
        # Models are too large to come back.
        keep = lambda item: None if item.name.endswith((".safetensors", ".onnx")) or "/.stages/" in item.name else item
        with tarfile.open(options.out / f"{name}.tar.xz", "w:xz") as archive:
            archive.add(options.work / f"{name}.jsonl", f"{name}/events.jsonl")
            if runs.exists():
                archive.add(runs, name, filter=keep)
        manifests = [json.loads(file.read_text()) for file in runs.rglob("manifest.json") if ".stages" not in file.parts]
        return {"exit": process.returncode, "seconds": seconds, "limit_s": round(limit), "stderr": stderr[-1500:],
                "cells": {m["cell"]: {"validation": m["validation"], "test_accuracy": m["test_accuracy"], "seconds": m["seconds"],
                                      "epochs": len(m["history"])} for m in manifests}}


class Tiny(torch.nn.Module):
    """The first block of a VGG-16 and a small head, to try the script itself."""

    def __init__(self, vgg):
        super().__init__()
        torch.manual_seed(0)
        self.features, self.pool, self.head = vgg.features[:5], torch.nn.AdaptiveAvgPool2d(2), torch.nn.Linear(64 * 4, 10)
        self.eval()

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.features(x)), 1))


def environment(work):
    """The environment of our programs: caches of their own, and where CUDA's headers and NVRTC are."""
    env = dict(os.environ, XDG_CACHE_HOME=str(work / "cache"))
    site = Path(torch.__file__).parent.parent / "nvidia"
    toolkits = [Path(env.get("CUDA_PATH", "/usr/local/cuda")), *site.glob("cu1*"), site / "cuda_runtime"]
    for folder in toolkits:
        if (folder / "include/cuda_runtime.h").exists():
            env["CUDA_PATH"] = str(folder)
            break
    libraries = [str(lib.parent) for root in [*toolkits, site] if root.exists() for lib in root.rglob("libnvrtc.so*")
                 if "stubs" not in lib.parts]  # a toolkit's stubs have a libcuda that only says so
    env["LD_LIBRARY_PATH"] = ":".join([*dict.fromkeys(libraries), env.get("LD_LIBRARY_PATH", "")]).strip(":")
    return env


def seconds_of(work, repeat=10):
    """The median of some runs on the GPU."""
    work()
    torch.cuda.synchronize()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for _ in range(repeat):
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return sorted(times)[repeat // 2]


def ceilings():
    """What the card gives at most: matrix products of 32-bit numbers (TF32 and not), and copies."""
    n, best = 8192, seconds_of
    a, b = (torch.randn(n, n, device="cuda") for _ in range(2))
    rates = {}
    for name, tf32 in [("tf32", True), ("f32", False)]:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        rates[f"{name}_TFLOPs"] = round(2 * n**3 / best(lambda: a @ b) / 1e12, 1)
    torch.backends.cuda.matmul.allow_tf32 = False
    source, target = (torch.empty(2**30, dtype=torch.float32, device="cuda") for _ in range(2))
    rates["copy_TB_s"] = round(2 * 4 * 2**30 / best(lambda: target.copy_(source)) / 1e12, 2)
    # A convolution of VGG-16 (256 channels at 56 x 56), as PyTorch has it.
    x, w = torch.randn(32, 256, 56, 56, device="cuda"), torch.randn(256, 256, 3, 3, device="cuda")
    seconds = best(lambda: torch.nn.functional.conv2d(x, w, padding=1))
    rates["pytorch_conv_256_TFLOPs"] = round(2 * 32 * 56 * 56 * 256 * 256 * 9 / seconds / 1e12, 1)
    return rates


def torch_layers(batch, size):
    """VGG-16's convolutions by cuDNN."""
    rows, inputs = [], 3
    for block in [[64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3]:
        for outputs in block:
            x = torch.randn(batch, inputs, size, size, device="cuda")
            w = torch.randn(outputs, inputs, 3, 3, device="cuda")
            g = torch.randn(batch, outputs, size, size, device="cuda")
            back = lambda mask: torch.ops.aten.convolution_backward(g, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)
            times = {"forward": seconds_of(lambda: torch.nn.functional.conv2d(x, w, padding=1)),
                     "back": seconds_of(lambda: back([True, False, False])), "weight": seconds_of(lambda: back([False, True, False]))}
            operations = 2 * batch * size * size * inputs * outputs * 9
            rows.append({"layer": f"conv {inputs} to {outputs}"} | {f"{k}_s": t for k, t in times.items()}
                        | {f"{k}_TFLOPs": operations / t / 1e12 for k, t in times.items()})
            inputs = outputs
        size //= 2
    return rows


class Exact:
    """Captum's maps of a VGG-16 in 64 bits and, without TF32, in 32."""

    def __init__(self, net, x, device):
        self.reference = compare_captum.fixtures()
        deep = self.reference
        layers = deep.vgg16(False)
        layers[-1] = deep.reference.LINEAR(4096, 1000)
        self.separate = deep.reference.Net(layers, separate=True).eval()
        self.separate.load_state_dict(dict(zip(self.separate.state_dict(), net.state_dict().values(), strict=True)))
        self.net, self.x, self.device = net, x, device

    def map(self, name, bits=64):
        kind = torch.float64 if bits == 64 else torch.float32
        net, separate = (one.to(self.device, kind) for one in (self.net, self.separate))
        x = self.x.to(self.device, kind)
        tf32, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
        try:
            maps = self.reference.reference
            if name == "deep_lift":
                found = maps.deep_lift(separate, x, compare_captum.TARGET, torch.zeros_like(x[:1]))
            elif name == "gradient_shap":
                found = maps.gradient_shap(net, x, compare_captum.TARGET, torch.zeros_like(x[:1]), maps.ALPHAS)
            else:
                found = compare_captum.attribute(net, "deep_lift" if name == "deep_lift_captum" else name, x, 10)
            return found.detach().cpu().numpy()
        finally:
            torch.backends.cudnn.allow_tf32 = tf32
            self.net.to(torch.float32)


class Memory:
    """The most memory in use meanwhile: of the GPU, looked at ten times a second; without one, of child processes."""

    def __init__(self, gpu):
        self.gpu, self.most, self.over = gpu, 0, threading.Event()

    def look(self):
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self.over.wait(0.1):
            used = subprocess.run(query, capture_output=True, text=True).stdout.split()
            self.most = max(self.most, int(used[0]) if used else 0)

    def __enter__(self):
        if self.gpu:
            self.thread = threading.Thread(target=self.look)
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        if self.gpu:
            self.thread.join()
        else:
            self.most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10


def difference(found, expected):
    off = np.abs(found - expected) / np.abs(expected).max()
    return {"largest": float(f"{off.max():.2e}"), "beyond_1e-4": float(f"{(off > 1e-4).mean():.2e}"), "median": float(f"{np.median(off):.2e}")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batches", type=int, nargs="*", default=[8, 32], help="of Captum")
    parser.add_argument("--memory", default="4GiB,16GiB", help="of our panel")
    parser.add_argument("--panel-seconds", type=float, default=200, help="for each amount of memory")
    parser.add_argument("--layer-batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=530, help="for everything")
    parser.add_argument("--figure", nargs="*", default=["--scale desk --weights", "--scale desk",
                        "--scale paper --weights --where corpus=imagenet"], help="sets of options of fig4_best")
    parser.add_argument("--tiny", action="store_true", help="a network of two convolutions, to try this script")
    parser.add_argument("--steps", default="machine,inputs,starts,panel,layers,training,tests,parity,figure")
    options = parser.parse_args()
    check = Check(options)
    steps = {"machine": (0, check.machine), "inputs": (0, check.make_inputs), "starts": (20, check.starts), "parity": (40, check.parity),
             "panel": (90, check.panel), "layers": (20, check.layers), "training": (60, check.training), "tests": (30, check.tests),
             "figure": (30, check.figure)}
    for name in options.steps.split(","):
        check.step(name, *steps[name])
    # So that another machine of this kind starts warm: into .gpu with it.
    if check.cache.exists():
        with tarfile.open(options.out / "cache.tar.xz", "w:xz") as archive:
            archive.add(check.cache, "cache")
    failed = [name for name, result in check.results.items() if "failed" in result]
    print(f"\n{time.monotonic() - START:.0f} s; failed: {', '.join(failed) or 'nothing'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

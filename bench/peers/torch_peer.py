#!/usr/bin/python3
"""PyTorch on the workloads of tapeir_bench, one JSON object a line.

usage: torch_peer.py [--threads 1,2] [--only W1,W3,...]
Samples of at least 2 ms, at least 20 of them and half a second's worth, as in
harness.c; compare only with numbers of the same run on the same machine.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


def emit(workload, unit, median, least):
    print(json.dumps({"peer": "torch", "version": torch.__version__,
                      "workload": workload,
                      "threads": torch.get_num_threads(),
                      "median": round(median, 4), "min": round(least, 4),
                      "unit": unit}), flush=True)


def bench(workload, unit, call):
    for _ in range(3):
        call()
    inner = 1
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(inner):
            call()
        one = (time.perf_counter() - start) / inner
        inner = max(1, int(0.002 / one) + 1) if one < 0.002 else 1
    samples, begin = [], time.perf_counter()
    while len(samples) < 20 or time.perf_counter() - begin < 0.5:
        start = time.perf_counter()
        for _ in range(inner):
            call()
        samples.append((time.perf_counter() - start) / inner)
    scale = {"us": 1e6, "ms": 1e3}[unit]
    emit(workload, unit, statistics.median(samples) * scale,
         min(samples) * scale)


def status_mib(field):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def mlp(widths, active, last_active=False):
    layers = []
    for i, (a, b) in enumerate(zip(widths[:-1], widths[1:])):
        layers.append(nn.Linear(a, b))
        if i + 2 < len(widths) or last_active:
            layers.append(active())
    return nn.Sequential(*layers)


def step_of(model, loss, x, target):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss(model(x), target).backward()
        optimiser.step()

    return step


def w1():
    x = torch.arange(4.0).reshape(4, 1).requires_grad_()

    def call():
        x.grad = None
        (2 * (x.t() @ x)).backward()

    bench("W1", "us", call)


def w2():
    a = torch.tensor([0.37], requires_grad=True)

    def call():
        a.grad = None
        b = a * 2
        while bool(b.norm() < 1000):
            b = b * 2
        (b if bool(b.sum() > 0) else 100 * b).backward()

    bench("W2", "us", call)


def w3():
    torch.manual_seed(0)
    x, target = torch.randn(128, 784), torch.randint(0, 10, (128,))
    bench("W3_mlp", "ms", step_of(mlp([784, 512, 256, 10], nn.ReLU),
                                  F.cross_entropy, x, target))
    x, target = torch.randn(32, 4), torch.randn(32, 1)
    bench("W3_tiny", "us", step_of(mlp([4, 32, 32, 1], nn.Tanh),
                                   F.mse_loss, x, target))


def w6():
    torch.manual_seed(0)
    x = torch.randn(10_000_000)

    def chain():
        return torch.tanh(1.3 * x + 0.1) * torch.exp(-(x * x)) + torch.log1p(
            torch.abs(x))

    with torch.no_grad():
        bench("W6_forward", "ms", chain)
    x.requires_grad_()

    def step():
        x.grad = None
        chain().sum().backward()

    bench("W6_fwd_bwd", "ms", step)


def w9a():
    base = status_mib("VmRSS")
    model = mlp([1024] * 33, nn.ReLU, last_active=True)
    step = step_of(model, F.mse_loss, torch.randn(1024, 1024),
                   torch.zeros(1024, 1024))
    step()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    for _ in range(3):
        step()
    peak = status_mib("VmHWM") - base
    emit("W9a_deep_mlp", "MiB", peak, peak)
    bench("W9a_deep_mlp_time", "ms", step)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", help="ignored: tapeir_bench's own file")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else []
    for n_threads in options.threads.split(","):
        torch.set_num_threads(int(n_threads))
        for name, run in (("W9a", w9a), ("W1", w1), ("W2", w2), ("W3", w3),
                          ("W6", w6)):
            if not chosen or name in chosen:
                run()


main()

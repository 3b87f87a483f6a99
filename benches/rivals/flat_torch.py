"""The flat metric by networks in eager PyTorch, as one would write it from the paper.

`Paper` is the estimator of the paper: spectral normalisation, MaxMin, a penalty with a schedule.
`Tight` has orthonormal layers, sorted units and a clamp instead, and needs no penalty.
"""

import math

import torch
from torch import nn
from torch.nn.utils import parametrizations

HIDDEN = 64


class MaxMin(nn.Module):
    def forward(self, h):
        first, second = h.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.cat([torch.maximum(first, second), torch.minimum(first, second)], dim=-1)


class FullSort(nn.Module):
    def forward(self, h):
        return h.sort(dim=-1).values


class Clamp(torch.autograd.Function):
    """To [-1, 1]; lets no gradient pass that pushes further outside."""

    @staticmethod
    def forward(context, h):
        context.save_for_backward(h)
        return h.clamp(-1, 1)

    @staticmethod
    def backward(context, g):
        (h,) = context.saved_tensors
        outwards = ((h > 1) & (g < 0)) | ((h < -1) & (g > 0))
        return g.masked_fill(outwards, 0)


def layers(dimension, gain):
    made = [nn.Linear(dimension, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)]
    for layer in made:
        nn.init.orthogonal_(layer.weight, gain(layer.in_features))
    return made


class Measures:
    """Two weighted clouds on one device, and the loss that both kinds share."""

    def __init__(self, x, a, y, b, device):
        as_tensor = lambda values: torch.as_tensor(values, dtype=torch.float32, device=device)
        self.x, self.a, self.y, self.b = map(as_tensor, (x, a, y, b))
        self.least = min(self.a.sum(), self.b.sum())

    def difference(self, f, g):
        """( sum a f - sum b g ) / min(|a|, |b|)."""
        return (self.a @ f - self.b @ g) / self.least


def penalty(f, weights):
    return (weights @ (f.abs() - 1).clamp(min=0) ** 2) / weights.sum()


def paper(measures, epochs, rate=1e-2):
    """The mean of the last 49 epochs, and the estimates of all."""
    make = layers(measures.x.shape[1], lambda inputs: 1 / math.sqrt(inputs))
    first, second, last = (
        parametrizations.spectral_norm(layer, n_power_iterations=2) for layer in make
    )
    network = nn.Sequential(first, MaxMin(), second, MaxMin(), last).to(measures.x.device)
    parameters = list(network.parameters())
    optimiser = torch.optim.Adam(parameters, lr=rate)
    decay = torch.optim.lr_scheduler.MultiStepLR(optimiser, [32, 64], gamma=0.9)
    points, split = torch.cat([measures.x, measures.y]), len(measures.x)
    t1, t2, t3 = (int(share * epochs) for share in (0.2, 0.5, 0.8))
    strength, curve = 10.0, []
    for t in range(1, epochs + 1):
        f = network(points)[:, 0]
        f, g = f[:split], f[split:]
        estimate = measures.difference(f, g)
        bound = penalty(f, measures.a) + penalty(g, measures.b)
        optimiser.zero_grad()
        (strength * bound - estimate).backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimiser.step()
        decay.step()
        curve.append(estimate.item())
        if t == t1:
            first_strength = max(2 * curve[-1], 0.0)
        elif t1 < t < t2:
            strength = 10 + (first_strength - 10) * (t - t1) / (t2 - t1)
        elif t == t2:
            strength, second_strength = first_strength, first_strength * bound.item() / 0.02
        elif t > t2:
            share = min((t - t2) / (t3 - t2), 1)
            strength = first_strength + (second_strength - first_strength) * share
    window = curve[-49:]
    return sum(window) / len(window), curve


def tangent(w, g):
    if w.shape[0] >= w.shape[1]:
        s = w.T @ g
        return g - w @ (s + s.T) / 2
    s = g @ w.T
    return g - (s + s.T) / 2 @ w


def tight(measures, steps, rate=1e-2):
    """The value of the last step, a bound from below, and those of all."""
    first, second, last = layers(measures.x.shape[1], lambda _: 1.0)
    network = nn.Sequential(first, FullSort(), second, FullSort(), last).to(measures.x.device)
    weights = [layer.weight for layer in (first, second, last)]
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    falling = lambda t: 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * t / steps))
    decay = torch.optim.lr_scheduler.LambdaLR(optimiser, falling)
    means = (measures.a @ measures.x / measures.a.sum(), measures.b @ measures.y / measures.b.sum())
    points, split = torch.cat([measures.x, measures.y]) - sum(means) / 2, len(measures.x)
    curve = []
    for _ in range(steps):
        f = Clamp.apply(network(points)[:, 0])
        estimate = measures.difference(f[:split], f[split:])
        optimiser.zero_grad()
        (-estimate).backward()
        with torch.no_grad():
            for w in weights:
                w.grad = tangent(w, w.grad)
            optimiser.step()
            for w in weights:
                for _ in range(2):
                    w.copy_(1.5 * w - 0.5 * w @ w.T @ w)
        decay.step()
        curve.append(estimate.item())
    return curve[-1], curve

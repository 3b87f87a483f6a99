"""Writes flat.npz: trainings of networks for the flat metric, by automatic differentiation in PyTorch.

Run it with torch and POT 0.9.7.post1: `python tests/golden/make_flat.py`. All is computed in f64;
points, weights and initial networks are numbers of f32, so that every engine starts with the same.

    a_points (7, 3), a_weights (7,)   the measure mu; its last point has no mass
    b_points (5, 3), b_weights (5,)   the measure nu
    exact                             rho_F, not normalised, by ot.emd2 with a point that takes the surplus

and for each MODE, `paper` and `tight`, with H = 64 units a layer and K = 1, 2, 3 counting layers:

    MODE/rate, MODE/epochs     learning rate at the start, number of steps E
    MODE/start/wK, bK          initial weights, h = w x + b: w1 (64, 3), w2 (64, 64), w3 (1, 64)
    MODE/end/wK, bK            the same after the last step
    MODE/value (E,)            D_t = -L_m: the estimate of step t, before its update, normalised
    MODE/gradient (E,)         its gradient's norm over all w and b, before clipping or projection

and for `paper` only:

    paper/start/uK             left singular vectors to start from (64,), (64,), (1,); v needs no start
    paper/end/uK, vK           the last ones: those of step E, of the weights before its update
    paper/penalty (E,)         L_b of step t, before its update
    paper/lambda (E,)          the lambda that step t took
    paper/clip                 gradients longer than this are scaled down to it

and for `tight` only:

    tight/centre (3,)          what is subtracted from all points
    tight/last                 the value after the last step, with weights over max(1, sigma_max)

`paper`: 40 epochs, so that lambda goes through all its phases (t1 = 8, t2 = 20, t3 = 32) and the
rate falls once, after epoch 32. MaxMin, outputs [largest of units 0 and 1, of 2 and 3, ..., smallest
of 0 and 1, ...]. In each step, for every layer: v = w^T u / |.|, u = w v / |.|, both twice, without
gradients; sigma = u^T w v, with the gradient by w; h = (w / sigma) x + b. The gradient by all w and b
is scaled to length `clip`, by clip / (norm + 1e-6), where it is longer. Adam (0.9, 0.999, 1e-8).

`tight`: 40 steps. Units of a layer in ascending order, f = clamp(h, -1, 1), whose gradient g is kept
but where h > 1 and g < 0, or h < -1 and g > 0: beyond 1 it passes at some points and not at others. Gradients of w are projected on the tangent space,
then Adam, then w <- 1.5 w - 0.5 w w^T w twice. The rate of step t = 0, 1, ... is
rate (0.02 + 0.98 (1 + cos(pi t / E)) / 2), also for the biases, for which Adam is as usual.
"""

import math
from pathlib import Path

import numpy as np
import ot
import torch

HIDDEN, DIMENSION, CLIP = 64, 3, 10.0


def measures(rng):
    """Two clouds that overlap in part, so that some mass moves and some does not."""
    a = rng.normal(0.0, 0.8, (7, DIMENSION))
    b = rng.normal(0.9, 1.0, (5, DIMENSION))
    a_weights, b_weights = rng.uniform(0.5, 2.0, 7), rng.uniform(0.5, 2.0, 5)
    a_weights[-1] = 0.0
    return [single(part) for part in (a, a_weights, b, b_weights)]


def single(values):
    """To the nearest numbers of f32, in f64."""
    return torch.tensor(values.astype(np.float32).astype(np.float64))


def exact(a, a_weights, b, b_weights):
    """rho_F: balanced transport with costs min(d, 2), and 1 for the surplus."""
    costs = torch.cdist(a, b).clamp(max=2.0).numpy()
    a, b = a_weights.numpy(), b_weights.numpy()
    surplus = a.sum() - b.sum()
    if surplus > 0:
        costs, b = np.hstack([costs, np.ones((len(a), 1))]), np.append(b, surplus)
    else:
        costs, a = np.vstack([costs, np.ones((1, len(b)))]), np.append(a, -surplus)
    return ot.emd2(a, b, costs, numItermax=10**6)


def network(rng, gain):
    """Orthonormal weights times gain(inputs), biases and u."""
    start = {}
    for k, (outputs, inputs) in enumerate([(HIDDEN, DIMENSION), (HIDDEN, HIDDEN), (1, HIDDEN)], 1):
        tall = rng.normal(size=(max(outputs, inputs), min(outputs, inputs)))
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))
        bound = 1 / math.sqrt(inputs)
        start[f"w{k}"] = single((q if outputs >= inputs else q.T) * gain(inputs))
        start[f"b{k}"] = single(rng.uniform(-bound, bound, outputs))
        start[f"u{k}"] = single(rng.normal(-bound, bound, outputs))
    return start


def trainable(start):
    return {
        name: value.clone().requires_grad_() for name, value in start.items() if name[0] in "wb"
    }


def norm_of_gradient(parameters):
    return math.sqrt(sum(float((p.grad**2).sum()) for p in parameters.values()))


def linear_loss(f, a_weights, b_weights):
    """-( sum a f(x) - sum b f(y) ) / min(|a|, |b|)."""
    n = len(a_weights)
    least = min(a_weights.sum(), b_weights.sum())
    return -((a_weights * f[:n]).sum() - (b_weights * f[n:]).sum()) / least


# ---- as in the paper ------------------------------------------------------------------------


def max_min(h):
    pairs = h.reshape(len(h), -1, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    keep = first >= second
    return torch.cat([torch.where(keep, first, second), torch.where(keep, second, first)], dim=1)


def normalised(w, vectors, k):
    """w / sigma after two power iterations."""
    with torch.no_grad():
        u = vectors[f"u{k}"]
        for _ in range(2):
            v = w.T @ u
            v = v / v.norm()
            u = w @ v
            u = u / u.norm()
        vectors[f"u{k}"], vectors[f"v{k}"] = u, v
    return w / (u @ w @ v)


def next_lambda(t, epochs, values, penalties):
    """Of step t + 1; `values` and `penalties` are those of steps 1 to t."""
    t1, t2, t3 = (int(share * epochs) for share in (0.2, 0.5, 0.8))
    if t <= t1:
        return 10.0
    first = max(2 * values[t1 - 1], 0.0)
    if t <= t2:
        return 10.0 + (first - 10.0) * (t - t1) / (t2 - t1)
    second = first * penalties[t2 - 1] / 0.02
    return first + (second - first) * min((t - t2) / (t3 - t2), 1.0)


def train_paper(start, a, a_weights, b, b_weights, epochs, rate):
    parameters = trainable(start)
    vectors = {name: value for name, value in start.items() if name[0] == "u"}
    points = torch.cat([a, b])
    optimiser = torch.optim.Adam(parameters.values(), lr=rate)
    decay = torch.optim.lr_scheduler.MultiStepLR(optimiser, [32, 64], gamma=0.9)
    values, penalties, lambdas, gradients = [], [], [10.0], []
    for t in range(1, epochs + 1):
        h = points
        for k in (1, 2, 3):
            h = h @ normalised(parameters[f"w{k}"], vectors, k).T + parameters[f"b{k}"]
            h = max_min(h) if k < 3 else h[:, 0]
        loss = linear_loss(h, a_weights, b_weights)
        excess = (h.abs() - 1).clamp(min=0) ** 2
        penalty = (a_weights * excess[: len(a)]).sum() / a_weights.sum()
        penalty = penalty + (b_weights * excess[len(a) :]).sum() / b_weights.sum()
        optimiser.zero_grad()
        (loss + lambdas[-1] * penalty).backward()
        values.append(-loss.item())
        penalties.append(penalty.item())
        lambdas.append(next_lambda(t, epochs, values, penalties))
        gradients.append(norm_of_gradient(parameters))
        torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP)
        optimiser.step()
        decay.step()
    return {
        "rate": rate,
        "epochs": epochs,
        "clip": CLIP,
        **{f"start/{name}": value for name, value in start.items()},
        **{f"end/{name}": value for name, value in {**parameters, **vectors}.items()},
        "value": values,
        "penalty": penalties,
        "lambda": lambdas[:-1],
        "gradient": gradients,
    }


# ---- tight ----------------------------------------------------------------------------------


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
        return torch.where(outwards, torch.zeros_like(g), g)


def tangent(w, g):
    """The part of g that keeps the columns or rows of w orthonormal, whichever are fewer."""
    if w.shape[0] >= w.shape[1]:
        s = w.T @ g
        return g - w @ (s + s.T) / 2
    s = g @ w.T
    return g - (s + s.T) / 2 @ w


def evaluate(parameters, points):
    h = points
    for k in (1, 2, 3):
        h = h @ parameters[f"w{k}"].T + parameters[f"b{k}"]
        h = h.sort(dim=1).values if k < 3 else h[:, 0]
    return Clamp.apply(h)


def train_tight(start, a, a_weights, b, b_weights, epochs, rate):
    del start["u1"], start["u2"], start["u3"]
    parameters = trainable(start)
    means = [(w[:, None] * x).sum(0) / w.sum() for x, w in [(a, a_weights), (b, b_weights)]]
    centre = (means[0] + means[1]) / 2
    points = torch.cat([a, b]) - centre
    optimiser = torch.optim.Adam(parameters.values(), lr=rate)
    values, gradients = [], []
    for t in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * t / epochs)))
        loss = linear_loss(evaluate(parameters, points), a_weights, b_weights)
        optimiser.zero_grad()
        loss.backward()
        values.append(-loss.item())
        gradients.append(norm_of_gradient(parameters))
        with torch.no_grad():
            for k in (1, 2, 3):
                w = parameters[f"w{k}"]
                w.grad = tangent(w, w.grad)
            optimiser.step()
            for k in (1, 2, 3):
                w = parameters[f"w{k}"]
                for _ in range(2):
                    w.copy_(1.5 * w - 0.5 * w @ w.T @ w)
    with torch.no_grad():
        guarded = {
            name: value / torch.linalg.matrix_norm(value, 2).clamp(min=1.0)
            if name[0] == "w"
            else value
            for name, value in parameters.items()
        }
        last = -linear_loss(evaluate(guarded, points), a_weights, b_weights)
    return {
        "rate": rate,
        "epochs": epochs,
        "centre": centre,
        **{f"start/{name}": value for name, value in start.items()},
        **{f"end/{name}": value for name, value in parameters.items()},
        "value": values,
        "gradient": gradients,
        "last": last,
    }


def plain(name, value):
    """As numpy arrays, in f32 where that loses nothing."""
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return array.astype(np.float32) if "start/" in name or name[1] == "_" else array


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    a, a_weights, b, b_weights = measures(rng)
    best = exact(a, a_weights, b, b_weights)
    golden = {
        "a_points": a,
        "a_weights": a_weights,
        "b_points": b,
        "b_weights": b_weights,
        "exact": best,
    }
    start = network(rng, lambda inputs: 1 / math.sqrt(inputs))
    paper = train_paper(start, a, a_weights, b, b_weights, epochs=40, rate=1e-2)
    # Every phase of lambda shows: there is something to penalise in the middle, and lambda moves.
    assert paper["penalty"][19] > 1e-3 and len(set(paper["lambda"])) > 20
    # Some gradient is clipped, some is not.
    assert min(paper["gradient"]) < CLIP < max(paper["gradient"])
    tight = train_tight(network(rng, lambda _: 1.0), a, a_weights, b, b_weights, 40, rate=2e-2)
    # Bounds from below, but for rounding, that rise.
    normalised_best = best / min(a_weights.sum(), b_weights.sum()).item()
    assert tight["value"][0] < tight["last"] < normalised_best
    for mode, trained in [("paper", paper), ("tight", tight)]:
        golden |= {f"{mode}/{name}": value for name, value in trained.items()}
        print(f"{mode}: {trained['value'][-1]:.6f} of {normalised_best:.6f}")
    path = Path(__file__).with_name("flat.npz")
    np.savez_compressed(path, **{name: plain(name, value) for name, value in golden.items()})
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

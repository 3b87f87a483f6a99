"""Gaussians, in closed form."""

import numpy as np
from scipy.linalg import sqrtm
from scipy.optimize import brentq

from .balanced import balanced, balanced_terms
from .barycenters import bregman, matrix_kernel
from .common import agree


def gaussian_transport(mean_a, cov_a, mean_b, cov_b, eps):
    """Entropic transport of Gaussians (Janati, Muzellec, Peyre, Cuturi 2020), terms apart."""
    mean_a, mean_b = np.asarray(mean_a), np.asarray(mean_b)
    cov_a, cov_b = np.asarray(cov_a), np.asarray(cov_b)
    identity = np.eye(len(mean_a))
    root = np.real(sqrtm(cov_a))
    inner = np.real(sqrtm(root @ cov_b @ root + (eps / 4) ** 2 * identity))
    cross = root @ inner @ np.linalg.inv(root) - eps / 4 * identity
    joint = np.block([[cov_a, cross], [cross.T, cov_b]])
    # Optimal means: right marginals, and a density exp(f + g - |x - y|^2 / eps); the latter
    # says that the off-diagonal block of the precision is -2 / eps times the identity.
    precision = np.linalg.inv(joint)
    agree("Gaussian plan", precision[: len(mean_a), len(mean_a) :], -2 / eps * identity, 1e-9)
    linear = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * cross)
    determinants = [np.linalg.slogdet(s)[1] for s in (cov_a, cov_b, joint)]
    divergence = (determinants[0] + determinants[1] - determinants[2]) / 2
    return {
        "linear": linear,
        "kl": divergence,
        "value": linear + eps * divergence,
        "cross_covariance": cross,
    }


def gaussian_barycenter_variance(variances, weights, eps, debiased=False):
    """Variance S of the entropic barycenter of N(m_k, s_k); its mean is the weighted mean.

    The plan between N(0, s) and N(0, S) has covariance c = sqrt(eps^2/16 + s S) - eps/4, and
    the potential on the side of S is -beta y^2 with beta = ((c + eps/2)/S - 1)/eps. The betas
    must average to zero; debiased, to the beta of the plan from N(0, S) to itself.
    """
    variances, weights = np.asarray(variances), np.asarray(weights)

    def excess(s):
        blurred = weights @ np.sqrt(eps**2 / 16 + variances * s)
        return blurred - (np.sqrt(eps**2 / 16 + s * s) if debiased else s - eps / 4)

    return brentq(excess, 1e-9, 4 * variances.max() + eps, xtol=1e-15, rtol=1e-15)


def density(points, mean, variance):
    weights = np.exp(-((points - mean) ** 2) / (2 * variance))
    return weights / weights.sum()


def gaussian_transport_cases():
    for mean_a, cov_a, mean_b, cov_b, eps in [
        ([0.0], [[1.0]], [0.0], [[1.0]], 0.5),
        ([0.3], [[0.5]], [1.0], [[2.0]], 1.0),
        ([-1.0], [[0.8]], [1.0], [[1.5]], 4.0),
        ([0.0, 0.0], [[1.0, 0.0], [0.0, 0.5]], [1.0, -0.5], [[0.7, 0.0], [0.0, 1.2]], 0.8),
        ([0.2, 0.1], [[1.0, 0.4], [0.4, 0.6]], [1.0, 0.5], [[0.8, -0.3], [-0.3, 1.1]], 0.6),
    ]:
        terms = gaussian_transport(mean_a, cov_a, mean_b, cov_b, eps)
        if len(mean_a) == 1:
            grid = np.linspace(-11, 11, 260)
            a = density(grid, mean_a[0], cov_a[0][0])
            b = density(grid, mean_b[0], cov_b[0][0])
            c = np.subtract.outer(grid, grid) ** 2
            sampled = balanced_terms(balanced(a, b, c, eps)[0], a, b, c, eps)
            for term in ("linear", "kl", "value"):
                agree(f"Gaussian {term} on a grid", terms[term], sampled[term], 1e-9)
        yield {
            "name": f"{len(mean_a)}d_eps_{eps}",
            "source": "closed form, Janati et al. 2020",
            "mean_a": mean_a,
            "covariance_a": cov_a,
            "mean_b": mean_b,
            "covariance_b": cov_b,
            "epsilon": eps,
            "expected": terms,
        }


def gaussian_barycenter_cases():
    grid = np.linspace(-9, 9, 220)
    c = np.subtract.outer(grid, grid) ** 2
    for means, variances, weights, eps in [
        ([-1.0, 1.0], [0.8, 0.8], [0.5, 0.5], 0.5),
        ([-1.0, 1.5], [0.5, 1.5], [0.5, 0.5], 0.5),
        ([-2.0, 0.0, 1.0], [0.4, 0.9, 1.6], [0.2, 0.3, 0.5], 1.0),
    ]:
        inputs = np.array([density(grid, m, s) for m, s in zip(means, variances, strict=True)])
        mean = np.dot(weights, means)
        expected = {"mean": mean}
        for key, debiased in (("variance", False), ("debiased_variance", True)):
            variance = gaussian_barycenter_variance(variances, weights, eps, debiased)
            bar, _, _ = bregman(matrix_kernel(c, eps), inputs, np.array(weights), debiased, 3000)
            agree("barycenter mean on a grid", bar @ grid, mean, 1e-8)
            agree("barycenter variance on a grid", bar @ (grid - mean) ** 2, variance, 1e-8)
            expected[key] = variance
        if len(set(variances)) == 1:
            agree("blur by eps / 2", expected["variance"], variances[0] + eps / 2, 1e-12)
            agree("no bias", expected["debiased_variance"], variances[0], 1e-12)
        yield {
            "name": f"variances_{'_'.join(map(str, variances))}_eps_{eps}",
            "source": "closed form, derived in gaussian_barycenter_variance",
            "means": means,
            "variances": variances,
            "weights": weights,
            "epsilon": eps,
            "expected": expected,
        }

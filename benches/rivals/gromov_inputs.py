"""Shapes and point clouds for `gromov.py`, and their distances."""

from pathlib import Path

import numpy as np


def heart(x, y):
    """The sextic (x² + y² - 1)³ = x² y³."""
    return (x**2 + y**2 - 1) ** 3 <= x**2 * y**3


def spade(x, y):
    """A heart upside down, on a stem that widens like a parabola."""
    stem = (y <= 0) & (y >= -1.3) & (np.abs(x) <= 0.1 + 0.3 * y**2)
    return heart(x, -y + 0.1) | stem


def drawn(inside, side=50, width=1.0, shear=0.0):
    """A shape as 0 and 1 on side x side pixels of the square [-1.4, 1.4]²."""
    y, x = np.meshgrid(*(np.linspace(1.4, -1.4, side),) * 2, indexing="ij")
    return inside((-x - shear * y) / width, y).astype(float)


OWN = {
    "spade": lambda: drawn(spade),
    "heart": lambda: drawn(heart),
    "heart_0": lambda: drawn(heart, width=0.9),
    "heart_1": lambda: drawn(heart, width=1.1),
    "heart_2": lambda: drawn(heart, shear=0.2),
    "heart_3": lambda: drawn(heart, width=0.8, shear=-0.2),
    "heart_4": lambda: drawn(heart, width=0.95, shear=0.1),
}


def picture(name, data):
    """An input of the paper from the folder `data`, or a shape of our own; mass 1."""
    values = OWN[name]() if data is None else np.load(Path(data) / f"{name}.npy")
    values = values.astype(float)
    return values / values.sum()


def support(values):
    """Places and masses of the pixels with mass; the picture's diagonal has length 1."""
    places = np.argwhere(values > 0) / np.linalg.norm(np.array(values.shape) - 1)
    return places, values[values > 0]


def cloud(count, rng):
    """Points of four blobs of different sizes, masses and directions in R³."""
    centres = np.array([[0, 0, 0], [1, 0.2, 0], [0.3, 0.9, 0.1], [0.2, 0.1, 0.7]])
    spreads = np.array([[0.2, 0.05, 0.1], [0.05, 0.15, 0.05], [0.1, 0.1, 0.02], [0.03, 0.08, 0.12]])
    blob = rng.choice(4, size=count, p=[0.4, 0.3, 0.2, 0.1])
    return centres[blob] + spreads[blob] * rng.normal(size=(count, 3))


def clouds(count):
    """Two samples of the same blobs, the second one turned."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return cloud(count, rng), cloud(count, rng) @ turn


def between(x, y):
    """Squared Euclidean distances."""
    return np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * (x @ y.T), 0)


class Stored:
    """Distances as a matrix."""

    def __init__(self, matrix):
        self.matrix = matrix

    @classmethod
    def euclidean(cls, places):
        return cls(np.sqrt(between(places, places)))

    def times(self, columns):
        return self.matrix @ columns

    def squares_times(self, vector):
        return self.matrix**2 @ vector


class Grid:
    """Euclidean distances between all pixels of a square of diagonal 1, by Fourier transforms."""

    def __init__(self, side):
        self.side = side
        steps = np.fft.fftfreq(2 * side, 1 / (2 * side))
        self.kernel = np.hypot(steps[:, None], steps) / np.hypot(side - 1, side - 1)

    def places(self):
        return support(np.ones((self.side, self.side)))[0]

    def convolved(self, columns, kernel):
        from scipy import fft

        side, padded = self.side, (2 * self.side,) * 2
        transformed = fft.rfft2(kernel)
        found = np.empty(columns.shape)
        # Panels, so that a check takes little memory beside what it checks.
        for start in range(0, columns.shape[1], 64):
            panel = slice(start, start + 64)
            images = columns[:, panel].T.reshape(-1, side, side)
            product = fft.rfft2(images, padded, workers=-1) * transformed
            images = fft.irfft2(product, padded, workers=-1)[:, :side, :side]
            found[:, panel] = images.reshape(-1, side * side).T
        return found

    def times(self, columns):
        return self.convolved(columns, self.kernel)

    def squares_times(self, vector):
        return self.convolved(vector[:, None], self.kernel**2)[:, 0]


class SquaredPoints:
    """Squared Euclidean distances |x|² + |y|² - 2 x.y, never stored."""

    def __init__(self, points):
        self.points = points - points.mean(0)
        self.norms = (self.points**2).sum(1)

    def times(self, columns):
        cross = self.points @ (self.points.T @ columns)
        return self.norms[:, None] * columns.sum(0) + self.norms @ columns - 2 * cross

    def squares_times(self, vector):
        panels = range(0, len(vector), 1000)
        rows = [between(self.points[k : k + 1000], self.points) ** 2 @ vector for k in panels]
        return np.concatenate(rows)

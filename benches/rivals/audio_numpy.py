"""Joint separation and delays of two sources at two microphones, in numpy.

Fabiani, Schlecht, Haasler and Elvander, with an outlier source: plans between spectrograms by
Sinkhorn's iteration, delays as mean lags, in turns. Frames of 25 ms, delays positive where the second
microphone is later.
"""

import itertools

import numpy as np

MAX_LAG = 12
OUTLIER, MASK_OUTLIER = 4.0, 9.0
SCHEDULE = (4.0, 1.0, 0.5)


def separate(channels, rate):
    """Delays in samples, and the sources at microphone 1."""
    window, hop = 2 * round(0.016 * rate), round(0.025 * rate)
    power = np.stack([np.abs(stft(channel, window, hop)) ** 2 for channel in channels])
    level = np.quantile(power[power > 0], 0.2) / -np.log(0.8)
    scene = Scene(cleaned(power, 3 * level))
    starts = scene.heaviest(40).grid()
    ends = scene.descend(starts)
    rest = cleaned(power, level)
    spectra = Scene(rest).masks(ends) * rest[0]
    fine = window // 4
    mixture = stft(channels[0], window, fine)
    v = np.maximum(interpolated(spectra, fine / hop, mixture.shape[1]), 1e-12 * spectra.max())
    masked = [istft(mixture * s / (v.sum(0) + level), window, fine, len(channels[0])) for s in v]
    delays = refined(masked, channels[1], ends * hop, hop)
    sources = [aligned(channels, v, level, delays, k, window, fine) for k in (0, 1)]
    return delays, sources


# ---- transforms -----------------------------------------------------------------------------


def hann(window):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


def framed(samples, window, hop):
    frames = samples // hop + 1
    frames += (frames - 1) * hop + window // 2 < samples
    return frames, np.arange(frames)[:, None] * hop + np.arange(window)


def stft(signal, window, hop):
    """(frequencies, frames), centred."""
    frames, index = framed(len(signal), window, hop)
    padded = np.zeros((frames - 1) * hop + window + len(signal))
    padded[window // 2 : window // 2 + len(signal)] = signal
    return np.fft.rfft(padded[index] * hann(window), axis=1).T


def istft(transform, window, hop, samples):
    frames, index = framed(samples, window, hop)
    parts = np.fft.irfft(transform.T, window, axis=1) * hann(window)
    total, weight = np.zeros((2, index.max() + 1))
    np.add.at(total, index, parts)
    np.add.at(weight, index, np.broadcast_to(hann(window) ** 2, index.shape))
    inside = slice(window // 2, window // 2 + samples)
    total, weight = (np.pad(x, (0, samples))[inside] for x in (total, weight))
    return total / np.maximum(weight, 1e-300)


def cleaned(power, level):
    return np.maximum(power - level, 1e-3 * power)


def interpolated(spectra, step, frames):
    """At so many frames, one a step, linear in time."""
    at = np.clip(np.arange(frames) * step, 0, spectra.shape[2] - 1)
    before = np.minimum(at.astype(int), spectra.shape[2] - 2)
    share = at - before
    return spectra[..., before] * (1 - share) + spectra[..., before + 1] * share


# ---- transport ------------------------------------------------------------------------------


class Scene:
    """Columns (frequencies, frames) of two microphones, each of mass one, and their weights."""

    def __init__(self, power):
        masses = power.sum(2)
        self.columns = power / np.maximum(masses, 1e-300)[..., None]
        self.weights = masses.mean(0) / masses.mean(0).sum()
        frames = power.shape[2]
        self.lags = np.arange(frames)[None, :] - np.arange(frames)[:, None]

    def heaviest(self, count):
        kept = np.sort(np.argsort(-self.weights)[:count])
        scene = object.__new__(Scene)
        scene.columns, scene.weights = self.columns[:, kept], self.weights[kept]
        scene.lags = self.lags
        return scene

    def kernels(self, delays, epsilon, outlier):
        """(plans, sources, frames, frames), and what the outlier source adds."""
        costs = (self.lags - delays[..., None, None]) ** 2
        return np.exp(-costs / epsilon), np.exp(-outlier / epsilon)

    def sinkhorn(self, kernel, b, iterations):
        first, second = self.columns
        for _ in range(iterations):
            a = first / np.maximum(b @ kernel.transpose(0, 2, 1), 1e-300)
            b = second / np.maximum(a @ kernel, 1e-300)
        return first / np.maximum(b @ kernel.transpose(0, 2, 1), 1e-300), b

    def grid(self, step=2, top=5):
        """The best pairs of lags of a grid."""
        grid = np.arange(-MAX_LAG, MAX_LAG + 1, step)
        pairs = np.array(list(itertools.combinations(grid, 2)), dtype=float)
        kernels, floor = self.kernels(pairs, 2.0, OUTLIER)
        kernel = kernels.sum(1) + floor
        a, b = self.sinkhorn(kernel, np.ones((len(pairs), *self.columns.shape[1:])), 30)
        first, second = self.columns
        dual = (first * np.log(np.maximum(a, 1e-300))).sum(2)
        dual += (second * np.log(np.maximum(b, 1e-300))).sum(2)
        return pairs[np.argsort(dual @ self.weights)[:top]]

    def moments(self, kernels, a, b):
        """Mass, mean lag times mass and squared lag times mass, (3, plans, sources)."""
        frames = len(self.lags)
        # The cross-correlation of the scalings does not depend on the source.
        size = 2 * frames
        spectrum = np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size)
        profile = np.fft.irfft(np.einsum("pft,f->pt", spectrum, self.weights), size)
        lags = np.arange(1 - frames, frames)
        profile = profile[:, lags]
        rows = np.concatenate([kernels[:, :, :0:-1, 0], kernels[:, :, 0, :]], axis=2)
        masses = rows * profile[:, None]
        return np.stack([(masses * lags**power).sum(2) for power in range(3)])

    def descend(self, delays):
        """The end with the least cost of all starts."""
        for epsilon in SCHEDULE:
            still = 1e-3 if epsilon == SCHEDULE[-1] else 1e-2
            running = np.ones(len(delays), dtype=bool)
            b = np.ones((len(delays), *self.columns.shape[1:]))
            costs = np.zeros(len(delays))
            for _ in range(12):
                kernels, floor = self.kernels(delays[running], epsilon, OUTLIER)
                a, b[running] = self.sinkhorn(kernels.sum(1) + floor, b[running], 30)
                mass, first, second = self.moments(kernels, a, b[running])
                found = first / np.maximum(mass, 1e-9)
                cost = (second - 2 * found * first + found**2 * mass).sum(1)
                costs[running] = cost + OUTLIER * (1 - mass.sum(1))
                moved = np.abs(found - delays[running]).max(1)
                delays[running] = found
                running[running] = moved >= still
                if not running.any():
                    break
        return delays[np.argmin(costs)]

    def masks(self, delays):
        """Shares of the sources at microphone 1 (source, frequency, frame)."""
        kernels, floor = self.kernels(delays[None], SCHEDULE[-1], MASK_OUTLIER)
        start = np.ones((1, *self.columns.shape[1:]))
        _, b = self.sinkhorn(kernels.sum(1) + floor, start, 150)
        parts = np.stack([b[0] @ kernel.T for kernel in kernels[0]])
        return parts / (parts.sum(0) + floor * b[0].sum(1)[:, None])


# ---- sound ----------------------------------------------------------------------------------


def refined(sources, channel, delays, hop, steps=8):
    """Where each source correlates most with the other microphone, near its delay."""
    size = 1 << (2 * len(channel) - 1).bit_length()
    theirs = np.fft.rfft(channel, size)
    reach = min(hop, abs(delays[0] - delays[1]) / 2)
    found = []
    for source, delay in zip(sources, delays, strict=True):
        cross = theirs * np.conj(np.fft.rfft(source, size))
        cross[-1] /= 2
        correlation = np.fft.irfft(cross, size * steps)
        at = np.arange(np.ceil((delay - reach) * steps), (delay + reach) * steps).astype(int)
        best = at[np.argmax(correlation[at])]
        before, here, after = correlation[[best - 1, best, best + 1]]
        found.append((best + 0.5 * (before - after) / (before - 2 * here + after)) / steps)
    return np.array(found)


def shifted(signal, samples):
    size = 1 << (len(signal) + int(abs(samples)) + 128).bit_length()
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * samples)
    return np.fft.irfft(np.fft.rfft(signal, size) * turn, size)[: len(signal)]


def aligned(channels, v, level, delays, target, window, fine):
    """A Wiener filter over both microphones after the target was brought in phase."""
    other = 1 - target
    offset = delays[other] - delays[target]
    first = stft(channels[0], window, fine)
    second = stft(shifted(channels[1], -delays[target]), window, fine)
    frames = np.arange(v.shape[2])
    at = frames - offset / fine
    before = np.clip(np.floor(at).astype(int), 0, v.shape[2] - 2)
    share = np.clip(at - before, 0, 1)
    late = v[other][:, before] * (1 - share) + v[other][:, before + 1] * share
    late[:, (at < 0) | (at > v.shape[2] - 1)] = 0
    weights = hann(window)
    gap = round(abs(offset))
    overlap = (weights[gap:] * weights[: max(window - gap, 0)]).sum() / (weights**2).sum()
    phase = np.exp(2j * np.pi * np.arange(len(v[0])) * offset / window)[:, None]
    power = v[target]
    c11, c22 = power + level + v[other], power + level + late
    c12 = power + np.sqrt(v[other] * late) * overlap * phase
    regular = 1e-6 * (c11 + c22) / 2
    c11, c22 = c11 + regular, c22 + regular
    determinant = c11 * c22 - np.abs(c12) ** 2
    gained = (c22 - np.conj(c12)) * first + (c11 - c12) * second
    return istft(power * gained / determinant, window, fine, len(channels[0]))

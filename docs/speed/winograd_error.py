"""Rounding errors of Winograd's minimal filtering in 32 bits, against a plain sum in 32 bits.

    python winograd_error.py

A tile of the output is a sum over the channels of normally distributed inputs and weights. The table shows the root mean
square of the error against 64 bits, as a share of the root mean square of the output. Weights are transformed in 64 bits
and rounded once. Needs numpy.
"""

from fractions import Fraction

import numpy as np

TILES, TAPS = 200, 3
HALF, TWO_THIRDS, THREE_HALVES = Fraction(1, 2), Fraction(2, 3), Fraction(3, 2)
POINTS = {
    "F(4x4): 0, 1, -1, 2, -2": [0, 1, -1, 2, -2],
    "F(4x4): 0, 2/3, -2/3, 3/2, -3/2 (here)": [0, TWO_THIRDS, -TWO_THIRDS, THREE_HALVES, -THREE_HALVES],
    "F(6x6): 0, 1, -1, 2, -2, 1/2, -1/2": [0, 1, -1, 2, -2, HALF, -HALF],
    "F(6x6): 0, 1, -1, 3/5, -3/5, 5/3, -5/3": [0, 1, -1, Fraction(3, 5), -Fraction(3, 5), Fraction(5, 3), -Fraction(5, 3)],
}


def with_roots(roots):
    """The coefficients of the polynomial with these roots, the lowest first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [0, *coefficients], [*coefficients, 0]
        coefficients = [high - root * low for high, low in zip(shifted, scaled)]
    return coefficients


def transforms(points):
    """The matrices A^T, G and B^T of the points and infinity (Lavin and Gray 2016), from exact fractions."""
    points = [Fraction(point) for point in points]
    outputs = len(points) + 2 - TAPS
    a = [[point**power for point in points] + [int(power == outputs - 1)] for power in range(outputs)]
    g, b = [], []
    for point in points:
        rest = [other for other in points if other != point]
        g.append([point**power / np.prod([point - other for other in rest]) for power in range(TAPS)])
        b.append([*with_roots(rest), 0])
    g.append([int(power == TAPS - 1) for power in range(TAPS)])
    b.append(with_roots(points))
    return [np.array([[float(x) for x in row] for row in matrix]) for matrix in (a, g, b)]


def both_sides(matrix, x):
    """`matrix` times `x` times the transpose of `matrix`."""
    return np.einsum("...ib,jb->...ij", np.einsum("ia,...ab->...ib", matrix, x), matrix)


def errors(points, channels, rng):
    a, g, b = transforms(points)
    outputs, size = a.shape
    x = rng.standard_normal((TILES, channels, size, size)).astype(np.float32)
    w = (rng.standard_normal((TILES, channels, TAPS, TAPS)) * np.sqrt(2 / (9 * channels))).astype(np.float32)
    exact, plain = np.zeros((TILES, outputs, outputs)), np.zeros((TILES, outputs, outputs), np.float32)
    products = np.zeros((TILES, size, size), np.float32)
    weights = both_sides(g, w.astype(float)).astype(np.float32)
    inputs = both_sides(b.astype(np.float32), x)
    for channel in range(channels):
        for row in range(TAPS):
            for column in range(TAPS):
                window = x[:, channel, row : row + outputs, column : column + outputs]
                weight = w[:, channel, row, column, None, None]
                exact += window.astype(float) * weight
                plain += window * weight
        products += weights[:, channel] * inputs[:, channel]
    output = both_sides(a.astype(np.float32), products)
    scale = np.sqrt((exact**2).mean())
    return [np.sqrt(((result - exact) ** 2).mean()) / scale for result in (output, plain)]


def main():
    rng = np.random.default_rng(0)
    for channels in (64, 256, 512):
        print(f"{channels} channels")
        for name, points in POINTS.items():
            output, plain = errors(points, channels, rng)
            print(f"  {name:42} {output:.1e}   plain sum {plain:.1e}   ratio {output / plain:.1f}")


if __name__ == "__main__":
    main()

"""A slow twin of lab/paths/mixture.py: the likelihood by the book, matrix by matrix and step by step."""

from __future__ import annotations

import math

import numpy as np

from bulkhead.lab.paths.mixture import Model


def normal_density(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Of a normal vector."""
    rest = x - mean
    power = -0.5 * rest @ np.linalg.solve(covariance, rest)
    return math.exp(power) / math.sqrt(np.linalg.det(2 * math.pi * covariance))


def t_density(x: np.ndarray, scale: np.ndarray, tail: float) -> float:
    """Of a t vector around zero."""
    size = len(x)
    squared = x @ np.linalg.solve(scale, x)
    factor = math.gamma((tail + size) / 2) / math.gamma(tail / 2) / (tail * math.pi) ** (size / 2)
    return factor / math.sqrt(np.linalg.det(scale)) * (1 + squared / tail) ** (-(tail + size) / 2)


def density(x: np.ndarray, model: Model, regime: int) -> float:
    """Of a return in a regime, over every kind of jump."""
    scale = model.covariance[regime]
    total = (1 - model.chance.sum()) * t_density(x, scale, model.tail)
    total += model.chance[0] * normal_density(x, model.joint_mean, scale + model.joint_covariance)
    for market in range(len(x)):
        own = np.zeros_like(scale)
        own[market, market] = model.alone_variance[market]
        mean = np.zeros(len(x))
        mean[market] = model.alone_mean[market]
        total += model.chance[1 + market] * normal_density(x, mean, scale + own)
    return total


def likelihood(returns: np.ndarray, model: Model) -> tuple[float, np.ndarray]:
    """Logarithm of the likelihood, and the chance of each regime at each step given all returns."""
    regimes = len(model.covariance)
    densities = np.array([[density(x, model, regime) for regime in range(regimes)] for x in returns])
    forward = [model.start * densities[0]]
    for row in densities[1:]:
        forward.append((forward[-1] @ model.transition) * row)
    backward = [np.ones(regimes)]
    for row in densities[:0:-1]:
        backward.append(model.transition @ (row * backward[-1]))
    both = np.array(forward) * np.array(backward[::-1])
    return math.log(forward[-1].sum()), both / both.sum(axis=1, keepdims=True)

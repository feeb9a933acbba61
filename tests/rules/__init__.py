"""Tests of the rules: each against its definition in exact fractions."""

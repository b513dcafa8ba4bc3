"""The compiled inner loops: arrays in, arrays out; NumPy and Numba alone."""

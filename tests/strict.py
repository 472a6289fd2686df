"""A pretend CuPy: arrays on a device of their own, and only the functions that real CuPy has.

Array code that forgets ``xp.``, converts to the host in silence, mixes devices, iterates over a
device array or indexes it with a host array fails here, without a GPU. It is stricter than CuPy,
which forwards many NumPy calls. `test_namespace` holds the list to real CuPy where it is installed.
"""

import sys
import types

import numpy as np

from rslib.ratings import CSR

# function: the keyword arguments that array code may give it
FUNCTIONS = {
    "arange": {"dtype"}, "argmin": {"axis"}, "argsort": {"axis", "kind"},
    "asarray": {"dtype", "order"}, "ascontiguousarray": {"dtype"},
    "bincount": {"weights", "minlength"}, "clip": {"a_min", "a_max"}, "concatenate": {"axis"},
    "cumsum": {"axis", "dtype"}, "diff": {"axis"}, "einsum": set(), "flatnonzero": set(),
    "exp": set(), "full": {"dtype"}, "isfinite": set(), "isnan": set(), "lexsort": set(),
    "log": set(), "maximum": set(), "minimum": set(), "ones": {"dtype"}, "ones_like": {"dtype"},
    "partition": {"axis"}, "repeat": {"axis"}, "rint": set(), "searchsorted": {"side"},
    "sign": set(), "sqrt": set(), "stack": {"axis"}, "take_along_axis": {"axis"},
    "tile": set(), "unique": {"return_index", "return_inverse"}, "where": set(), "zeros": {"dtype"},
    "zeros_like": {"shape"},
}
LINALG = {"cholesky", "solve"}
NUMBERS = {"bool_", "float32", "float64", "int32", "int64"}
METHODS = {"all": set(), "any": {"axis"}, "argmax": {"axis"}, "astype": {"dtype", "copy"},
           "clip": set(), "copy": set(), "max": {"axis", "keepdims"}, "mean": {"axis", "dtype"},
           "min": {"axis", "keepdims"}, "ravel": set(), "reshape": set(),
           "sum": {"axis", "dtype", "keepdims"}, "swapaxes": set()}
ATTRIBUTES = {"dtype", "ndim", "shape", "size"}
MEMORY = 1 << 20            # bytes of the pretend device: small, so that blocks are


def _device(value):
    """Put a result of NumPy on the device; CuPy's sums and elements are arrays of no axes."""
    if isinstance(value, tuple):
        return tuple(map(_device, value))
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def _host(value, allow_host=False):
    """Return what NumPy needs in place of an argument; refuse host arrays."""
    if isinstance(value, ndarray):
        return value._data
    if isinstance(value, np.ndarray) and not allow_host:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        moved = [_host(item, allow_host) for item in value]
        return type(value)(*moved) if hasattr(value, "_fields") else type(value)(moved)
    return value


def _function(call, name, keywords):
    def strict(*args, **kwargs):
        if not kwargs.keys() <= keywords:
            raise TypeError(f"{name}: not on the list: {', '.join(kwargs.keys() - keywords)}")
        return _device(call(*_host(args), **{k: _host(v) for k, v in kwargs.items()}))
    return strict


class ndarray:
    """An array of the pretend device."""

    __array_ufunc__ = None      # NumPy's operators and ufuncs refuse it

    def __init__(self, data):
        self._data = data

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, function, kinds, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} called on a device array")

    def get(self):
        return self._data.copy()

    def __getattr__(self, name):
        if name in ATTRIBUTES:
            return getattr(self._data, name)
        if name in METHODS:
            return _function(getattr(self._data, name), name, METHODS[name])
        raise AttributeError(f"{name}: not on the list of the pretend CuPy")

    @property
    def T(self):
        return ndarray(self._data.T)

    def __getitem__(self, index):
        return _device(self._data[_host(index)])

    def __setitem__(self, index, value):
        self._data[_host(index)] = _host(value)

    def __iter__(self):
        raise TypeError("iterating over a device array waits for the device at every step")

    def __len__(self):
        return len(self._data)

    def __float__(self):
        return float(self._data)

    def __int__(self):
        return int(self._data)

    def __bool__(self):
        return bool(self._data)

    def __repr__(self):
        return f"device {self._data!r}"


def _operators():
    """Give `ndarray` the operators of an array, each refusing host arrays."""
    two = ("add sub mul truediv floordiv mod pow matmul and or xor "
           "lt le gt ge eq ne").split()
    reflected = [f"r{name}" for name in two[:11]]
    in_place = [f"i{name}" for name in two[:11] if name != "matmul"]
    for name in two + reflected + in_place:
        def method(self, other, dunder=f"__{name}__"):
            result = getattr(self._data, dunder)(_host(other))
            return self if result is self._data else _device(result)
        setattr(ndarray, f"__{name}__", method)
    for name in ("abs", "neg", "invert"):
        def method(self, dunder=f"__{name}__"):
            return _device(getattr(self._data, dunder)())
        setattr(ndarray, f"__{name}__", method)


_operators()
ndarray.__module__ = "cupy"


def _solve(a, b):
    """CuPy wants equal batches, and a column per right-hand side."""
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    return np.linalg.solve(a, b)


def _asarray(a, dtype=None, order=None):
    """The one way in; what comes from the host is copied, as a device has memory of its own."""
    take = np.asarray if isinstance(a, ndarray) else np.array
    return _device(take(_host(a, allow_host=True), dtype=dtype, order=order))


def _repeat(a, repeats, **axis):
    """CuPy takes one number for all, or a list that the host knows."""
    if isinstance(repeats, np.ndarray):
        raise TypeError("'repeats' should be int or sequence: not a device array")
    return np.repeat(a, repeats, **axis)


def _posv(a, b):
    """CuPy's batches take one column a matrix, and numbers come back where there is no root."""
    if a.ndim != 3 or b.shape != (*a.shape[:2], 1):
        raise ValueError("not on the list: batches of anything but one column a matrix")
    lower = np.tril(a)
    return np.linalg.solve(lower + np.tril(a, -1).swapaxes(1, 2), b)    # reads one triangle


def pretend_cupy():
    """Return a module to stand in ``sys.modules`` under the name cupy."""
    cupy = types.ModuleType("cupy")
    cupy.ndarray = ndarray
    for name, keywords in FUNCTIONS.items():
        setattr(cupy, name, _function(getattr(np, name), name, keywords))
    cupy.asarray = _asarray
    cupy.repeat = _function(_repeat, "repeat", FUNCTIONS["repeat"])
    for name in NUMBERS:
        setattr(cupy, name, getattr(np, name))
    cupy.linalg = types.SimpleNamespace(
        cholesky=_function(np.linalg.cholesky, "cholesky", set()),
        solve=_function(_solve, "solve", set()))
    stream = types.SimpleNamespace(synchronize=lambda: None)
    cupy.cuda = types.SimpleNamespace(
        get_current_stream=lambda: stream,
        Device=lambda: types.SimpleNamespace(mem_info=(MEMORY // 2, MEMORY)))
    return cupy


def pretend_cupyx():
    """Return modules to stand in ``sys.modules``, by name: what array code takes of cupyx."""
    names = ("cupyx", "cupyx.cusolver", "cupyx.lapack")
    cupyx, cusolver, lapack = modules = [types.ModuleType(name) for name in names]
    cupyx.cusolver, cupyx.lapack = cusolver, lapack
    cusolver.check_availability = lambda name: name == "potrsBatched"
    lapack.posv = _function(_posv, "posv", set())
    return dict(zip(names, modules, strict=True))


def put_in_place(monkeypatch):
    """Put the pretend CuPy, which is returned, in the place of the real one."""
    cupy = pretend_cupy()
    for name, module in {"cupy": cupy, **pretend_cupyx()}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return cupy


def device(cupy, values):
    """Move arrays, in tuples, dicts and a CSR too, to the pretend device."""
    if isinstance(values, CSR):
        return CSR(*(device(cupy, column) for column in values))
    if isinstance(values, dict):
        return {name: device(cupy, value) for name, value in values.items()}
    if isinstance(values, tuple | list):
        return tuple(device(cupy, value) for value in values)
    return cupy.asarray(values) if isinstance(values, np.ndarray) else values


def close(ours, theirs, atol=2e-5):
    """Assert that a device array agrees with a host array to rounding."""
    assert isinstance(ours, ndarray), "left the device"
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_allclose(ours.get(), theirs, rtol=1e-5, atol=atol)

"""Which array module owns these arrays, and how to move them.

The data decides the device; nothing here is stored. Where NumPy and CuPy differ, and what
rslib does about it:

==========================  ==========================================  =====================
call                        difference                                  here
==========================  ==========================================  =====================
``linalg.solve``            needs ``rhs[..., None]``, equal batches     ``solve_spd``
Cholesky                    CuPy solves by it at once: ``posv``         ``solve_spd``
inverse                     LAPACK can do it in place                   ``inverse_spd``
many small batches          a GPU waits for each                        ``bytes_at_a_time``
singular system             NumPy raises, CuPy may return numbers       ridge above zero
index out of bounds         NumPy raises, CuPy wraps in silence         ids checked at the door
scatter-add                 CuPy uses atomics, so the order varies      ``sum_by`` (float64)
``float(x)``                waits for the device                        once an epoch
timing                      work is queued                              ``synchronize`` first
random numbers              different streams                           drawn on the host
==========================  ==========================================  =====================
"""

import sys
import warnings

import numpy as np
import scipy.sparse

__all__ = ["array_module", "asnumpy", "bytes_at_a_time", "deviation_of", "gpu_available",
           "group_by", "inverse_spd", "solve_spd", "sum_by", "synchronize", "to_device"]

# BLAS may look past the end of a small matrix, at numbers that it then leaves out, and raise the
# processor's flag for them. What is not a number in earnest is found where a fit ends.
warnings.filterwarnings("ignore", ".* encountered in matmul", RuntimeWarning, r"rslib\.")

STRIP = 256     # rows of a large matrix at a time
SHARE = 64      # of a GPU's memory, what may be gathered at a time: its copies must fit beside it


def _is_cupy(array):
    return type(array).__module__.partition(".")[0] == "cupy"


def array_module(*arrays):
    """Return the module, NumPy or CuPy, that owns all of ``arrays`` (None is skipped).

    Raises
    ------
    TypeError
        If the arrays live on different devices.
    """
    on_gpu = {_is_cupy(array) for array in arrays if array is not None}
    if len(on_gpu) > 1:
        raise TypeError("arrays on different devices: move them together with .to('cpu') "
                        "or .to('gpu')")
    return sys.modules["cupy"] if True in on_gpu else np


def gpu_available():
    """Return True when CuPy is installed and can run a kernel on a device."""
    try:
        import cupy
        return bool((cupy.zeros(1) + 1).get()[0] == 1)
    except Exception:       # no package, no driver, no compiler: each raises its own type
        return False


def to_device(array, device):
    """Return ``array`` on ``device``, ``"cpu"`` or ``"gpu"``; never falls back.

    Raises
    ------
    RuntimeError
        If "gpu" is asked for and there is none.
    ValueError
        If ``device`` is neither.
    """
    if device == "cpu":
        return asnumpy(array)
    if device != "gpu":
        raise ValueError(f"device must be 'cpu' or 'gpu', not {device!r}")
    if not gpu_available():
        raise RuntimeError("no usable GPU: install the extra gpu12 or gpu13 on a machine with a "
                           "CUDA device, or stay on 'cpu'")
    import cupy
    return cupy.asarray(array)


def asnumpy(array):
    """Return ``array`` as a NumPy array on the host, copying only when it lives elsewhere."""
    return array.get() if _is_cupy(array) else np.asarray(array)


def synchronize(array):
    """Wait until the device of ``array`` has finished its queued work."""
    if _is_cupy(array):
        sys.modules["cupy"].cuda.get_current_stream().synchronize()


def bytes_at_a_time(array, on_host):
    """Return how many bytes to gather at a time: ``on_host``, or a 64th of the GPU's memory."""
    if not _is_cupy(array):
        return on_host
    return sys.modules["cupy"].cuda.Device().mem_info[1] // SHARE


def sum_by(ids, values, n):
    """Return the sums of ``values`` grouped by ``ids``, in float64.

    Parameters
    ----------
    ids : integer array (n_ratings,)
        Group of each value, in ``range(n)``.
    values : array (n_ratings,)
    n : int
        Number of groups.

    Returns
    -------
    float64 array (n,)
    """
    xp = array_module(ids, values)
    return xp.bincount(ids, weights=values, minlength=n).astype(xp.float64)


def group_by(ids, n):
    """Group positions by id with one counting sort.

    Parameters
    ----------
    ids : integer array (n_ratings,)
        In ``range(n)``.
    n : int
        Number of groups.

    Returns
    -------
    indptr : int64 array (n + 1,)
        Group g holds ``rows[indptr[g]:indptr[g + 1]]``.
    rows : int32 array (n_ratings,), int64 past two billion
        Positions in ``ids``, in their original order inside each group.
    """
    xp = array_module(ids)
    if xp is np:        # transposing a one-entry-a-row matrix is SciPy's compiled counting sort
        starts = np.arange(ids.size + 1, dtype=_position(max(ids.size, n)))
        ids = ids.astype(starts.dtype, copy=False)
        ones = scipy.sparse.csr_array((np.ones(ids.size, np.int8), ids, starts),
                                      shape=(ids.size, n))
        columns = ones.tocsc()
        return columns.indptr.astype(np.int64), columns.indices
    indptr = xp.zeros(n + 1, xp.int64)
    indptr[1:] = xp.cumsum(xp.bincount(ids, minlength=n))
    return indptr, xp.argsort(ids, kind="stable").astype(_position(ids.size))


def rows_of(indptr):
    """Return the row of each entry of a CSR, (n_entries,): [0, 2, 2, 3] gives [0, 0, 2]."""
    xp = array_module(indptr)
    if xp is np:        # CuPy repeats by numbers that the host knows only
        return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return xp.searchsorted(indptr, xp.arange(int(indptr[-1])), side="right") - 1


def deviation_of(values):
    """Return the standard deviation of values, one where they are all the same."""
    if float(values.min()) == float(values.max()):
        return 1.0
    values = values.astype(array_module(values).float64)
    return float(((values - values.mean()) ** 2).mean()) ** 0.5


def starts_of(counts):
    """Return where groups of these sizes begin and the last ends: [2, 0, 1] gives [0, 2, 2, 3]."""
    xp = array_module(counts)
    return xp.concatenate([xp.zeros(1, xp.int64), xp.cumsum(counts)])


def _position(n):
    """The smallest integer type that can count ``n`` positions."""
    return np.int32 if n < 2**31 - 1 else np.int64


def _posv(xp):
    """Return CuPy's solver of batches by Cholesky; None for NumPy, and where CuPy has none."""
    if xp is np:
        return None
    try:
        import cupyx.cusolver
        import cupyx.lapack
    except ImportError:
        return None
    available = cupyx.cusolver.check_availability("potrsBatched")
    return cupyx.lapack.posv if available else None


def solve_spd(matrices, rhs):
    """Solve a batch of symmetric positive definite systems.

    Parameters
    ----------
    matrices : array (batch, k, k)
    rhs : array (batch, k)

    Returns
    -------
    array (batch, k)
    """
    xp = array_module(matrices, rhs)
    posv = _posv(xp) if rhs.size else None
    return (posv or xp.linalg.solve)(matrices, rhs[..., None])[..., 0]  # posv: one column only


def inverse_spd(matrix):
    """Return the inverse of one large symmetric positive definite matrix.

    Parameters
    ----------
    matrix : float64 array (n, n)
        On the CPU it is overwritten: the inverse takes its place.

    Returns
    -------
    float64 array (n, n)

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite or not finite, on the CPU.
    """
    xp, n = array_module(matrix), len(matrix)
    if xp is not np:
        identity = xp.zeros((n, n), matrix.dtype)
        identity[xp.arange(n), xp.arange(n)] = 1
        return xp.linalg.solve(matrix, identity)
    from scipy.linalg import lapack  # only who inverts waits for it

    factor, failed = lapack.dpotrf(matrix.T, overwrite_a=1)
    if failed or not np.isfinite(np.diagonal(factor)).all():
        raise np.linalg.LinAlgError("the matrix is not positive definite, or holds NaN")
    inverse = lapack.dpotri(factor, overwrite_c=1)[0].T    # below the diagonal
    for start in range(0, n, STRIP):
        stop = min(start + STRIP, n)
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        square = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = square + np.tril(square, -1).T
    return inverse

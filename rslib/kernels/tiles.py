"""The innermost loop of every dense kernel on the CPU: a 4 x width tile kept in vector registers.

A compiler given the plain loops reloads and stores the Gram matrix once per rating. Holding a tile
of it in registers while many ratings pass by reaches the rate of a tuned matrix product, and takes
only the upper triangle. `upper_update` spells out the plain loops in its docstring.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from rslib.kernels.compiled import compiled

ROWS = 4        # rows of a tile: eight accumulators of two 256-bit registers each
PAD = 8         # matrices are padded to a multiple of the narrow tile's width


def _splat(builder, scalar, width):
    """A vector that repeats ``scalar``."""
    lane, vector = ir.IntType(32), ir.VectorType(scalar.type, width)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(lane, 0))
    return builder.shuffle_vector(first, undefined,
                                  ir.Constant(ir.VectorType(lane, width), [0] * width))


@intrinsic
def _add_tile(typingctx, a, b, n, sign, out, i, j, width):
    """out[i:i+4, j:j+width] += sign * sum_t a[t, i:i+4, None] * b[t, None, j:j+width], t < n."""
    if not isinstance(width, types.IntegerLiteral):
        raise RequireLiteralValue("the width of a tile is a constant")
    lanes = width.literal_value
    signature = types.void(a, b, types.intp, a.dtype, out, types.intp, types.intp, width)

    def codegen(context, builder, signature, args):
        index = context.get_value_type(types.intp)
        scalar = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(scalar, lanes)
        size = 4 if isinstance(scalar, ir.FloatType) else 8
        a, b, out = (context.make_array(signature.args[at])(context, builder, args[at])
                     for at in (0, 1, 4))
        n, sign, i, j = args[2], args[3], args[5], args[6]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3),
            f"llvm.fma.v{lanes}f{8 * size}")

        def address(array, row, column):
            stride = cgutils.unpack_tuple(builder, array.shape)[1]
            return builder.gep(array.data, [builder.add(builder.mul(row, stride), column)])

        def as_vector(pointer):
            return builder.bitcast(pointer, vector.as_pointer())

        zero = ir.Constant(vector, [0.0] * lanes)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(ROWS)]
        with cgutils.for_range(builder, n, intp=index) as loop:
            right = builder.load(as_vector(address(b, loop.index, j)), align=size)
            place = address(a, loop.index, i)
            for row, total in enumerate(sums):
                scale = builder.load(builder.gep(place, [ir.Constant(index, row)]))
                builder.store(builder.call(fma, [_splat(builder, scale, lanes), right,
                                                 builder.load(total)]), total)
        signs = _splat(builder, sign, lanes)
        for row, total in enumerate(sums):
            place = as_vector(address(out, builder.add(i, ir.Constant(index, row)), j))
            old = builder.load(place, align=size)
            builder.store(builder.call(fma, [signs, builder.load(total), old]), place, align=size)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def prefetch(typingctx, array, row, column):
    """Ask for the cache line of ``array[row, column]``, which will be read soon."""
    signature = types.void(array, types.intp, types.intp)

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        stride = cgutils.unpack_tuple(builder, array.shape)[1]
        place = builder.gep(array.data, [builder.add(builder.mul(args[1], stride), args[2])])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        request = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]),
            "llvm.prefetch.p0i8")
        read, keep, data = (ir.Constant(flag, value) for value in (0, 3, 1))
        builder.call(request, [builder.bitcast(place, byte), read, keep, data])
        return context.get_dummy_value()

    return signature, codegen


@compiled
def upper_update(a, b, n, sign, out, i):
    """Add ``sign * a[:n, i:i+4].T @ b[:n, i:]`` to rows i..i+3 of ``out``, from the diagonal on.

    The plain loops, over rows r in i..i+3 and columns c of whole tiles from the diagonal on::

        for t in range(n):
            out[r, c] += sign * a[t, r] * b[t, c]

    Parameters
    ----------
    a, b : float array (at least n, k), C-contiguous
    n : int
    sign : float
    out : float array (k, k), C-contiguous; k a multiple of `PAD`
    i : int
        A multiple of `ROWS`.
    """
    k = out.shape[1]
    j = i & ~(PAD - 1)
    if (k - j) & PAD:
        _add_tile(a, b, n, sign, out, i, j, 8)
        j += PAD
    while j < k:
        _add_tile(a, b, n, sign, out, i, j, 16)
        j += 2 * PAD

"""Hypothesis strategies for layouts and named arrays."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from zfed.params import ParameterBuffer, ParameterLayout, TensorKind, default_kind
from zfed.params.dtypes import FLOATING, NUMPY_DTYPES

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name != "__metadata__"
)
shapes = nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, str, tuple[int, ...], TensorKind]:
    dtype = draw(st.sampled_from(sorted(NUMPY_DTYPES)))
    fitting = {default_kind(dtype), TensorKind.FROZEN, TensorKind.LOCAL}
    if dtype in FLOATING:
        fitting.add(TensorKind.RUNNING)
    return draw(names), dtype, draw(shapes), draw(st.sampled_from(sorted(fitting)))


entry_lists = st.lists(entries(), max_size=8, unique_by=lambda entry: entry[0])
layouts = entry_lists.map(ParameterLayout.build)


@st.composite
def buffers(draw: st.DrawFn) -> ParameterBuffer:
    """Buffers of random bits: every NaN, every subnormal."""
    layout = draw(layouts)
    buffer = ParameterBuffer.zeros(layout)
    for spec in layout.tensors:
        low, high = (0, 1) if spec.dtype == "BOOL" else (0, 255)
        bits = draw(nps.arrays(np.uint8, spec.nbytes, elements=st.integers(low, high)))
        buffer.data[spec.offset : spec.stop] = bits
    return buffer

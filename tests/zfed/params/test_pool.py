import threading

import numpy as np

from zfed.params import BufferPool, ParameterLayout, TensorKind

KIND = TensorKind.AVERAGE
LAYOUT = ParameterLayout.build([("w", "F32", (1000,), KIND), ("b", "F64", (3,), KIND)])
LARGER = ParameterLayout.build([("w", "F32", (1001,), KIND)])


def address(buffer):
    return buffer.data.ctypes.data


def test_a_buffer_has_its_layout_is_writable_and_aligned():
    buffer = BufferPool().take(LAYOUT)
    assert buffer.layout is LAYOUT
    assert buffer.data.flags.writeable
    assert address(buffer) % 64 == 0
    buffer["w"][:] = 1
    assert buffer["w"].sum() == 1000


def test_what_nobody_holds_is_lent_again():
    pool = BufferPool()
    buffer = pool.take(LAYOUT)
    first = address(buffer)
    del buffer
    assert address(pool.take(LAYOUT)) == first


def test_a_buffer_of_which_any_view_is_left_is_not_lent_again():
    views = (
        lambda buffer: buffer["w"],
        lambda buffer: buffer["b"][1:],
        lambda buffer: buffer.read_only(),
        lambda buffer: buffer.data.data,
        lambda buffer: memoryview(buffer.moving.data.data)[8:16].toreadonly(),
        lambda buffer: np.frombuffer(buffer.data.data, np.uint8)[5:],
        lambda buffer: np.asarray(buffer["w"]).reshape(10, 100)[3].view(np.uint32),
    )
    for view in views:
        pool = BufferPool()
        buffer = pool.take(LAYOUT)
        buffer.data[:] = 7
        kept, held = view(buffer), address(buffer)
        del buffer
        assert address(pool.take(LAYOUT)) != held
        del kept
        assert address(pool.take(LAYOUT)) == held


def test_a_buffer_of_another_size_is_freed_not_lent():
    pool = BufferPool()
    pool.take(LAYOUT)
    assert pool.take(LARGER).layout is LARGER
    assert len(pool.take(LAYOUT).data) == LAYOUT.nbytes


def test_no_more_than_the_spare_ones_are_kept():
    pool = BufferPool(spare=1)
    taken = [pool.take(LAYOUT) for _ in range(3)]
    last = address(taken[-1])
    while taken:
        taken.pop(0)
    again = [pool.take(LAYOUT), pool.take(LAYOUT)]
    assert address(again[0]) == last
    assert not pool._spare


def test_an_empty_layout_can_be_lent():
    assert BufferPool().take(ParameterLayout(())).data.size == 0


def test_buffers_return_from_other_threads():
    pool = BufferPool()
    held = [pool.take(LAYOUT)]
    first = address(held[0])
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert address(pool.take(LAYOUT)) == first

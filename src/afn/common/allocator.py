"""Settings of the C library for work that allocates and frees the same memory repeatedly."""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # of glibc's mallopt(3)
TRIM_THRESHOLD, TOP_PAD = 2**31 - 1, 2**20  # bytes


def keep_freed() -> None:
    """Ask glibc to keep freed memory for its next use; a no-op where the C library has no mallopt.

    Without this every large array is returned to the system when it is freed, and the next one causes page faults for
    all of its memory: a training step takes 1.8 times as long (`./run.sh bench --only network`).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_ARENA_MAX, 1)  # a heap for each thread would keep its own freed memory
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)
    mallopt(M_TOP_PAD, TOP_PAD)

"""How the C library deals with freed memory, for work that needs the same amount again and again."""

import ctypes

M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = 1, -1, -2, -4  # of glibc's mallopt(3)
TRIM_THRESHOLD, TOP_PAD = 2**31 - 1, 2**20  # bytes


def keep_freed() -> None:
    """Ask glibc to keep freed memory for its next use; a no-op where the C library has no mallopt.

    Without this every large array is given back to the system when it is freed, and page-faulted in again by the next:
    a training step takes about twice as long, a spectrogram a quarter longer. Splinters too small for the fast lists
    join their neighbours again, for a hole that has lost them takes no array of the size it had; run.sh turns the cache
    off that would keep them as well (GLIBC_TUNABLES, which only a program's start heeds). There it asks for huge pages
    too, where Linux leaves that to programs: a training step takes a twentieth less.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)
    mallopt(M_TOP_PAD, TOP_PAD)
    mallopt(M_MXFAST, 0)

#!/usr/bin/env python3
"""Read cluster time from Python: libraftfs-clock by ctypes, see rfsclock(3).

    clock.py [/run/raftfs/clock.page]

With LIBRAFTFS_CLOCK set, that library is loaded instead of the installed one.
"""
import ctypes
import os
import sys


class Interval(ctypes.Structure):
    """struct rfsclock_interval"""
    _fields_ = [("earliest_ns", ctypes.c_int64),
                ("latest_ns", ctypes.c_int64),
                ("epoch", ctypes.c_uint64),
                ("quality", ctypes.c_uint32),
                ("disruptions", ctypes.c_uint32)]


class Clock:
    """One open clock page."""

    def __init__(self, path):
        name = os.environ.get("LIBRAFTFS_CLOCK", "libraftfs-clock.so.0")
        self.lib = ctypes.CDLL(name)
        self.lib.rfsclock_open.argtypes = [
            ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
        self.lib.rfsclock_now.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(Interval)]
        self.lib.rfsclock_close.argtypes = [ctypes.c_void_p]
        self.lib.rfsclock_close.restype = None
        self.handle = ctypes.c_void_p()
        self._check(self.lib.rfsclock_open(os.fsencode(path),
                                           ctypes.byref(self.handle)), path)

    @staticmethod
    def _check(error, *about):
        if error:
            raise OSError(error, os.strerror(error), *about)

    def now(self):
        """Cluster time, as an interval."""
        interval = Interval()
        self._check(self.lib.rfsclock_now(self.handle,
                                          ctypes.byref(interval)))
        return interval

    def close(self):
        """Give the page back."""
        self.lib.rfsclock_close(self.handle)


def main():
    """Print what the page says now."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/run/raftfs/clock.page"
    clock = Clock(path)
    now = clock.now()
    names = ("unsynced", "holdover", "synced", "disrupted")
    print("quality", names[now.quality & 3])
    print("epoch", now.epoch)
    if names[now.quality & 3] in ("synced", "holdover"):
        print("earliest", now.earliest_ns)
        print("latest", now.latest_ns)
    clock.close()


if __name__ == "__main__":
    main()

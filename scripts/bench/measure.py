#!/usr/bin/env python3
"""Runs a command, its output thrown away, and prints the seconds from start to end and its largest resident memory in KiB."""
import os
import sys
import time

start = time.perf_counter()
child = os.fork()
if child == 0:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(f"{time.perf_counter() - start:.3f} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))

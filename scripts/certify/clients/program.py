"""Programs of several checks: one function a check, one line printed for each, as program.mjs reads it."""
import time

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def run():
    for function in CHECKS:
        started = time.monotonic()
        try:
            function()
            verdict, detail = "ok", ""
        except Exception as error:
            verdict, detail = "FAIL", f"{type(error).__name__}: {error}".replace("\n", " ").replace("\t", " ")[:1500]
        print(verdict, f"{time.monotonic() - started:.3f}", function.__name__.replace("_", " "), detail, sep="\t", flush=True)

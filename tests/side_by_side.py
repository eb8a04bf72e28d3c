"""One of our programs beside another, in one run: what compare_captum.py and compare_training.py share."""

import json
import os
import subprocess
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "target/release/examples"


class Program:
    """An example that does something for each line that it reads, and answers with a line of JSON."""

    def __init__(self, example, arguments, threads):
        self.process = subprocess.Popen([EXAMPLES / example, *arguments], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={"RAYON_NUM_THREADS": str(threads)})

    def seconds(self, line):
        """Of the clock and of the processors, all threads together."""
        before = self.processor()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["finite"]
        return answer["seconds"], self.processor() - before

    def processor(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        """GiB of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 2**20

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def seconds(work):
    """The same of what `work` does in this process."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def heading(*others):
    """Of rows with seconds and processor seconds."""
    columns = f"{'ours':>10}" + "".join(f"{other:>9}{'ratio':>8}" for other in others)
    print(f"{'':20}" + "".join(f"{measure:>{len(columns)}}" for measure in ("seconds", "processor seconds")))
    print(f"{'':20}" + 2 * columns)


def row(name, *measures):
    """Of each measure ours, then the others' and the ratio of ours to each of them."""
    cells = (f"{ours:10.3f}" + "".join(f"{other:9.3f}{ours / other:8.3f}" for other in others) for ours, *others in measures)
    print(f"{name:20}" + "".join(cells), flush=True)

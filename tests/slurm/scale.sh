#!/usr/bin/env bash
# What a large sweep costs apart from its cells, for the book's page on scale: the toy with CELLS cells of 1 ms (100,000)
# by SHARDS processes side by side (64). Needs `cargo test --release --workspace --no-run`, strace and GNU time.
#     tests/slurm/scale.sh [CELLS [SHARDS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
toy=${CARGO_TARGET_DIR:-$PWD/target}/release/toy
cells=${1:-100000} shards=${2:-64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TOY_DELAYS=0..$((cells / 2)) TOY_EVERY=1 # two rates each
measure() { local what=$1; shift; /usr/bin/time -o "$work/time" -f "%e s, %U s user, %S s system, %M KB" "$@" >"$work/out"; echo "$what: $(cat "$work/time")"; }
run() { "$toy" --out "$work/runs" --quiet --jobs 1 "$@"; }

lscpu | sed -n 's/^Model name: */processor: /p'
measure '--plan before' "$toy" --out "$work/runs" --plan
measure '--freeze' "$toy" --out "$work/runs" --freeze
echo "plan.json: $(stat -c %s "$work/runs/toy_command/plan.json") bytes"
measure "a shard without work" "$toy" --out "$work/runs" --quiet --phase stages --shard 1/1 --list <(echo 0)
side_by_side() { for shard in $(seq "$shards"); do run --phase fit --shard "$shard/$shards" & done; wait; }
export -f side_by_side run
export toy work shards
measure "$cells fits by $shards processes" bash -c side_by_side
measure '--plan after' "$toy" --out "$work/runs" --plan
measure '--status after' "$toy" --out "$work/runs" --status
echo "on disk: $(find "$work/runs" | wc -l) entries, $(du -sm "$work/runs" | cut -f1) MiB"

# System calls a cell: the difference of two shards.
count() { rm -rf "$work/calls"; "$toy" --out "$work/calls" --freeze >"$work/out"; strace -f -c -U calls,name -o "$work/$1" "$toy" --out "$work/calls" --quiet --jobs 1 --phase fit --shard "1/$1"; }
export TOY_DELAYS=0..50000
count 1000
count 100
echo 'system calls a fit:'
join -1 2 -2 2 -a 2 -e 0 -o 0,1.1,2.1 <(sort -k2 "$work/1000") <(sort -k2 "$work/100") |
  awk '$3 ~ /^[0-9]+$/ && $1 != "total" { each = ($3 - $2) / 900; if (each >= 0.5) printf "  %-16s %.1f\n", $1, each }'

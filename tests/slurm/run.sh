#!/usr/bin/env bash
# Runs sweeps on a real Slurm, which this machine emulates with four nodes, and compares their tables with those of plain
# runs, byte by byte. What happens to them:
#
#   fig4_best  the node on which it fits is lost, the controller is restarted, it is submitted a second time
#   limit      the time limit hits in the middle of a cell
#   cancelled  a task is cancelled, and the rest submitted again
#   full       the disk of one node is full
#
# Needs root, and the programs that `cargo test --release --workspace` builds. Installs Debian's packages of Slurm; where
# that is impossible, it says so and does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/slurm bin=${CARGO_TARGET_DIR:-$PWD/target}/release

[ "$(id -u)" = 0 ] || { echo 'skipped: only root can emulate a cluster'; exit 0; }
if ! command -v slurmctld slurmd munged >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -qy --no-install-recommends slurm-wlm munge; } >/dev/null 2>&1 ||
    { echo 'skipped: no Slurm, and it cannot be installed (apt-get install slurm-wlm munge)'; exit 0; }
fi

work=$(mktemp -d)
chmod 755 "$work"
export SLURM_CONF=$work/slurm/slurm.conf
unset "${!SLURM_JOB@}" SLURM_CPUS_PER_TASK
finish() {
  status=$?
  [ "$status" = 0 ] || { tail -n 20 "$work"/*/*/slurm/*/log/* "$work"/*.txt 2>/dev/null || true; }
  "$here/down.sh" "$work/slurm"
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
fail() { echo "error: $*" >&2; squeue >&2 || true; exit 1; }
say() { printf '%4s s  %s\n' "$SECONDS" "$*"; }
check() { local what=$1; shift; "$@" || fail "$what"; say "$what"; }
# Waits until a command succeeds.
await() { local what=$1 limit=$2; shift 2; for _ in $(seq $((limit * 5))); do "$@" && return; sleep 0.2; done; fail "$what did not come within $limit s"; }
same() { cmp -s "$1" "$2"; }
finished() { find "$1" -path '*/cells/*/manifest.json' -not -path '*/.new/*' 2>/dev/null | wc -l; }
has_finished() { [ "$(finished "$1")" -ge "$2" ]; }
no_jobs() { [ -z "$(squeue -h -n "$1-stages,$1-fit,$1-predict,$1-test,$1-tables")" ]; }
count() { grep -cx "$2" "$1" || true; }
# A toy whose fits only wait: toy NAME DELAYS OPTIONS…
toy() {
  local name=$1 delays=$2; shift 2
  TOY_DELAYS=$delays TOY_BYTES=30000 TOY_NOTES="$work/$name.notes" "$bin/toy" --out "$work/$name" "$@"
}
# The number of a job: job NAME PHASE, from what the submission said.
job() { sed -n "s/^ *$2 *job \([0-9]*\):.*/\1/p" "$work/$1.txt"; }
runs() { [ -n "$(squeue -h -t running -j "$1" 2>/dev/null)" ]; }
over() { [ -z "$(squeue -h -t pending,running,completing,configuring -j "$(job "$1" fit),$(job "$1" predict),$(job "$1" test),$(job "$1" tables)" 2>/dev/null)" ]; }
table() { echo "$work/$1/toy_command/table.csv"; }
id_of() { awk -v name="$1" '$2 == name { id = $1 } END { print id }' "$work/slurm/pids"; }
# The processes of jobs on a node of this cluster.
of_node() {
  local process
  for process in /proc/[0-9]*; do
    if tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -cxE "SLURMD_NODENAME=$1|SLURM_CONF=$SLURM_CONF" | grep -qx 2; then
      echo "${process#/proc/}"
      # Its parent is slurmstepd, or another one of them.
      awk '/^PPid:/ { print $2 }' "$process/status"
    fi
  done 2>/dev/null | sort -un | while read -r id; do [ "$id" -gt 1 ] && echo "$id"; done
}
fits_of() { grep -h '"fit": "' "$1"/cells/*/manifest.json 2>/dev/null | sort; }

"$here/up.sh" "$work/slurm" 4 4
say 'four nodes are up'

# Plain runs, and the three toys, which hardly compute: each in a folder of its own. Eight cells of 18 seconds in two
# tasks are 72 seconds each. Slurm looks at time limits every 30 seconds, and not while its controller restarts below, so
# that less work can slip through a limit of a minute.
toy limit 18000,18001,18002,18003 --submit time=1,nodelist=node1 >"$work/limit.txt"
toy cancelled 8000,8001,8002 --submit nodelist=node1 >"$work/cancelled.txt"
toy full 2000,2001,2002 --submit cpus-per-task=4,exclude=node1,node2 --jobs 1 >"$work/full.txt"
say 'three toys are submitted'
# A task of `cancelled` is cancelled in the middle of its second cell.
await 'the first cell of a toy' 60 has_finished "$work/cancelled" 1
sleep 2
scancel "$(job cancelled fit)_1"
say 'a task is cancelled'
for delays in 18000,18001,18002,18003 8000,8001,8002 2000,2001,2002; do
  # As many jobs as cells: the table does not depend on it.
  TOY_DELAYS=$delays TOY_BYTES=30000 "$bin/toy" --quiet --jobs 8 --out "$work/plain-$delays" &
done
"$bin/examples/fig4_best" --quiet --scale smoke --out "$work/plain"
say 'plain runs are done'

# fig4_best: two tasks on two nodes.
fig4() { "$bin/examples/fig4_best" --scale smoke --out "$work/fig4" "$@"; }
fig4 --submit cpus-per-task=4,exclude=node1,node3 >"$work/fig4.txt"
check 'a second submission finds everything under way' \
  grep -q 'waits or runs already' <(fig4 --submit cpus-per-task=4,exclude=node1,node3)
# As a service is restarted. It needs some seconds to save what was submitted; a crash before loses jobs, whoever
# submitted them.
controller=$(id_of slurmctld)
kill "$controller"
await 'the end of the controller' 60 eval "! kill -0 $controller 2>/dev/null"
"$here/up.sh" "$work/slurm" start slurmctld
await 'the controller' 30 scontrol ping >"$work/ping"
say 'the controller was restarted'
await 'the first fits' 300 has_finished "$work/fig4/fig4_best" 3
before=$(fits_of "$work/fig4/fig4_best")
lost=$(of_node node2)
[ -n "$lost" ] || fail 'nothing runs on node2'
kill -9 "$(id_of node2)" $lost
node2_is_down() { sinfo -h -n node2 -o %t | grep -q down; }
await 'node2 is lost' 60 node2_is_down
say "node2 was killed with $(wc -w <<<"$lost") processes, and is down"
"$here/up.sh" "$work/slurm" start node2


# What was cancelled, and what found no room, is submitted again: only that.
await 'the end of `cancelled`' 60 over cancelled
await 'the end of `full`' 60 over full
check 'the full disk is an error that says so' grep -qh 'make room and run the same command again' "$work"/full/toy_command/slurm/1/log/*
check 'the other node did its part' [ "$(finished "$work/full")" -ge 3 ]
left=$((6 - $(finished "$work/full")))
toy cancelled 8000,8001,8002 --submit nodelist=node1 >"$work/cancelled.txt"
toy full 2000,2001,2002 --submit exclude=node2,node3 --jobs 1 >"$work/full.txt"
check 'only what is missing is submitted' grep -qE "fit +job [0-9]+: $left cells? in" "$work/full.txt"

for name in fig4 limit cancelled full; do
  await "the end of \`$name\`" 500 over "$name"
done
wait
check 'fig4_best has the table of a plain run' same "$work/plain/fig4_best/table.csv" "$work/fig4/fig4_best/table.csv"
check 'and its figure' same "$work/plain/fig4_best/figure.svg" "$work/fig4/fig4_best/figure.svg"
after=$(fits_of "$work/fig4/fig4_best")
check 'no cell was fitted twice that was finished when the node was lost' [ "$(comm -23 <(echo "$before") <(echo "$after"))" = '' ]
for toy in limit:18000,18001,18002,18003:9:24 cancelled:8000,8001,8002:7:7 full:2000,2001,2002:7:7; do
  IFS=: read -r name delays least most <<<"$toy"
  check "$name has the table of a plain run" same "$work/plain-$delays/toy_command/table.csv" "$(table "$name")"
  # All cells, and those that were stopped halfway.
  fits=$(count "$work/$name.notes" fit) stages=$(count "$work/$name.notes" stage)
  check "$name began $fits fits" [ "$fits" -ge "$least" -a "$fits" -le "$most" ]
  check "$name computed each stage once" [ "$stages" = 2 ]
done
check 'the time limit was what stopped it' grep -qh 'stopping at the next safe point' "$work"/limit/toy_command/slurm/1/log/*
TOY_DELAYS=2000,2001,2002 "$bin/toy" --out "$work/full" --status
say 'all is well'

#!/usr/bin/env bash
# Ends what up.sh started in DIR, by the ids that it wrote there. Jobs are cancelled before.
dir=$1
[ -e "$dir/pids" ] || exit 0
export SLURM_CONF=$dir/slurm.conf
quiet() { [ -z "$(timeout 5 squeue -h 2>/dev/null)" ]; }
quiet || timeout 10 scancel -u "$(id -un)" 2>/dev/null
for _ in $(seq 100); do quiet && break; sleep 0.1; done
# An id may have been given to another program since: its name is looked at.
ours() { [ "$(ps -o comm= -p "$1" 2>/dev/null)" = "${2/node*/slurmd}" ]; }
for signal in TERM KILL; do
  left=0
  while read -r pid name; do ours "$pid" "$name" && kill -$signal "$pid" && left=1; done < <(tac "$dir/pids")
  for _ in $(seq 150); do
    [ $left = 0 ] && break
    sleep 0.1; left=0
    while read -r pid name; do ours "$pid" "$name" && left=1; done <"$dir/pids"
  done
done
rm -f "$dir/pids"

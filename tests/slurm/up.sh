#!/usr/bin/env bash
# Slurm on this machine alone, without systemd: munged, slurmctld, and NODES emulated nodes of CPUS processors.
#     up.sh DIR NODES CPUS        then `export SLURM_CONF=DIR/slurm.conf`; down.sh DIR ends it
#     up.sh DIR start NAME        starts one of them again: slurmctld, node1, node2, …
# As root. Everything is below DIR (key, socket, state, logs), and every port is on 127.0.0.1. An array has at most two
# tasks (MaxArraySize), so that cells are packed, and a lost node is noticed after 10 seconds. The disk of node3 is
# full: no file of more than 20 KiB can be written there.
set -euo pipefail
dir=$1
export SLURM_CONF=$dir/slurm.conf

# In the foreground and in sessions of their own, so that their ids are known and nothing else ends them.
run() { local name=$1; shift; setsid "$@" >>"$dir/log/$name.out" 2>&1 </dev/null & echo "$! $name" >>"$dir/pids"; }
start() {
  case $1 in
  munged) run munged munged --foreground --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" \
    --pid-file="$dir/munged.pid" --log-file="$dir/log/munged" --seed-file="$dir/munge.seed" --num-threads=2 ;;
  slurmctld) run slurmctld slurmctld -D -f "$SLURM_CONF" ;;
  node3) run node3 bash -c 'trap "" XFSZ; ulimit -f 20; exec "$@"' bash slurmd -D -f "$SLURM_CONF" -N node3 ;;
  *) run "$1" slurmd -D -f "$SLURM_CONF" -N "$1" ;;
  esac
}
if [ "$2" = start ]; then start "$3"; exit; fi

nodes=$2 cpus=$3 base=${SLURM_BASE_PORT:-17100} host=$(hostname -s)
die() { echo "up.sh: $*" >&2; tail -n 5 "$dir"/log/* >&2 || true; exit 1; }
mkdir -p "$dir"/{ctld,log}
chmod 755 "$dir"
for node in $(seq "$nodes"); do mkdir -p "$dir/node$node"; done
: >"$dir/pids"
touch "$dir/jobcomp"
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=$base
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SrunPortRange=$((base + 50))-$((base + 99))
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/jobcomp
MpiDefault=none
PropagateResourceLimits=NONE
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
MaxArraySize=3
InactiveLimit=0
KillWait=5
MinJobAge=300
SlurmctldTimeout=60
SlurmdTimeout=10
NodeName=node[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((base + 1))-$((base + nodes))] CPUs=$cpus RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=node[1-$nodes] Default=YES MaxTime=INFINITE State=UP
END

await() { local what=$1; shift; for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; die "$what does not answer"; }
idle() { [ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" -eq "$nodes" ]; }
(umask 077; head -c 128 /dev/urandom >"$dir/munge.key")
start munged
await munged munge --socket="$dir/munge.socket" -n
start slurmctld
await slurmctld scontrol ping
for node in $(seq "$nodes"); do start "node$node"; done
await 'a node' idle

#!/bin/bash
# A batch on a Slurm cluster: a Ray head, a worker on each node, and the driver on the first.
#
#   sbatch --nodes=4 --gpus-per-node=2 docker/slurm.sh --all --study mine.yaml --device cuda --gpus-per-trial 0.25
#
# All arguments are those of `autokd tune`. The commands `autokd` and `ray` must be found on every node: activate
# the environment before `sbatch`. Slurm keeps a job's environment on disk, so AUTOKD_STORAGE holds no password
# here: ~/.pgpass, readable by nobody else, is where PostgreSQL itself looks for it.
#
# Shortly before its time is over the driver ends as after Ctrl-C; submit the same batch again, and it goes on.

#SBATCH --job-name=autokd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@180

set -euo pipefail

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# A port of its own, since several jobs may meet on a node.
RAY_ADDRESS="${nodes[0]}:$((20000 + SLURM_JOB_ID % 10000))"
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_ADDRESS RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

# Ray's nodes last as long as this script.
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT

ray_on() {
  local node=$1
  shift
  env -u AUTOKD_STORAGE srun --nodes=1 --ntasks=1 --overlap --nodelist="$node" \
    ray start "$@" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
}

ray_on "${nodes[0]}" --head --port="${RAY_ADDRESS##*:}" --include-dashboard=false
for _ in {1..60}; do
  ray health-check --address="$RAY_ADDRESS" 2> /dev/null && break
  sleep 2
done
for node in "${nodes[@]:1}"; do
  ray_on "$node" --address="$RAY_ADDRESS"
done

autokd tune "$@" &
driver=$!
stopped=false
trap 'stopped=true; kill -TERM "$driver"' TERM
code=0
wait "$driver" || code=$?
if "$stopped"; then
  # That was the signal's doing: the driver still writes down what is under way.
  code=0
  wait "$driver" || code=$?
fi
exit "$code"

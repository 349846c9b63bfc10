# shellcheck shell=bash
# The cluster as a whole: up, down, status.

DEFAULT_NODES=3

up() {                        # up [NODES]: a fresh cluster, whatever an earlier run has left
  local nodes=${1:-$DEFAULT_NODES} begin=$SECONDS
  [[ "$nodes" =~ ^[0-9]+$ ]] && [ "$nodes" -ge 1 ] && [ "$nodes" -le $MOST_NODES ] ||
    fail "the number of nodes is 1 to $MOST_NODES, not \"$nodes\""
  [ "$(id -u)" = 0 ] || fail "starting a cluster needs root"
  require_built
  down
  install -d -m 0755 "$STATE" "$LOGS" "$RUN"
  : >"$MARKER"
  # A start that fails leaves nothing running, but its logs.
  trap 'stop_processes' EXIT
  create_namespaces
  create_identities
  start_control_plane
  start_nodes "$nodes"
  wait_for coredns inside getent hosts kubernetes.default.svc.cluster.local
  require_all_running
  trap - EXIT
  say "cluster: $nodes nodes are Ready after $((SECONDS - begin)) s; KUBECONFIG=$ADMIN_KUBECONFIG works in \`$0 run\`"
}

# A part that nobody waited for may have ended meanwhile.
require_all_running() {
  local file name
  for file in "$RUN"/*.pid; do
    name=$(basename "$file" .pid)
    is_started "$name" || give_up "$name ended" "$name"
  done
}

# Ending the namespace's process 1 ends them all: kubelets, containers, whatever a test has started inside.
stop_processes() {
  local pid
  pid=$(init_pid) || return 0
  kill -9 "$pid"
  while [ -e "/proc/$pid" ]; do sleep 0.05; done
}

down() {                      # nothing is left, also after a crash; harmless when there is nothing
  [ -z "${TIM_TEST_INSIDE:-}" ] || fail "up and down work from outside the cluster only"
  [ -e "$STATE" ] || return 0
  [ -e "$MARKER" ] || fail "$STATE was not made by this program, so it is not removed; choose another TIM_TEST_STATE"
  stop_processes
  remove_cgroups
  rm -rf "$STATE"
}

status() {
  local file name
  if ! init_pid >/dev/null; then
    echo "no cluster in $STATE is running"
    return 1
  fi
  printf '%-22s %s\n' PROCESS STATE
  for file in "$RUN"/*.pid; do
    name=$(basename "$file" .pid)
    printf '%-22s %s\n' "$name" "$(is_started "$name" && echo running || echo ended)"
  done
  echo
  kubectl get nodes -o wide
  echo
  kubectl get pods --all-namespaces -o wide
}

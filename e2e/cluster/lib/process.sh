# shellcheck shell=bash
# The cluster's own namespaces, and the processes that run in them.
#
# Everything lives in one network, mount and process namespace. So nothing can reach a network
# outside, mounts of pods never show on the machine, and ending the namespace's process 1 ends
# every process of the cluster at once, however it was started.

INIT_FILE=$RUN/init           # "PID START" of process 1 as the machine sees it

# A process id alone may have been given to another program since; with its start time it is unique.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

init_pid() {                  # prints the process id; fails when the cluster is not running
  local pid start
  # Under `cluster run` this very script may be used again: there process 1 is the one.
  [ -z "${TIM_TEST_INSIDE:-}" ] || { echo 1; return; }
  [ -f "$INIT_FILE" ] && read -r pid start <"$INIT_FILE" && [ "$(start_time "$pid")" = "$start" ] && echo "$pid"
}

require_running() { init_pid >/dev/null || fail "no cluster in $STATE is running: \`$0 up\` starts one"; }

# inside CMD...: run in the cluster's namespaces; --pid also, since /proc in there shows only its processes.
inside() { nsenter --target "$(init_pid)" --net --mount --pid -- "$@"; }

kubectl() { inside "$BIN/kubectl" --kubeconfig "$ADMIN_KUBECONFIG" "$@"; }

# start PROGRAM_NAME CMD...: a background process with $LOGS/NAME.log and, in $RUN/NAME.pid, its id inside.
start() {
  local name=$1
  shift
  rm -f "$RUN/$name.pid"
  # The shell writes its own id and becomes the program: the only id that is surely the program's.
  # shellcheck disable=SC2016  # expands in the inner shell
  setsid nsenter --target "$(init_pid)" --net --mount --pid -- \
    sh -c 'echo $$ >"$0"; exec "$@"' "$RUN/$name.pid" "$@" >>"$LOGS/$name.log" 2>&1 </dev/null &
  disown                      # its end is no news to this shell
}

is_started() { [ -s "$RUN/$1.pid" ] && inside kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; }

# wait_for NAME CMD...: until CMD succeeds; gives up early when the process NAME has ended.
wait_for() {
  local name=$1 deadline=$((SECONDS + WAIT_SECONDS))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ -s "$RUN/$name.pid" ] && ! is_started "$name"; then
      give_up "$name ended" "$name"
    fi
    [ $SECONDS -lt $deadline ] || give_up "$name is not ready after $WAIT_SECONDS s" "$name"
    sleep 0.1
  done
}

give_up() {                   # give_up REASON NAME: with the last words of the process
  tail -n 15 "$LOGS/$2.log" >&2 2>/dev/null || true
  fail "$1; its log is $LOGS/$2.log"
}

# Kubelets, runc and CNI keep things at places that cannot be configured: they get empty folders there,
# seen by this cluster only, and the machine's stay as they are.
hide_fixed_folders() {
  local folder
  for folder in /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers; do
    mkdir -p "$folder"
    inside mount -t tmpfs -o mode=0755 "$NAME" "$folder"
  done
}

# Makes the namespaces, held by a process 1 that only waits and reaps.
create_namespaces() {
  local holder pid
  # slave: mounts of the machine come in, those of the pods do not go out.
  setsid unshare --net --mount --pid --fork --mount-proc --propagation slave -- "$BIN/pause" \
    </dev/null >/dev/null 2>&1 &
  holder=$!
  disown
  for _ in $(seq 100); do
    pid=$(pgrep --parent "$holder" --exact pause || true)
    [ -z "$pid" ] || break
    sleep 0.02
  done
  [ -n "$pid" ] || fail "the kernel gave no namespaces; is this root on a machine that allows them?"
  echo "$pid $(start_time "$pid")" >"$INIT_FILE"

  inside mount --make-rshared /          # pods' mounts have to reach containers
  hide_fixed_folders
  # Names of the cluster resolve for whatever is run inside; the machine's own resolver is out of reach.
  printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' \
    "$HOST_IP" >"$STATE/resolv.conf"
  inside mount --bind "$STATE/resolv.conf" /etc/resolv.conf
  inside ip link set lo up
  add_bridge 1
  # The API server wants a default route; this one ends at a bridge with nobody behind it.
  inside ip route add default dev bridge1
  inside sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
}

node_third_byte() { echo $((($1 - 1) * 16)); }
node_ip() { echo "198.18.$(node_third_byte "$1").1"; }   # of node 1 it is $HOST_IP

# A bridge carries each node's address: dummy devices are not in every kernel.
add_bridge() {
  inside ip link add "bridge$1" type bridge
  inside ip addr add "$(node_ip "$1")/20" dev "bridge$1"
  inside ip link set "bridge$1" up
}

# shellcheck shell=bash
# Images on the nodes. There is no registry: archives are imported into every node's containerd.

# The sandbox container of every pod: one static program that waits and reaps.
write_pause_image() {
  install -D -m 0755 "$BIN/pause" "$STATE/pause/pause"
  write_archive "$STATE/pause" local/pause:1 "$STATE/pause.tar" '{"Entrypoint":["/pause"]}'
}

load_into() {                 # load_into SOCKET ARCHIVE
  ctr --address "$1" --namespace k8s.io images import "$2" >/dev/null
}

load() {                      # load ARCHIVE...: onto every node
  local socket archive import importing
  require_running
  [ $# -gt 0 ] || fail "load needs at least one image archive"
  for archive in "$@"; do
    [ -f "$archive" ] || fail "no such image archive: $archive"
    importing=()
    for socket in "$STATE"/node*/containerd.sock; do
      load_into "$socket" "$archive" &
      importing+=($!)
    done
    # One by one, since `wait` for all of them would hide a failure.
    for import in "${importing[@]}"; do wait "$import" || fail "a node did not take $archive"; done
  done
}

# signal SIGNAL NAMESPACE POD [CONTAINER]: to process 1 of the pod's containers. Images hold no shell and no `kill`.
signal() {
  local signal=$1 namespace=$2 pod=$3 container=${4:-} socket ids id pid sent=0
  local filter="labels.\"io.kubernetes.pod.namespace\"==$namespace,labels.\"io.kubernetes.pod.name\"==$pod"
  require_running
  filter+=",labels.\"io.cri-containerd.kind\"==container"
  [ -z "$container" ] || filter+=",labels.\"io.kubernetes.container.name\"==$container"
  for socket in "$STATE"/node*/containerd.sock; do
    ids=$(ctr --address "$socket" --namespace k8s.io containers list --quiet "$filter")
    for id in $ids; do
      # Containers that have ended stay listed, without a running task.
      pid=$(ctr --address "$socket" --namespace k8s.io tasks list | awk -v id="$id" '$1 == id && $3 == "RUNNING" {print $2}')
      [ -n "$pid" ] || continue
      inside kill -s "$signal" "$pid" && sent=$((sent + 1))
    done
  done
  [ $sent -gt 0 ] || fail "no running container of pod $namespace/$pod${container:+ named $container}"
}

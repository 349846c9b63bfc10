# shellcheck shell=bash
# A node: a bridge, a control group, a containerd and a kubelet of its own.

# Kubelets on one machine must not share control groups, or each would end the others' pods.
create_node_cgroup() {
  local name=$NAME-$1 controller file
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    sed 's/\</+/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "/sys/fs/cgroup/$name"
    return
  fi
  for controller in /sys/fs/cgroup/*/; do
    [ -f "$controller/cgroup.procs" ] && mkdir -p "$controller/$name"
  done
  # A new group of cpuset holds no processor until it is told which; nothing runs in it before.
  for file in cpuset.cpus cpuset.mems; do
    cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$name/$file"
  done
}

remove_cgroups() {
  local group
  for group in /sys/fs/cgroup/"$NAME"-node* /sys/fs/cgroup/*/"$NAME"-node*; do
    [ -d "$group" ] || continue
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

write_containerd_config() {   # write_containerd_config FOLDER BRIDGE_NUMBER
  cat >"$1/containerd.toml" <<T
version = 2
root = "$1/containerd"
state = "$1/run"
[grpc]
  address = "$1/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true           # without CAP_SYS_RESOURCE runc dies with "can't get final child's PID"
  netns_mounts_under_state_dir = true     # not in /var/run/netns, which is the machine's
  sandbox_image = "local/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$1/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
T
  mkdir -p "$1/cni"
  cat >"$1/cni/10-bridge.conflist" <<J
{"cniVersion": "1.0.0", "name": "$NAME-node$2", "plugins": [
  {"type": "bridge", "bridge": "bridge$2", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$1/ipam", "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "198.18.$(node_third_byte "$2").0/20", "gateway": "$(node_ip "$2")",
                         "rangeStart": "198.18.$(($(node_third_byte "$2") + 1)).1"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
}

write_kubelet_config() {      # write_kubelet_config FOLDER NODE_NUMBER
  cat >"$1/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $(node_ip "$2")
healthzBindAddress: 127.0.0.$2
containerRuntimeEndpoint: unix://$1/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$NAME-node$2
failSwapOn: false
failCgroupV1: false
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: "$PKI/ca.crt"}
authorization: {mode: Webhook}
tlsCertFile: $PKI/node$2.crt
tlsPrivateKeyFile: $PKI/node$2.key
clusterDNS: ["$HOST_IP"]
clusterDomain: cluster.local
resolvConf: $STATE/resolv-of-pods.conf
podLogsDir: $1/pods.log
volumePluginDir: $1/volume-plugins
evictionHard: {memory.available: "100Mi"}
imageGCHighThresholdPercent: 100      # never remove images: there is no registry to get them back from
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
maxPods: 250
serializeImagePulls: false
syncFrequency: 10s                    # a changed ConfigMap is in the pod's folder after this, not after a minute
nodeLeaseDurationSeconds: 8           # below the controller manager's grace period, or nodes flap
nodeStatusUpdateFrequency: 5s
kubeAPIQPS: $REQUESTS_PER_SECOND
kubeAPIBurst: $REQUESTS_BURST
Y
}

# start_node N: returns at once; wait_for_nodes waits for all.
start_node() {
  local name=node$1 folder=$STATE/node$1
  mkdir -p "$folder/kubelet"
  [ "$1" = 1 ] || add_bridge "$1"       # the first one carries the machine's address already
  create_node_cgroup "$name"
  write_containerd_config "$folder" "$1"
  write_kubelet_config "$folder" "$1"
  issue_user "$name" "system:node:$name" system:nodes "DNS:$name,IP:$(node_ip "$1")"
  start "containerd-$name" containerd --config "$folder/containerd.toml"
  wait_for "containerd-$name" ctr --address "$folder/containerd.sock" version
  load_into "$folder/containerd.sock" "$STATE/pause.tar"
  start_kubelet "$1"
}

start_kubelet() {
  local name=node$1 folder=$STATE/node$1
  start "kubelet-$name" "$BIN/kubelet" --config="$folder/kubelet.yaml" --kubeconfig="$STATE/$name.kubeconfig" \
    --hostname-override="$name" --node-ip="$(node_ip "$1")" --node-labels="topology.kubernetes.io/zone=zone$1" \
    --root-dir="$folder/kubelet" --cert-dir="$folder/kubelet/pki"
}

start_nodes() {               # start_nodes COUNT
  local node
  # Pods take the cluster's DNS from the kubelet, and nothing from the machine.
  : >"$STATE/resolv-of-pods.conf"
  write_pause_image
  for node in $(seq "$1"); do start_node "$node"; done
  for node in $(seq "$1"); do
    wait_for "kubelet-node$node" kubectl wait --for=condition=Ready "node/node$node" --timeout=1s
  done
}

# shellcheck shell=bash
# etcd, the API server and its controllers, the Service network, DNS and volumes: plain processes of the machine.

# Controllers write as fast as the tests want; the defaults throttle 500 pods to 25 s.
REQUESTS_PER_SECOND=300
REQUESTS_BURST=600

start_etcd() {
  # Nothing here outlives the test, so no write waits for the disk.
  start etcd "$BIN/etcd" --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
}

# Tests count the writes of the operator and compare its rights with what it used: every request, without bodies.
write_audit_policy() {
  cat >"$STATE/audit-policy.yaml" <<Y
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: Metadata
Y
}

start_apiserver() {
  write_audit_policy
  local flags=(
    --etcd-servers=http://127.0.0.1:2379
    --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$HOST_IP"
    --service-cluster-ip-range="$SERVICES" --allow-privileged=true
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt"
    --service-account-issuer=https://kubernetes.default.svc
    --service-account-key-file="$PKI/service-accounts.pub"
    --service-account-signing-key-file="$PKI/service-accounts.key"
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key"
    --kubelet-preferred-address-types=InternalIP   # names of nodes are in no DNS
    --audit-policy-file="$STATE/audit-policy.yaml" --audit-log-path="$AUDIT_LOG" --audit-log-format=json
    --audit-log-mode=blocking                      # a request that was answered is in the file
    --audit-log-maxsize=4000                       # megabytes; one file, so that tests need not follow a rotation
  )
  start apiserver "$BIN/kube-apiserver" "${flags[@]}"
}

start_controller_manager() {
  local user=$STATE/controller-manager.kubeconfig
  local flags=(
    --kubeconfig="$user" --authentication-kubeconfig="$user" --authorization-kubeconfig="$user"
    --use-service-account-credentials --service-account-private-key-file="$PKI/service-accounts.key"
    --root-ca-file="$PKI/ca.crt" --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key"
    --service-cluster-ip-range="$SERVICES" --leader-elect=false
    --node-monitor-period=1s
    --node-monitor-grace-period=10s                # longer than kubelets take to renew their lease
    --kube-api-qps="$REQUESTS_PER_SECOND" --kube-api-burst="$REQUESTS_BURST"
  )
  start controller-manager "$BIN/kube-controller-manager" "${flags[@]}"
}

start_scheduler() {
  cat >"$STATE/scheduler.yaml" <<Y
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {kubeconfig: "$STATE/scheduler.kubeconfig", qps: $REQUESTS_PER_SECOND, burst: $REQUESTS_BURST}
leaderElection: {leaderElect: false}
Y
  start scheduler "$BIN/kube-scheduler" --config="$STATE/scheduler.yaml"
}

# One for all nodes: they share the network namespace, so also its rules.
start_proxy() {
  cat >"$STATE/proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $PODS
hostnameOverride: node1
clientConnection: {kubeconfig: "$STATE/proxy.kubeconfig"}
iptables: {minSyncPeriod: 100ms, syncPeriod: 30s}
# No limits of conntrack: they belong to the machine, not to this namespace.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
Y
  start proxy "$BIN/kube-proxy" --config="$STATE/proxy.yaml"
}

# Short lifetimes: a test that scales or kills wants the new answer.
start_dns() {
  cat >"$STATE/Corefile" <<C
.:53 {
  bind $HOST_IP
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $STATE/coredns.kubeconfig
    pods insecure
    ttl 2
  }
  cache 2
}
C
  start coredns "$BIN/coredns" -conf "$STATE/Corefile"
}

start_volumes() {
  install -d -m 0755 "$VOLUMES"
  start provisioner "$BIN/provisioner" --kubeconfig "$STATE/provisioner.kubeconfig" --root "$VOLUMES"
  kubectl apply -f - >/dev/null <<'Y'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
allowVolumeExpansion: true
provisioner: timcluster.local/shared-disk
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
Y
}

start_control_plane() {
  start_etcd
  start_apiserver
  wait_for apiserver kubectl get --raw /readyz
  start_controller_manager
  start_scheduler
  start_proxy
  start_dns
  start_volumes
}

# shellcheck shell=bash disable=SC2034  # the constants are used by the files that source this one
# Where things are and how they are called. Everything that two files need to agree on.

# Programs built by `cluster build`; safe to share between work trees and to cache in CI.
BIN=${TIM_TEST_BIN:-$HOME/.cache/timcluster/bin}
# All state of one running cluster. Another value gives a second cluster beside the first.
STATE=${TIM_TEST_STATE:-/tmp/tim-test-cluster}
# Names what the kernel keeps per machine (control groups, CNI results) after the state folder.
NAME=$(basename "$STATE")

PKI=$STATE/pki
LOGS=$STATE/log
RUN=$STATE/run
VOLUMES=$STATE/volumes
AUDIT_LOG=$STATE/audit.jsonl
SPANS=$STATE/telemetry.jsonl
ADMIN_KUBECONFIG=$STATE/admin.kubeconfig
# The state folder is removed as a whole; only one that holds this file is ours to remove.
MARKER=$STATE/.tim-test-cluster

# 198.18.0.0/15 is set aside for tests of networks (RFC 2544), so it collides with no real one.
HOST_IP=198.18.0.1            # the machine as pods see it: API server, DNS, databases, collector
PODS=198.18.0.0/16            # node N owns the /20 that starts at 198.18.(N-1)*16.0
SERVICES=198.19.0.0/24
KUBERNETES_SERVICE_IP=198.19.0.1
MOST_NODES=16                 # so many /20 fit into the /16

POSTGRES_PORT=5432
OTLP_GRPC_PORT=4317
OTLP_HTTP_PORT=4318
COLLECTOR_METRICS_PORT=8889

WAIT_SECONDS=60               # for any one part to become ready; a busy machine needs 10

say() { printf '%s\n' "$*" >&2; }
fail() { say "cluster: $*"; exit 1; }
